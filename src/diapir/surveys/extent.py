"""The part of a survey that is used, by line numbers and by time or depth."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any, Literal

from diapir.errors import ConfigError

_LINES = re.compile(r"(-?\d+)?:(-?\d+)?(?::(\d+))?|(-?\d+)")
_NUMBER = r"(-?(?:\d+\.?\d*|\.\d+))"
_TIMES = re.compile(rf"{_NUMBER}?:{_NUMBER}?")


@dataclass(frozen=True, kw_only=True)
class Extent:
    """The part of a survey that is used, in the survey's own numbers; both ends are included.

    Raises:
        ConfigError: a range that cannot be read, or is reversed.
    """

    inlines: str | None = None
    """Inline numbers FIRST:LAST or FIRST:LAST:STEP, both ends included; an end may be left out."""
    crosslines: str | None = None
    """The same for crosslines, or for the CDPs of a 2D line."""
    time: str | None = None
    """Samples FROM:TO in ms, or in m where the survey is in depth; both ends are included."""
    depth: str | None = None
    """The same as --time, for surveys in depth (m)."""
    every: int | None = None
    """Preview of a volume: every so many inlines only, or crosslines with --view crossline."""
    every_of: Literal["inlines", "crosslines"] = "inlines"
    """The lines that `every` counts."""

    def __post_init__(self) -> None:
        """Refuse ranges that no survey could have."""
        self.lines("inlines")
        self.lines("crosslines")
        self.vertical()
        if self.every is not None and self.every < 2:
            raise ConfigError(
                f"--every {self.every}",
                expected="a number of lines, at least 2",
                fix="give a number such as --every 10, or leave it out for all lines",
            )

    def __bool__(self) -> bool:
        """Whether it leaves anything out."""
        return self != Extent()

    def vertical(self) -> tuple[str, float | None, float | None]:
        """The option of the vertical range, and its two ends, None where open.

        Raises:
            ConfigError: both --time and --depth, or a range that cannot be read.
        """
        if self.time is not None and self.depth is not None:
            raise ConfigError(
                "--time and --depth are both given",
                expected="one of them: they mean the same axis",
                fix="leave one out",
            )
        option = "--time" if self.depth is None else "--depth"
        text = self.time if self.depth is None else self.depth
        if text is None:
            return option, None, None
        found = _TIMES.fullmatch(text.strip())
        if not found or text.strip() == ":":
            raise _unreadable(option, text, "FROM:TO in ms or m, such as 1000:2400")
        low, high = (None if end is None else float(end) for end in found.groups())
        _refuse_reversed(option, text, low, high)
        return option, low, high

    def lines(self, name: Literal["inlines", "crosslines"]) -> tuple[int | None, int | None, int]:
        """First number, last number and step of a range of lines; None for open ends."""
        return _lines(f"--{name}", getattr(self, name))

    def to_json(self) -> dict[str, Any]:
        """The ranges that are given."""
        default = asdict(Extent())
        return {name: value for name, value in asdict(self).items() if value != default[name]}

    def words(self) -> str:
        """The options as typed, such as `--inlines 100:200`."""
        options = [
            f"--{name} {getattr(self, name)}"
            for name in ("inlines", "crosslines", "time", "depth", "every")
            if getattr(self, name) is not None
        ]
        return " ".join(options)


def _lines(option: str, text: str | None) -> tuple[int | None, int | None, int]:
    """First number, last number and step of a range of lines; None for open ends.

    Raises:
        ConfigError: it cannot be read, or is reversed.
    """
    if text is None:
        return None, None, 1
    found = _LINES.fullmatch(text.strip())
    if not found:
        raise _unreadable(option, text, "FIRST:LAST or FIRST:LAST:STEP, such as 100:250 or ::10")
    first, last, step, single = (None if part is None else int(part) for part in found.groups())
    if single is not None:
        return single, single, 1
    if step == 0:
        raise _unreadable(option, text, "a step of at least 1")
    _refuse_reversed(option, text, first, last)
    return first, last, step or 1


def _unreadable(option: str, text: str, expected: str) -> ConfigError:
    return ConfigError(
        f"{option} {text} is not a range", expected=expected, fix=f"correct {option}"
    )


def _refuse_reversed(option: str, text: str, low: float | None, high: float | None) -> None:
    if low is not None and high is not None and low > high:
        raise ConfigError(
            f"{option} {text} is reversed: {low:g} is larger than {high:g}",
            expected="the smaller number first, whichever way the survey is numbered",
            fix=f"{option} {high:g}:{low:g}",
        )
