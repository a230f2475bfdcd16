"""Options of reading labels; also a group of options on the command line."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal, get_args

from diapir.choices import MaskEncoding
from diapir.errors import ConfigError, refuse_options

LabelKind = Literal["auto", "mask", "horizons", "crossings", "polygons", "strokes"]
LABEL_KINDS: tuple[LabelKind, ...] = get_args(LabelKind)
LabelUnit = Literal["ms", "s", "m", "km", "ft"]
LABEL_UNITS: tuple[LabelUnit, ...] = get_args(LabelUnit)
Outside = Literal["background", "unknown"]

_SECTION = re.compile(r"(inline|crossline)[:= ](-?\d+)")


@dataclass(frozen=True, kw_only=True)
class LabelOptions:
    """How labels are read, where it does not show from their files.

    Raises:
        ConfigError: an option is out of its range, or two exclude each other.
    """

    label_kind: LabelKind = "auto"
    """What the labels are: mask, horizons, crossings, polygons or strokes."""
    encoding: Literal["auto", MaskEncoding] = "auto"
    """Mask encoding of image files."""
    salt_value: int | None = None
    """Value that is salt in a mask of class numbers; all others are not salt."""
    z_unit: LabelUnit | None = None
    """Unit of times or depths in horizons and polygons: ms, s, m, km or ft."""
    salt_down_to: float | None = None
    """Time in ms or depth in m down to which there is salt below a top without base."""
    salt_thickness: float | None = None
    """Thickness of salt in ms or m below a top without base."""
    unpicked: Outside = "unknown"
    """Traces without a pick on a section that horizons label: unknown, or background."""
    outside: Outside | None = None
    """Outside all polygons of a section: background, the default unless polygons of not salt are
    drawn there too, or unknown."""
    section: str | None = None
    """Section of a mask that does not say it: inline:241 or crossline:327."""
    label_sections: int = 64
    """Most sections used of labels that cover an area; they are spread evenly."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        below = self.salt_down_to
        thickness = self.salt_thickness
        refuse_options(
            (
                (
                    "--label-kind",
                    self.label_kind,
                    self.label_kind in LABEL_KINDS,
                    f"one of {', '.join(LABEL_KINDS)}",
                ),
                (
                    "--z-unit",
                    self.z_unit,
                    self.z_unit in (None, *LABEL_UNITS),
                    f"one of {', '.join(LABEL_UNITS)}",
                ),
                (
                    "--salt-down-to",
                    below,
                    below is None or math.isfinite(below),
                    "a time in ms or depth in m",
                ),
                (
                    "--salt-thickness",
                    thickness,
                    thickness is None or 0 < thickness < math.inf,
                    "a thickness in ms or m above 0",
                ),
                (
                    "--unpicked",
                    self.unpicked,
                    self.unpicked in get_args(Outside),
                    "background or unknown",
                ),
                (
                    "--outside",
                    self.outside,
                    self.outside in (None, *get_args(Outside)),
                    "background or unknown",
                ),
                (
                    "--section",
                    self.section,
                    self.section is None or _SECTION.fullmatch(self.section) is not None,
                    "inline:NUMBER or crossline:NUMBER",
                ),
                (
                    "--label-sections",
                    self.label_sections,
                    self.label_sections >= 1,
                    "a number of sections, at least 1",
                ),
            )
        )
        if below is not None and thickness is not None:
            raise ConfigError(
                f"both --salt-down-to {below:g} and --salt-thickness {thickness:g} are given",
                expected="one of them: either fixes where the salt below a top ends",
                fix="leave one out",
            )

    @property
    def named_section(self) -> tuple[Literal["inline", "crossline"], int] | None:
        """The axis and number that `section` names."""
        match = _SECTION.fullmatch(self.section or "")
        if match is None:
            return None
        return ("inline" if match[1] == "inline" else "crossline"), int(match[2])


DEFAULTS = LabelOptions()
"""Everything is found from the files."""
