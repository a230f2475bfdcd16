"""The encoding of a whole set of masks: recognised, or refused with the option that settles it."""

from collections.abc import Iterable
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from diapir.config import MaskEncoding
from diapir.errors import DataError
from diapir.tiles.files.mask_census import Decision, MaskCensus, refuse_without_background
from diapir.tiles.files.masks import stored_mask

Pixels = dict[int, int]
"""Number of pixels of each stored value."""


def mask_of(pixels: Pixels, dtype: type = np.uint8) -> np.ndarray:
    values = np.repeat(list(pixels), list(pixels.values())).astype(dtype)
    return values[None]


def census_of(masks: Iterable[np.ndarray]) -> MaskCensus:
    census = MaskCensus()
    for number, mask in enumerate(masks):
        census.add(f"masks/{number}.png", stored_mask(mask))
    return census


def decided(*masks: Pixels, encoding: MaskEncoding | str = "auto") -> Decision:
    deep = {True: np.uint16, False: np.uint8}
    return census_of(mask_of(m, deep[max(m) > 255]) for m in masks).decide(encoding)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("masks", "encoding"),
    [
        ([{0: 9}, {0: 5, 65535: 4}], "grey16"),
        ([{0: 9}, {0: 5, 255: 4}], "grey8"),
        ([{0: 9}, {255: 9}], "grey8"),
        ([{0: 9}, {0: 5, 1: 4}], "index"),
        ([{0: 5, 1: 4, 255: 3}], "index"),
        ([{0: 5, 254: 4}, {0: 5, 250: 1}], "seed"),
        ([{0: 5, 130: 4, 254: 3, 255: 2}], "seed"),
    ],
)
def test_the_encoding_is_recognised_from_the_whole_set(
    masks: list[Pixels], encoding: MaskEncoding
) -> None:
    assert decided(*masks).encoding == encoding
    assert decided(*reversed(masks)).encoding == encoding


def test_the_decision_tells_the_share_of_each_class() -> None:
    decision = decided({0: 6, 1: 3}, {0: 6, 1: 3, 255: 2})
    assert (decision.background, decision.salt, decision.ignored) == (12, 6, 2)
    assert decision.shares == {"background": 0.6, "salt": 0.3, "ignored": 0.1}


def test_the_depth_of_a_file_means_nothing() -> None:
    shallow, deep = mask_of({0: 9}), mask_of({0: 9}, np.uint16)
    salt = mask_of({0: 5, 65535: 4}, np.uint16)
    for empty in (shallow, deep):
        decision = census_of([empty, salt]).decide("auto")
        classes = stored_mask(empty).codes.tobytes().translate(decision.table)
        assert classes == bytes(9)


def test_black_and_white_masks_under_seed_are_the_trap_and_are_refused() -> None:
    with pytest.raises(DataError, match="no pixel is salt") as caught:
        decided({0: 9}, {0: 5, 255: 4}, encoding="seed")
    assert "--set data.mask_encoding=grey8" in caught.value.fix


def test_nearly_black_and_white_masks_under_seed_are_refused_as_well() -> None:
    for encoding in ("auto", "seed"):
        with pytest.raises(DataError, match="80% of the bright pixels would be ignored") as caught:
            decided({0: 50, 200: 2, 255: 8, 30: 9}, encoding=encoding)
        assert "--set data.mask_encoding=binary" in caught.value.fix


def test_black_and_white_masks_under_index_are_refused() -> None:
    with pytest.raises(DataError, match="no pixel is salt") as caught:
        decided({0: 5, 255: 4}, encoding="index")
    assert "--set data.mask_encoding=grey8" in caught.value.fix


def test_mostly_ignored_index_masks_are_believed_only_when_the_user_says_so() -> None:
    masks = {0: 50, 1: 2, 255: 40}
    with pytest.raises(DataError, match="2 pixels of 1 and 40 of 255") as caught:
        decided(masks)
    assert "--set data.mask_encoding=index" in caught.value.fix
    assert decided(masks, encoding="index").salt == 2


def test_class_numbers_of_many_classes_are_not_taken_for_salt() -> None:
    masks = {0: 5, 1: 4, 2: 3, 3: 2}
    with pytest.raises(DataError, match="encoding is ambiguous") as caught:
        decided(masks)
    assert "--set data.mask_encoding=seed" in caught.value.fix
    assert decided(masks, encoding="seed").salt == 9


def test_masks_that_mix_two_encodings_are_refused() -> None:
    with pytest.raises(DataError, match="encoding is ambiguous"):
        decided({0: 5, 255: 4}, {0: 5, 65535: 4})
    with pytest.raises(DataError, match=r"masks/0\.png holds 255"):
        decided({0: 5, 255: 4}, {0: 5, 65535: 4}, encoding="grey16")


def test_unexpected_values_are_named_with_their_files() -> None:
    masks = [{0: 5, 255: 4}, {0: 3, 7: 1}, {0: 3, 8: 1}, {0: 3, 9: 1}, {0: 3, 10: 1}]
    with pytest.raises(DataError) as caught:
        decided(*masks, encoding="grey8")
    error = caught.value
    assert error.found == (
        "unexpected values in 4 of 5 masks under grey8: masks/1.png holds 7; "
        "masks/2.png holds 8; masks/3.png holds 9 and 1 more"
    )
    assert error.expected == "grey8: 0 background, 255 salt"


def test_values_that_no_encoding_has_are_refused_whatever_was_asked() -> None:
    for encoding in ("auto", "grey16", "seed"):
        with pytest.raises(DataError, match=r"masks/0\.png holds 300, 40000"):
            decided({0: 5, 300: 1, 40000: 1}, encoding=encoding)


def test_empty_masks_alone_are_refused() -> None:
    with pytest.raises(DataError, match="all 2 masks are empty"):
        decided({0: 9}, {0: 9})


def soft_mask(values: int) -> NDArray[np.uint8]:
    """A square of salt with a smoothed edge of so many levels."""
    mask = np.zeros((40, 40), np.uint8)
    mask[10:30, 10:30] = 255
    mask[9, 10 : 10 + values] = np.linspace(10, 245, values).astype(np.uint8)
    return mask


@pytest.mark.parametrize("values", [2, 8, 20])
@pytest.mark.parametrize("encoding", ["auto", "grey8"])
def test_smoothed_edges_are_divided_at_the_middle(
    values: int, encoding: Literal["auto", "grey8"]
) -> None:
    census = MaskCensus()
    mask = soft_mask(values)
    census.add("a", stored_mask(mask))
    decision = census.decide(encoding)
    assert (decision.encoding, decision.smoothed) == ("grey8", values)
    assert decision.salt == int((mask >= 128).sum())
    assert decision.background == mask.size - decision.salt
    assert "smoothed edges" in decision.notes[0]


def test_smoothed_edges_of_16_bits_are_divided_too() -> None:
    census = MaskCensus()
    census.add("a", stored_mask(soft_mask(20).astype(np.uint16) * np.uint16(257)))
    census.add("b", stored_mask((soft_mask(20) > 127) * np.uint16(65535)))
    decision = census.decide("auto")
    assert decision.salt == 2 * int((soft_mask(20) >= 128).sum())


def test_masks_of_four_classes_are_not_smoothed_ones() -> None:
    census = MaskCensus()
    classes = np.repeat(np.array([[0, 85, 170, 255]], np.uint8), 10, axis=1)
    census.add("a", stored_mask(classes))
    assert census.decide("auto").smoothed == 0


def test_more_salt_than_background_is_questioned() -> None:
    census = MaskCensus()
    census.add("a", stored_mask(np.uint8(255) - (np.eye(10, dtype=np.uint8) * np.uint8(255))))
    (note,) = census.decide("auto").notes
    assert "inverted" in note
    assert "90.0%" in note


def test_masks_without_background_are_refused() -> None:
    census = MaskCensus()
    census.add("a", stored_mask(np.full((4, 4), 255, np.uint8)))
    with pytest.raises(DataError, match="no pixel of the masks is background"):
        refuse_without_background(census.decide("auto"))


def test_values_of_any_kind_are_divided_where_the_user_says_so() -> None:
    found = decided({0: 40, 60: 9, 127: 5, 128: 4, 200: 3, 255: 2}, encoding="binary")
    assert (found.encoding, found.background, found.salt, found.ignored) == ("binary", 54, 9, 0)
    assert found.notes == []
    assert decided({0: 9, 65535: 4}, encoding="binary").salt == 4
    with pytest.raises(DataError, match="no pixel is salt"):
        decided({0: 40, 100: 9}, encoding="binary")


def test_masks_of_a_lossy_format_are_refused_but_as_binary() -> None:
    census = MaskCensus()
    census.add("masks/a.jpg", stored_mask(mask_of({0: 50, 3: 4, 251: 5, 255: 20})))
    with pytest.raises(DataError, match="changed by lossy compression") as caught:
        census.decide("auto")
    assert "--encoding binary" in caught.value.fix
    assert census.decide("binary").salt == 25
