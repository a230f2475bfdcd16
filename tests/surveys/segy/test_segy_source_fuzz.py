"""Headers full of nonsense end in a survey or a plain refusal, within the file's own size."""

import contextlib
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diapir.errors import SurveyError
from diapir.surveys import SurveyHints, describe, open_survey
from tests.helpers.segy import write_segy

FUZZ = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
LIMIT = 60 * 2**20
"""Bytes that opening a file of 20 kB may take: some megabytes of buffers, and NumPy's own."""
BINARY_BYTES = (3217, 3221, 3225, 3255, 3269, 3273, 3297, 3501, 3503, 3505, 3507, 3513, 3521, 3529)
TRACE_BYTES = (1, 5, 9, 13, 17, 21, 29, 37, 71, 73, 109, 115, 117, 181, 185, 189, 193, 215)
SIZES = st.sampled_from([1, 2, 4, 8])


def edge_numbers() -> st.SearchStrategy[int]:
    edges = [0, 1, -1, 2, 127, 128, 255, 32767, -32768, 65535, 2**31 - 1, -(2**31), 2**63 - 1]
    return st.one_of(st.sampled_from(edges), st.integers(-(2**63), 2**63 - 1))


def packed(number: int, size: int, order: str) -> bytes:
    wrapped = number & (2 ** (8 * size) - 1)
    return wrapped.to_bytes(size, "big" if order == ">" else "little")


def survives(path: Path, **options: Any) -> None:
    tracemalloc.start()
    try:
        with contextlib.suppress(SurveyError):
            survey = open_survey(path, SurveyHints(**options))
            describe(survey)
            survey.read(slice(0, 1), slice(0, 1))
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < LIMIT


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, str], bytes]:
    amplitude = np.random.default_rng(8).normal(size=(5, 6, 20))
    files = {}
    for revision in (0, 1, 2):
        for endian in ("big", "little"):
            path = tmp_path_factory.mktemp("fuzz") / "a.sgy"
            write_segy(path, amplitude, revision=(revision, 0), endian=endian)
            files[revision, endian] = path.read_bytes()
    return files


@FUZZ
@given(
    revision=st.integers(0, 2),
    endian=st.sampled_from(["big", "little"]),
    edits=st.lists(
        st.tuples(st.sampled_from(BINARY_BYTES), SIZES, edge_numbers(), st.sampled_from("<>")),
        min_size=1,
        max_size=4,
    ),
)
def test_binary_headers(
    tmp_path: Path,
    whole: dict[tuple[int, str], bytes],
    revision: int,
    endian: str,
    edits: list[tuple[int, int, int, str]],
) -> None:
    content = bytearray(whole[revision, endian])
    for byte, size, number, order in edits:
        content[byte - 1 : byte - 1 + size] = packed(number, size, order)
    (tmp_path / "a.sgy").write_bytes(content)
    survives(tmp_path / "a.sgy")


@FUZZ
@given(
    revision=st.integers(0, 2),
    edits=st.lists(
        st.tuples(
            st.integers(0, 29), st.sampled_from(TRACE_BYTES), SIZES, edge_numbers(), st.booleans()
        ),
        min_size=1,
        max_size=12,
    ),
    allow=st.sampled_from([(), ("sparse", "truncated", "velocity")]),
    named=st.booleans(),
)
def test_trace_headers(
    tmp_path: Path,
    whole: dict[tuple[int, str], bytes],
    revision: int,
    edits: list[tuple[int, int, int, int, bool]],
    allow: Any,
    named: bool,
) -> None:
    content = bytearray(whole[revision, "big"])
    for trace, byte, size, number, everywhere in edits:
        for place in range(30) if everywhere else (trace,):
            start = 3600 + place * 320 + byte - 1
            content[start : start + size] = packed(number, size, ">")
    (tmp_path / "a.sgy").write_bytes(content)
    options = {"inline_byte": 189, "crossline_byte": 193} if named else {}
    survives(tmp_path / "a.sgy", allow=allow, **options)


@FUZZ
@given(
    content=st.binary(max_size=400),
    place=st.integers(0, 14_000),
    cut=st.integers(0, 14_000),
    revision=st.integers(0, 2),
)
def test_damaged_files(
    tmp_path: Path,
    whole: dict[tuple[int, str], bytes],
    content: bytes,
    place: int,
    cut: int,
    revision: int,
) -> None:
    damaged = bytearray(whole[revision, "little"])
    damaged[place : place + len(content)] = content
    (tmp_path / "a.sgy").write_bytes(damaged[: len(damaged) - cut])
    survives(tmp_path / "a.sgy", allow=("truncated",))


@pytest.mark.parametrize("samples", [65535, 2**31 - 1])
def test_samples_that_a_header_claims_are_not_allocated(tmp_path: Path, samples: int) -> None:
    binary = {3221: struct.pack(">H", samples & 0xFFFF), 3269: struct.pack(">i", samples)}
    path = tmp_path / "a.sgy"
    write_segy(path, np.ones((3, 3, 10)), revision=(2, 0), binary=binary, fields={115: 0})
    survives(path)
    survey = open_survey(path, SurveyHints(allow=("velocity",)))
    assert survey.grid.shape == (3, 3, 10)
    assert any("so have 10 samples" in note for note in survey.notes)
