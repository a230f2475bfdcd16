from diapir.architectures import DeepLabV3Config

from .contract import ModelContract


class TestDeepLabV3(ModelContract):
    small = published = DeepLabV3Config()
    parameters = 39_633_986
