"""Held-out labels: their distance from those that are trained on."""

import numpy as np

from diapir.adaptation.hold_out import GAP, LINE_GAP, hold_out
from diapir.adaptation.survey_sections import Section
from diapir.config import IGNORE
from tests.adaptation.made_pictures import made_section


def section(seed: int, name: str, place: tuple[str, int] | None = None) -> Section:
    image, mask = made_section(seed, (64, 300))
    return Section(name, image, mask, place)


def test_a_stretch_of_a_single_section_is_held_out_with_a_gap() -> None:
    one = section(0, "one")
    held = hold_out([one])
    training = np.flatnonzero((held.training[0] != IGNORE).any(axis=0))
    held_out = np.flatnonzero((held.held_out[0] != IGNORE).any(axis=0))
    assert np.abs(training[:, None] - held_out).min() > GAP
    assert {0, 1} <= set(np.unique(held.held_out[0])) & set(np.unique(held.training[0]))
    assert held.problem == ""
    assert not held.whole
    assert "of one" in held.words


def test_labels_keep_their_values_on_either_side() -> None:
    one = section(0, "one")
    held = hold_out([one])
    for mask in (held.training[0], held.held_out[0]):
        kept = mask != IGNORE
        assert np.array_equal(mask[kept], one.mask[kept])


def test_a_whole_section_is_held_out_of_several() -> None:
    sections = [section(seed, f"line {seed}") for seed in range(3)]
    held = hold_out(sections)
    (chosen,) = [n for n, mask in enumerate(held.held_out) if (mask != IGNORE).any()]
    assert (held.training[chosen] == IGNORE).all()
    assert held.words == sections[chosen].name
    assert held.whole


def test_lines_beside_a_held_out_line_are_not_trained_on() -> None:
    near = [("block inline", 100), ("block inline", 100 + LINE_GAP), ("block inline", 300)]
    sections = [section(n, f"inline {place[1]}", place) for n, place in enumerate(near)]
    held = hold_out(sections)
    (chosen,) = [n for n, mask in enumerate(held.held_out) if (mask != IGNORE).any()]
    trained = {n for n, mask in enumerate(held.training) if (mask != IGNORE).any()}
    if chosen in (0, 1):
        assert trained == {2}
        assert "beside it" in held.words
    else:
        assert trained == {0, 1}


def test_salt_too_narrow_to_divide_is_said() -> None:
    image, mask = made_section(0)
    mask[:] = 0
    mask[20:30, 80:84] = 1
    held = hold_out([Section("thin", image, mask)])
    assert "label a second section" in held.problem
    assert all((part == IGNORE).all() for part in held.held_out)
    assert np.array_equal(held.training[0], mask)
