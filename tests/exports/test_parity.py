from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from diapir.bundle import Bundle, Parity
from diapir.errors import ExportError
from diapir.exports import parity
from tests.exports.conftest import SIZE
from tests.helpers.exports import images

Answer = Callable[[NDArray[np.float32]], NDArray[np.float32]]


class Says:
    """An engine whose logit of salt is a function of the first plane."""

    threads = 1

    def __init__(self, answer: Answer, name: str = "fake") -> None:
        self.name = name
        self._answer = answer

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        salt = self._answer(batch[:, 0])
        return np.stack([np.zeros_like(salt), salt], axis=1)


def _measure(source: Bundle, answer: Answer, *, half: bool = False) -> Parity:
    reference = Says(np.zeros_like, "reference")
    tiles = [*images(10, 24), *images(3, 40)]
    return parity.measure(reference, Says(answer), tiles, source.info, data="noise", half=half)


def test_the_same_answers_differ_by_nothing(source: Bundle) -> None:
    found = _measure(source, np.zeros_like)
    assert (found.logit, found.probability, found.flipped) == (0, 0, 0)
    assert (found.reference, found.data, found.tiles) == ("reference", "noise", 13)
    assert found.pixels == 10 * 24**2 + 3 * SIZE**2  # of larger tiles one window
    parity.refuse_beyond_tolerance(found, half=False)


def test_differences_are_those_of_the_tiles_own_pixels(source: Bundle) -> None:
    """At a threshold of 0.4, a probability of 0.5 flips where it falls to 0.38."""

    def answer(plane: NDArray[np.float32]) -> NDArray[np.float32]:
        salt = np.zeros_like(plane)
        salt[:, 0] = -99  # in the padding of tiles of 24 pixels
        salt[0, 10, 10] = -0.5
        return salt

    found = _measure(source, answer)
    assert found.logit == pytest.approx(99)  # of the whole windows
    narrow = parity.measure(
        Says(np.zeros_like), Says(answer), images(8, 24), source.info, data="noise"
    )
    assert narrow.logit == pytest.approx(0.5)
    assert narrow.probability == pytest.approx(0.5 - 1 / (1 + np.exp(0.5)), abs=1e-6)
    assert narrow.flipped == 1


@pytest.mark.parametrize(("half", "accepted"), [(False, False), (True, True)])
def test_half_may_differ_by_more(source: Bundle, half: bool, accepted: bool) -> None:
    found = _measure(source, lambda plane: np.full_like(plane, 0.01), half=half)
    assert found.flipped == 0
    if accepted:
        parity.refuse_beyond_tolerance(found, half=half)
        return
    with pytest.raises(ExportError, match=r"differs by up to 0\.0025 in probability"):
        parity.refuse_beyond_tolerance(found, half=half)


def test_pixels_that_change_sides_are_refused(source: Bundle) -> None:
    close = source.info.model_copy(update={"threshold": 0.5 + 1e-6})
    found = parity.measure(
        Says(np.zeros_like),
        Says(lambda plane: np.full_like(plane, 1e-4)),
        images(),
        close,
        data="noise",
    )
    assert found.probability < parity.MAX_PROBABILITY[False]
    with pytest.raises(ExportError, match=f"{found.pixels} of {found.pixels} pixels change class"):
        parity.refuse_beyond_tolerance(found, half=False)


def test_what_is_no_number_is_refused(source: Bundle) -> None:
    with pytest.raises(ExportError, match="returns NaN or infinity"):
        _measure(source, lambda plane: np.full_like(plane, np.nan))


def test_other_sizes_hold_where_the_answers_do() -> None:
    def fails(plane: NDArray[np.float32]) -> NDArray[np.float32]:
        raise RuntimeError("no such size")

    exact, sizes = Says(lambda plane: plane), [(32, 48), (48, 64)]
    assert parity.holds_at(sizes, exact, Says(lambda plane: plane.copy()))
    assert not parity.holds_at(sizes, exact, Says(lambda plane: plane + np.float32(0.1)))
    assert not parity.holds_at(sizes, exact, Says(lambda plane: plane * np.float32(np.nan)))
    assert not parity.holds_at(sizes, exact, Says(lambda plane: plane[:, :8]))
    assert not parity.holds_at(sizes, exact, Says(fails))
