"""From images to probabilities of salt: the one path of evaluation, image files and surveys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from diapir import bundle as bundles
from diapir import preprocess
from diapir.bundle import Bundle, Tta
from diapir.errors import BundleError
from diapir.inference.engine import Engine
from diapir.inference.engine_options import EngineOptions
from diapir.inference.open_engine import open_engine
from diapir.inference.tiling import Window, window_count, windows
from diapir.progress import Progress


class Segmenter(Protocol):
    """One model (`Predictor`) or several (`Ensemble`) that predict salt.

    Attributes:
        batch: windows in one forward pass.
    """

    batch: int

    @property
    def bundles(self) -> tuple[Bundle, ...]:
        """The models."""
        ...

    @property
    def threshold(self) -> float:
        """A pixel with at least this probability is predicted as salt; in (0, 1)."""
        ...

    @property
    def min_area(self) -> int:
        """Minimum component size in pixels; smaller components of salt are removed."""
        ...

    def probabilities(
        self, images: Sequence[NDArray[np.uint8]], *, progress: Progress | None = None
    ) -> list[NDArray[np.float32]]:
        """Probabilities of salt: an image `uint8 (H, W)` → `float32 (H, W)`."""
        ...

    def check(self, height: int, width: int) -> None:
        """Refuse an image size that `probabilities` does not accept."""
        ...

    def describe(self) -> dict[str, Any]:
        """Its name, settings and hashes as JSON values, recorded with its predictions."""
        ...


class _Patch(NamedTuple):
    """A window of an image, mirrored or not, and the array its probabilities are added to."""

    window: Window
    image: NDArray[np.uint8]
    mirrored: bool
    probability: NDArray[np.float32]


class Predictor:
    """A model ready to predict salt.

    Args:
        bundle: the model.
        options: how its network is run. `flip` as test-time augmentation averages an image and its
            mirror image, left to right, at twice the cost.
        engine: a loaded engine to use instead of the one that `options` names.

    Raises:
        BundleError: weights that do not fit the architecture.
        DeviceError: the device is not available.
        MissingDependencyError: the engine's library is not installed.
    """

    def __init__(
        self,
        bundle: Bundle,
        options: EngineOptions = EngineOptions(),
        *,
        engine: Engine | None = None,
    ) -> None:
        self.bundle = bundle
        self.batch = options.batch
        self.tta: Tta = options.tta or bundle.info.tta
        self.engine = open_engine(bundle, options) if engine is None else engine

    @classmethod
    def load(
        cls, model: str | Path | None = None, options: EngineOptions = EngineOptions()
    ) -> Predictor:
        """Open a model.

        Args:
            model: a run folder, a bundle folder or the bundled model's name; None for that model.
            options: how its network is run.

        Raises:
            BundleError: there is no model, or it has changed or does not fit.
            DeviceError: the device is not available.
            MissingDependencyError: the engine's library is not installed.
        """
        return cls(bundles.load(model), options)

    @property
    def bundles(self) -> tuple[Bundle, ...]:
        """The model, as the only one."""
        return (self.bundle,)

    @property
    def threshold(self) -> float:
        """The bundle's threshold."""
        return self.bundle.info.threshold

    @property
    def min_area(self) -> int:
        """The bundle's minimum component size in pixels."""
        return self.bundle.info.min_area

    def describe(self) -> dict[str, Any]:
        """Name, architecture, hash of the weights, training, and test-time augmentation if any."""
        info = self.bundle.info
        return {
            "name": info.name,
            "architecture": info.model.model_dump(mode="json"),
            "weights_sha256": info.weights_sha256,
            "training": info.training,
        } | ({"tta": self.tta} if self.tta != "none" else {})

    def probabilities(
        self, images: Sequence[NDArray[np.uint8]], *, progress: Progress | None = None
    ) -> list[NDArray[np.float32]]:
        """Predict the probability of salt per pixel.

        Images up to the size of the training tiles are padded as those were. Larger images are cut
        into overlapping windows of that size, whose probabilities are blended. A constant window
        contains no seismic data: its probability is 0, and the network does not run on it, which
        saves time over water and mutes.

        Args:
            images: grey images `uint8 (H, W)` of any sizes.
            progress: called after each batch, and at the end, with the windows done and all
                windows; mirrored windows count separately.

        Returns:
            `float32 (H, W)` in [0, 1] for each image, in the order given.

        Raises:
            DataError: an image too small for the bundle's padding.
            BundleError: the network returns NaN.
        """
        size = self.bundle.info.window
        views = 2 if self.tta == "flip" else 1
        total = views * sum(window_count(*_shape(image), size) for image in images)
        probabilities = [np.zeros(image.shape, np.float32) for image in images]
        patches = self._patches(images, probabilities)
        done = 0
        while batch := list(islice(patches, self.batch)):
            self._predict(batch)
            done += len(batch)
            if progress:
                progress(done, total)
        if progress and done < total:  # the rest was constant
            progress(total, total)
        for probability in probabilities:
            np.minimum(probability, 1, out=probability)  # weights add up to 1 except for rounding
        return probabilities

    def check(self, height: int, width: int) -> None:
        """Refuse an image size that `probabilities` does not accept.

        Raises:
            DataError: it is too small for the bundle's padding.
        """
        info = self.bundle.info
        preprocess.padding(min(height, info.window), min(width, info.window), info.preprocess)

    def _patches(
        self, images: Sequence[NDArray[np.uint8]], probabilities: Sequence[NDArray[np.float32]]
    ) -> Iterator[_Patch]:
        for image, probability in zip(images, probabilities, strict=True):
            for window in windows(*_shape(image), self.bundle.info.window):
                inside = image[window.rows, window.columns]
                if not np.ptp(inside):  # splits leave constant tiles out of training
                    continue
                yield _Patch(window, inside, False, probability)
                if self.tta == "flip":
                    yield _Patch(window, inside[:, ::-1], True, probability)

    def _predict(self, batch: list[_Patch]) -> None:
        config = self.bundle.info.preprocess
        by_shape = [list(group) for _, group in groupby(batch, lambda patch: patch.image.shape)]
        inputs = [
            preprocess.to_input(np.stack([patch.image for patch in group]), config)
            for group in by_shape
        ]
        logits = self.engine.logits(inputs[0] if len(inputs) == 1 else np.concatenate(inputs))
        for patch, of_patch in zip(batch, logits, strict=True):
            probability = salt_probability(preprocess.crop(of_patch, *patch.image.shape))
            if not np.isfinite(probability.sum()):
                raise BundleError(
                    f"the network of {self.bundle.path} returns NaN",
                    expected="a model whose training did not diverge",
                    fix="use another model, or train it again with a smaller optimizer.lr",
                )
            if self.tta == "flip":
                probability /= 2
            patch.window.add(
                patch.probability, probability[:, ::-1] if patch.mirrored else probability
            )


def salt_probability(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Softmax over background and salt: logits `(2, H, W)` → probability of salt `(H, W)`."""
    background, salt = logits
    with np.errstate(over="ignore"):  # exp overflows where the probability rounds to 0
        odds_against: NDArray[np.float32] = np.exp(background - salt)
    odds_against += 1
    return np.reciprocal(odds_against, out=odds_against)


def _shape(image: NDArray[np.uint8]) -> tuple[int, int]:
    height, width = image.shape
    return height, width
