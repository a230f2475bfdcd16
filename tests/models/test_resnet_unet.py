from diapir.architectures import ResNetUNetConfig
from tests.models.contract import ModelContract


class TestResNetUNet(ModelContract):
    small = ResNetUNetConfig(encoder="test_resnet")
    published, parameters = ResNetUNetConfig(), 14_328_354
