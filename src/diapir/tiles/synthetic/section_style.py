"""What sets the sections of one survey apart from those of another.

The plain style is that of `diapir data synth`. Varied styles follow from sections of other surveys,
looked at beside synthetic ones: real salt has chaotic interiors of half the amplitude of its
surroundings, its edge is often no brighter than these, and noise breaks up the beds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Style:
    """The style of a section; by default the plain one.

    Attributes:
        period: factor of the wavelet's period.
        interior: standard deviation of chaotic reflections in salt, as a share of the section's.
        top: factor of the reflection at the top of salt.
        base: reflection at the base of salt, as a share of a plain one at the top.
        markers: number of strong, continuous reflections in each sequence of beds.
        rough: factor of the roughness of beds.
        noise: standard deviation of further noise that crosses the beds, as a share of the
            section's.
        gain: exponent of further gain control, which evens out strong and weak parts; 0 for none.
        pillows: whether salt bodies that are drawn are mostly pillows.
    """

    period: float = 1.0
    interior: float = 0.0
    top: float = 1.0
    base: float = 0.0
    markers: int = 0
    rough: float = 1.0
    noise: float = 0.0
    gain: float = 0.0
    pillows: bool = False


PLAIN = Style()
SHORTEST = 6.0
"""Shortest period of a varied style in pixels; noise is not much finer."""


def draw_style(rng: np.random.Generator) -> Style:
    """Draw a style: in half of the cases parallel beds over pillows, as in the North Sea."""
    parallel = bool(rng.random() < 0.5)
    return Style(
        period=float(rng.uniform(0.5, 1.0)),
        interior=float(rng.uniform(0.1, 0.6)),
        top=float(rng.uniform(0.15, 0.7) if parallel else rng.uniform(0.3, 1.1)),
        base=float(rng.uniform(0.0, 1.0)),
        markers=int(rng.integers(1, 4)) if parallel else int(rng.integers(0, 2)),
        rough=float(rng.uniform(0.3, 0.8) if parallel else rng.uniform(0.8, 1.8)),
        noise=float(rng.uniform(0.02, 0.15) if parallel else rng.uniform(0.05, 0.35)),
        gain=float(rng.uniform(0.0, 0.5)),
        pillows=parallel,
    )
