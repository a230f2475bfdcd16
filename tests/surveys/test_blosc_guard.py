"""Damaged Blosc chunks are refused before a decoder that trusts their header sees them."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from diapir.errors import SurveyError
from diapir.surveys.open import open_survey
from tests.helpers.faults import forks, killed_at

zarr = pytest.importorskip("zarr")
numcodecs = pytest.importorskip("numcodecs")
AMPLITUDE = np.random.default_rng(0).normal(size=(8, 8, 64)).astype(np.float32)
BLOSC = zarr.codecs.BloscCodec(cname="zstd")


def write(path: Path, kind: str) -> Path:
    options = {
        "zarr 3": {"compressors": BLOSC},
        "zarr 3 in shards": {"compressors": BLOSC, "shards": (8, 8, 64)},
        "zarr 2": {"zarr_format": 2, "compressors": numcodecs.Blosc()},
        "zarr 2 filter": {
            "zarr_format": 2, "compressors": None, "filters": [numcodecs.Blosc()],
        },
    }[kind]  # fmt: skip
    zarr.create_array(str(path), data=AMPLITUDE, chunks=(8, 8, 64), **options)
    return path


KINDS = ["zarr 3", "zarr 3 in shards", "zarr 2", "zarr 2 filter"]


def the_chunk(path: Path) -> Path:
    (chunk,) = (
        file
        for file in path.rglob("*")
        if file.is_file() and file.name not in ("zarr.json", ".zarray", ".zattrs")
    )
    return chunk


@forks
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_no_damage_ends_the_process(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "a.zarr", kind)
    chunk = the_chunk(path)
    whole = chunk.read_bytes()
    rng = random.Random(1)

    def read_damaged() -> None:
        for _ in range(120):
            content = bytearray(whole)
            if rng.random() < 0.5:  # what ended the process by SIGSEGV
                at = rng.randrange(40)
                content[at:at] = rng.randbytes(rng.randrange(1, 40))
            else:
                for _ in range(rng.randrange(1, 6)):
                    content[rng.randrange(60)] = rng.randrange(256)
            chunk.write_bytes(content)
            try:
                open_survey(path).read(slice(None), slice(None))
            except SurveyError as error:
                assert "a.zarr" in error.found  # noqa: PT017 - in a fork

    assert not killed_at(10**9, tmp_path / "none", read_damaged)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_a_header_that_does_not_fit_its_chunk_is_named(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "a.zarr", kind)
    np.testing.assert_array_equal(open_survey(path).read(slice(None), slice(None)), AMPLITUDE)
    if kind == "zarr 3 in shards":
        return  # bytes that are put in move the shard's own index: refused by its checksum
    chunk = the_chunk(path)
    content = chunk.read_bytes()
    for damaged, reason in (
        (content[:40] + bytes(30) + content[40:], "bytes, but its header says"),
        (content[:12], "fewer than its header"),
        (content[:8] + b"\xff\xff\xff\x7f" + content[12:], "blocks of 2147483647 bytes in 16384"),
    ):
        chunk.write_bytes(damaged)
        with pytest.raises(SurveyError, match=reason):
            open_survey(path).read(slice(None), slice(None))
