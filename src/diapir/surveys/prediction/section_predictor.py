"""Predict whole sections: cut windows, blend their probabilities, resample before and after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diapir.inference import Segmenter
from diapir.inference.presentation import settings_of
from diapir.inference.tiling import Window, window_count, windows
from diapir.surveys.prediction.amplitude import reverse
from diapir.surveys.prediction.resample import resample
from diapir.surveys.prediction.survey_options import OVERLAP, Polarity


class _Piece(NamedTuple):
    """A window of one of the sections, and the array that its probabilities are added to."""

    window: Window
    image: NDArray[np.uint8]
    total: NDArray[np.float32]


@dataclass(frozen=True)
class SectionPredictor:
    """A model, and how it is applied to sections.

    Attributes:
        segmenter: the model or models; the window size is theirs.
        overlap: minimum overlap of neighbouring windows, as a share of a window, in [0, 1).
        polarity: polarity of the amplitudes; `both` averages the two.
        stretch: factor by which traces are resampled for the network; predictions are resampled
            back.
    """

    segmenter: Segmenter
    overlap: float = OVERLAP
    polarity: Polarity = "normal"
    stretch: float = 1.0

    @cached_property
    def tile(self) -> int:
        """Side of a window in pixels."""
        return max(bundle.info.window for bundle in self.segmenter.bundles)

    @cached_property
    def _spread(self) -> float:
        """Factor by which a model adapted to a survey is shown more or fewer traces."""
        settings = settings_of(self.segmenter.bundles)
        return 1.0 if settings is None else settings.horizontal

    def _seen_traces(self, traces: int) -> int:
        return max(1, round(traces * self._spread))

    def seen_samples(self, samples: int) -> int:
        """Samples per trace after resampling for the network."""
        return max(1, round(samples * self.stretch))

    def windows(self, traces: int, samples: int) -> int:
        """Number of windows that the network computes for one section."""
        height = max(self.tile, self.seen_samples(samples))
        width = max(self.tile, self._seen_traces(traces))
        count = window_count(height, width, self.tile, self.overlap)
        return count * (2 if self.polarity == "both" else 1)

    def together(self, traces: int, samples: int) -> int:
        """Number of sections to predict together so that batches are full: 1, 2, 4 or 8."""
        fits = 2 * self.segmenter.batch // self.windows(traces, samples)
        return max(number for number in (1, 2, 4, 8) if number <= max(1, fits))

    def probabilities(
        self,
        sections: Sequence[NDArray[np.uint8]],
        live: Sequence[NDArray[np.bool_]] | None = None,
    ) -> list[NDArray[np.float32]]:
        """Predict the probability of salt of each sample.

        Sections smaller than a window are mirrored up to its size.

        Args:
            sections: grey levels without gaps, `uint8 (traces, samples)`, all of one shape.
            live: `bool (traces,)` for each section, True for live traces; windows without any are
                not computed, and their probability is 0.

        Returns:
            `float32 (traces, samples)` in [0, 1] for each section.

        Raises:
            BundleError: the output of the network is not finite.
        """
        if self.polarity == "normal":
            return self._of_one_sign(sections, live)
        opposite = self._of_one_sign([reverse(section) for section in sections], live)
        if self.polarity == "reversed":
            return opposite
        result = self._of_one_sign(sections, live)
        for one, other in zip(result, opposite, strict=True):
            one += other
            one *= np.float32(0.5)
        return result

    def _of_one_sign(
        self,
        sections: Sequence[NDArray[np.uint8]],
        live: Sequence[NDArray[np.bool_]] | None,
    ) -> list[NDArray[np.float32]]:
        original, samples = sections[0].shape
        seen, traces = self.seen_samples(samples), self._seen_traces(original)
        before = max(0, self.tile - traces) // 2, max(0, self.tile - seen) // 2
        after = (
            max(0, self.tile - traces) - before[0],
            max(0, self.tile - seen) - before[1],
        )
        margins = ((before[0], after[0]), (before[1], after[1]))
        images = [
            np.pad(_stretched(section, traces, seen), margins, mode="reflect")
            for section in sections
        ]
        needed = [
            np.ones(len(image), bool)
            if live is None
            else np.pad(_nearest(live[place], traces), margins[0])
            for place, image in enumerate(images)
        ]
        totals = [np.zeros(image.shape, np.float32) for image in images]
        pieces = self._pieces(images, needed, totals)
        while batch := list(islice(pieces, self.segmenter.batch)):
            found = self.segmenter.probabilities([piece.image for piece in batch])
            for piece, probability in zip(batch, found, strict=True):
                piece.window.add(piece.total, probability)
        inner = (
            slice(before[0], before[0] + traces),
            slice(before[1], before[1] + seen),
        )
        result = []
        for total in totals:
            probability = resample(resample(total[inner], samples).T, original).T
            result.append(np.clip(probability, 0, 1, out=probability))
        return result

    def _pieces(
        self,
        images: Sequence[NDArray[np.uint8]],
        needed: Sequence[NDArray[np.bool_]],
        totals: Sequence[NDArray[np.float32]],
    ) -> Iterator[_Piece]:
        for image, wanted, total in zip(images, needed, totals, strict=True):
            # time runs down the rows of a window: its image is the transpose of (traces, samples)
            for window in windows(image.shape[1], image.shape[0], self.tile, self.overlap):
                if wanted[window.columns].any():
                    down = image[window.columns, window.rows].T
                    yield _Piece(window, down, total.T)


def _nearest(live: NDArray[np.bool_], traces: int) -> NDArray[np.bool_]:
    places = ((np.arange(traces) + 0.5) * len(live) / traces).astype(np.intp)
    nearest: NDArray[np.bool_] = live[places]
    return nearest


def _stretched(section: NDArray[np.uint8], traces: int, samples: int) -> NDArray[np.uint8]:
    if section.shape == (traces, samples):
        return section
    grey = resample(section.astype(np.float32), samples)
    grey = resample(grey.T, traces).T
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)
