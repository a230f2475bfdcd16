from diapir.architectures import ImprovedUNetConfig

from .contract import ModelContract


class TestImprovedUNet(ModelContract):
    small = ImprovedUNetConfig(base=4)
    published, parameters = ImprovedUNetConfig(), 31_038_094
