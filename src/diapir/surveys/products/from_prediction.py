"""Products of the predictions that `diapir predict` wrote into a folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diapir.errors import DiapirError, SurveyError
from diapir.surveys.extent import Extent
from diapir.surveys.grid import Grid
from diapir.surveys.grid_part import select
from diapir.surveys.open import reopen
from diapir.surveys.prediction.prediction_store import NUMPY, ZARR, PredictionStore, open_store
from diapir.surveys.products.make import ProductOptions, Products, Progress, make_products
from diapir.surveys.restricted import restrict
from diapir.surveys.survey import Survey

_CLOSED = frozenset({ZARR, NUMPY, ".products"})
"""Suffixes of folders that hold no stores."""
PRODUCTS = ".products"
"""Suffix of the products folder, which is written beside the store."""


def find_stores(paths: Sequence[Path]) -> list[Path]:
    """Find the stores of finished predictions.

    Args:
        paths: stores, or folders with stores, their sub-folders included.

    Returns:
        The stores without repeats, those of a folder sorted by name.

    Raises:
        SurveyError: a path is neither a store nor a folder with stores.
    """
    found: dict[Path, None] = {}
    for path in paths:
        stores = [path] if _is_store(path) else []
        if not stores and path.is_dir():
            stores = sorted(_stores_in(path))
        if not stores:
            raise SurveyError(
                f"{path} contains no predictions",
                expected=f"a folder written by diapir predict, with NAME{ZARR} or NAME{NUMPY}",
                fix="diapir predict MODEL SURVEY --out DIR, then diapir products DIR",
            )
        found |= dict.fromkeys(stores)
    return list(found)


def _stores_in(folder: Path) -> Iterator[Path]:
    """Stores in a folder and its sub-folders, which a folder of lines is predicted into."""
    for inner in folder.iterdir():
        if _is_store(inner):
            yield inner
        elif inner.is_dir() and inner.suffix not in _CLOSED and not inner.name.startswith("."):
            if folder.resolve().is_relative_to(inner.resolve()):
                continue  # a link to a folder above
            yield from _stores_in(inner)


def _is_store(path: Path) -> bool:
    return path.suffix in {ZARR, NUMPY} and path.is_dir() and not path.name.startswith(".")


def store_products(
    path: Path,
    options: ProductOptions | None = None,
    *,
    part: Extent | None = None,
    progress: Progress = lambda done, total: None,
) -> Products:
    """Make the products of a store, in `NAME.products` beside it.

    Sections show the survey's amplitudes if its file can still be opened.

    Args:
        path: a store.
        options: how to make them; the default threshold is that of the prediction.
        part: the part of the prediction to use; None for all of it.
        progress: called with the blocks done and their total number.

    Raises:
        SurveyError: the store cannot be read, or has nothing in `part`.
        DataError: the folder exists and holds something else, is being written by another process,
            or its disk is full or not writable.
        MissingDependencyError: a format needs a package that is not installed.
    """
    store = open_store(path)
    options = options or ProductOptions()
    if options.threshold is None:
        options = replace(options, threshold=store.record.threshold)
    block = store.record.block
    predictions: PredictionStore | RestrictedPredictions = store
    skipped = store.record.skips
    survey, reason = _survey(store)
    if part:
        predictions = RestrictedPredictions(store, part)
        skipped = predictions.skips
        survey = None if survey is None else restrict(survey, [part])
    unseen = [reason] if reason else []
    with contextlib.ExitStack() as stack:
        if survey is not None:
            stack.enter_context(contextlib.closing(survey))
        return make_products(
            predictions,
            path.with_suffix(PRODUCTS),
            options,
            name=path.stem,
            survey=survey,
            scale=store.record.scale,
            origin={
                "model": store.record.model_name,
                "survey": store.record.input,
                "settings": store.record.settings,
            },
            chunk=(block, block),
            notes=[
                *_part_notes(store, part, skipped),
                *map(sentence, (*store.record.caveats, *store.record.notes)),
                *unseen,
            ],
            skips=skipped,
            progress=progress,
        )


class RestrictedPredictions:
    """A part of the predictions in a store.

    Args:
        store: the predictions.
        part: the part.

    Attributes:
        grid: geometry of the part.
        names: names of the arrays.

    Raises:
        SurveyError: the predictions have nothing there.
    """

    def __init__(self, store: PredictionStore, part: Extent) -> None:
        self._store = store
        self._selection = select(store.grid, part, str(store.path))
        self.grid: Grid = self._selection.grid
        self.names = store.names

    @property
    def skips(self) -> tuple[int, int]:
        """Lines of the survey's file per inline and per crossline."""
        (inline, crossline), own = self._store.record.skips, self._selection.skips
        return inline * own[0], crossline * own[1]

    def read(self, name: str, inlines: slice, crosslines: slice) -> NDArray[np.float32]:
        """Read predictions of a part of the part; see `PredictionStore.read`."""
        return self._selection.read(partial(self._store.read, name), inlines, crosslines)


def _part_notes(store: PredictionStore, part: Extent | None, skipped: tuple[int, int]) -> list[str]:
    """Caveats of products of a part of a survey, or of a preview."""
    parts = [*store.record.survey.hints.extents, *([part] if part else [])]
    if not parts:
        return []
    words = " ".join(one.words() for one in parts)
    notes = [f"A part of the survey: {words}. Bodies that reach its edge may continue beyond."]
    for name, skip in zip(("inline", "crossline"), skipped, strict=True):
        if skip > 1:
            notes.append(
                f"One {name} in {skip} is used and stands for {skip}: areas and volumes are "
                "estimates, bodies between the lines are missed, and lines of a body may be joined "
                "or parted wrongly."
            )
    return notes


def sentence(note: str) -> str:
    """A note of the prediction as a sentence of the page."""
    return f"{note[:1].upper()}{note[1:]}."


def _survey(store: PredictionStore) -> tuple[Survey | None, str]:
    """The survey of the prediction, or a note on why its amplitudes are not shown."""
    try:
        survey = reopen(store.record.survey)
    except (DiapirError, OSError):
        return (
            None,
            "Sections show the probability: the input survey could not be opened.",
        )
    if survey.grid.shape != store.grid.shape:
        survey.close()
        return None, "Sections show the probability: the input survey has changed since prediction."
    return survey, ""
