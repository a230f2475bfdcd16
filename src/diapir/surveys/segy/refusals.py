"""Why a survey is refused: one message for each reason, with the way out where there is one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from diapir.errors import SurveyError
from diapir.surveys.segy.header_bytes import SPARSEST, Pair, table

TOP_PAIRS = 5
"""Pairs of bytes that a message lists."""
_STACKED = "a stacked (post-stack) line or volume with one trace at each position"
_BYTES = "--inline-byte N --crossline-byte M"


def truncated(path: Path, *, whole: int, whole_bytes: int, left: int, needed: int) -> SurveyError:
    """The file ends within a trace."""
    if not whole:
        return SurveyError(
            f"{path} ends within its first trace: {left:,} of {needed:,} bytes are there",
            expected="at least one whole trace",
            fix="copy the file again from its source",
        )
    return SurveyError(
        f"{path} is cut off: the last good trace is number {whole:,}, which ends at byte "
        f"{whole_bytes:,}; of the next one {left:,} of {needed:,} bytes are there",
        expected="a file that ends with a whole trace",
        fix="copy it again from its source, or use its whole traces with --allow truncated",
    )


def variable_length(path: Path, counts: Sequence[int]) -> SurveyError:
    """Traces differ in length."""
    return SurveyError(
        f"{path} has traces of different lengths: {min(counts):,} to {max(counts):,} samples",
        expected="traces that all have the same number of samples",
        fix="export the file again with a fixed trace length, padding short traces with zeros",
    )


def no_interval(path: Path) -> SurveyError:
    """Nothing in the file says how far apart samples are."""
    return SurveyError(
        f"{path} gives a sample interval of 0, in its header and in its first trace",
        expected="the time or depth from one sample to the next",
        fix="give it in ms or m with --interval, such as --interval 4",
    )


def prestack(path: Path, *, traces: int, positions: int, where: str) -> SurveyError:
    """Several traces share each position."""
    fold = traces / positions
    return SurveyError(
        f"{path} holds gathers (pre-stack data): {traces:,} traces at {positions:,} positions of "
        f"{where}, {fold:.3g} at each",
        expected=_STACKED,
        fix="stack the gathers first; where the positions are wrong, name the right bytes with "
        + _BYTES,
    )


def duplicates(path: Path, pair: Pair, traces: int) -> SurveyError:
    """Some positions occur twice."""
    return SurveyError(
        f"{path}: {pair.shared:,} of {traces:,} traces have the inline and crossline of another "
        f"trace, read at bytes {pair.inline_byte} and {pair.crossline_byte}",
        expected=_STACKED,
        fix=f"remove the repeated traces, or name other bytes with {_BYTES}",
    )


def repeated_cdp(path: Path, byte: int, traces: int, positions: int) -> SurveyError:
    """CDP numbers of a line that occur more than once."""
    return SurveyError(
        f"{path}: the {traces:,} traces have {positions:,} different numbers at byte {byte}",
        expected="a number of its own for each trace of a line",
        fix="name another byte with --crossline-byte, or 0 for the order of the traces",
    )


def no_numbers(path: Path, pairs: Sequence[Pair], why: str) -> SurveyError:
    """No bytes hold inline and crossline."""
    return SurveyError(
        f"{path}: no header bytes hold usable inline and crossline numbers, and {why}\n"
        + _indented(pairs),
        expected="two numbers in the trace headers that give each trace its place",
        fix=f"name the bytes with {_BYTES}, or say that it is one line with --inline-byte 0",
    )


def ambiguous(path: Path, pairs: Sequence[Pair]) -> SurveyError:
    """Several bytes may hold inline and crossline."""
    first = pairs[0]
    return SurveyError(
        f"{path}: several pairs of header bytes may be inline and crossline\n" + _indented(pairs),
        expected="one pair that is clearly the best",
        fix="choose one, such as "
        f"--inline-byte {first.inline_byte} --crossline-byte {first.crossline_byte}",
    )


def unusable_bytes(path: Path, pair: Pair, why: str) -> SurveyError:
    """The bytes that were asked for do not hold inline and crossline."""
    return SurveyError(
        f"{path}: bytes {pair.inline_byte} and {pair.crossline_byte} cannot be inline and "
        f"crossline: {why}",
        expected="two numbers in the trace headers that give each trace its place",
        fix=f"leave out {_BYTES} to see what is found, or name others",
    )


def sparse(path: Path, *, cells: int, traces: int, allowable: bool) -> SurveyError:
    """Hardly any position of the grid has a trace."""
    way_out = ", or go on with --allow sparse" if allowable else ""
    return SurveyError(
        f"{path}: its grid has {cells:,} positions for {traces:,} traces, "
        f"{cells / traces:,.0f} for each",
        expected=f"at most {1 / SPARSEST:.0f} positions for each trace",
        fix=f"name the bytes of inline and crossline with {_BYTES}{way_out}",
    )


def all_positive(path: Path, low: float, high: float) -> SurveyError:
    """All samples, or nearly all, have one sign."""
    return SurveyError(
        f"{path} looks like a velocity model or another volume without reflections: its samples, "
        f"{low:,.4g} to {high:,.4g}, do not swing about zero",
        expected="seismic amplitudes, which swing about zero",
        fix="give the amplitudes; where these are what is meant, --allow velocity",
    )


def all_dead(path: Path, traces: int) -> SurveyError:
    """No trace holds anything."""
    return SurveyError(
        f"{path}: all {traces:,} traces are dead: nothing but zeros, marked dead, or not finite",
        expected="seismic amplitudes",
        fix="give a file that holds data",
    )


def _indented(pairs: Sequence[Pair]) -> str:
    return "\n".join(f"    {line}" for line in table(pairs[:TOP_PAIRS]))
