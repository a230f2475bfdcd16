"""Styles of synthetic sections: the plain one stays, varied ones change what they say."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from diapir.tiles.synthetic import make_section
from diapir.tiles.synthetic.geology import make_geology
from diapir.tiles.synthetic.imaging import image
from diapir.tiles.synthetic.section_style import PLAIN, Style, draw_style

SHAPE = (300, 400)


def imaged(style: Style, seed: int = 4) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Amplitudes and cover of a section that differs by its style alone."""
    geology = make_geology(np.random.default_rng(seed), SHAPE, period=14, bodies=3, style=style)
    return image(np.random.default_rng(seed + 1), geology, 14, style), geology.salt.cover


def loudness_of_salt(style: Style) -> float:
    amplitude, cover = imaged(style)
    return float(amplitude[cover > 0.99].std() / amplitude[cover < 0.01].std())


def test_a_style_follows_from_its_generator() -> None:
    first, again, other = (draw_style(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_both_kinds_of_styles_are_drawn() -> None:
    styles = [draw_style(np.random.default_rng(seed)) for seed in range(60)]
    pillows = [style for style in styles if style.pillows]
    assert 15 < len(pillows) < 45
    assert all(style.markers for style in pillows)
    assert max(style.noise for style in pillows) < max(style.noise for style in styles)


def test_chaos_makes_salt_louder() -> None:
    quiet, loud = (loudness_of_salt(replace(PLAIN, interior=interior)) for interior in (0.0, 0.8))
    assert loud > 1.3 * quiet


@pytest.mark.parametrize("field", ["noise", "gain", "markers", "rough", "base", "top"])
def test_every_setting_changes_the_section_and_not_the_salt(field: str) -> None:
    plain, cover = imaged(PLAIN)
    changed, same = imaged(replace(PLAIN, **{field: 2}))
    assert np.isfinite(changed).all()
    assert not np.array_equal(plain, changed)
    assert np.array_equal(cover, same)


def test_gain_evens_out_amplitudes() -> None:
    def spread(style: Style) -> float:
        amplitude, _ = imaged(style)
        blocks = amplitude[:300, :400].reshape(6, 50, 8, 50).std(axis=(1, 3))
        return float(blocks.std() / blocks.mean())

    assert spread(replace(PLAIN, gain=0.8)) < 0.8 * spread(PLAIN)


def test_varied_sections_follow_from_seed_and_number() -> None:
    first, again = (make_section(2, 1, varied=True) for _ in range(2))
    assert np.array_equal(first.grey, again.grey)
    assert np.array_equal(first.salt, again.salt)
    plain = make_section(2, 1)
    assert plain.grey.shape != first.grey.shape or not np.array_equal(plain.grey, first.grey)
