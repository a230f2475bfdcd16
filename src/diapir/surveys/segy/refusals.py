"""The errors of SEG-Y files that cannot be used, one for each reason."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

from diapir.errors import SurveyError
from diapir.surveys.hints import Endian
from diapir.surveys.segy.header_bytes import SPARSEST, BytePair, table
from diapir.surveys.segy.layout.binary_header import (
    ENDIAN_BYTE,
    ORDERS,
    PAIRWISE_SWAPPED,
    TEXT_BLOCK,
)
from diapir.surveys.segy.sample_formats import FORMAT_NAMES, SAMPLE_TYPES, looks_like_text
from diapir.text import listing

TOP_PAIRS = 5
"""Byte pairs listed in a message."""
_STACKED = "post-stack data: a line or volume with one trace per position"
_POSITION = "two numbers in the trace headers that give each trace its position"
_BYTES = "--inline-byte N --crossline-byte M"
_LAYOUT = "give --samples N and --data-start N"


def no_layout(path: Path, head: bytes, orders: Sequence[Endian]) -> SurveyError:
    """The error of a file that no layout fits.

    Args:
        path: the file.
        head: its first 3600 bytes.
        orders: byte orders that were tried.
    """
    codes = {order: struct.unpack_from(ORDERS[order] + "h", head, 3224)[0] for order in orders}
    if struct.unpack_from(">I", head, ENDIAN_BYTE - 1)[0] == PAIRWISE_SWAPPED:
        return SurveyError(
            f"{path} has the bytes of each 16-bit word swapped",
            expected="big- or little-endian SEG-Y",
            fix="export the file again as big-endian SEG-Y",
        )
    if looks_like_text(head[:TEXT_BLOCK]):
        for code in codes.values():
            if code in FORMAT_NAMES and code not in SAMPLE_TYPES:
                return unknown_format(path, code)
        if any(code in SAMPLE_TYPES for code in codes.values()):
            return SurveyError(
                f"{path} states 0 samples per trace",
                expected="the number of samples per trace at bytes 3221-3222",
                fix="give it with --samples, or export the file again",
            )
    said = " and ".join(f"{code} read as {order}-endian" for order, code in codes.items())
    return SurveyError(
        f"{path} is not a readable SEG-Y file: its sample format code is {said}",
        expected=f"one of the codes {', '.join(map(str, SAMPLE_TYPES))} at bytes 3225-3226",
        fix="give --endian and --sample-format if you know them, or another file",
    )


def unknown_format(path: Path, code: int) -> SurveyError:
    """Samples of a format that is not read."""
    return SurveyError(
        f"{path} has samples of format {code} ({FORMAT_NAMES.get(code, 'unknown')}), which diapir "
        "cannot read",
        expected="one of " + ", ".join(f"{key} ({FORMAT_NAMES[key]})" for key in SAMPLE_TYPES),
        fix="export the file again in format 5, or give --sample-format if the code is wrong",
    )


def misplaced(path: Path, *, fault: str, good: int, trace_bytes: int) -> SurveyError:
    """Trace headers are not where they should be.

    Args:
        path: the file.
        fault: where and how.
        good: traces before that.
        trace_bytes: bytes of a trace.
    """
    first = f", or use only the first {good:,} traces with --allow truncated" if good else ""
    return SurveyError(
        f"{path}: {fault}",
        expected=f"a trace header every {trace_bytes:,} bytes",
        fix=f"copy or export the file again{first}; {_LAYOUT} if its headers are wrong",
    )


def truncated(
    path: Path,
    *,
    whole: int,
    whole_bytes: int,
    left: int,
    needed: int,
    counts: Sequence[int] | None = None,
) -> SurveyError:
    """The file ends within a trace.

    Args:
        path: the file.
        whole: whole traces.
        whole_bytes: bytes up to the end of the last whole trace.
        left: bytes after it.
        needed: bytes of a trace.
        counts: numbers of samples with which traces would fill the file, where its trace headers do
            not tell the number; None where they do.
    """
    if not whole:
        return SurveyError(
            f"{path} ends within its first trace, after {left:,} of {needed:,} bytes",
            expected="at least one whole trace",
            fix="copy the file again from its source, or give --samples N if its headers are wrong",
        )
    if counts is not None:
        others = f", such as {' or '.join(f'{count:,}' for count in counts)}" if counts else ""
        return SurveyError(
            f"{path} is truncated, or its headers state a wrong number of samples: {whole:,} "
            f"traces of {needed:,} bytes leave {left:,} bytes, and nothing in the trace headers "
            "tells where traces begin",
            expected="whole traces",
            fix=f"give the number of samples{others}, with --samples N, or the bytes before the "
            "first trace with --data-start N; use the whole traces with --allow truncated",
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


def gathers(path: Path, *, why: str, where: str) -> SurveyError:
    """Traces are numbered as gathers are.

    Args:
        path: the file.
        why: the sign.
        where: header bytes of the numbers, such as "bytes 9 and 13"; empty for file order.
    """
    numbered = f" (numbered at {where})" if where else ""
    return SurveyError(
        f"{path} seems to hold pre-stack gathers: {why}{numbered}",
        expected=_STACKED,
        fix="stack the gathers first; if each trace is a stack already, add --allow prestack",
    )


def several_lines(path: Path, byte: int, traces: Sequence[int]) -> SurveyError:
    """Several lines or stacks follow each other.

    Args:
        path: the file.
        byte: byte of the numbers that start again.
        traces: traces, from 1, at which they do.
    """
    return SurveyError(
        f"{path} holds several lines or stacks: the numbers at byte {byte} start again at "
        f"trace{'s' * (len(traces) > 1)} {listing([f'{trace:,}' for trace in traces])}",
        expected="one 2D line with one trace per position, or a volume with line numbers",
        fix="split the file there, or read it as one line in file order with --inline-byte 0 "
        "--crossline-byte 0",
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
