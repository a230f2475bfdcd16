"""The encoding of a whole set of masks: recognised, or refused with the option that settles it."""

from collections.abc import Iterable

import numpy as np
import pytest

from diapir.config import MaskEncoding
from diapir.errors import DataError
from diapir.tiles.files.mask_census import Decision, MaskCensus
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
        assert "--set data.mask_encoding=grey8" in caught.value.fix


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
