from diapir.architectures import LinkNetConfig
from tests.models.contract import ModelContract


class TestLinkNet(ModelContract):
    small = LinkNetConfig(encoder="test_resnet")
    published, parameters = LinkNetConfig(), 11_663_810
