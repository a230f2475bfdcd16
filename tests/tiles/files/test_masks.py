import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from diapir.config import MaskEncoding
from diapir.errors import DataError
from diapir.tiles import decode_mask, encode_mask


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
