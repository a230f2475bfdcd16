"""Predict whole sections: resample traces for the network and back, and reverse polarity.

Windows are the segmenter's own: a section is predicted like an image with its samples as rows and
its traces as columns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from diapir.inference import Segmenter
from diapir.inference.sections.presentation import settings_of
from diapir.inference.sections.resample import resample
from diapir.inference.sections.window_batches import Group
from diapir.surveys.prediction.amplitude import reverse
from diapir.surveys.prediction.survey_options import Polarity

_BATCHES = 32
"""Batches of one group of sections at most, of which only the last is not full."""
_TOGETHER_VALUES = 2**21
"""Samples of a group at most, as they are read at once."""


@dataclass(frozen=True)
class SectionPredictor:
    """A model, and how it is applied to sections.

    Attributes:
        segmenter: the model or models with their windows.
        polarity: polarity of the amplitudes; `both` averages the two.
        stretch: factor by which traces are resampled for the network; predictions are resampled
            back.
    """

    segmenter: Segmenter
    polarity: Polarity = "normal"
    stretch: float = 1.0

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
        """Number of windows that are computed for one section, over all models."""
        height, width = self.seen_samples(samples), self._seen_traces(traces)
        count = sum(grid.count(height, width) for grid in self.segmenter.grids)
        return count * (2 if self.polarity == "both" else 1)

    def together(self, traces: int, samples: int) -> int:
        """Number of sections whose windows share batches, so that these are full: 1, 2, 4 or 8."""
        enough = _BATCHES * self.segmenter.batch // self.windows(traces, samples)
        fits = min(enough, _TOGETHER_VALUES // (traces * samples))
        return max(number for number in (1, 2, 4, 8) if number <= max(1, fits))

    def probabilities(
        self,
        sections: Sequence[NDArray[np.uint8]],
        live: Sequence[NDArray[np.bool_]] | None = None,
    ) -> list[NDArray[np.float32]]:
        """Predict the probability of salt of each sample.

        Sections smaller than the network's input are mirrored up to its size.

        Args:
            sections: grey levels without gaps, `uint8 (traces, samples)`, all of one shape.
            live: `bool (traces,)` for each section, True for live traces, or `(traces, samples)`,
                True where there are data; windows without any are not computed, and their
                probability is 0.

        Returns:
            `float32 (traces, samples)` in [0, 1] for each section.

        Raises:
            BundleError: the output of the network is not finite.
        """
        return list(self.stream([(sections, live)]))

    def stream(self, groups: Iterable[Group]) -> Iterator[NDArray[np.float32]]:
        """Predict many sections, each as soon as it is done, in order.

        Args:
            groups: sections `uint8 (traces, samples)` that may share batches, and `live` as for
                `probabilities`. A group is taken while earlier ones are computed.

        Yields:
            `float32 (traces, samples)` in [0, 1] of each section.

        Raises:
            BundleError: the output of the network is not finite.
        """
        shapes: deque[tuple[int, int]] = deque()
        found = self.segmenter.stream(self._seen(groups, shapes))
        for probability in found:
            traces, samples = shapes.popleft()
            result = _restored(probability, traces, samples)
            if self.polarity == "both":
                result += _restored(next(found), traces, samples)
                result *= np.float32(0.5)
            yield result

    def _seen(self, groups: Iterable[Group], shapes: deque[tuple[int, int]]) -> Iterator[Group]:
        """Sections as images for the network; for both polarities, each twice."""
        for sections, live in groups:
            images, columns = [], []
            for place, section in enumerate(sections):
                original, samples = section.shape
                shapes.append((original, samples))
                seen, traces = self.seen_samples(samples), self._seen_traces(original)
                for shown in self._signs(section):
                    # time runs down the rows of an image: it is the transpose of (traces, samples)
                    images.append(_stretched(shown, traces, seen).T)
                    if live is not None:
                        columns.append(_live(live[place], traces, seen))
            yield images, None if live is None else columns

    def _signs(self, section: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], ...]:
        if self.polarity == "normal":
            return (section,)
        opposite = reverse(section)
        return (opposite,) if self.polarity == "reversed" else (section, opposite)


def _restored(found: NDArray[np.float32], traces: int, samples: int) -> NDArray[np.float32]:
    """Probabilities of an image `(samples, traces)` as those of a section of its first size."""
    probability = resample(resample(found.T, samples).T, traces).T
    return np.clip(probability, 0, 1, out=probability)


def _live(live: NDArray[np.bool_], traces: int, samples: int) -> NDArray[np.bool_]:
    """Where a section is live, as the network sees it.

    Of a section that is resampled only whole traces count: its samples are spread over windows.
    """
    if live.shape == (traces, samples):
        return live.T
    columns: NDArray[np.bool_] = live if live.ndim == 1 else np.asarray(live.any(axis=1))
    places = ((np.arange(traces) + 0.5) * len(columns) / traces).astype(np.intp)
    nearest: NDArray[np.bool_] = columns[places]
    return nearest


def _stretched(section: NDArray[np.uint8], traces: int, samples: int) -> NDArray[np.uint8]:
    if section.shape == (traces, samples):
        return section
    grey = resample(section.astype(np.float32), samples)
    grey = resample(grey.T, traces).T
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)
