"""Types of options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, get_args

from cyclopts import Group, Parameter, Token, convert

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


def _strict(hint: Any, tokens: Sequence[Token]) -> Any:
    """Convert as cyclopts does, but refuse 2.5 for a whole number instead of rounding it."""
    kinds = get_args(hint) or (hint,)
    if int in kinds and float not in kinds and re.match(r"[+-]?\.?\d", tokens[0].value):
        return _whole(hint, tokens)
    return convert(hint, tokens)


def _shown(default: Any) -> str | None:
    return None if default in (None, ()) else str(default)


def options_of(title: str, *, position: int, without: str = "") -> Group:
    """A group of options that are the fields of a plain dataclass of the package.

    Args:
        title: heading in `--help`.
        position: groups are listed by rising position.
        without: a field that another group of the command already has, or several as `a|b`.
    """
    options = Parameter(converter=_strict, negative="", show_default=_shown)
    if without:
        options = Parameter.combine(options, Parameter(parse=re.compile(f"^(?!(?:{without})$)")))
    return Group(title, sort_key=position, default_parameter=options)


FormName = Literal["onnx", "openvino"]
Encoding = Literal["auto", MaskEncoding]
