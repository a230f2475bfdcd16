"""When a prediction is given with a caveat."""

import numpy as np
import pytest

from diapir.inference.sections.caveats import Confidence, image_caveats


def counted(certain: int, unsure: int, none: int, probability: float = 0.6) -> Confidence:
    """The confidence in so many samples of each kind."""
    confidence = Confidence()
    values = np.repeat([0.95, probability, 0.01, np.nan], [certain, unsure, none, 7])
    confidence.add(values.astype(np.float32), 0.5)
    return confidence


def test_samples_are_counted() -> None:
    confidence = counted(30, 10, 60)
    assert (confidence.samples, confidence.salt) == (100, 40)
    assert (confidence.possible, confidence.certain) == (40, 30)
    assert confidence.unsure == pytest.approx(0.25)
    confidence.add(np.full((2, 5), 0.2, np.float32), 0.5)
    assert (confidence.samples, confidence.salt, confidence.possible) == (110, 40, 50)


@pytest.mark.parametrize(
    ("certain", "unsure", "none", "doubtful"),
    [
        (5, 95, 900, True),
        (50, 50, 900, False),  # sure of enough of it
        (0, 4, 996, False),  # too little salt to tell
        (0, 0, 100, False),
    ],
)
def test_unsure_predictions_have_a_caveat(
    certain: int, unsure: int, none: int, doubtful: bool
) -> None:
    confidence = counted(certain, unsure, none)
    assert confidence.doubtful is doubtful
    assert len(confidence.caveats()) == doubtful


def test_probabilities_below_the_threshold_are_no_salt() -> None:
    assert not counted(0, 300, 700, probability=0.4).doubtful


def test_nothing_counted_has_no_caveat() -> None:
    assert Confidence().unsure == 0
    assert Confidence().caveats() == []
    assert image_caveats({}) == []


def test_the_caveat_says_what_was_found_and_what_to_do() -> None:
    (caveat,) = counted(5, 95, 900).caveats()
    for told in ("95 %", "≥ 0.1", "below 0.9", "half of such sections", "diapir adapt"):
        assert told in caveat


def test_images_are_named() -> None:
    found = {"a": counted(5, 95, 900), "b": counted(80, 20, 900), "c": counted(0, 99, 900)}
    (caveat,) = image_caveats(found)
    assert "2 of 3 images" in caveat
    assert "a, c" in caveat
    assert image_caveats({"b": found["b"], "d": found["b"]}) == []
    assert image_caveats({"a": found["a"]}) == found["a"].caveats()
