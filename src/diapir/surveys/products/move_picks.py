"""Moving picks: smoothing over neighbouring traces, snapping to events of the seismic trace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from diapir.surveys.products.horizons import Map

Smooth = Literal["median", "gaussian"]
SMOOTHINGS: tuple[Smooth, ...] = get_args(Smooth)
Snap = Literal["peak", "trough", "zero"]
SNAPS: tuple[Snap, ...] = get_args(Snap)

SMOOTH_RADIUS = 2
"""Default radius of smoothing, in traces."""
SNAP_SAMPLES = 5
"""Default half window of snapping, in samples."""
STRONG = 0.5
"""Share of the strongest amplitude in the window that a peak or trough needs."""

_NUMBERS = NDArray[np.float64]


def smooth_picks(picks: Map, bodies: NDArray[np.int32], how: Smooth, radius: int) -> Map:
    """Smooth along inlines, then along crosslines; never across a gap or into another body.

    Each pass covers `2 radius + 1` traces of an unbroken stretch of picks of one body. The Gaussian
    has a standard deviation of half the radius. An axis of one line is left alone.

    Args:
        picks: in samples, NaN where there is no pick.
        bodies: body of each pick.
        how: running median or Gaussian weights.
        radius: traces on each side, at least 1.

    Returns:
        Smoothed picks, NaN where `picks` are.
    """
    found = picks.astype(np.float64)
    for axis in (1, 0):
        if picks.shape[axis] > 1:
            lines = found if axis == 1 else found.T
            names = bodies if axis == 1 else bodies.T
            done = np.stack(
                [_smooth_line(*line, how, radius) for line in zip(lines, names, strict=True)]
            )
            found = done if axis == 1 else done.T
    return found.astype(np.float32)


def _smooth_line(picks: _NUMBERS, bodies: NDArray[np.int32], how: Smooth, radius: int) -> _NUMBERS:
    known = np.isfinite(picks)
    if not known.any():
        return picks
    # stretches: a new one begins after a trace without a pick, and where the body changes
    broken = np.ones(len(picks), np.bool_)
    broken[1:] = ~(known[1:] & known[:-1]) | (bodies[1:] != bodies[:-1])
    stretch = np.cumsum(broken)
    places = np.flatnonzero(known)
    offsets = np.arange(-radius, radius + 1)
    near = places[:, None] + offsets
    inside = (near >= 0) & (near < len(picks))
    near = np.clip(near, 0, len(picks) - 1)
    inside &= (stretch[near] == stretch[places][:, None]) & known[near]
    values = np.where(inside, picks[near], np.nan)
    smoothed = picks.copy()
    if how == "median":
        smoothed[places] = np.nanmedian(values, axis=1)
    else:
        weights = np.exp(-0.5 * (offsets / (radius / 2)) ** 2) * inside
        smoothed[places] = np.nansum(values * weights, axis=1) / weights.sum(axis=1)
    return smoothed


@dataclass(frozen=True)
class Snapping:
    """How picks move to an event of their seismic trace.

    Attributes:
        event: positive peak, negative trough, or zero crossing.
        window: furthest move, in samples.
    """

    event: Snap
    window: float

    def move(self, picks: NDArray[np.float32], traces: NDArray[np.float32]) -> NDArray[np.float32]:
        """Move picks to the nearest event in the window, between samples.

        A peak counts if it is at least half as strong as the strongest in the window, so that noise
        beside the event does not hold a pick. A peak lies at the vertex of the parabola through its
        sample and both neighbours; a zero crossing is interpolated by the cubic through four
        samples, or linearly at the ends of the record.

        Args:
            picks: `float32 (n,)`, in samples.
            traces: amplitudes `float32 (n, samples)`, NaN where there are none.

        Returns:
            The moved picks, NaN where there is no event in the window.
        """
        places, heights = self._zeros(traces) if self.event == "zero" else self._peaks(traces)
        away = np.abs(places - picks[:, None])
        away[~(away <= self.window)] = np.inf  # NaN too: no event
        if self.event != "zero":
            strongest = np.where(np.isfinite(away), heights, -np.inf).max(axis=1, keepdims=True)
            away[~(heights >= STRONG * strongest)] = np.inf
        nearest = np.argmin(away, axis=1)
        rows = np.arange(len(picks))
        moved: NDArray[np.float32] = places[rows, nearest].astype(np.float32)
        moved[~np.isfinite(away[rows, nearest])] = np.nan
        return moved

    def _peaks(self, traces: NDArray[np.float32]) -> tuple[_NUMBERS, _NUMBERS]:
        """Place and height of the peak at each sample, NaN where there is none."""
        values = traces.astype(np.float64) * (1 if self.event == "peak" else -1)
        above, here, below = values[:, :-2], values[:, 1:-1], values[:, 2:]
        places, heights = np.full(values.shape, np.nan), np.full(values.shape, np.nan)
        with np.errstate(invalid="ignore", divide="ignore"):
            # a flat top of two samples counts once, at its first
            top = (here > above) & (here >= below) & (here > 0)
            shift = 0.5 * (above - below) / (above - 2 * here + below)
            rows, columns = np.nonzero(top)
            places[rows, columns + 1] = columns + 1 + shift[top]
            heights[rows, columns + 1] = (here - 0.25 * (above - below) * shift)[top]
        return places, heights

    def _zeros(self, traces: NDArray[np.float32]) -> tuple[_NUMBERS, _NUMBERS]:
        """Place of the zero crossing after each sample, NaN where there is none."""
        values = traces.astype(np.float64)
        places = np.full(values.shape, np.nan)
        with np.errstate(invalid="ignore"):
            changes = (values[:, :-1] * values[:, 1:] < 0) | (
                (values[:, :-1] == 0) & (values[:, 1:] != 0)
            )
        rows, columns = np.nonzero(changes)
        low, high = values[rows, columns], values[rows, columns + 1]
        share = np.where(low == 0, 0.0, low / (low - high))
        samples = values.shape[1]
        inner = (columns > 0) & (columns + 2 < samples)
        before = values[rows, np.maximum(columns - 1, 0)]
        after = values[rows, np.minimum(columns + 2, samples - 1)]
        places[rows, columns] = columns + np.where(
            inner & np.isfinite(before + after),
            _cubic_zero(before, low, high, after, share),
            share,
        )
        return places, np.zeros_like(places)


def _cubic_zero(
    before: _NUMBERS, low: _NUMBERS, high: _NUMBERS, after: _NUMBERS, start: _NUMBERS
) -> _NUMBERS:
    """Zero in [0, 1] of the cubic through samples −1, 0, 1 and 2, by bisection."""

    def cubic(t: _NUMBERS) -> _NUMBERS:
        found: _NUMBERS = (
            before * (-t * (t - 1) * (t - 2) / 6)
            + low * ((t + 1) * (t - 1) * (t - 2) / 2)
            + high * (-(t + 1) * t * (t - 2) / 2)
            + after * ((t + 1) * t * (t - 1) / 6)
        )
        return found

    left, right = np.zeros_like(start), np.ones_like(start)
    with np.errstate(invalid="ignore"):
        for _ in range(20):  # to a millionth of a sample
            middle = (left + right) / 2
            same = np.sign(cubic(middle)) == np.sign(low)
            left, right = np.where(same, middle, left), np.where(same, right, middle)
    found: _NUMBERS = np.where(low == 0, 0.0, (left + right) / 2)
    return found
