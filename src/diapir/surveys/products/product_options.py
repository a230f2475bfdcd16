"""Options of survey products: threshold, filling, minimum size and file formats."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from diapir.errors import ConfigError
from diapir.surveys.products.fill import FILLS, Fill

ProductFormat = Literal["opendtect", "charisma", "xyz", "irap", "ply", "obj", "vtk", "segy"]
PRODUCT_FORMATS: tuple[ProductFormat, ...] = get_args(ProductFormat)
VOLUME_FORMATS: tuple[ProductFormat, ...] = ("opendtect", "ply")
"""Default formats of a volume."""
SECTION_FORMATS: tuple[ProductFormat, ...] = ("opendtect",)
"""Default formats of a line, or of a volume of one inline or crossline."""

MIN_CELLS_VOLUME, MIN_CELLS_SECTION = 1000, 100
"""Default minimum size of a body, in samples: about ten along each axis."""
THRESHOLD = 0.5
"""Default threshold, where the prediction records none."""
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

    Raises:
        ConfigError: an option is out of its range.
    """

    threshold: float | None = None
    fill: Fill = "none"
    min_cells: int | None = None
    velocity: float | None = None
    formats: tuple[ProductFormat, ...] | None = None
    meshes: int = MESHES

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        threshold = THRESHOLD if self.threshold is None else self.threshold
        least = 1 if self.min_cells is None else self.min_cells
        velocity = 1.0 if self.velocity is None else self.velocity
        formats = self.formats or ()
        for option, value, allowed, expected in (
            ("--threshold", threshold, 0 < threshold < 1, "a probability between 0 and 1"),
            ("--fill", self.fill, self.fill in FILLS, f"one of {', '.join(FILLS)}"),
            ("--min-cells", least, least >= 1, "a number of samples, at least 1"),
            ("--velocity", velocity, 0 < velocity < math.inf, "a velocity in m/s, such as 4500"),
            (
                "--formats",
                " ".join(formats),
                set(formats) <= set(PRODUCT_FORMATS),
                f"one or more of {', '.join(PRODUCT_FORMATS)}",
            ),
            ("--meshes", self.meshes, self.meshes >= 0, "a number of bodies, at least 0"),
        ):
            if not allowed:
                raise ConfigError(
                    f"{option} {value}",
                    expected=expected,
                    fix=f"correct {option}, or leave it out",
                )

    def resolved(self, section: bool) -> ResolvedOptions:
        """Replace what is None by the defaults of a section or of a volume."""
        least = MIN_CELLS_SECTION if section else MIN_CELLS_VOLUME
        formats = SECTION_FORMATS if section else VOLUME_FORMATS
        return ResolvedOptions(
            threshold=THRESHOLD if self.threshold is None else self.threshold,
            fill=self.fill,
            min_cells=least if self.min_cells is None else self.min_cells,
            velocity=self.velocity,
            formats=formats if self.formats is None else self.formats,
            meshes=self.meshes,
        )


@dataclass(frozen=True, kw_only=True)
class ResolvedOptions(ProductOptions):
    """Options without open choices: threshold, min_cells and formats are set."""

    threshold: float
    min_cells: int
    formats: tuple[ProductFormat, ...]
