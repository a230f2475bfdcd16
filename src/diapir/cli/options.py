"""Types of options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal, get_args

from cyclopts import Group, Parameter, Token, convert

from diapir.choices import MaskEncoding
from diapir.errors import ConfigError

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_UNIT_NAMES = {
    "s": ("s", "sec", "secs", "second", "seconds"),
    "m": ("m", "min", "mins", "minute", "minutes"),
    "h": ("h", "hr", "hrs", "hour", "hours"),
    "d": ("d", "day", "days"),
}
_UNIT_OF = {name: unit for unit, names in _UNIT_NAMES.items() for name in names}
_PART = r"(\d+(?:\.\d*)?|\.\d+)\s*([a-z]+)"


def parse_duration(text: str) -> float:
    """The seconds of `90s`, `20m`, `20 min`, `1.5h` or `1h30m`.

    Raises:
        ValueError: the text is not a positive number with one of these units, or several with
            ever smaller units.
    """
    plain = text.strip().lower()
    found = re.findall(_PART, plain, re.ASCII) if re.fullmatch(rf"(?:{_PART}\s*)+", plain) else []
    units = [_UNIT_OF.get(unit, "") for _, unit in found]
    scales = [_UNITS.get(unit, 0.0) for unit in units]
    seconds = sum(float(number) * scale for (number, _), scale in zip(found, scales, strict=True))
    if not seconds or 0 in scales or any(one <= next_ for one, next_ in pairwise(scales)):
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

Settings = Annotated[
    tuple[str, ...],
    Parameter(name="--set", negative="", show_default=False, metavar="KEY=VALUE"),
]
"""Keys of a recipe and their values, from any number of `--set`."""


def with_settings(overrides: Sequence[str], options: Mapping[str, object]) -> list[str]:
    """Settings of `--set`, and those of options that stand for a key.

    Args:
        overrides: `key=value`, from --set.
        options: the value of each such option by its key; None where it is not given.

    Raises:
        ConfigError: a key is given in both ways.
    """
    settings = list(overrides)
    for key, value in options.items():
        name = key.rpartition(".")[2]
        twice = [one for one in overrides if one.partition("=")[0].strip() in {key, name}]
        if value is not None and twice:
            raise ConfigError(
                f"--{name} {value} and --set {twice[0]} are both given",
                expected=f"one of them: --{name} stands for {key}",
                fix="leave one of them out",
            )
        settings += [] if value is None else [f"{key}={value}"]
    return settings


def join_settings(tokens: Sequence[str]) -> list[str]:
    """Command-line words in which `--set KEY VALUE` and `KEY = VALUE` are `--set KEY=VALUE`."""
    joined: list[str] = []
    for word in tokens:
        if _lacks_value(joined) and word == "=":
            continue  # KEY = VALUE
        if _lacks_value(joined) and (not word.startswith("-") or re.match(r"-\.?\d", word)):
            joined[-1] += f"={word.removeprefix('=')}"
        else:
            joined.append(word)
    return joined


def _lacks_value(words: Sequence[str]) -> bool:
    """Whether the last word is the key of a `--set` without its value."""
    if not words:
        return False
    if words[-1].startswith("--set="):
        return "=" not in words[-1].removeprefix("--set=")
    after = len(words) > 1 and words[-2] == "--set"
    return after and "=" not in words[-1] and not words[-1].startswith("-")


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


def options_of(title: str, *, position: int, without: str = "", about: str = "") -> Group:
    """A group of options that are the fields of a plain dataclass of the package.

    Args:
        title: heading in `--help`.
        about: a sentence below the heading.
        position: groups are listed by rising position.
        without: a field that another group of the command already has, or several as `a|b`.
    """
    options = Parameter(converter=_strict, negative="", show_default=_shown)
    if without:
        options = Parameter.combine(options, Parameter(parse=re.compile(f"^(?!(?:{without})$)")))
    return Group(title, about, sort_key=position, default_parameter=options)


def examples(*commands: str) -> str:
    """The end of a help page: commands to try."""
    return "\n".join(["Examples:", "", *(f"  {command}" for command in commands)])


class Capitals:
    """Formats the panels of help pages as cyclopts does, with sentences that begin in capitals."""

    def __call__(self, console: Any, options: Any, panel: Any) -> None:
        """Print a panel; called by cyclopts."""
        from cyclopts.help import DefaultFormatter
        from rich.text import Text

        for entry in panel.entries:
            text = getattr(entry.description, "primary_renderable", None)
            # not a word of code, such as groups.csv
            if isinstance(text, Text) and re.match(r"[a-z]+[\s,;:]", text.plain):
                text.plain = text.plain[:1].upper() + text.plain[1:]
        DefaultFormatter()(console, options, panel)

    def render_usage(self, console: Any, options: Any, usage: Any) -> None:
        """Print the line of usage, as cyclopts does."""
        from cyclopts.help import DefaultFormatter

        DefaultFormatter().render_usage(console, options, usage)


FormName = Literal["onnx", "openvino"]
Encoding = Literal["auto", MaskEncoding]
