from diapir.architectures import DeepLabV3PlusConfig
from tests.models.contract import ModelContract


class TestDeepLabV3Plus(ModelContract):
    small = DeepLabV3PlusConfig(encoder="test_resnet")
    published, parameters = DeepLabV3PlusConfig(), 26_677_842
