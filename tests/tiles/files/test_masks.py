from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from diapir.config import MaskEncoding
from diapir.errors import DataError
from diapir.tiles import decode_mask, encode_mask
from diapir.tiles.files.masks import Decision, ValueCensus, stored_mask

Pixels = dict[int, int]
"""Pixels of each stored value."""


def mask_of(pixels: Pixels, dtype: type = np.uint8) -> np.ndarray:
    values = np.repeat(list(pixels), list(pixels.values())).astype(dtype)
    return values[None]


def census_of(masks: Iterable[np.ndarray]) -> ValueCensus:
    census = ValueCensus()
    for number, mask in enumerate(masks):
        census.add(f"masks/{number}.png", stored_mask(mask))
    return census


def decided(*masks: Pixels, encoding: MaskEncoding | str = "auto") -> Decision:
    deep = {True: np.uint16, False: np.uint8}
    return census_of(mask_of(m, deep[max(m) > 255]) for m in masks).decide(encoding)  # type: ignore[arg-type]


@given(
    arrays(
        np.uint8,
        array_shapes(min_dims=2, max_dims=2, max_side=9),
        elements=st.sampled_from([0, 1, 255]),
    ),
    st.sampled_from(["index", "seed", "grey8", "grey16"]),
)
def test_decoding_undoes_encoding(classes: np.ndarray, encoding: MaskEncoding) -> None:
    if encoding in {"grey8", "grey16"}:
        classes = np.where(classes == 255, np.uint8(0), classes)
    stored = encode_mask(classes, encoding)  # type: ignore[arg-type]
    decoded = decode_mask(stored, encoding)
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, classes)


@pytest.mark.parametrize("encoding", ["grey8", "grey16"])
def test_ignored_pixels_cannot_be_stored_where_no_value_means_them(encoding: str) -> None:
    with pytest.raises(DataError, match="ignored pixels"):
        encode_mask(np.array([[0, 255]], np.uint8), encoding)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("encoding", "stored", "classes"),
    [
        ("index", [0, 1, 255], [0, 1, 255]),
        ("grey8", [0, 255], [0, 1]),
        ("grey16", [0, 65535], [0, 1]),
        ("seed", [0, 1, 128, 254, 255], [0, 1, 1, 1, 255]),
        ("rle", [0, 1], [0, 1]),
    ],
)
def test_values_mean_what_the_design_says(
    encoding: MaskEncoding, stored: list[int], classes: list[int]
) -> None:
    values = np.array([stored], np.uint16)
    np.testing.assert_array_equal(decode_mask(values, encoding), [classes])
    if max(stored) < 256:  # the same values in 8 bits mean the same
        np.testing.assert_array_equal(decode_mask(values.astype(np.uint8), encoding), [classes])


@pytest.mark.parametrize(
    ("encoding", "value"),
    [("index", 2), ("index", 254), ("grey8", 1), ("grey8", 254), ("grey16", 255), ("rle", 255),
     ("seed", 65535), ("index", 65535), ("grey8", 65535), ("grey16", 256), ("seed", 300)],
)  # fmt: skip
def test_values_that_an_encoding_does_not_have_are_refused(
    encoding: MaskEncoding, value: int
) -> None:
    with pytest.raises(DataError, match=f"holds.* {value}"):
        decode_mask(np.array([[0, value]], np.uint16), encoding)


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
    with pytest.raises(DataError, match="nothing would be salt") as caught:
        decided({0: 9}, {0: 5, 255: 4}, encoding="seed")
    assert "--set data.mask_encoding=grey8" in caught.value.fix


def test_nearly_black_and_white_masks_under_seed_are_refused_as_well() -> None:
    for encoding in ("auto", "seed"):
        with pytest.raises(DataError, match="80% of the bright pixels would be ignored") as caught:
            decided({0: 50, 200: 2, 255: 8, 30: 9}, encoding=encoding)
        assert "--set data.mask_encoding=grey8" in caught.value.fix


def test_black_and_white_masks_under_index_are_refused() -> None:
    with pytest.raises(DataError, match="nothing would be salt") as caught:
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
    with pytest.raises(DataError, match="fit no encoding") as caught:
        decided(masks)
    assert "--set data.mask_encoding=seed" in caught.value.fix
    assert decided(masks, encoding="seed").salt == 9


def test_masks_that_mix_two_encodings_are_refused() -> None:
    with pytest.raises(DataError, match="fit no encoding"):
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
