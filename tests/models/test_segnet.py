import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d

from diapir.architectures import SegNetConfig
from tests.models.contract import ModelContract, seeded, shapeless, some_images


class TestSegNet(ModelContract):
    small = published = SegNetConfig()
    parameters = 29_440_450


def _convolutions(network: nn.Module) -> list[tuple[int, int]]:
    return [
        (module.in_channels, module.out_channels)
        for module in network.modules()
        if isinstance(module, nn.Conv2d)
    ]


def test_the_decoder_mirrors_the_encoder() -> None:
    network = shapeless(SegNetConfig())
    down = _convolutions(network.encoder)
    up = [*_convolutions(network.decoder), *_convolutions(network.head)]
    assert len(down) == len(up) == 13
    assert up[:-1] == [(after, before) for before, after in reversed(down[1:])]
    assert (down[0], up[-1]) == ((3, 64), (64, 2))


def test_each_maximum_goes_back_to_where_it_was_found() -> None:
    network = seeded(SegNetConfig()).eval()
    seen: dict[str, Tensor] = {}
    poolings = [module for module in network.encoder.modules() if isinstance(module, nn.MaxPool2d)]
    poolings[0].register_forward_pre_hook(lambda module, given: seen.update(above=given[0].clone()))
    network.decoder[-1].register_forward_pre_hook(
        lambda module, given: seen.update(below=given[0].clone())
    )
    with torch.inference_mode():
        network(some_images(1, 32, 32))
    above, below = seen["above"], seen["below"]
    largest = interpolate(max_pool2d(above, 2), scale_factor=2, mode="nearest")
    assert below.any()
    assert ((below == 0) | (above == largest)).all()
    # one of four pixels at most, and most of the others are no maxima
    assert max_pool2d((below != 0).float(), 2).sum() == (below != 0).sum()


def test_the_layout_of_the_images_in_memory_does_not_matter() -> None:
    network = seeded(SegNetConfig()).eval()
    images = some_images(1, 64, 64)
    with torch.inference_mode():
        expected = network(images)
        network.to(memory_format=torch.channels_last)
        found = network(images.to(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
