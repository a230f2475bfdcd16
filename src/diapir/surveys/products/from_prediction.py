"""Products of the predictions that `diapir predict` wrote into a folder."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from diapir.errors import DiapirError, SurveyError
from diapir.surveys.open import reopen
from diapir.surveys.prediction.prediction_store import NUMPY, ZARR, PredictionStore, open_store
from diapir.surveys.products.make import ProductOptions, Products, Progress, make_products
from diapir.surveys.survey import Survey

PRODUCTS = ".products"
"""Suffix of the products folder, which is written beside the store."""


def find_stores(paths: Sequence[Path]) -> list[Path]:
    """Find the stores of finished predictions.

    Args:
        paths: stores, or folders with stores.

    Returns:
        The stores without repeats, those of a folder sorted by name.

    Raises:
        SurveyError: a path is neither a store nor a folder with stores.
    """
    found: dict[Path, None] = {}
    for path in paths:
        stores = [path] if _is_store(path) else []
        if not stores and path.is_dir():
            stores = sorted(inner for inner in path.iterdir() if _is_store(inner))
        if not stores:
            raise SurveyError(
                f"{path} contains no predictions",
                expected=f"a folder written by diapir predict, with NAME{ZARR} or NAME{NUMPY}",
                fix="diapir predict MODEL SURVEY --out DIR, then diapir products DIR",
            )
        found |= dict.fromkeys(stores)
    return list(found)


def _is_store(path: Path) -> bool:
    return path.suffix in {ZARR, NUMPY} and path.is_dir() and not path.name.startswith(".")


def store_products(
    path: Path,
    options: ProductOptions | None = None,
    *,
    progress: Progress = lambda done, total: None,
) -> Products:
    """Make the products of a store, in `NAME.products` beside it.

    Sections show the survey's amplitudes if its file can still be opened.

    Args:
        path: a store.
        options: how to make them; the default threshold is that of the prediction.
        progress: called with the blocks done and their total number.

    Raises:
        SurveyError: the store cannot be read.
        DataError: the folder exists and holds something else.
        MissingDependencyError: a format needs a package that is not installed.
        OSError: the disk is full or not writable.
    """
    store = open_store(path)
    options = options or ProductOptions()
    if options.threshold is None:
        options = replace(options, threshold=store.record.threshold)
    block = store.record.block
    survey, reason = _survey(store)
    unseen = [reason] if reason else []
    with contextlib.ExitStack() as stack:
        if survey is not None:
            stack.enter_context(contextlib.closing(survey))
        return make_products(
            store,
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
            notes=[*map(_sentence, (*store.record.caveats, *store.record.notes)), *unseen],
            progress=progress,
        )


def _sentence(note: str) -> str:
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
