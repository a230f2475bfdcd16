"""Hints of the user for reading a survey file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from diapir.errors import SurveyError
from diapir.surveys.extent import Extent

Endian = Literal["big", "little"]
LengthUnit = Literal["m", "ft"]
"""Units of depths."""
CoordinateUnit = Literal["m", "ft", "arcsec", "degrees", "dms"]
"""Units of coordinates in a file; on a grid, angles are degrees."""
VerticalDomain = Literal["time", "depth"]
Allowance = Literal["velocity", "truncated", "sparse", "prestack"]
"""A check that the user may switch off: one-sided amplitudes, a cut last trace, a sparse grid, and
headers like those of pre-stack gathers."""


_LEAST = {"samples": 1, "data_start": 3600, "trace_header_bytes": 240, "trace_bytes": 241}
"""The bytes of a SEG-Y file that may be given, and the least of each."""


@dataclass(frozen=True, kw_only=True)
class SurveyHints:
    """How to read a survey file, where it does not show by itself; see `diapir survey`.

    Every hint left out (None) is found from the file.

    Raises:
        SurveyError: an interval that is not above 0, or bytes that cannot be.
    """

    inline_byte: int | None = None
    """First byte of the inline number in the trace header, from 1; 0 for a 2D line."""
    crossline_byte: int | None = None
    """First byte of the crossline number or CDP; 0 to number traces in file order."""
    x_byte: int | None = None
    """First byte of the easting; 0 for no coordinates."""
    y_byte: int | None = None
    """First byte of the northing; 0 for no coordinates."""
    endian: Endian | None = None
    """Byte order of the file."""
    sample_format: int | None = None
    """SEG-Y format code of the samples: 1, 2, 3, 5 to 12, 15 or 16."""
    samples: int | None = None
    """Samples per trace of a SEG-Y file whose headers are wrong."""
    data_start: int | None = None
    """Bytes before the first trace of a SEG-Y file: 3600 without extended text headers."""
    trace_header_bytes: int | None = None
    """Bytes of a trace header: 240, or 480 with an additional trace header."""
    trace_bytes: int | None = None
    """Bytes from one trace to the next, where each is padded."""
    domain: VerticalDomain | None = None
    """Domain of the vertical axis."""
    interval: float | None = None
    """Sample interval in ms (time) or in the unit of depths."""
    samples_axis: Literal["first", "last"] | None = None
    """Axis of the samples (time or depth) in an .npy array."""
    depth_unit: LengthUnit | None = None
    """Unit of depths; found at byte 3255 of SEG-Y, else m."""
    coordinate_unit: CoordinateUnit | None = None
    """Unit of coordinates; found at bytes 89 and 3255 of SEG-Y, else m."""
    undefined: tuple[float | Literal["none"], ...] = ()
    """Value that stands for no value, as -9999; found if left out; none: all are amplitudes."""
    allow: tuple[Allowance, ...] = ()
    """Read the file although this check fails; may be given more than once."""
    extents: tuple[Extent, ...] = ()
    """The part of the survey that is used; each within the one before. All of it if empty."""

    def __post_init__(self) -> None:
        """Refuse an interval that is not above 0, and bytes that cannot be."""
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise SurveyError(
                    f"--{name.replace('_', '-')} {value} is too small",
                    expected=f"{least} or more",
                    fix="count bytes as SEG-Y does, or leave the option out",
                )
        if self.interval is not None and not 0 < self.interval < float("inf"):
            raise SurveyError(
                f"--interval {self.interval:g} is not a sample interval",
                expected="a number of ms or m above 0",
                fix="give the interval in ms or m, such as --interval 4",
            )

    @property
    def segy_only(self) -> tuple[str, ...]:
        """Options given that only a SEG-Y file can have, as the command line spells them."""
        names = ("inline_byte", "crossline_byte", "x_byte", "y_byte", "endian", "sample_format")
        given = (name for name in (*names, *_LEAST) if getattr(self, name) is not None)
        return tuple(f"--{name.replace('_', '-')}" for name in given)


@dataclass(frozen=True)
class SurveySpec:
    """A survey's file and all that was found about it, so that it opens again the same way.

    Attributes:
        path: absolute path of the file or folder.
        hints: with every choice made.
    """

    path: str
    hints: SurveyHints

    def to_json(self) -> dict[str, Any]:
        """A flat JSON object; hints that do not apply are left out."""
        known = asdict(self.hints) | {
            "domain": self.hints.domain or "unknown",
            "allow": list(self.hints.allow),
            "undefined": list(self.hints.undefined) or None,
            "extents": [extent.to_json() for extent in self.hints.extents] or None,
        }
        return {"path": self.path} | {
            name: value for name, value in known.items() if value is not None
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The spec that `to_json` wrote.

        Raises:
            KeyError: it names no path.
            TypeError: it has a key that is not a hint.
        """
        known = {name: value for name, value in content.items() if name != "path"}
        if known.get("domain") == "unknown":
            known["domain"] = None
        known["allow"] = tuple(known.get("allow", ()))
        known["undefined"] = tuple(known.get("undefined", ()))
        known["extents"] = tuple(Extent(**extent) for extent in known.get("extents", ()))
        return cls(str(content["path"]), SurveyHints(**known))
