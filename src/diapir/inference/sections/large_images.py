"""Images larger than a tile: sampling matched to the training data, and blank strips left out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diapir.errors import refuse_options
from diapir.inference.predictor import Segmenter
from diapir.inference.sections.no_data import blank, least_run
from diapir.inference.sections.presentation import present, restore, settings_of
from diapir.inference.sections.resample import resample
from diapir.inference.sections.wavelet import (
    AS_ADAPTED,
    LARGEST,
    SamplingMatch,
    match_sampling,
    trained_first_zero,
    vertical_scale,
)
from diapir.text import percent, plural


@dataclass(frozen=True, kw_only=True)
class LargeImageOptions:
    """How images larger than a tile are predicted; tiles are predicted as they are.

    Raises:
        ConfigError: a value out of range, naming the option.
    """

    match_sampling: Literal["auto", "none"] | float = "auto"
    """Resample the columns of an image by this factor for the network; `auto`: to the wavelet
    length of the training data, where its own is outside the range the model was trained on."""
    equal_runs: Literal["auto", "none"] | int = "auto"
    """Equal pixels along a column from which they are no data, never salt."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        factor = 1.0 if isinstance(self.match_sampling, str) else self.match_sampling
        run = 2 if isinstance(self.equal_runs, str) else self.equal_runs
        low, high = 1 / LARGEST, LARGEST
        scales = f"auto, none, or {low:g} to {high:g}"
        refuse_options(
            (
                ("--match-sampling", f"{factor:g}", low <= factor <= high, scales),
                ("--equal-runs", run, run >= 2, "auto, none, or at least 2"),
            ),
            problem="is out of range",
        )


class PreparedImage(NamedTuple):
    """An image as the network gets it, and what is no data in it.

    Attributes:
        image: `uint8 (H', W')`.
        shape: (H, W) of the image itself.
        empty: `bool (H, W)` of pixels without data; None where there are none, or in a tile.
    """

    image: NDArray[np.uint8]
    shape: tuple[int, int]
    empty: NDArray[np.bool_] | None

    def restored(self, probability: NDArray[np.float32]) -> NDArray[np.float32]:
        """The probabilities `(H', W')` at the image's own size, 0 without data."""
        if probability.shape[1] != self.shape[1]:
            probability = restore(probability, self.shape)
        elif len(probability) != self.shape[0]:
            probability = _resampled(probability, self.shape[0])
            np.clip(probability, 0, 1, out=probability)
        if self.empty is not None:
            probability[self.empty] = 0
        return probability


@dataclass
class LargeImages:
    """Prepares images for the network and remembers what was done, to tell it.

    Attributes:
        segmenter: the model or models.
        options: what to do.
        factors: vertical factor of each image that was resampled, by its name.
        matches: what was measured in each image larger than a tile.
        both_signs: whether each image is predicted with black and white exchanged as well.
        as_adapted: number of images resampled by the factors of a model adapted to others.
    """

    segmenter: Segmenter
    options: LargeImageOptions
    factors: dict[str, float] = field(default_factory=dict)
    matches: list[SamplingMatch] = field(default_factory=list)
    both_signs: bool = False
    as_adapted: int = 0
    _empty_pixels: int = 0
    _empty_images: int = 0
    _pixels: int = 0

    @property
    def tile(self) -> int:
        """Longest side in pixels of the training tiles, which a network may see in windows only.

        Images up to it are left as they are, as an evaluation leaves them.
        """
        return max(bundle.info.tile or bundle.info.window for bundle in self.segmenter.bundles)

    @property
    def window(self) -> int:
        """Longest side in pixels of an image that is predicted at once."""
        return max(bundle.info.window for bundle in self.segmenter.bundles)

    def probabilities(self, images: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        """The probabilities of prepared images, `float32 (H', W')` each."""
        found = self.segmenter.probabilities(images)
        if self.both_signs:
            other = self.segmenter.probabilities([255 - image for image in images])
            half = np.float32(0.5)
            found = [half * (one + two) for one, two in zip(found, other, strict=True)]
        return found

    def prepare(self, name: str, image: NDArray[np.uint8]) -> PreparedImage:
        """An image as the network gets it.

        Args:
            name: of the image, for the report.
            image: grey levels `uint8 (H, W)`.
        """
        height, width = image.shape
        shape = height, width
        settings = settings_of(self.segmenter.bundles)
        large = max(image.shape) > self.tile
        match, empty = self._measure(image) if large else (None, None)
        if settings is not None and self.options.match_sampling == "auto":
            # a model adapted to a survey is shown it as it was in its training
            seen = present(image, settings)
            self.as_adapted += seen is not image
            return PreparedImage(seen, shape, empty)
        if match is None:
            return PreparedImage(image, shape, None)
        self.matches.append(match)
        rows = self._rows(height, match)
        if rows == height:
            return PreparedImage(image, shape, empty)
        self.factors[name] = rows / height
        fine = _resampled(image.astype(np.float32), rows)
        grey = np.clip(np.rint(fine), 0, 255).astype(np.uint8)
        return PreparedImage(grey, shape, empty)

    def _measure(self, image: NDArray[np.uint8]) -> tuple[SamplingMatch, NDArray[np.bool_] | None]:
        """How the sampling of a large image compares, and where it has no data."""
        match = match_sampling(
            image.T,
            vertical_scale(self.segmenter.bundles),
            trained_first_zero(self.segmenter.bundles),
        )
        return match, self._empty(image, match)

    def _rows(self, height: int, match: SamplingMatch) -> int:
        asked = self.options.match_sampling
        if asked == "none":
            return height
        factor = match.factor if asked == "auto" else asked
        # squeezed below a window, a section would be padded: more mirror image than context
        return max(round(height * factor), min(height, self.window))

    def _empty(self, image: NDArray[np.uint8], match: SamplingMatch) -> NDArray[np.bool_] | None:
        least = self.options.equal_runs
        self._pixels += image.size
        if least == "none":
            return None
        empty = blank(image, least_run(match.found, coarse=True) if least == "auto" else least)
        count = int(np.count_nonzero(empty))
        self._empty_pixels += count
        self._empty_images += count > 0
        return empty if count else None

    def notes(self) -> list[str]:
        """What was done to the images larger than a tile, each with the option that changes it."""
        notes = [self._sampling()] if self.matches else []
        if self.as_adapted:
            notes.append(
                f"{plural(self.as_adapted, 'image')} resampled for the network, {AS_ADAPTED}"
            )
        if self._empty_pixels:
            notes.append(
                f"{percent(self._empty_pixels / self._pixels, 1)} of pixels, in "
                f"{plural(self._empty_images, 'image')}, are no data, in long runs of one grey "
                "level (mutes, margins): never salt (--equal-runs none predicts them)"
            )
        return notes

    def _sampling(self) -> str:
        number = len(self.matches)
        if number == 1:
            factor = next(iter(self.factors.values()), 1.0)
            if self.options.match_sampling == "auto":
                return replace(self.matches[0], factor=factor).note
            return self.matches[0].compared(factor)
        which = f"{len(self.factors)} of {plural(number, 'image')} larger than a tile"
        if self.options.match_sampling != "auto":
            return f"{which} resampled vertically, as --match-sampling asks"
        low, high = self.matches[0].known
        trained = f"the {low:.1f}–{high:.1f} samples that the model was trained on"
        if not self.factors:
            return (
                f"none of {plural(number, 'image')} larger than a tile is resampled: the first "
                f"zeros of their autocorrelations are within {trained}, or cannot be told "
                "(--match-sampling FACTOR resamples them)"
            )
        return (
            f"{which} resampled vertically for the network, by {_range(self.factors.values())}: "
            f"the first zeros of their autocorrelations are outside {trained} (--match-sampling "
            "none leaves them as they are)"
        )


def _range(values: Collection[float]) -> str:
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low}–{high}"


def _resampled(picture: NDArray[np.float32], rows: int) -> NDArray[np.float32]:
    return np.ascontiguousarray(resample(np.ascontiguousarray(picture.T), rows).T)
