from diapir.architectures import PSPNetConfig
from tests.models.contract import ModelContract


class TestPSPNet(ModelContract):
    small = PSPNetConfig(encoder="test_resnet")
    published, parameters = PSPNetConfig(), 46_582_850
