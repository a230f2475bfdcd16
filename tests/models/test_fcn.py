import torch
from torchvision.models.segmentation import fcn_resnet50

from diapir.architectures import FCNConfig
from tests.models.contract import ModelContract, seeded, some_images


class TestFCN(ModelContract):
    small = published = FCNConfig()
    parameters = 32_947_266


def test_it_is_the_one_of_torchvision() -> None:
    torch.manual_seed(0)
    theirs = fcn_resnet50(weights=None, weights_backbone=None, num_classes=2).eval()
    ours = seeded(FCNConfig()).eval()
    with torch.inference_mode():
        images = some_images(1, 64, 72)
        assert ours(images).equal(theirs(images)["out"])
