"""Types of options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from cyclopts import Parameter, Token

from diapir.choices import MaskEncoding

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(text: str) -> float:
    """The seconds of `90s`, `20m` or `1.5h`.

    Raises:
        ValueError: the text is not a positive number with one of these units.
    """
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)([smh])", text.strip())
    seconds = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if not seconds:
        raise ValueError(f"{text!r} is not a duration such as 90s, 20m or 1.5h")
    return seconds


def _duration(hint: Any, tokens: Sequence[Token]) -> float:
    return parse_duration(tokens[0].value)


def _whole(hint: Any, tokens: Sequence[Token]) -> int:
    text = tokens[0].value
    if not re.fullmatch(r"[+-]?\d+", text):  # the parser's own int() would truncate 2.5 to 2
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


Whole = Annotated[int, Parameter(converter=_whole, n_tokens=1)]
"""A whole number."""

Duration = Annotated[float, Parameter(converter=_duration, n_tokens=1)]
"""A time in seconds, given as `90s`, `20m` or `1.5h`."""

Flag = Annotated[bool, Parameter(negative="", show_default=False)]
"""A switch that is off by default."""

SkipBad = Annotated[bool, Parameter(name="--skip-bad", negative="", show_default=False)]
"""The switch that leaves out tiles that cannot be read."""

FormName = Literal["onnx", "openvino"]
Encoding = Literal["auto", MaskEncoding]
EndianName = Literal["big", "little"]
DomainName = Literal["time", "depth"]

AllowList = Annotated[
    tuple[Literal["velocity", "truncated", "sparse"], ...],
    Parameter(name="--allow", negative="", show_default=False),
]
"""Checks of a survey to skip."""
