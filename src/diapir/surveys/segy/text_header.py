"""The text header of a SEG-Y file: its lines, what they hint at, and the one of an output."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_WIDTH, _LINES = 80, 40
_EBCDIC = "cp037"
_MARK = "DIAPIR: "
"""What every line that diapir writes into a text header begins with."""
_INPUT = "INPUT TEXT HEADER:"
_END = ("SEG-Y REV1", "END TEXTUAL HEADER")
_NUMBER = re.compile(r"^C\s?\d{1,2}(?=\D|$)\s?", re.IGNORECASE)
_CLOSING = re.compile(r"(?i)^(END (TEXTUAL|EBCDIC)( HEADER)?:?|SEG[- ]?Y[- _]?REV\s?\d.*)$")

_DEPTH = re.compile(
    r"(?i)\b(PSDM|PRE-?STACK DEPTH|DEPTH[- ]?(MIGRAT\w*|DOMAIN|CONVERTED|MIN|MAX|SAMPL\w+|VOLUME"
    r"|SECTION|STACK)|(IN|Z) DEPTH|(KIRCHHOFF|BEAM|RTM|MIGRATION)[\w ]{0,20}\bDEPTH"
    r"|(DOMAIN|VERTICAL( AXIS| UNITS?)?)\s*[:=]\s*(DEPTH|M\b|FT\b|FEET|MET(RE|ER)S?))"
)
_TIME = re.compile(
    r"(?i)\b(PSTM|TWT|TWO[- ]?WAY[- ]?(TRAVEL[- ]?)?TIME|PRE-?STACK TIME|TIME[- ]?(MIGRAT\w*"
    r"|DOMAIN|MIN|MAX|SECTION|VOLUME)|IN TIME|(DOMAIN|VERTICAL( AXIS| UNITS?)?)\s*[:=]\s*"
    r"(TIME|TWT|MS\b|MSEC|MILLISECONDS?))"
)
_CRS = re.compile(
    r"(?i)(\bEPSG\b|\bUTM\b|\bCRS\b|\bDATUM\b(?! *(TIME|VELOC|CORR|ELEV|PLANE|STATIC))|\bSPHEROID"
    r"|\bELLIPSOID|\bPROJECTION|\bED50\b|\bWGS ?-?(19)?(72|84)\b|\bNAD ?-?(19)?(27|83)\b"
    r"|\bGDA ?\d\d|\bSIRGAS|\bOSGB|\bPULKOVO|\bETRS ?89|\bSTATE PLANE|\bTRANSVERSE MERCATOR"
    r"|\bGAUSS[- ]?KR)"
)
_FEET = re.compile(
    r"(?i)(\b(US ?)?(SURVEY )?FEET\b|\b(UNITS?|MEASUREMENT( SYSTEM)?|XY|DEPTH)\b[^:=]{0,12}[:=]?"
    r"\s*\(?(FT|FEET|FOOT|FTUS)\b)"
)


@dataclass(frozen=True)
class TextHints:
    """What a text header hints at; headers are often copied from other files, so no more.

    Attributes:
        domain: domain of the vertical axis, and the words that say so; None where none or both do.
        crs: lines that name a coordinate reference system.
        feet: the line that names feet; empty where none does.
    """

    domain: tuple[Literal["time", "depth"], str] | None
    crs: tuple[str, ...]
    feet: str


def text_lines(header: Sequence[str]) -> list[str]:
    """The lines of a text header that say something, without their numbers.

    Args:
        header: lines as they are decoded.
    """
    bare = [_NUMBER.sub("", line.strip()).strip() for line in header]
    return [line for line in bare if line and not _CLOSING.match(line)]


def text_hints(header: Sequence[str]) -> TextHints:
    """Find the domain, the reference system and feet in a text header."""
    lines = text_lines(header)
    depth, time = (
        next((found[0] for line in lines if (found := pattern.search(line))), None)
        for pattern in (_DEPTH, _TIME)
    )
    domain: tuple[Literal["time", "depth"], str] | None = None
    if depth and not time:
        domain = "depth", " ".join(depth.split())
    elif time and not depth:
        domain = "time", " ".join(time.split())
    return TextHints(
        domain,
        tuple(line for line in lines if _CRS.search(line))[:4],
        next((line for line in lines if _FEET.search(line)), ""),
    )


def output_text(remarks: Sequence[str], original: Sequence[str]) -> list[bytes]:
    """The text header of an output, and extended ones for what does not fit into it.

    Args:
        remarks: lines about the result, which are marked as diapir's.
        original: lines of all text headers of the input.

    Returns:
        Blocks of 3200 bytes in EBCDIC: the text header, then the extended ones.
    """
    width = _WIDTH - len("C12 ") - len(_MARK)
    own = [_MARK + part for remark in remarks for part in textwrap.wrap(_printable(remark), width)]
    kept = [_printable(line) for line in text_lines(original)]
    lines = [*own, _INPUT, *kept] if kept else own
    first = lines[: _LINES - len(_END)]
    blocks = [[*first, *[""] * (_LINES - len(_END) - len(first)), *_END]]
    rest = lines[len(first) :]
    blocks += [rest[start : start + _LINES] for start in range(0, len(rest), _LINES)]
    return [_block(block) for block in blocks]


def _block(lines: Sequence[str]) -> bytes:
    padded = [*lines, *[""] * (_LINES - len(lines))]
    numbered = (f"C{number:2d} {line}" for number, line in enumerate(padded, 1))
    return "".join(line[:_WIDTH].ljust(_WIDTH) for line in numbered).encode(_EBCDIC)


def _printable(line: str) -> str:
    return "".join(sign if " " <= sign <= "~" else "?" for sign in line)
