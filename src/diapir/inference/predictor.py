"""From images to probabilities of salt: the one path of evaluation, image files and surveys."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from diapir import bundle as bundles
from diapir import preprocess
from diapir.bundle import Bundle, Tta
from diapir.errors import BundleError, ConfigError, DataError
from diapir.inference.engines.engine import (
    Engine,
    FromGrey,
    Shared,
    batch_of,
    lanes_of,
    salt_probability,
)
from diapir.inference.engines.engine_options import EngineChoice, EngineOptions
from diapir.inference.engines.open_engine import Opened, open_chosen
from diapir.inference.sections.window_batches import (
    Batch,
    Group,
    Patch,
    batches,
    in_order,
)
from diapir.inference.tiling import WindowGrid
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

    @property
    def grids(self) -> tuple[WindowGrid, ...]:
        """How each model's sections are cut into windows."""
        ...

    def with_grids(self, grids: Sequence[WindowGrid]) -> Segmenter:
        """The same models on the same engines, with other windows."""
        ...

    def probabilities(
        self,
        images: Sequence[NDArray[np.uint8]],
        *,
        live: Sequence[NDArray[np.bool_]] | None = None,
        progress: Progress | None = None,
    ) -> list[NDArray[np.float32]]:
        """Probabilities of salt: an image `uint8 (H, W)` → `float32 (H, W)`."""
        ...

    def stream(self, groups: Iterable[Group]) -> Iterator[NDArray[np.float32]]:
        """Probabilities of salt of many images, each as soon as it is done, in order.

        Groups are taken while earlier ones are computed, so that reading them costs no time.

        Args:
            groups: images that may share batches, see `Group`; a batch holds windows of one group,
                so that a result does not depend on the groups beside it.

        Yields:
            `float32 (H, W)` in [0, 1] of each image.

        Raises:
            BundleError: the network returns NaN.
        """
        ...

    def describe(self) -> dict[str, Any]:
        """Its name, settings and hashes as JSON values, recorded with its predictions."""
        ...


class Predictor:
    """A model ready to predict salt.

    Args:
        bundle: the model.
        options: how its network is run. `flip` as test-time augmentation averages an image and its
            mirror image, left to right, at twice the cost.
        engine: a loaded engine to use instead of the one that `options` names.
        grid: how sections are cut into windows; None for the grid that suits the model.

    Raises:
        ConfigError: windows larger than the network accepts.
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
        grid: WindowGrid | None = None,
    ) -> None:
        self.bundle = bundle
        self.grid = grid or WindowGrid.of(bundle.info)
        _refuse_large(bundle, self.grid.size)
        self.tta: Tta = options.tta or bundle.info.tta
        opened = open_chosen(bundle, options) if engine is None else Opened(engine, options.engine)
        self.engine, self.engine_choice, self.engine_note = opened
        self.batch = options.batch or batch_of(self.engine)

    def __repr__(self) -> str:
        return f"Predictor({self.bundle.info.name!r}, {self.bundle.path}, {self.engine.name})"

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
    def grids(self) -> tuple[WindowGrid, ...]:
        """The grid, as the only one."""
        return (self.grid,)

    def with_grids(self, grids: Sequence[WindowGrid]) -> Predictor:
        """The same model on the same engine, with other windows.

        Raises:
            ConfigError: windows larger than the network accepts.
        """
        (grid,) = grids
        _refuse_large(self.bundle, grid.size)
        other = copy.copy(self)
        other.grid = grid
        return other

    def with_engine(self, engine: EngineChoice, options: EngineOptions) -> Predictor:
        """The same model with the same windows on another engine.

        Raises:
            DiapirError: the engine is not available.
        """
        other = copy.copy(self)
        opened = open_chosen(self.bundle, replace(options, engine=engine))
        other.engine, other.engine_choice, other.engine_note = opened
        return other

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
        self,
        images: Sequence[NDArray[np.uint8]],
        *,
        live: Sequence[NDArray[np.bool_]] | None = None,
        progress: Progress | None = None,
    ) -> list[NDArray[np.float32]]:
        """Predict the probability of salt per pixel.

        Images up to the size of the training tiles are padded as those were. Larger images are cut
        into overlapping windows (`grid`), whose probabilities are blended; windows smaller than the
        network's input are padded. A constant window contains no seismic data: its probability is
        0, and the network does not run on it, which saves time over water and mutes.

        Args:
            images: grey images `uint8 (H, W)` of any sizes.
            live: `bool (W,)` for each image, True for columns that are live traces, or `(H, W)`,
                True for pixels that hold data: windows without any are not computed, and their
                probability is 0. None: all are.
            progress: called after each batch, and at the end, with the windows done and all
                windows; mirrored windows count separately.

        Returns:
            `float32 (H, W)` in [0, 1] for each image, in the order given.

        Raises:
            DataError: images that are not grey `uint8 (H, W)`, or one image instead of several.
            BundleError: the network returns NaN.
        """
        _refuse_unprepared(images)
        views = 2 if self.tta == "flip" else 1
        total = views * sum(self.grid.count(*_shape(image)) for image in images)
        done = 0

        def ran(windows: int) -> None:
            nonlocal done
            done += windows
            if progress:
                progress(done, total)

        found = list(self._stream([(images, live)], ran))
        if progress and done < total:  # the rest was constant
            progress(total, total)
        return found

    def stream(self, groups: Iterable[Group]) -> Iterator[NDArray[np.float32]]:
        """Predict many images; see `Segmenter.stream`."""
        return self._stream(groups, lambda windows: None)

    def _stream(
        self, groups: Iterable[Group], ran: Callable[[int], object]
    ) -> Iterator[NDArray[np.float32]]:
        lanes = lanes_of(self.engine)
        for batch, found in self._run(self._batches(groups, lanes), lanes):
            for patch, probability in zip(batch.patches, found, strict=True):
                patch.add(probability)
            if found:
                ran(len(found))
            for whole in batch.ends:  # weights add up to 1 except for rounding
                yield np.minimum(whole, 1, out=whole)

    def _batches(self, groups: Iterable[Group], lanes: int) -> Iterator[Batch]:
        for images, live in groups:
            lives = [None] * len(images) if live is None else live
            made = (self._windows(*one) for one in zip(images, lives, strict=True))
            yield from batches(made, partial(self._together, lanes=lanes))

    def _run(
        self, todo: Iterator[Batch], lanes: int
    ) -> Iterator[tuple[Batch, list[NDArray[np.float32]]]]:
        """Run batches in order: side by side where there are several."""
        first = list(islice(todo, 2))
        engine = self.engine
        if lanes > 1 and len(first) == 2 and isinstance(engine, Shared):
            lane = engine.lane(engine.threads // lanes)
            full = partial(self._together, lanes=lanes) if lane.even else None
            yield from in_order(partial(self._found, lane, full=full), chain(first, todo), lanes)
        else:
            for batch in chain(first, todo):
                yield batch, self._found(engine, batch)

    def _windows(
        self, image: NDArray[np.uint8], live: NDArray[np.bool_] | None
    ) -> tuple[Iterator[Patch], NDArray[np.float32]]:
        """The windows of an image that are not blank, and its probabilities, all 0 so far."""
        probability = np.zeros(image.shape, np.float32)
        return self._patches(image, live, probability), probability

    def _patches(
        self,
        image: NDArray[np.uint8],
        live: NDArray[np.bool_] | None,
        probability: NDArray[np.float32],
    ) -> Iterator[Patch]:
        for window in self.grid.windows(*_shape(image)):
            inside = image[window.rows, window.columns]
            if live is not None:
                within = window.columns if live.ndim == 1 else (window.rows, window.columns)
                if not live[within].any():
                    continue
            if not np.ptp(inside):  # splits leave constant tiles out of training
                continue
            room = self._room(inside.shape[0]), self._room(inside.shape[1])
            yield Patch(window, inside, room, False, probability)
            if self.tta == "flip":
                yield Patch(window, inside[:, ::-1], room, True, probability)

    def _room(self, side: int) -> int:
        """Side of the network's input for a window's height or width."""
        info = self.bundle.info
        if side <= info.preprocess.side:
            return info.preprocess.side
        return -(-side // info.input_step) * info.input_step

    def _together(self, room: tuple[int, int], *, lanes: int) -> int:
        """Windows in a forward pass: `batch` windows of the usual size in all lanes together."""
        pixels = self.batch * self.bundle.info.preprocess.side**2 // lanes
        return max(1, pixels // (room[0] * room[1]))

    def _found(
        self, engine: Engine, batch: Batch, full: Callable[[tuple[int, int]], int] | None = None
    ) -> list[NDArray[np.float32]]:
        """Probabilities of the windows of a batch, which is filled up to `full` windows."""
        if not batch.patches:
            return []
        least = full(batch.patches[0].room) if full else 0
        config, count = self.bundle.info.preprocess, len(batch.patches)
        grey = batch.grey(config, least)
        if isinstance(engine, FromGrey):
            together = engine.probabilities(grey)[:count]
        else:
            logits = engine.logits(preprocess.normalised(grey, config))[:count]
            # (N, 2, H, W) is (2, N, H, W) to the softmax
            together = salt_probability(np.moveaxis(logits, 1, 0))
        shapes = (patch.image.shape for patch in batch.patches)
        found = [preprocess.crop(one, *shape) for one, shape in zip(together, shapes, strict=True)]
        known = np.isfinite(together.sum())  # if not, it may be the padding
        for probability in found:
            if not known and not np.isfinite(probability.sum()):
                raise BundleError(
                    f"the network of {self.bundle.path} returns NaN",
                    expected="a model whose training did not diverge",
                    fix="use another model, or train it again with a smaller optimizer.lr",
                )
            if self.tta == "flip":
                probability /= 2
        return found


def _refuse_large(bundle: Bundle, size: int) -> None:
    """Refuse windows that do not fit into a network whose input size is fixed."""
    most = bundle.info.preprocess.side
    if size > most and not bundle.info.takes_any_size:
        raise ConfigError(
            f"windows of {size} px do not fit {bundle.path}, which takes {most} px images only",
            expected=f"windows of at most {most} px",
            fix="choose a smaller --tile, or leave it out",
        )


def _refuse_unprepared(images: Sequence[NDArray[np.uint8]]) -> None:
    for image in (images,) if isinstance(images, np.ndarray) and images.ndim < 3 else images:
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 2:
            shape, kind = getattr(image, "shape", None), getattr(image, "dtype", type(image))
            raise DataError(
                f"an image of {kind}" + (f" and shape {shape}" if shape is not None else ""),
                expected="grey images, uint8 (H, W)",
                fix="diapir.load(…).predict(image) takes any image",
            )
    if isinstance(images, np.ndarray) and images.ndim == 2:
        raise DataError(
            f"one image of shape {images.shape} instead of several",
            expected="a list of grey images, uint8 (H, W)",
            fix="probabilities([image]), or diapir.load(…).predict(image)",
        )


def _shape(image: NDArray[np.uint8]) -> tuple[int, int]:
    height, width = image.shape
    return height, width
