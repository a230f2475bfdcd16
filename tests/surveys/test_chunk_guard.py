"""Chunks of Zarr that decode to far more than they should are refused before the memory is full."""

from __future__ import annotations

import bz2
import gzip
import lzma
import pickle
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diapir.errors import SurveyError
from diapir.surveys.open import open_survey
from diapir.surveys.zarr_files import ZarrArray, open_node

zarr = pytest.importorskip("zarr")
numcodecs = pytest.importorskip("numcodecs")
AMPLITUDE = np.random.default_rng(0).normal(size=(4, 6, 30)).astype(np.float32)
BOMB = bytes(32_000_000)
"""What the chunks decode to; they should hold 2,880 bytes."""
pytestmark = pytest.mark.filterwarnings("ignore:Numcodecs codecs")


def _unsized_zstd(content: bytes) -> bytes:
    """A frame of blocks of one byte many times that does not state its size."""
    blocks = []
    for at in range(0, len(content), 1 << 17):
        size = min(1 << 17, len(content) - at)
        last = at + size == len(content)
        blocks.append(struct.pack("<I", size << 3 | 1 << 1 | last)[:3] + content[at : at + 1])
    return struct.pack("<IBB", 0xFD2FB528, 0, 0x58) + b"".join(blocks)


def _blosc(content: bytes) -> bytes:
    return bytes(numcodecs.Blosc().encode(content))


BOMBS: dict[str, tuple[dict[str, Any], Callable[[bytes], bytes]]] = {
    "gzip": ({"compressors": zarr.codecs.GzipCodec()}, gzip.compress),
    "zstd": ({"compressors": zarr.codecs.ZstdCodec()}, numcodecs.Zstd().encode),
    "zstd, size unstated": ({"compressors": zarr.codecs.ZstdCodec()}, _unsized_zstd),
    "blosc": ({"compressors": zarr.codecs.BloscCodec()}, _blosc),
    "gzip around gzip": (
        {"compressors": (zarr.codecs.GzipCodec(), zarr.codecs.GzipCodec())},
        lambda content: gzip.compress(gzip.compress(content)),
    ),
    "zarr 2 gzip": ({"zarr_format": 2, "compressors": numcodecs.GZip()}, gzip.compress),
    "zarr 2 zlib": ({"zarr_format": 2, "compressors": numcodecs.Zlib()}, zlib.compress),
    "zarr 2 bz2": ({"zarr_format": 2, "compressors": numcodecs.BZ2()}, bz2.compress),
    "zarr 2 lzma": ({"zarr_format": 2, "compressors": numcodecs.LZMA()}, lzma.compress),
    "zarr 2 lz4": ({"zarr_format": 2, "compressors": numcodecs.LZ4()}, numcodecs.LZ4().encode),
    "zarr 2 zstd": ({"zarr_format": 2, "compressors": numcodecs.Zstd()}, numcodecs.Zstd().encode),
    "zarr 2 filter": (
        {"zarr_format": 2, "compressors": None, "filters": [numcodecs.Zlib()]}, zlib.compress,
    ),
    "zarr 3 numcodecs": (
        {"compressors": lambda: __import__("zarr.codecs.numcodecs").codecs.numcodecs.Zlib()},
        zlib.compress,
    ),
}  # fmt: skip


def write(path: Path, options: dict[str, Any], values: np.ndarray[Any, Any] = AMPLITUDE) -> Path:
    options = {key: value() if callable(value) else value for key, value in options.items()}
    zarr.create_array(str(path), data=values, chunks=values.shape, **options)
    names = {"zarr.json", ".zarray", ".zattrs"}
    (chunk,) = (file for file in path.rglob("*") if file.is_file() and file.name not in names)
    return chunk


def read(path: Path) -> np.ndarray[Any, Any]:
    return open_survey(path).read(slice(None), slice(None))


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused_without_being_decoded(tmp_path: Path, kind: str) -> None:
    options, encode = BOMBS[kind]
    path = tmp_path / "a.zarr"
    chunk = write(path, options)
    np.testing.assert_array_equal(read(path), AMPLITUDE)
    bomb = encode(BOMB)
    assert len(bomb) < len(BOMB) / 100
    chunk.write_bytes(bomb)
    tracemalloc.start()
    with pytest.raises(
        SurveyError,
        match=r"a\.zarr cannot be read: a chunk decodes to far more than the 2,880 bytes that it",
    ):
        read(path)
    assert tracemalloc.get_traced_memory()[1] < 16_000_000
    tracemalloc.stop()


def test_a_zstd_chunk_that_does_not_state_its_size_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    values = np.zeros((8, 60, 700), np.float32)
    chunk = write(path, {"compressors": zarr.codecs.ZstdCodec()}, values + 1)
    array = ZarrArray(open_node(path), path)
    for content in (_unsized_zstd(values.tobytes()), _many_blocks(values.tobytes())):
        chunk.write_bytes(content)
        np.testing.assert_array_equal(array[:], values)
    chunk.write_bytes(_unsized_zstd(values.tobytes())[:-4])
    with pytest.raises(SurveyError, match="a Zstandard chunk is cut off"):
        array[:]


def _many_blocks(content: bytes) -> bytes:
    """As `_unsized_zstd`, behind a frame to skip and with a compressed block of few bytes each."""
    compressed = bytes(numcodecs.Zstd().encode(content[:1000]))
    size = int.from_bytes(compressed[7:10], "little")  # after magic, descriptor and two of size
    block = compressed[7 : 10 + (size >> 3)]
    assert size & 1
    assert (size >> 1) & 3 == 2
    count = len(content) // 1000
    blocks = [bytes([block[0] & 0xFE]) + block[1:]] * (count - 1) + [block]
    skipped = struct.pack("<II", 0x184D2A51, 3) + b"abc"
    return skipped + struct.pack("<IBB", 0xFD2FB528, 0, 0x58) + b"".join(blocks)


def test_a_chunk_may_be_larger_than_its_array(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    zarr.create_array(
        str(path), shape=(4, 6, 30), chunks=(64, 64, 64), dtype="f4",
        compressors=zarr.codecs.GzipCodec(),
    )[:] = AMPLITUDE  # fmt: skip
    np.testing.assert_array_equal(read(path), AMPLITUDE)


def test_a_claim_of_large_chunks_is_no_leave_for_a_bomb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diapir.surveys.zarr_files._MOST_OUTSIDE", 1 << 20)
    path = tmp_path / "a.zarr"
    zarr.create_array(
        str(path), shape=(4, 6, 30), chunks=(4, 6, 10**9), dtype="f4",
        compressors=zarr.codecs.GzipCodec(), fill_value=1,
    )  # fmt: skip
    chunk = path / "c" / "0" / "0" / "0"
    chunk.parent.mkdir(parents=True)
    chunk.write_bytes(gzip.compress(BOMB))
    with pytest.raises(SurveyError, match="far more than the 1,048,576 bytes"):
        read(path)


class _Run:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.path,)


def test_pickled_chunks_are_never_unpickled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("numcodecs.pickles.ALLOW_UNSAFE_PICKLE_DECODE", True, raising=False)
    path = tmp_path / "a.zarr"
    group = zarr.create_group(str(path), zarr_format=2)
    array = group.create_array("amplitude", data=AMPLITUDE)
    array.attrs["_ARRAY_DIMENSIONS"] = ["inline", "crossline", "time"]
    group.create_array(
        "inline", shape=(4,), chunks=(4,), dtype=str, compressors=numcodecs.Pickle(),
        filters=[numcodecs.VLenUTF8()],
    )  # fmt: skip
    ran = tmp_path / "ran"
    (path / "inline" / "0").write_bytes(pickle.dumps(_Run(ran)))
    with pytest.raises(SurveyError, match="pickled"):
        read(path)
    assert not ran.exists()
