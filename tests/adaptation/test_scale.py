"""The choice of scale by the wavelet length."""

import numpy as np
import pytest

from diapir.adaptation.scale import choose_scale, wavelet_length
from diapir.adaptation.survey_sections import LabelledSections, Section


def labelled(wavelength: float) -> LabelledSections:
    rows = np.arange(200)[:, None] + np.zeros(50)
    image = (128 + 100 * np.sin(2 * np.pi * rows / wavelength)).astype(np.uint8)
    return LabelledSections("made", "pictures", (Section("a", image, image // 255),), None)


def test_a_quarter_of_the_wavelength_is_the_first_zero() -> None:
    assert wavelet_length(labelled(12).sections) == pytest.approx(3, abs=0.3)


def test_wavelets_are_brought_to_half_their_length_in_the_training_data() -> None:
    chosen = choose_scale(labelled(12), 20)
    assert (chosen.settings.vertical, chosen.settings.horizontal) == (0.75, 0.5)
    assert "samples to its first zero" in chosen.reason
    assert "--horizontal" in chosen.reason


def test_sections_do_not_become_smaller_than_a_window() -> None:
    assert choose_scale(labelled(12), 50).settings.horizontal == 1
    assert choose_scale(labelled(12), 300).settings.vertical == 1.25
    assert choose_scale(labelled(12), 4000).settings.vertical == 1.25  # matched


def test_a_given_factor_is_taken() -> None:
    chosen = choose_scale(labelled(12), 20, vertical=1.3, horizontal=0.7)
    assert (chosen.settings.vertical, chosen.settings.horizontal) == (1.3, 0.7)
    assert "as given" in chosen.reason


def test_a_section_without_wavelets_is_left_as_it_is() -> None:
    flat = np.zeros((40, 40), np.uint8)
    constant = LabelledSections("flat", "pictures", (Section("a", flat, flat),), None)
    chosen = choose_scale(constant, 40)
    assert chosen.settings.vertical == 1
    assert "cannot be measured" in chosen.reason
