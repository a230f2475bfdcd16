from torchvision.models.segmentation import fcn_resnet50

from diapir import models
from diapir.architectures import FCNConfig

from .contract import ModelContract, shapeless


class TestFCN(ModelContract):
    small = published = FCNConfig()
    parameters = 32_947_266


def test_only_the_auxiliary_head_of_torchvision_is_left_out() -> None:
    whole = fcn_resnet50(weights=None, weights_backbone=None, num_classes=2, aux_loss=True)
    auxiliary = models.parameter_count(whole.aux_classifier)
    assert models.parameter_count(whole) - auxiliary == TestFCN.parameters
