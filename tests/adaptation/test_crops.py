"""Windows of labelled sections."""

import numpy as np

from diapir.adaptation.crops import Crops, resample_mask
from tests.adaptation.made_pictures import made_section

STILL = np.tile(np.eye(2), (200, 1, 1))


def test_half_of_the_windows_show_salt_though_it_is_rare() -> None:
    image, mask = made_section(0, (128, 600))
    mask[:, :290] = 0
    mask[:, 310:] = 0
    images, masks = Crops([image], [mask]).cut(32, STILL, (0, 1))
    assert images.shape == masks.shape == (200, 32, 32)
    assert 0.35 < (masks == 1).any(axis=(1, 2)).mean() < 0.75


def test_windows_depend_on_the_seed_alone() -> None:
    image, mask = made_section(0)
    crops = Crops([image], [mask])
    one, same, other = (crops.cut(32, STILL[:4], seed)[0] for seed in ((0, 1), (0, 1), (0, 2)))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_windows_larger_than_a_section_are_unlabelled_beyond_it() -> None:
    image, mask = made_section(0, (20, 40))
    _, masks = Crops([image], [mask]).cut(64, STILL[:2], (0, 1))
    assert (masks == 255).any()
    assert (masks == 1).any()


def test_a_mask_at_another_size_keeps_its_classes() -> None:
    mask = np.array([[0, 1], [255, 0]], np.uint8)
    assert np.array_equal(resample_mask(mask, (4, 4)), mask.repeat(2, 0).repeat(2, 1))
    assert np.array_equal(resample_mask(mask.repeat(2, 0), (2, 2)), mask)
