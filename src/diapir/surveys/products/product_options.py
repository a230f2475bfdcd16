"""Options of survey products: threshold, filling, minimum size and file formats."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal, get_args

from diapir.errors import refuse_options
from diapir.surveys.products.fill import FILLS, Fill
from diapir.surveys.products.move_picks import SMOOTH_RADIUS, Smooth, Snap

ProductFormat = Literal["opendtect", "charisma", "xyz", "csv", "irap", "ply", "obj", "vtk", "segy"]
PRODUCT_FORMATS: tuple[ProductFormat, ...] = get_args(ProductFormat)
VOLUME_FORMATS: tuple[ProductFormat, ...] = ("opendtect", "ply")
"""Default formats of a volume."""
SECTION_FORMATS: tuple[ProductFormat, ...] = ("opendtect",)
"""Default formats of a line, or of a volume of one inline or crossline."""

MIN_CELLS_VOLUME, MIN_CELLS_SECTION = 1000, 100
"""Default minimum size of a body, in samples: about ten along each axis."""
THRESHOLD = 0.5
"""Default threshold, where the prediction records none."""
MOST_RADIUS = 50
"""Largest radius of smoothing, in traces."""
MESHES = 20
"""Default number of bodies to mesh, the largest first."""


@dataclass(frozen=True)
class ProductOptions:
    """How products are made.

    Attributes:
        threshold: samples of at least this probability are salt, in (0, 1); None means 0.5.
        fill: how the interior of salt is filled; see `diapir.surveys.products.fill`.
        min_cells: minimum size of a body in samples; smaller ones are removed from all products.
            None means 1000 for a volume and 100 for a section.
        velocity: P-wave velocity of salt in m/s; converts time to depth for volumes in m³.
        formats: formats of horizons and meshes; `segy` writes body numbers. None means OpendTect
            horizons, and PLY meshes of a volume.
        meshes: number of bodies to mesh, the largest first.
        bodies: numbers of the bodies to keep, as in `bodies.csv` without this choice; all if empty.
        merge: groups of body numbers that become one body each.
        smooth: how top and base are smoothed over neighbouring traces; None for not at all.
        smooth_radius: traces on each side that smoothing covers.
        snap: event of the seismic trace that top and base move to, after smoothing; None for none.
        snap_window: furthest move in ms or m; None means `SNAP_SAMPLES` samples.

    Raises:
        ConfigError: an option is out of its range.
    """

    threshold: float | None = None
    fill: Fill = "none"
    min_cells: int | None = None
    velocity: float | None = None
    formats: tuple[ProductFormat, ...] | None = None
    meshes: int = MESHES
    bodies: tuple[int, ...] = ()
    merge: tuple[tuple[int, ...], ...] = ()
    smooth: Smooth | None = None
    smooth_radius: int = SMOOTH_RADIUS
    snap: Snap | None = None
    snap_window: float | None = None

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        threshold = THRESHOLD if self.threshold is None else self.threshold
        least = 1 if self.min_cells is None else self.min_cells
        velocity = 1.0 if self.velocity is None else self.velocity
        formats = self.formats or ()
        refuse_options(
            (
                ("--threshold", threshold, 0 < threshold < 1, "a probability between 0 and 1"),
                ("--fill", self.fill, self.fill in FILLS, f"one of {', '.join(FILLS)}"),
                ("--min-cells", least, least >= 1, "a number of samples, at least 1"),
                (
                    "--velocity",
                    velocity,
                    0 < velocity < math.inf,
                    "a velocity in m/s, such as 4500",
                ),
                (
                    "--formats",
                    " ".join(formats),
                    set(formats) <= set(PRODUCT_FORMATS),
                    f"one or more of {', '.join(PRODUCT_FORMATS)}",
                ),
                ("--meshes", self.meshes, self.meshes >= 0, "a number of bodies, at least 0"),
                (
                    "--smooth-radius",
                    self.smooth_radius,
                    1 <= self.smooth_radius <= MOST_RADIUS,
                    f"a number of traces, 1 to {MOST_RADIUS}",
                ),
                (
                    "--snap-window",
                    self.snap_window,
                    0 < (1.0 if self.snap_window is None else self.snap_window) < math.inf,
                    "ms or m above 0, such as 20",
                ),
                (
                    "--merge",
                    " ".join("+".join(map(str, group)) for group in self.merge),
                    all(len(set(group)) > 1 for group in self.merge),
                    "two or more body numbers, such as 2+5",
                ),
            )
        )

    def resolved(self, section: bool, skips: int = 1) -> ResolvedOptions:
        """Replace what is None by the defaults of a section or of a volume.

        Args:
            section: whether the survey is a single section.
            skips: traces of the file per predicted trace, by which a default size shrinks.
        """
        least = MIN_CELLS_SECTION if section else max(1, MIN_CELLS_VOLUME // skips)
        formats = SECTION_FORMATS if section else VOLUME_FORMATS
        open_choices = {
            "threshold": THRESHOLD if self.threshold is None else self.threshold,
            "min_cells": least if self.min_cells is None else self.min_cells,
            "formats": formats if self.formats is None else self.formats,
        }
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return ResolvedOptions(**given | open_choices)


@dataclass(frozen=True, kw_only=True)
class ResolvedOptions(ProductOptions):
    """Options without open choices: threshold, min_cells and formats are set."""

    threshold: float
    min_cells: int
    formats: tuple[ProductFormat, ...]
