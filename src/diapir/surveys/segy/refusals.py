"""The errors of SEG-Y files that cannot be used, one for each reason."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from diapir.errors import SurveyError
from diapir.surveys.segy.header_bytes import SPARSEST, BytePair, table

TOP_PAIRS = 5
"""Byte pairs listed in a message."""
_STACKED = "post-stack data: a line or volume with one trace per position"
_POSITION = "two numbers in the trace headers that give each trace its position"
_BYTES = "--inline-byte N --crossline-byte M"


def truncated(path: Path, *, whole: int, whole_bytes: int, left: int, needed: int) -> SurveyError:
    """The file ends within a trace.

    Args:
        path: the file.
        whole: whole traces.
        whole_bytes: bytes up to the end of the last whole trace.
        left: bytes after it.
        needed: bytes of a trace.
    """
    if not whole:
        return SurveyError(
            f"{path} ends within its first trace, after {left:,} of {needed:,} bytes",
            expected="at least one whole trace",
            fix="copy the file again from its source",
        )
    return SurveyError(
        f"{path} is truncated: the last whole trace is number {whole:,}, ending at byte "
        f"{whole_bytes:,}; the next one has {left:,} of {needed:,} bytes",
        expected="a file that ends with a whole trace",
        fix="copy the file again from its source, or use the whole traces with --allow truncated",
    )


def variable_length(path: Path, counts: Sequence[int]) -> SurveyError:
    """Traces differ in length."""
    return SurveyError(
        f"{path} has traces of different lengths: {min(counts):,} to {max(counts):,} samples",
        expected="traces that all have the same number of samples",
        fix="export the file again with a fixed trace length, padding short traces with zeros",
    )


def no_interval(path: Path) -> SurveyError:
    """The file states no sample interval."""
    return SurveyError(
        f"{path} gives a sample interval of 0, in the binary header and in the first trace header",
        expected="a sample interval above 0",
        fix="give it in ms or m with --interval, such as --interval 4",
    )


def prestack(path: Path, *, traces: int, positions: int, where: str) -> SurveyError:
    """Several traces share each position.

    Args:
        path: the file.
        traces: traces that were read.
        positions: different positions of these.
        where: header bytes of the positions, such as "bytes 189 and 193".
    """
    fold = traces / positions
    return SurveyError(
        f"{path} holds pre-stack gathers: {traces:,} traces at {positions:,} positions "
        f"({where}), fold {fold:.3g}",
        expected=_STACKED,
        fix=f"stack the gathers first, or give the bytes of the positions with {_BYTES}",
    )


def duplicates(path: Path, pair: BytePair, traces: int) -> SurveyError:
    """Some positions occur more than once."""
    return SurveyError(
        f"{path}: {pair.shared:,} of {traces:,} traces have the same inline and crossline as "
        f"another trace (bytes {pair.inline_byte} and {pair.crossline_byte})",
        expected=_STACKED,
        fix=f"remove the duplicate traces, or give other bytes with {_BYTES}",
    )


def repeated_cdp(path: Path, byte: int, traces: int, positions: int) -> SurveyError:
    """CDP numbers of a 2D line that occur more than once."""
    return SurveyError(
        f"{path}: {traces:,} traces have only {positions:,} different numbers at byte {byte}",
        expected="a different number for each trace of a 2D line",
        fix="give another byte with --crossline-byte, or 0 to number traces in file order",
    )


def no_numbers(path: Path, pairs: Sequence[BytePair], why: str) -> SurveyError:
    """No header bytes hold inline and crossline.

    Args:
        path: the file.
        pairs: the candidates.
        why: why it is not a 2D line either.
    """
    return SurveyError(
        f"{path}: no header bytes hold usable inline and crossline numbers, and {why}\n"
        + _indented(pairs),
        expected=_POSITION,
        fix=f"give the bytes with {_BYTES}, or read the file as one 2D line with --inline-byte 0",
    )


def ambiguous(path: Path, pairs: Sequence[BytePair]) -> SurveyError:
    """Several byte pairs may hold inline and crossline, and give different grids."""
    first = pairs[0]
    return SurveyError(
        f"{path}: several pairs of header bytes could be inline and crossline\n" + _indented(pairs),
        expected="one pair that scores clearly best",
        fix="choose one, such as "
        f"--inline-byte {first.inline_byte} --crossline-byte {first.crossline_byte}",
    )


def unusable_bytes(path: Path, pair: BytePair, why: str) -> SurveyError:
    """The bytes that the user gave do not hold inline and crossline."""
    return SurveyError(
        f"{path}: bytes {pair.inline_byte} and {pair.crossline_byte} cannot be inline and "
        f"crossline: {why}",
        expected=_POSITION,
        fix=f"leave out {_BYTES} to have them found, or give others",
    )


def sparse(path: Path, *, positions: int, traces: int, allowable: bool) -> SurveyError:
    """Hardly any position of the grid has a trace.

    Args:
        path: the file.
        positions: positions of the grid.
        traces: traces in the file.
        allowable: whether the user may use the grid all the same.
    """
    way_out = ", or use the grid as it is with --allow sparse" if allowable else ""
    return SurveyError(
        f"{path}: the grid has {positions:,} positions for {traces:,} traces, "
        f"{positions / traces:,.0f} per trace",
        expected=f"at most {1 / SPARSEST:.0f} positions per trace",
        fix=f"give the bytes of inline and crossline with {_BYTES}{way_out}",
    )


def _indented(pairs: Sequence[BytePair]) -> str:
    return "\n".join(f"    {line}" for line in table(pairs[:TOP_PAIRS]))
