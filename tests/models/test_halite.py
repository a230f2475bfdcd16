from diapir.architectures import HaliteConfig

from .contract import ModelContract


class TestHalite(ModelContract):
    small = HaliteConfig(encoder="test_resnet", widths=(8, 8, 6, 4))
    published, parameters = HaliteConfig(), 3_522_565
