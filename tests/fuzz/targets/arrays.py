"""Surveys as `.npy` and Zarr: damaged headers, metadata and chunks; opened, described, read."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import json
import lzma
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import numcodecs
import numpy as np
import zarr

from diapir.surveys import describe, open_survey, percentile
from tests.fuzz.mutate import pick, spoil_bytes, spoil_text, spoil_tree
from tests.fuzz.target import Rng, later

_TYPES = (
    "<f4",
    ">f4",
    "<f2",
    "<f8",
    "|i1",
    "<i2",
    "|u1",
    "<c8",
    "|b1",
    "<U4",
    "<M8[s]",
    "|O",
    "|V8",
)
_SHAPES = (
    "(4, 5, 6)",
    "(4, 30)",
    "()",
    "(0, 5)",
    "(True, 2, 3)",
    "(-1, 5)",
    "(4.0, 5)",
    "(2**40, 5)",
)
_HEADERS = (
    "-" * 5000,
    "[" * 3000,
    "{}",
    "1",
    "{'descr': '<f4'}",
    "__import__('os')",
    "{'a': " * 200,
)


class Inputs:
    def __init__(self, home: Path) -> None:
        self._stores = []
        noise = np.random.default_rng(2).normal(size=(4, 5, 12)).astype(np.float32)
        for version in (2, 3):
            for name, packing in (("plain", None), ("blosc", "auto")):
                path = home / f"{name}{version}.zarr"
                group = zarr.create_group(str(path), zarr_format=version)
                array = group.create_array(
                    "amplitude",
                    shape=noise.shape, chunks=(2, 3, 6), dtype="f4", compressors=packing,
                )  # fmt: skip
                array[:] = noise
                array.attrs["_ARRAY_DIMENSIONS"] = ["inline", "crossline", "time"]
                for axis, count in zip(("inline", "crossline", "time"), noise.shape, strict=True):
                    group.create_array(axis, shape=(count,), dtype="i4")[:] = np.arange(count)
                self._stores.append(path)

    def make(self, rng: Rng, folder: Path) -> Callable[[], object]:
        if (own := later(rng, 0.3)) is not None:
            path = folder / "volume.zarr"
            _packed(own, path)
        elif rng.random() < 0.5:
            path = folder / "volume.npy"
            path.write_bytes(_npy(rng))
        else:
            path = folder / "volume.zarr"
            shutil.copytree(pick(rng, self._stores), path)
            spoil_store(rng, path)

        def use() -> None:
            with contextlib.closing(open_survey(path)) as survey:
                describe(survey)
                percentile(survey, 98.0)
                survey.read(slice(0, 2), slice(0, 5))

        return use


def _packed(rng: Rng, path: Path) -> None:
    """An array with any chain of codecs, whose chunks are bombs, or cut, or of another array."""
    shape = tuple(int(n) for n in rng.integers(1, (5, 9, 40)))
    chunks = (
        tuple(int(n) for n in rng.integers(1, np.array(shape) + 1)) if rng.random() < 0.5 else shape
    )
    version = pick(rng, (2, 3, 3))
    codecs = _CODECS_2 if version == 2 else _CODECS_3
    chain = [pick(rng, codecs)() for _ in range(1 if version == 2 else int(rng.integers(1, 4)))]
    further = {}
    if version == 3 and rng.random() < 0.3:
        further = {"shards": tuple(n * 2 for n in chunks)}
    elif version == 2 and rng.random() < 0.3:
        further = {"filters": [pick(rng, _CODECS_2)()]}
    values = rng.normal(size=shape).astype(pick(rng, ("f4", "f8", "i2")))
    array = zarr.create_array(
        str(path), shape=shape, chunks=chunks, dtype=values.dtype, zarr_format=version,
        compressors=chain, **further,
    )  # fmt: skip
    with contextlib.suppress(ValueError):  # a chain that cannot be written, but may be read
        array[:] = values
    files = sorted(file for file in path.rglob("*") if file.is_file() and "z" not in file.name)
    for file in files[:: int(rng.integers(1, 4))]:
        kind = int(rng.integers(4))
        if kind == 0:
            content = bytes(int(10 ** rng.uniform(2, 7.5)))
            for _ in range(int(rng.integers(1, 3))):
                content = pick(rng, _PACKERS)(content)
            file.write_bytes(content)
        elif kind == 1:
            file.write_bytes(spoil_bytes(rng, file.read_bytes()))
        elif kind == 2:
            file.write_bytes(pick(rng, files).read_bytes())
    if rng.random() < 0.3:
        (place,) = [*path.glob("zarr.json"), *path.glob(".zarray")]
        place.write_text(json.dumps(spoil_tree(rng, json.loads(place.read_bytes()), most=2)))


_CODECS_2 = (
    numcodecs.Zstd, numcodecs.GZip, numcodecs.Zlib, numcodecs.BZ2, numcodecs.LZMA, numcodecs.LZ4,
    numcodecs.Blosc, numcodecs.CRC32, numcodecs.Shuffle, numcodecs.PackBits,
)  # fmt: skip
_CODECS_3 = (
    zarr.codecs.ZstdCodec, zarr.codecs.GzipCodec, zarr.codecs.BloscCodec, zarr.codecs.Crc32cCodec,
)  # fmt: skip
_PACKERS: tuple[Callable[[bytes], bytes], ...] = (
    gzip.compress, zlib.compress, bz2.compress, lzma.compress, numcodecs.Zstd().encode,
    numcodecs.LZ4().encode, numcodecs.Blosc().encode,
)  # fmt: skip


def _npy(rng: Rng) -> bytes:
    stream = io.BytesIO()
    shape = tuple(int(n) for n in rng.integers(1, 8, int(rng.integers(1, 5))))
    np.save(stream, rng.normal(size=shape).astype(pick(rng, ("f4", "f8", "i2", "u1", "f2"))))
    content = stream.getvalue()
    kind = int(rng.integers(3))
    if kind == 0:
        return spoil_bytes(rng, content)
    header = (
        f"{{'descr': '{pick(rng, _TYPES)}', 'fortran_order': False, 'shape': {pick(rng, _SHAPES)}}}"
    )
    if kind == 1:
        header = pick(rng, _HEADERS) if rng.random() < 0.3 else spoil_text(rng, header, most=2)
    text = header.encode(errors="replace") + b"\n"
    version, size = pick(rng, ((1, 2), (1, 2), (2, 4), (3, 4), (9, 2)))
    length = len(text) % 256**size
    head = b"\x93NUMPY" + bytes([version, 0]) + length.to_bytes(size, "little")
    return head + text + rng.bytes(int(rng.integers(2000)))


def spoil_store(rng: Rng, path: Path) -> None:
    """Damage one to three files of a Zarr store."""
    for _ in range(int(rng.integers(1, 4))):
        files = sorted(file for file in path.rglob("*") if file.is_file())
        if not files:
            return
        described = [
            file for file in files if "zarr.json" in file.name or file.name.startswith(".z")
        ]
        file = pick(rng, described or files) if rng.random() < 0.5 else pick(rng, files)
        kind = int(rng.integers(4))
        if kind == 0:
            file.unlink()
        elif kind == 1 and file in described:
            with contextlib.suppress(ValueError):
                file.write_text(json.dumps(spoil_tree(rng, json.loads(file.read_bytes()))))
        else:
            file.write_bytes(spoil_bytes(rng, file.read_bytes()))
