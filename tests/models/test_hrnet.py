from diapir.architectures import HRNetConfig

from .contract import ModelContract


class TestHRNet(ModelContract):
    small = HRNetConfig(encoder="hrnet_w18_small")
    published, parameters = HRNetConfig(), 65_846_402
