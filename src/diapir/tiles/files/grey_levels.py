"""From stored pixels to grey levels, on one scale for a whole set of images.

8-bit grey is used as it is. Everything else depends on the set: which values 16 bits, 32-bit
integers and floats really use, and which colour map pictures in colour are drawn in. Unsigned
values keep black at 0 and get the smallest usual full scale that holds them (8, 10, 12, 14, 16
bits, or 1 for floats); where even that would leave most grey levels unused, the values in use are
spread over them. Values of both signs are amplitudes on a symmetric scale, so that zero is
mid-grey.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diapir.text import listing, percent, plural
from diapir.tiles.files.colour_maps import FEWEST, ColourCensus, ColourMap
from diapir.undefined import find_undefined, hide_undefined

Pixels = NDArray[Any]
"""`uint8 (H, W)` grey, `uint8 (H, W, 3)` colours, or `(H, W)` of any other real type."""

AMPLITUDE_PERCENTILE = 98.0
"""Amplitudes beyond this percentile of their absolute value are clipped."""
_FULL_SCALES = (1.0, *(2.0**bits - 1 for bits in (8, 10, 12, 14, 16, 20, 24, 32)))
_SLACK = 1.1
"""Floats may exceed their full scale by resampling."""
_FEW = 1 / 8
"""Share of a full scale that values in use span at least; else they are spread over it."""
_FAINT = 64
"""Grey levels that the 8-bit images of a set span at least; else they are questioned."""
_NEGATIVE = 0.005
"""Share of negative values up to which values count as unsigned."""
_SAMPLE = 512
"""Values kept of each image for the percentiles of the set."""
_APART = 4.0
"""Factor between full scales from which images of one set cannot be on one scale: the mid-grey of
one would be black in the other."""
_FAR_APART = 64.0
"""The same between amplitudes, which vary more."""


def as_float(pixels: Pixels) -> NDArray[np.float64]:
    """Values in double precision, in which signalling NaNs become quiet without a warning."""
    with np.errstate(invalid="ignore"):
        return pixels.astype(np.float64)


@dataclass(frozen=True)
class Scale:
    """Values that are black and white.

    Attributes:
        low: black.
        high: white.
        why: what it was taken from, in words.
        signed: whether zero is mid-grey.
    """

    low: float
    high: float
    why: str
    signed: bool = False

    def grey(self, pixels: Pixels) -> NDArray[np.uint8]:
        """Grey levels `uint8 (H, W)`; what is undefined becomes the middle of what is used."""
        values = as_float(pixels)
        unknown = ~np.isfinite(values) | is_undefined(values)
        fill = 0.0
        if unknown.any() and not self.signed and not unknown.all():
            fill = float(np.median(values[~unknown]))
        values[unknown] = fill
        with np.errstate(over="ignore"):
            share = np.clip((values - self.low) / (self.high - self.low), 0, 1)
        return np.rint(share * 255).astype(np.uint8)


def is_undefined(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Samples that hold no value: huge ones, usual values for that, or one far outside the rest."""
    with np.errstate(over="ignore", invalid="ignore"):
        plain = values.astype(np.float32)
    hide_undefined(plain, find_undefined(plain))
    unknown: NDArray[np.bool_] = np.isnan(plain) & ~np.isnan(values)
    return unknown


@dataclass(frozen=True)
class _Facts:
    """What the values of one image are like."""

    name: str
    integer: bool
    signed: bool
    full: float
    """Full scale of unsigned values; the amplitude percentile of signed ones."""
    sample: NDArray[np.float64]
    most: float

    @classmethod
    def of(cls, name: str, pixels: Pixels) -> _Facts:
        values = as_float(pixels)
        known = values[np.isfinite(values) & ~is_undefined(values)]
        if not known.size:
            known = np.zeros(1)
        integer = pixels.dtype.kind in "iub"
        negative = float((known < 0).mean())
        most = float(known.max())
        small = -float(known.min()) <= 0.1 * most and negative < (0 if integer else 0.2)
        signed = negative > _NEGATIVE and not small
        signed = signed or (integer and negative > 0) or most < 0
        signed = signed or (most == 0 and pixels.dtype.kind != "u")
        amplitude = float(np.percentile(np.abs(known), AMPLITUDE_PERCENTILE))
        amplitude = amplitude or float(np.abs(known).max())
        step = max(1, known.size // _SAMPLE)
        full = amplitude if signed else _full_scale(most, integer=integer)
        return cls(name, integer, signed, full, known[::step].copy(), most)


def _full_scale(most: float, *, integer: bool) -> float:
    slack = 1.0 if integer else _SLACK
    scales = _FULL_SCALES[1 if integer else 0 :]
    return next((one for one in scales if most <= one * slack), most)


@dataclass
class GreyCensus:
    """The images of a set whose grey levels depend on all of them."""

    facts: list[_Facts] = field(default_factory=list)
    colours: ColourCensus = field(default_factory=ColourCensus)
    coloured: list[str] = field(default_factory=list)
    darkest: int = 255
    brightest: int = 0
    _only: Pixels | None = None

    def add(self, name: str, pixels: Pixels) -> None:
        """Count one image; of 8-bit grey, only the levels it uses."""
        if is_grey(pixels):
            self.darkest = min(self.darkest, int(pixels.min()))
            self.brightest = max(self.brightest, int(pixels.max()))
            return
        if pixels.ndim == 3:
            self.coloured.append(name)
            self.colours.add(pixels)
            return
        self._only = None if self.facts else pixels
        self.facts.append(_Facts.of(name, pixels))

    def decide(
        self, levels: tuple[float, float] | None = None, *, brightness: bool = False
    ) -> GreyRule:
        """How all images become grey.

        Args:
            levels: the values that are black and white, where the user gives them.
            brightness: whether colours become grey by brightness, whatever their map.
        """
        scales: dict[str, Scale] = {}
        if levels is not None:
            scale = Scale(*levels, "as asked for", signed=levels[0] == -levels[1])
            scales = {one.name: scale for one in self.facts}
        else:
            blank = [one for one in self.facts if not one.most and not one.sample.any()]
            others = [one for one in self.facts if one.most or one.sample.any()]
            for group in _groups(others or blank):
                scale = self._scale(group)
                scales |= {one.name: scale for one in group}
            scales |= {one.name: scale for one in blank if others}
        colour_map = None if brightness else self.colours.recognise()
        levels_used = (self.darkest, self.brightest) if self.brightest >= self.darkest else None
        return GreyRule(
            scales, colour_map, tuple(self.coloured), self.colours.coloured, levels_used
        )

    def _scale(self, group: Sequence[_Facts]) -> Scale:
        if self._only is not None:  # all of its values: percentiles are exact
            values = as_float(self._only)
            sample = values[np.isfinite(values) & ~is_undefined(values)]
            sample = sample if sample.size else np.zeros(1)
        else:
            sample = np.concatenate([one.sample for one in group])
        if group[0].signed:
            return _amplitudes(sample)
        full = max(one.full for one in group)
        most = max(one.most for one in group)
        integer = all(one.integer for one in group)
        low, high = np.percentile(sample, [0.5, 99.5]).tolist()
        narrow = high - low < _FEW * full or (not integer and most < 0.5 * full)
        if narrow and high > low:
            low = 0.0 if 0 <= low < 0.1 * high else low
            return Scale(low, high, f"the values in use, {low:.4g} to {high:.4g}")
        return Scale(0.0, full, _words(full, most, integer=integer))


def _amplitudes(sample: NDArray[np.float64]) -> Scale:
    absolute = np.abs(sample)
    most = float(absolute.max())
    clip = float(np.percentile(absolute, AMPLITUDE_PERCENTILE))
    if 0.5 < clip <= most <= 1:
        return Scale(-1.0, 1.0, "values −1 to 1", signed=True)
    clip = clip or most or 1.0  # nearly all are zero: the others set the scale
    why = f"amplitudes clipped at ±{clip:.4g} (p{AMPLITUDE_PERCENTILE:g})"
    return Scale(-clip, clip, why, signed=True)


def _words(full: float, most: float, *, integer: bool) -> str:
    if integer:
        bits = int(np.ceil(np.log2(full + 1)))
        return f"{bits} bits are used, 0 to {full:.0f} (largest value {most:.0f})"
    return f"values 0 to {full:.0f}"


def _groups(facts: Sequence[_Facts]) -> Iterator[list[_Facts]]:
    """Images that can be on one scale."""
    kinds: dict[bool, list[_Facts]] = defaultdict(list)
    for one in facts:
        kinds[one.signed].append(one)
    for signed, members in kinds.items():
        apart = _FAR_APART if signed else _APART
        members.sort(key=lambda one: one.full)
        group: list[_Facts] = []
        for one in members:
            if group and one.full > apart * max(group[-1].full, 1e-30) and _fills(group[-1]):
                yield group
                group = []
            group.append(one)
        if group:
            yield group


def _fills(one: _Facts) -> bool:
    """Whether an image fills its own scale, and is not a dark one of another."""
    low, middle, high = np.percentile(one.sample, [0.5, 50, 99.5])
    return one.signed or bool(high - low > _FEW * one.full and middle > _FEW * one.full)


def is_grey(pixels: Pixels) -> bool:
    """Whether pixels are 8-bit grey already."""
    return pixels.ndim == 2 and pixels.dtype == np.uint8


@dataclass(frozen=True)
class GreyRule:
    """How the images of a set become grey.

    Attributes:
        scales: by name of the image, for those of other than 8 bits.
        colour_map: the map of the pictures in colour, if they are in one.
        coloured: names of the pictures whose channels differ.
        colour_share: share of their pixels that is in colour.
        eight_bit: darkest and brightest level of the images of 8-bit grey; None without any.
    """

    scales: dict[str, Scale]
    colour_map: ColourMap | None
    coloured: tuple[str, ...]
    colour_share: float
    eight_bit: tuple[int, int] | None = None

    def grey(self, name: str, pixels: Pixels) -> NDArray[np.uint8]:
        """Grey levels `uint8 (H, W)` of an image that was counted, or of 8-bit grey."""
        if is_grey(pixels):
            return pixels
        if pixels.ndim == 2:
            return self.scales[name].grey(pixels)
        if self.colour_map is not None:
            return self.colour_map.grey(pixels)
        return brightness(pixels)

    def notes(self, *, levels: str = "", colours: str = "", polarity: str = "") -> list[str]:
        """What was done, each with the option that changes it.

        Args:
            levels: the option for the values that are black and white.
            colours: the option for pictures in colour.
            polarity: the option that reverses the sign of a colour map.
        """
        notes = []
        by_scale: dict[Scale, list[str]] = defaultdict(list)
        for name, scale in self.scales.items():
            by_scale[scale].append(name)
        several = len(by_scale) > 1
        for scale, names in by_scale.items():
            which = f": {listing(sorted(names))}" if several else ""
            notes.append(
                f"{plural(len(names), 'image')} of other than 8 bits scaled from "
                f"{scale.low:.6g} (black) to {scale.high:.6g} (white), {scale.why}" + which + levels
            )
        if several:
            notes.append("images of one set are on different scales")
        if self.eight_bit and self.eight_bit[1] - self.eight_bit[0] < _FAINT:
            low, high = self.eight_bit
            notes.append(
                f"8-bit images use {high - low + 1} of 256 grey levels, {low} to {high}, and are "
                "taken as they are: spread them over 0 to 255 if this is not meant"
            )
        if self.coloured and self.colour_share >= FEWEST:
            notes.append(self._colour_note(colours, polarity))
        return notes

    def _colour_note(self, colours: str, polarity: str) -> str:
        count = plural(len(self.coloured), "picture")
        one = self.colour_map
        if one is None:
            return (
                f"{count} in colour ({percent(self.colour_share)} of pixels), in no colour map "
                f"that is known: turned to grey by brightness, which may lose polarity{colours}"
            )
        return (
            f"{count} in the colour map {one.name} turned back to signed amplitude: {one.low} "
            f"taken as negative, {one.high} as positive{polarity or colours}"
        )


def brightness(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Luma (ITU-R 601) of colours `uint8 (H, W, 3)`, with Pillow's weights, which sum to 65536."""
    red, green, blue = (pixels[..., channel].astype(np.uint32) for channel in range(3))
    luma = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
    return luma.astype(np.uint8)


def own_grey(pixels: Pixels) -> NDArray[np.uint8]:
    """Grey levels of an image that is a set of its own."""
    census = GreyCensus()
    census.add("", pixels)
    return census.decide().grey("", pixels)
