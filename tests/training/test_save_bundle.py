"""What a bundle says of its training."""

from diapir.bundle import VERTICAL_SCALE
from diapir.config import AugmentConfig
from diapir.training.save_bundle import _rescaling


def test_a_bundle_says_what_vertical_scales_it_was_trained_on() -> None:
    augment = AugmentConfig(rescale=0.3, vertical_scale=(0.5, 2.0))
    assert _rescaling(augment) == {VERTICAL_SCALE: [0.5, 2.0]}
    assert _rescaling(AugmentConfig()) == {}
