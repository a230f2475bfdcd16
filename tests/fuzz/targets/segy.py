"""SEG-Y: odd headers, damaged bytes and wrong hints; opened, described, read."""

from __future__ import annotations

import contextlib
import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np

from diapir.surveys import SurveyHints, describe, open_survey, percentile
from tests.fuzz.mutate import pick, spoil_bytes
from tests.fuzz.target import Rng, later
from tests.helpers.segy import write_segy

_BYTES = (None, None, None, 0, 1, 5, 9, 17, 21, 73, 181, 189, 193, 237, 240, 241, -1)
_FIELDS = (1, 5, 9, 13, 17, 21, 29, 35, 69, 71, 73, 77, 89, 109, 115, 117, 181, 185, 189, 193)
_NUMBERS = (0, 1, -1, 2, 100, 32767, -32768, 2**31 - 1, -(2**31))


class Inputs:
    def __init__(self, home: Path) -> None:
        pass

    def make(self, rng: Rng, folder: Path) -> Callable[[], object]:
        path = folder / "line.sgy"
        if (own := later(rng, 0.18)) is not None:
            _geometry(own, path)
            hints = _hints(own) if own.random() < 0.2 else {}
            return lambda: _use(path, hints, 98.0)
        shape = tuple(int(n) for n in rng.integers(1, (5, 9, 40)))
        kind = int(rng.integers(3))
        amplitude = rng.normal(size=shape if kind else shape[1:])
        if rng.random() < 0.2:
            amplitude = amplitude * pick(rng, (0.0, 1e-30, 1e30, np.nan, np.inf))
        fields = {pick(rng, _FIELDS): pick(rng, _NUMBERS) for _ in range(int(rng.integers(3)))}
        fields = {at: n if at > 69 or abs(n) < 2**15 else 0 for at, n in fields.items()}
        numbers = pick(rng, (1, 5, 5, 5, 2, 3, 6, 8)) if np.isfinite(amplitude).all() else 5
        if np.abs(amplitude).max(initial=0) > 1e20:
            numbers = 5
        with np.errstate(all="ignore"):
            write_segy(
                path,
                amplitude,
                inlines=() if kind else None,
                revision=pick(rng, ((0, 0), (1, 0), (2, 0), (2, 1))),
                endian=pick(rng, ("big", "big", "little")),
                sample_format=numbers,
                interval_us=pick(rng, (0, 1, 500, 4000, 65535)),
                delay=pick(rng, (0, 0, 100, -100, 32767)),
                scalar=pick(rng, (-10, -100, 1, 10, 10000)),
                extended=pick(rng, (0, 0, 0, 1, 2)),
                fields={at: np.int64(n) % 2**15 if at in _SHORT else n for at, n in fields.items()},
                binary=_binary(rng),
                cut=pick(rng, (0, 0, 0, 1, 100, 4000)),
            )
        if rng.random() < 0.7:
            start = pick(rng, (0, 0, 3200, 3200, 3600))
            path.write_bytes(spoil_bytes(rng, path.read_bytes(), start=start))
        hints = _hints(rng) if rng.random() < 0.4 else {}
        q = pick(rng, (50.0, 98.0, 100.0))

        return lambda: _use(path, hints, q)


def _use(path: Path, hints: dict[str, object], q: float) -> None:
    with contextlib.closing(open_survey(path, SurveyHints(**hints))) as survey:  # type: ignore[arg-type]
        describe(survey)
        percentile(survey, q)
        survey.read(slice(0, 2), slice(0, 5))


def _geometry(rng: Rng, path: Path) -> None:
    """Several columns of the trace headers at once, as odd programs and gathers have them."""
    shape = tuple(int(n) for n in rng.integers((1, 2, 4), (7, 15, 40)))
    traces = shape[0] * shape[1]
    fields = {
        at: _column(rng, traces, shape[1])
        for at in rng.choice(_COLUMNS, int(rng.integers(1, 9)), replace=False).tolist()
    }
    write_segy(
        path,
        rng.normal(size=shape),
        inlines=pick(rng, ((), (), None)) if shape[0] == 1 else (),
        sort=pick(rng, ("inline", "crossline")),
        revision=pick(rng, ((0, 0), (1, 0), (2, 1))),
        endian=pick(rng, ("big", "big", "little")),
        sample_format=pick(rng, (1, 5, 2, 3, 8)),
        scalar=pick(rng, (-10, 1, 0, -10000)),
        extended=pick(rng, (0, 0, 0, 1, 2)),
        extra_headers=pick(rng, (0, 0, 0, 1, 2)),
        fields={at: column for at, column in fields.items() if at not in _SHORT},
        binary=_binary(rng) if rng.random() < 0.4 else {},
    )
    content = path.read_bytes()
    kind = int(rng.integers(8))
    at = int(rng.integers(3600, len(content)))
    if kind == 0:
        content = content[:at] + rng.bytes(int(rng.integers(1, 300))) + content[at:]
    elif kind == 1:  # lines after each other
        content += content[3600:] if rng.random() < 0.5 else content
    elif kind == 2:
        content = rng.bytes(int(rng.integers(1, 500))) + content
    elif kind == 3:  # null traces
        size = 240 + 4 * shape[2]
        content = (
            content[: 3600 + size] + bytes(size * int(rng.integers(1, 4))) + content[3600 + size :]
        )
    elif kind == 4:
        content = gzip.compress(content + bytes(int(10 ** rng.uniform(0, 6))))
        content = spoil_bytes(rng, content) if rng.random() < 0.5 else content
    elif kind == 5:  # a code that is not the samples'
        content = content[:3224] + int(rng.integers(0, 18)).to_bytes(2, "big") + content[3226:]
    elif kind == 6:
        content = content[3600:]
    path.write_bytes(content)


def _column(rng: Rng, traces: int, width: int) -> np.ndarray:
    """A field of all traces."""
    count = np.arange(traces)
    kinds = (
        lambda: np.full(traces, int(rng.integers(-5, 10**6))),
        lambda: count * pick(rng, (1, 2, -1, 100, 0)) + int(rng.integers(1000)),
        lambda: count % int(rng.integers(1, 2 * width)),
        lambda: count // int(rng.integers(1, 2 * width)),
        lambda: rng.permutation(count),
        lambda: rng.integers(0, 5, traces),
        lambda: np.where(count % int(rng.integers(2, 9)), count, 0),
        lambda: (1000 * np.abs(count % width - width / 2) * 25).astype(np.int64),
        lambda: (
            (400_000 + 12.5 * count).astype(pick(rng, (">f4", "<f4"))).view(">i4").astype(np.int64)
        ),
        lambda: rng.integers(-(2**31), 2**31, traces),
        lambda: pick(rng, (2**31 - 1, -(2**31), 3600 * 3600, 0)) - count % 3,
    )
    column: np.ndarray = pick(rng, kinds)()
    return column


_COLUMNS = (1, 5, 9, 13, 17, 21, 25, 37, 73, 77, 81, 85, 181, 185, 189, 193, 197, 221, 225, 233)
_SHORT = frozenset({29, 35, 69, 71, 89, 109, 115, 117})


def _binary(rng: Rng) -> dict[int, bytes]:
    """Bytes that overwrite fields of the binary header."""
    places = pick(rng, ((), (), (3217,), (3221,), (3225,), (3255,), (3261,), (3269,), (3505,)))
    return {at: rng.integers(0, 256, 2, dtype=np.uint8).tobytes() for at in places}


def _hints(rng: Rng) -> dict[str, object]:
    hints: dict[str, object] = {}
    for name in ("inline_byte", "crossline_byte", "x_byte", "y_byte"):
        hints[name] = pick(rng, _BYTES)
    hints["endian"] = pick(rng, (None, None, "big", "little"))
    hints["sample_format"] = pick(rng, (None, None, 1, 3, 5, 8, 4, 7, 99))
    hints["interval"] = pick(rng, (None, None, 4.0, 1e-9, 1e9))
    hints["allow"] = pick(rng, ((), ("velocity",), ("truncated", "sparse", "velocity")))
    return hints
