"""A trained model: opened once, it predicts any image."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from diapir import bundle as bundles
from diapir.api.any_pictures import read_any
from diapir.api.arguments import Paths, in_python, options
from diapir.api.prediction import Prediction, Predictions
from diapir.bundle import SECTIONS, SHIPPED, Bundle
from diapir.errors import ConfigError
from diapir.extras import extras_explained
from diapir.inference import EngineOptions, Ensemble, Predictor, Segmenter, salt_mask, with_windows
from diapir.inference.engines.open_engine import WORTH_CHOOSING
from diapir.inference.ensemble import engine_notes, tta_of
from diapir.inference.postprocess import check_postprocessing
from diapir.inference.sections.caveats import Confidence, image_caveats
from diapir.inference.sections.large_images import LargeImageOptions, LargeImages
from diapir.inference.sections.window_batches import Group
from diapir.inference.sources import Source, are_larger, expected_pixels, on_one_scale
from diapir.inference.tiling import WindowGrid
from diapir.progress import Progress
from diapir.run.folds import expand
from diapir.text import listing
from diapir.tiles.files.picture_options import PictureOptions

if TYPE_CHECKING:
    from diapir.models.custom import Module


class LoadedModel:
    """One model, or several whose probabilities are averaged.

    It stands for its folder wherever a path of a model is expected, as in `diapir.evaluate`.

    Args:
        models: run folders, folders of folds, bundle folders or names of bundled models; empty for
            the bundled model that suits an image: `salt` for tiles, `general` for larger sections.
        engine: how networks run.
        module: the network of a model that was trained with `model=`.

    Attributes:
        chosen: the models that were asked for; empty for the bundled ones.
    """

    def __init__(
        self,
        models: Sequence[Paths],
        engine: EngineOptions,
        module: Module | None = None,
    ) -> None:
        self._engine, self._module = engine, module
        self.chosen = [str(model) for model in expand([os.fspath(each) for each in models])]
        for place, model in enumerate(self.chosen):
            if model in self.chosen[:place]:
                raise ConfigError(
                    f"{model} is given twice",
                    expected="different models; a repeated model would count double",
                    fix="give each model once",
                )
        self._opened: dict[str, Predictor] = {}
        self._for_much: dict[str, Predictor] = {}
        self._segmenter = self._open(self.chosen or [SHIPPED])

    def _open(self, models: Sequence[str], pixels: int = 0) -> Segmenter:
        """One model, or several as one, on the engines for so many pixels."""
        opened = self._for_much if pixels >= WORTH_CHOOSING else self._opened
        for model in models:
            if model not in opened:
                bundle = bundles.load(model)
                own = None if self._module is None else _torch_engine(bundle, self)
                engine = replace(self._engine, pixels=self._engine.pixels or pixels)
                with extras_explained():
                    opened[model] = Predictor(bundle, engine, engine=own)
        members = [opened[model] for model in models]
        return members[0] if len(members) == 1 else Ensemble(members)

    def __repr__(self) -> str:
        if not self.chosen:
            return f"Model({SHIPPED!r} for tiles, {SECTIONS!r} for sections)"
        infos = [bundle.info for bundle in self.bundles]
        names = listing([info.name for info in infos])
        kinds = listing(list(dict.fromkeys(info.model.name for info in infos)))
        return f"Model({names}: {kinds}, threshold {self.threshold:g}, {listing(self.chosen)})"

    def __fspath__(self) -> str:
        """The model as it was asked for, or the first of several."""
        return self.chosen[0] if self.chosen else SHIPPED

    @property
    def paths(self) -> tuple[Path, ...]:
        """The folders of all models."""
        return tuple(bundle.path for bundle in self.bundles)

    @property
    def info(self) -> bundles.BundleInfo:
        """The content of `bundle.json`, of the first of several."""
        return self.bundles[0].info

    @property
    def metrics(self) -> dict[str, Any]:
        """Metrics by key, with the data they were measured on; empty if it was not evaluated."""
        return dict(self.info.metrics)

    @property
    def members(self) -> dict[Path, Predictor]:
        """The opened models, by what they were asked for as."""
        return {Path(name): predictor for name, predictor in self._opened.items()}

    @property
    def segmenter(self) -> Segmenter:
        """What runs it, with probabilities of grey images alone."""
        return self._segmenter

    def to_torch(self) -> Module:
        """The network as a PyTorch module, in evaluation mode, on the CPU.

        Raises:
            BundleError: the model has no trainable weights.
            MissingDependencyError: PyTorch is not installed.
        """
        with extras_explained():
            from diapir.inference.engines.torch_engine import load_network

            return load_network(self.bundles[0], self._module)

    def predict(
        self,
        images: Any,
        *,
        threshold: float | None = None,
        min_area: int | None = None,
        polarity: Literal["normal", "reversed", "both"] = "normal",
        tile: int | None = None,
        overlap: float | None = None,
        levels: tuple[float, float] | str | None = None,
        **further: Any,
    ) -> Any:
        """Predict salt.

        Arrays of 8-bit grey are used as they are. Anything else is mapped to grey levels as files
        are: numbers of both signs are amplitudes on a symmetric scale, clipped at the 98th
        percentile, so that zero is mid-grey; others go from black at 0 to the full scale that
        holds them. `Prediction.notes` says what was done. A list, folder or zip is on one scale.

        Args:
            images: a path, a Pillow image, an array of any kind of numbers `(H, W[, C])`, or a
                list of these; a folder or a zip stands for all images in it.
            threshold: None for the model's own.
            min_area: minimum component size in pixels; None for the model's own.
            polarity: whether black and white are exchanged; `both` averages the two.
            tile: side of the windows of large images in pixels; None for what suits the model.
            overlap: minimum overlap of windows, as a share of a window; None as above.
            levels: the values that are black and white, such as `(0, 4095)`; None for what the
                image uses.
            further: `colours` and `max_megapixels`, as in `PictureOptions`; `match_sampling` and
                `equal_runs` of images larger than a tile, as in `LargeImageOptions`.

        Returns:
            A `Prediction`; `Predictions`, a list of them, for a list, folder or zip.

        Raises:
            DataError: something that is no image, or cannot be read.
            ConfigError: an option out of range, or unknown.
        """
        if levels is not None:
            further["levels"] = levels if isinstance(levels, str) else f"{levels[0]}:{levels[1]}"
        pictures, large = options(further, PictureOptions, LargeImageOptions)
        found = read_any(images, pictures)
        segmenter, chosen = self._suited(found.sources)
        segmenter = with_windows(segmenter, size=tile, overlap=overlap)
        threshold = segmenter.threshold if threshold is None else threshold
        min_area = segmenter.min_area if min_area is None else min_area
        check_postprocessing(threshold, min_area)
        sources, read_notes = on_one_scale(found.sources, pictures, polarity)
        sections = LargeImages(segmenter, large, both_signs=polarity == "both")
        made = [
            _predicted(one, image, probability, threshold, min_area)
            for batch in _batches(sources, segmenter.batch)
            for one, image, probability in _probabilities(sections, batch)
        ]
        notes = [*chosen, *found.notes, *map(in_python, [*read_notes, *sections.notes()])]
        results = Predictions(
            Prediction(
                **fields,
                model=segmenter.describe()["name"],
                tta=tta_of(segmenter),
                notes=tuple(notes),
                caveats=tuple(_caveats(fields, sections.window)),
            )
            for fields in made
        )
        return results[0] if found.single else results

    __call__ = predict

    def _suited(self, sources: Sequence[Source]) -> tuple[Segmenter, list[str]]:
        """The model that was chosen, or else the bundled one for these images, and a note."""
        pixels = expected_pixels(sources)
        if self.chosen:
            segmenter = self._open(self.chosen, pixels)
            return segmenter, [in_python(note) for note in engine_notes(segmenter)]
        large = are_larger(sources, bundles.read_info(SHIPPED).window)
        name, other = (SECTIONS, SHIPPED) if large else (SHIPPED, SECTIONS)
        what = "images larger than a tile" if large else "tiles"
        segmenter = self._open([name], pixels)
        return segmenter, [
            f"model {name}, the bundled one for {what} (diapir.load({other!r}) for the other)",
            *map(in_python, engine_notes(segmenter)),
        ]

    # a `Segmenter`, so that a model can be given wherever one is expected

    @property
    def batch(self) -> int:
        """Windows in one forward pass."""
        return self._segmenter.batch

    @property
    def bundles(self) -> tuple[Bundle, ...]:
        """The models on disk."""
        return self._segmenter.bundles

    @property
    def threshold(self) -> float:
        """A pixel with at least this probability is predicted as salt."""
        return self._segmenter.threshold

    @property
    def min_area(self) -> int:
        """Minimum component size in pixels."""
        return self._segmenter.min_area

    @property
    def grids(self) -> tuple[WindowGrid, ...]:
        """How sections are cut into windows."""
        return self._segmenter.grids

    def with_grids(self, grids: Sequence[WindowGrid]) -> Segmenter:
        """The same models with other windows."""
        return self._segmenter.with_grids(grids)

    def describe(self) -> dict[str, Any]:
        """Name, settings and hashes as JSON values."""
        return self._segmenter.describe()

    def probabilities(
        self,
        images: Sequence[NDArray[np.uint8]],
        *,
        live: Sequence[NDArray[np.bool_]] | None = None,
        progress: Progress | None = None,
    ) -> list[NDArray[np.float32]]:
        """Probabilities of salt of grey images: `uint8 (H, W)` → `float32 (H, W)` each."""
        return self._segmenter.probabilities(images, live=live, progress=progress)

    def stream(self, groups: Iterable[Group]) -> Iterator[NDArray[np.float32]]:
        """Probabilities of many grey images, each as soon as it is done, in order."""
        return self._segmenter.stream(groups)

    @classmethod
    def load(cls, model: Any = None, **running: Any) -> LoadedModel:
        """As `diapir.load`."""
        return load(model, **running)


def load(
    model: Paths | Sequence[Paths] | None = None,
    *,
    module: Module | None = None,
    **running: Any,
) -> LoadedModel:
    """Open a trained model.

    Args:
        model: a run, a run folder, a bundle folder, or the name of a bundled model (`salt`,
            `general`); several of these, whose probabilities are averaged; None for the bundled
            model that suits each image.
        module: the network of a model that was trained with `model=`; it gets the weights.
        running: `tta`, `engine`, `device`, `threads`, `batch`, as in `EngineOptions`.

    Raises:
        BundleError: there is no model, or it has changed or does not fit.
        ConfigError: a network that is neither installed nor given, or an unknown argument.
        DeviceError: the device is not available.
        MissingDependencyError: the engine's library is not installed.
    """
    (engine,) = options(running, EngineOptions)
    given: Sequence[Paths] = ()
    if model is not None:
        given = [model] if isinstance(model, str | os.PathLike) else [*model]
    return LoadedModel(given, engine, module)


def _torch_engine(bundle: Bundle, model: LoadedModel) -> Any:
    with extras_explained():
        from diapir.inference.engines.torch_engine import open_torch

        options = model._engine
        return open_torch(
            bundle, device=options.device, threads=options.threads, module=model._module
        )


def _batches(sources: Sequence[Source], count: int) -> list[Sequence[Source]]:
    return [sources[start : start + count] for start in range(0, len(sources), count)]


def _probabilities(
    sections: LargeImages, batch: Sequence[Source]
) -> list[tuple[Source, NDArray[np.uint8], NDArray[np.float32]]]:
    images = [source.read() for source in batch]
    prepared = [
        sections.prepare(source.name, image) for source, image in zip(batch, images, strict=True)
    ]
    found = sections.probabilities([one.image for one in prepared])
    restored = [one.restored(each) for one, each in zip(prepared, found, strict=True)]
    return list(zip(batch, images, restored, strict=True))


def _predicted(
    source: Source,
    image: NDArray[np.uint8],
    probability: NDArray[np.float32],
    threshold: float,
    min_area: int,
) -> dict[str, Any]:
    return {
        "name": source.name,
        "source": "" if source.stored is not None else str(source.path),
        "image": image,
        "probability": probability,
        "mask": salt_mask(probability, threshold, min_area),
        "threshold": threshold,
        "min_area": min_area,
    }


def _caveats(fields: dict[str, Any], window: int) -> list[str]:
    """The caveats of one image; tiles have none."""
    if max(fields["image"].shape) <= window:
        return []
    confidence = Confidence()
    confidence.add(fields["probability"], fields["threshold"])
    return image_caveats({fields["name"]: confidence})
