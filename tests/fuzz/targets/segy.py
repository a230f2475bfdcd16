"""SEG-Y: odd headers, damaged bytes and wrong hints; opened, described, read."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from diapir.surveys import SurveyHints, describe, open_survey, percentile
from tests.fuzz.mutate import pick, spoil_bytes
from tests.fuzz.target import Rng
from tests.helpers.segy import write_segy

_BYTES = (None, None, None, 0, 1, 5, 9, 17, 21, 73, 181, 189, 193, 237, 240, 241, -1)
_FIELDS = (1, 5, 9, 13, 17, 21, 29, 35, 69, 71, 73, 77, 89, 109, 115, 117, 181, 185, 189, 193)
_NUMBERS = (0, 1, -1, 2, 100, 32767, -32768, 2**31 - 1, -(2**31))


class Inputs:
    def __init__(self, home: Path) -> None:
        pass

    def make(self, rng: Rng, folder: Path) -> Callable[[], object]:
        path = folder / "line.sgy"
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

        def use() -> None:
            with contextlib.closing(open_survey(path, SurveyHints(**hints))) as survey:  # type: ignore[arg-type]
                describe(survey)
                percentile(survey, q)
                survey.read(slice(0, 2), slice(0, 5))

        return use


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
