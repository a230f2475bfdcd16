"""Pictures in colour: the colour map of a section, and the way back to signed amplitude.

Brightness would lose polarity: in red-white-blue both signs are dark. Whether colours are those of
a map is decided over all pictures of a set.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Colours = NDArray[np.float64]
"""`float64 (N, 3)`: red, green and blue, 0 to 255."""

COLOURED = 24
"""Difference of two channels from which a pixel is in colour: compression blurs colours."""
FEWEST = 0.02
"""Share of pixels in colour up to which a picture is grey with something drawn on it."""
_BITS = 5
_TOLERANCE = 36.0
"""Distance from the map that compression may cause."""
_FITTING = 0.93
"""Share of pixels within that distance."""
_SIDE = 0.15
"""Share of pixels off the centre that the rarer sign has at least; amplitudes have about half."""
_TINTS = 0.15
"""Share of a sign's pixels between the centre and full colour; drawn lines have none."""

_MAPS: dict[str, tuple[str, str, str]] = {
    # colours from negative to positive, evenly spaced; those of matplotlib in its own direction
    "blue-white-red": ("blue", "red", "00004c 0101ff fffdfd fe0000 800000"),
    "light blue-white-red": ("blue", "red", "0000ff ffffff ff0000"),
    "cyan-blue-white-red-yellow": ("blue", "red", "00ffff 0000ff ffffff ff0000 ffff00"),
    "blue-grey-brown-yellow": (
        "blue",
        "red",
        "a1ffff 6baaea 3655d4 0000bf 1a1a99 333373 4d4d4d cccccc 614500 802e00 a01700 bf0000 "
        "d45500 eaaa00 ffff00",
    ),
    "red-white-black": ("red", "black", "ff0000 ffffff 000000"),
    "red-white-grey": (
        "red",
        "grey",
        "67001f b1182b d6604d f3a481 fddbc7 fefefe e0e0e0 b9b9b9 878787 4c4c4c 1a1a1a",
    ),
    "RdBu": (
        "red",
        "blue",
        "67001f b1182b d6604d f3a481 fddbc7 f6f7f7 d1e5f0 90c4dd 4393c3 2065ab 053061",
    ),
    "coolwarm": (
        "blue",
        "red",
        "3b4cc0 4e68d8 6282ea 779af7 8db0fe a3c2fe b9d0f9 ccd9ed dddcdc ecd3c5 f5c4ac f7b093 "
        "f4987a eb7d62 dd5f4b ca3b37 b40426",
    ),
    "PuOr": (
        "orange",
        "purple",
        "7f3b08 b25706 e08214 fcb761 fee0b6 f6f6f7 d8daeb b1aad1 8073ac 532687 2d004b",
    ),
    "PiYG": (
        "pink",
        "green",
        "8e0152 c41a7c de77ae f1b5d9 fde0ef f7f7f6 e6f5d0 b7e085 7fbc41 4c9121 276419",
    ),
    "PRGn": (
        "purple",
        "green",
        "40004b 752982 9970ab c1a4ce e7d4e8 f6f7f6 d9f0d3 a5da9f 5aae61 1a7736 00441b",
    ),
    "BrBG": (
        "brown",
        "green",
        "543005 8b500a bf812d dec17b f6e8c3 f4f5f5 c7eae5 7fccc0 35978f 01655d 003c30",
    ),
    "RdYlBu": (
        "red",
        "blue",
        "a50026 d62f27 f46d43 fdad60 fee090 feffc0 e0f3f8 aad8e9 74add1 4574b3 313695",
    ),
    "RdYlGn": (
        "red",
        "green",
        "a50026 d62f27 f46d43 fdad60 fee08b feffbe d9ef8b a5d86a 66bd63 199750 006837",
    ),
    "Spectral": (
        "red",
        "blue",
        "9e0142 d43d4f f46d43 fdad60 fee08b ffffbe e6f598 aadca4 66c2a5 3387bc 5e4fa2",
    ),
    "jet": (
        "blue",
        "red",
        "000080 0000c8 0000ff 0040ff 0080ff 00c0ff 16ffe1 49ffad 7dff7a b1ff46 e4ff13 ffd000 "
        "ff9400 ff5900 ff1e00 c40000 800000",
    ),
    "turbo": (
        "blue",
        "red",
        "30123b 4040a2 466be3 4294ff 28bceb 18ddc2 32f298 6dfe62 a4fc3c cdec34 eecf3a fdac34 "
        "fb7e21 eb500e d02f05 a91601 7a0403",
    ),
}


@dataclass(frozen=True)
class ColourMap:
    """A curve through the colours that stand for amplitudes.

    Attributes:
        name: what it is called.
        low: the colour of negative amplitudes, as a word.
        high: the colour of positive amplitudes.
        colours: `float64 (K, 3)`: corners of the curve, from negative to positive.
        amplitudes: `float64 (K,)` in [−1, 1], rising: the amplitude of each corner.
    """

    name: str
    low: str
    high: str
    colours: Colours
    amplitudes: NDArray[np.float64]

    def grey(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Grey levels of a picture `uint8 (H, W, 3)`: amplitude 0 is mid-grey."""
        codes = _packed(picture)
        unique, where = np.unique(codes, return_inverse=True)
        amplitude, _ = self.project(_unpacked(unique))
        grey = np.rint(amplitude * 127.5 + 127.5).astype(np.uint8)
        return grey[where].reshape(picture.shape[:2])

    def project(self, colours: Colours) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The amplitude of the nearest point of the curve, and its distance, both `(N,)`."""
        amplitude = np.zeros(len(colours))
        least = np.full(len(colours), np.inf)
        for place in range(len(self.colours) - 1):
            start, step = self.colours[place], self.colours[place + 1] - self.colours[place]
            along = np.clip((colours - start) @ step / max(step @ step, 1e-9), 0, 1)
            distance = np.linalg.norm(colours - start - along[:, None] * step, axis=1)
            here = self.amplitudes[place] + along * np.diff(self.amplitudes)[place]
            nearer = distance < least
            amplitude[nearer], least[nearer] = here[nearer], distance[nearer]
        return amplitude, least


class ColourCensus:
    """The colours of a set's pictures, picture by picture."""

    def __init__(self) -> None:
        self._counts = np.zeros(1 << 3 * _BITS, np.int64)
        self._sums = np.zeros((3, 1 << 3 * _BITS))

    def add(self, picture: NDArray[np.uint8]) -> None:
        """Count the pixels of a picture `uint8 (H, W, 3)`."""
        codes = _packed((picture >> (8 - _BITS)).astype(np.uint8), _BITS)
        unique, counts = np.unique(codes, return_counts=True)
        self._counts[unique] += counts
        for channel in range(3):
            sums = np.bincount(codes, picture[..., channel].ravel(), minlength=0)
            self._sums[channel, unique] += sums[unique]

    def recognise(self) -> ColourMap | None:
        """The map of all these pictures; None where they are in no map, or hardly in colour."""
        used = np.flatnonzero(self._counts)
        if not len(used):
            return None
        weights = self._counts[used] / self._counts.sum()
        colours = (self._sums[:, used] / self._counts[used]).T
        if weights[np.ptp(colours, axis=1) > COLOURED].sum() < FEWEST:
            return None
        fitting = [
            (float(distance @ weights), one)
            for one in _known()
            if _fits(amplitude_distance := one.project(colours), weights)
            for distance in [amplitude_distance[1]]
        ]
        best = min(fitting, key=lambda pair: pair[0], default=(np.inf, None))
        own = _own_map(colours, weights)
        if own is not None and best[0] > 12:
            amplitude, distance = own.project(colours)
            if _fits((amplitude, distance), weights) and distance @ weights < best[0]:
                return own
        return best[1]

    @property
    def coloured(self) -> float:
        """Share of pixels in colour."""
        used = np.flatnonzero(self._counts)
        colours = (self._sums[:, used] / self._counts[used]).T
        inside = self._counts[used][np.ptp(colours, axis=1) > COLOURED].sum()
        return float(inside / max(1, self._counts.sum()))


def in_colour(picture: NDArray[np.uint8]) -> bool:
    """Whether the channels of a picture `(H, W, 3)` differ anywhere."""
    first = picture[..., 0]
    return bool((first != picture[..., 1]).any() or (first != picture[..., 2]).any())


def _packed(picture: NDArray[np.uint8], bits: int = 8) -> NDArray[np.int64]:
    red, green, blue = (picture[..., channel].astype(np.int64) for channel in range(3))
    packed: NDArray[np.int64] = (red << 2 * bits | green << bits | blue).ravel()
    return packed


def _unpacked(codes: NDArray[np.int64]) -> Colours:
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1).astype(np.float64)


def _known() -> Iterable[ColourMap]:
    for name, (low, high, text) in _MAPS.items():
        colours = np.array([list(bytes.fromhex(one)) for one in text.split()], np.float64)
        yield ColourMap(name, low, high, colours, np.linspace(-1, 1, len(colours)))


def _fits(
    projected: tuple[NDArray[np.float64], NDArray[np.float64]], weights: NDArray[np.float64]
) -> bool:
    """Whether pixels lie on a map and use both of its sides, with tints."""
    amplitude, distance = projected
    if weights[distance < _TOLERANCE].sum() < _FITTING:
        return False
    extent = float(np.abs(amplitude).max())
    off = weights[np.abs(amplitude) > 0.1 * extent].sum()
    for sign in (-1, 1):
        side = sign * amplitude > 0.1 * extent
        share = weights[side].sum()
        tints = weights[side & (np.abs(amplitude) < 0.85 * extent)].sum()
        if share < _SIDE * off or tints < _TINTS * share:
            return False
    return True


def _own_map(colours: Colours, weights: NDArray[np.float64]) -> ColourMap | None:
    """A map of two colours with light grey between them, which is none of the known ones."""
    light = (colours.min(axis=1) > 170) & (np.ptp(colours, axis=1) < 40)
    if not light.any():
        return None
    centre = colours[light][np.argmax(colours[light].sum(axis=1))]
    away = colours - centre
    distance = np.linalg.norm(away, axis=1)
    off = distance > 40
    if off.sum() < 8:
        return None
    side = _two_sides(away[off] / distance[off, None], weights[off])
    arms = [
        _arm(colours[off][side == one], distance[off][side == one], weights[off][side == one])
        for one in (0, 1)
    ]
    if any(len(arm) < 2 for arm in arms):
        return None
    names = [_word(arm[-1]) for arm in arms]
    if names[0] == names[1] or {*names} <= {"black", "grey"}:
        return None
    warm = [float(arm[-1][0] - arm[-1][2]) for arm in arms]
    first = int(np.argmin(warm))
    if "black" in names or "grey" in names:  # as in red-white-black
        first = next(place for place, name in enumerate(names) if name not in {"black", "grey"})
    low, high = arms[first], arms[1 - first]
    longest = max(np.linalg.norm(arm[-1] - centre) for arm in arms)
    corners = np.concatenate([low[::-1], centre[None], high])
    amplitudes = np.linalg.norm(corners - centre, axis=1) / longest
    amplitudes[: len(low)] *= -1
    if (np.diff(amplitudes) <= 0).any():
        return None
    name = f"{names[first]}-white-{names[1 - first]}"
    return ColourMap(name, names[first], names[1 - first], corners, amplitudes)


def _two_sides(directions: Colours, weights: NDArray[np.float64]) -> NDArray[np.int64]:
    """Two groups of directions away from the centre, by k-means."""
    first = directions[np.argmax(weights)]
    centres = np.stack([first, directions[np.argmin(directions @ first)]])
    side = np.zeros(len(directions), np.int64)
    for _ in range(8):
        side = np.argmax(directions @ centres.T, axis=1)
        for one in (0, 1):
            if (side == one).any():
                mean = weights[side == one] @ directions[side == one]
                centres[one] = mean / max(float(np.linalg.norm(mean)), 1e-9)
    return side


def _arm(colours: Colours, distance: NDArray[np.float64], weights: NDArray[np.float64]) -> Colours:
    """Mean colours of one side, outwards."""
    place = np.minimum((distance / 48).astype(int), 9)
    used = [one for one in np.unique(place) if weights[place == one].sum() > 0.002]
    if not used or used[0] > 1:  # it does not begin at the centre: part of a map of one direction
        return np.empty((0, 3))
    corners = [
        np.average(colours[place == one], axis=0, weights=weights[place == one]) for one in used
    ]
    return np.array(corners).reshape(-1, 3)


def _word(colour: NDArray[np.float64]) -> str:
    """A colour as a word."""
    red, green, blue = colour
    if np.ptp(colour) < 2 * COLOURED:
        return "black" if colour.max() < 100 else "grey"
    if blue >= max(red, green):
        return "purple" if red > 0.6 * blue and green < red else "blue"
    if min(red, green) > 0.7 * max(red, green) and blue < 0.6 * green:
        return "yellow"
    if green >= red:
        return "green"
    if blue > 0.5 * red:
        return "pink" if blue > green else "red"
    return "orange" if green > 0.45 * red else "red"
