"""Ensembles: the mean of several models' probabilities."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diapir.bundle import Bundle
from diapir.errors import ConfigError
from diapir.inference.engines.engine_options import EngineChoice, EngineOptions
from diapir.inference.predictor import Predictor, Segmenter
from diapir.inference.sections.window_batches import Group
from diapir.inference.tiling import WindowGrid
from diapir.progress import Progress
from diapir.run.folds import expand


class Ensemble:
    """Models whose probabilities are averaged. Each keeps its own preprocessing.

    Args:
        members: at least one; their architectures and input sizes may differ.

    Raises:
        ConfigError: the same weights twice, which would count double.
    """

    def __init__(self, members: Sequence[Predictor]) -> None:
        self.members = tuple(members)
        self.batch = max(member.batch for member in members)
        refuse_repeated(self.bundles)

    @property
    def bundles(self) -> tuple[Bundle, ...]:
        """The models."""
        return tuple(member.bundle for member in self.members)

    @property
    def grids(self) -> tuple[WindowGrid, ...]:
        """How each model's sections are cut into windows."""
        return tuple(member.grid for member in self.members)

    def with_grids(self, grids: Sequence[WindowGrid]) -> Ensemble:
        """The same models on the same engines, with other windows.

        Raises:
            ConfigError: windows larger than a network accepts.
        """
        pairs = zip(self.members, grids, strict=True)
        return Ensemble([member.with_grids([grid]) for member, grid in pairs])

    @property
    def threshold(self) -> float:
        """Mean of the models' thresholds."""
        return sum(member.threshold for member in self.members) / len(self.members)

    @property
    def min_area(self) -> int:
        """Mean of the models' minimum component sizes, in whole pixels."""
        return round(sum(member.min_area for member in self.members) / len(self.members))

    def describe(self) -> dict[str, Any]:
        """The description of each model."""
        members = [member.describe() for member in self.members]
        names = ", ".join(dict.fromkeys(member["name"] for member in members))
        return {"name": f"mean of {len(members)} models ({names})", "members": members}

    def probabilities(
        self,
        images: Sequence[NDArray[np.uint8]],
        *,
        live: Sequence[NDArray[np.bool_]] | None = None,
        progress: Progress | None = None,
    ) -> list[NDArray[np.float32]]:
        """Predict the probability of salt per pixel, as the mean over the models.

        Args:
            images: grey images `uint8 (H, W)` of any sizes.
            live: `bool (W,)` for each image, True for columns that are live traces; None: all.
            progress: called with the windows done and all windows, over all models.

        Returns:
            `float32 (H, W)` in [0, 1] for each image, in the order given.

        Raises:
            BundleError: a network returns NaN.
        """
        count = len(self.members)
        mean: list[NDArray[np.float32]] = []
        for place, member in enumerate(self.members):
            shifted = _shifted(progress, place, count)
            found = member.probabilities(images, live=live, progress=shifted)
            if place == 0:
                mean = found
            else:
                for total, probability in zip(mean, found, strict=True):
                    total += probability
        for total in mean:
            total /= count
            np.minimum(total, 1, out=total)  # the mean of ones may round to more than 1
        return mean

    def stream(self, groups: Iterable[Group]) -> Iterator[NDArray[np.float32]]:
        """Predict many images, a group at a time; see `Segmenter.stream`."""
        for images, live in groups:
            yield from self.probabilities(images, live=live)


def open_models(
    models: Sequence[str | Path],
    options: EngineOptions = EngineOptions(),
    *,
    engines: Sequence[EngineChoice] = (),
) -> Segmenter:
    """Open one model or several.

    Args:
        models: run folders, folders of folds and bundle folders; the bundled model if empty.
        options: how their networks are run.
        engines: the engine of each, from `engines_of`; empty for that of `options`.

    Raises:
        BundleError: there is no model, or it has changed or does not fit.
        ConfigError: the same model twice.
        DeviceError: the device is not available.
        MissingDependencyError: an engine's library is not installed.
    """
    named: Sequence[str | Path | None] = expand(models) or [None]
    members = [
        Predictor.load(model, replace(options, engine=engine))
        for model, engine in zip(named, engines or [options.engine] * len(named), strict=True)
    ]
    return members[0] if len(members) == 1 else Ensemble(members)


def tta_of(segmenter: Segmenter) -> str:
    """The test-time augmentation of a model, or the kinds of several, as a word."""
    found = {str(getattr(member, "tta", "none")) for member in _members(segmenter)}
    return " and ".join(sorted(found))


def engine_of(segmenter: Segmenter) -> str:
    """What runs a model, or the kinds for several, as words: torch on cpu."""
    engines = (getattr(member, "engine", None) for member in _members(segmenter))
    return " and ".join(sorted({str(getattr(engine, "name", "unknown")) for engine in engines}))


def engines_of(segmenter: Segmenter) -> tuple[EngineChoice, ...]:
    """The engine of each model, for `open_models`; empty where one was not opened by it."""
    found: list[EngineChoice] = [
        getattr(member, "engine_choice", "auto") for member in _members(segmenter)
    ]
    return () if "auto" in found else tuple(found)


def with_engines(
    segmenter: Segmenter, engines: Sequence[EngineChoice], options: EngineOptions
) -> Segmenter:
    """The same models with the same windows on other engines, those of `engines_of`.

    Args:
        segmenter: one model or several.
        engines: the engine of each.
        options: device and threads.

    Raises:
        DiapirError: an engine that this machine does not have.
    """
    if isinstance(segmenter, Ensemble):
        pairs = zip(segmenter.members, engines, strict=True)
        return Ensemble([one.with_engine(engine, options) for one, engine in pairs])
    assert isinstance(segmenter, Predictor)  # noqa: S101 - nothing else has an `engine_choice`
    return segmenter.with_engine(engines[0], options)


def engine_notes(segmenter: Segmenter) -> list[str]:
    """Why the engines were chosen, for people; empty where nothing was measured."""
    notes = (getattr(member, "engine_note", "") for member in _members(segmenter))
    return [note for note in dict.fromkeys(notes) if note]


def with_windows(
    segmenter: Segmenter, *, size: int | None = None, overlap: float | None = None
) -> Segmenter:
    """The same model on the same engine, with windows as asked for.

    Args:
        segmenter: one model or several.
        size: maximum side of windows in pixels; None for each model's own.
        overlap: minimum overlap of neighbouring windows, in [0, 1); None for each model's own.

    Raises:
        ConfigError: windows larger than a network accepts.
    """
    if size is None and overlap is None:
        return segmenter
    return segmenter.with_grids(
        [
            WindowGrid(
                grid.size if size is None else size,
                grid.overlap if overlap is None else overlap,
            )
            for grid in segmenter.grids
        ]
    )


def _members(segmenter: Segmenter) -> Sequence[Segmenter]:
    return segmenter.members if isinstance(segmenter, Ensemble) else (segmenter,)


def refuse_repeated(bundles: Iterable[Bundle]) -> None:
    """Refuse the same model twice.

    Raises:
        ConfigError: two models have the same weights, which would count double.
    """
    seen: dict[str, Bundle] = {}
    for bundle in bundles:
        first = seen.setdefault(bundle.info.weights_sha256, bundle)
        if first is not bundle:
            raise ConfigError(
                f"{first.path} and {bundle.path} are the same model",
                expected="different models; a repeated model would count double",
                fix="give each model once",
            )


def _shifted(progress: Progress | None, place: int, count: int) -> Progress | None:
    """Progress of one of `count` models, as progress of all of them."""
    if progress is None:
        return None
    report = progress
    return lambda done, total: report(place * total + done, count * total)
