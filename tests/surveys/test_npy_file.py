"""Parts of `.npy` files are those of the array, and a damaged file is an error."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from diapir.errors import SurveyError
from diapir.surveys.npy_file import NpyFile
from diapir.surveys.open import open_survey

SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5)
TYPES = st.sampled_from(["<f4", ">i2", "|u1", "|b1", ">f8"])


@given(st.data(), SHAPES, TYPES, st.sampled_from("CF"))
def test_parts_are_read_and_written_as_numpy_does(
    data: st.DataObject, shape: tuple[int, ...], dtype: str, order: Any
) -> None:
    one, other = (
        np.random.default_rng(seed).integers(0, 2, shape).astype(dtype) for seed in (0, 1)
    )
    whole = np.array(one, order=order)
    axes = data.draw(st.integers(0, len(shape)))
    place = tuple(data.draw(st.slices(size)) if size else slice(None) for size in shape[:axes])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.npy"
        np.save(path, whole)
        file = NpyFile(path)
        assert (file.shape, file.dtype) == (whole.shape, whole.dtype)
        np.testing.assert_array_equal(file[place], whole[place])
        file.write(place, other[place])
        whole[place] = other[place]
        np.testing.assert_array_equal(np.load(path), whole)


def header(shape: str, descr: str = "'<f4'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}"
    text += " " * (63 - (10 + len(text)) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        b"\x93NUMPY\x09\x00" + bytes(200),
        header("(True, 2, 3)") + bytes(24),
        header("-" * 5000 + "1"),
        header("(-1, 2, 3)") + bytes(400),
        header("(2, 3, 9999999999999999999999)") + bytes(400),
        header("(2, 3, 4)", "'|O'") + bytes(400),
        header("(2, 3, 4)", "('<f4', (2,))") + bytes(400),
        header("(2, 3, 4)", "'<f4', 'x': 1") + bytes(400),
        header("(2, 3, 4)", "'Ä'") + bytes(400),
        header("(2, 3, 4)") + bytes(95),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(SurveyError, match=r"a\.npy cannot be read as an array"):
        open_survey(tmp_path / "a.npy")


def test_a_file_that_is_cut_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.random.default_rng(0).normal(size=(20, 30, 40)).astype(np.float32))
    survey = open_survey(path)
    os.truncate(path, 5000)
    with pytest.raises(SurveyError, match="become shorter while it was read"):
        survey.read(slice(None), slice(None))


def test_a_file_of_a_later_version_of_the_format_is_read(tmp_path: Path) -> None:
    content = io.BytesIO()
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    np.lib.format.write_array(content, values, version=(2, 0))
    (tmp_path / "a.npy").write_bytes(content.getvalue())
    np.testing.assert_array_equal(NpyFile(tmp_path / "a.npy")[:1,], values[:1])
