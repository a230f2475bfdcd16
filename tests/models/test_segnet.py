from diapir.architectures import SegNetConfig

from .contract import ModelContract


class TestSegNet(ModelContract):
    small = published = SegNetConfig()
    parameters = 29_477_442
