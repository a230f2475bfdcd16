"""How pictures are read for a prediction; also a group of options on the command line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from diapir.errors import ConfigError, refuse_options

MAX_PIXELS = 64 * 1024**2
"""Maximum pixels of one image, unless the caller allows more."""
_RANGE = re.compile(r"([^:\s]+):([^:\s]+)")


@dataclass(frozen=True, kw_only=True)
class PictureOptions:
    """How pictures are read.

    Raises:
        ConfigError: a value out of range, naming the option.
    """

    levels: str | None = None
    """Values BLACK:WHITE of 16-bit, 32-bit and float pictures; by default what they use."""
    colours: Literal["auto", "brightness"] = "auto"
    """Pictures in colour: signed amplitude where they are in a colour map, or brightness."""
    max_megapixels: float = MAX_PIXELS / 1e6
    """Largest picture that is read, in millions of pixels."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        least = self.max_megapixels > 0
        refuse_options(
            (("--max-megapixels", self.max_megapixels, least, "a number above 0"),),
            problem="is out of range",
        )
        self.limits()

    @property
    def max_pixels(self) -> int:
        """Pixels that a picture may have."""
        return max(1, round(self.max_megapixels * 1e6))

    def limits(self) -> tuple[float, float] | None:
        """The values that are black and white, where they are given.

        Raises:
            ConfigError: they cannot be read, or are equal.
        """
        if self.levels is None:
            return None
        found = _RANGE.fullmatch(self.levels.strip())
        try:
            low, high = map(float, found.groups()) if found else (0.0, 0.0)
        except ValueError:
            low = high = 0.0
        if low == high or not abs(low) + abs(high) < float("inf"):
            raise ConfigError(
                f"--levels {self.levels} is not a range of values",
                expected="BLACK:WHITE, such as 0:4095, or -1000:1000 for amplitudes",
                fix="correct --levels, or leave it out",
            )
        return low, high
