import torch
from torchvision.models.segmentation import deeplabv3_resnet50

from diapir.architectures import DeepLabV3Config
from tests.models.contract import ModelContract, seeded, some_images


class TestDeepLabV3(ModelContract):
    small = published = DeepLabV3Config()
    parameters = 39_633_986


def test_it_is_the_one_of_torchvision() -> None:
    torch.manual_seed(0)
    theirs = deeplabv3_resnet50(weights=None, weights_backbone=None, num_classes=2)
    ours = seeded(DeepLabV3Config())
    images = some_images(2, 64, 72)
    with torch.no_grad():
        for network in (theirs, ours):
            torch.manual_seed(1)  # the same channels are dropped
            network.train()(images)  # the running statistics of the layer we put in move alike
            network.eval()
        assert ours(images).equal(theirs(images)["out"])
