"""Make every choice of a prediction before any work: views, scale, sampling, window, block."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from diapir.errors import MissingDependencyError, SurveyError
from diapir.files import claim
from diapir.inference import Segmenter
from diapir.surveys.prediction.chunked_arrays import has_zarr
from diapir.surveys.prediction.exports import Exports
from diapir.surveys.prediction.own_settings import with_own_settings
from diapir.surveys.prediction.prediction_store import NUMPY, ZARR, open_store
from diapir.surveys.prediction.record import PredictionRecord
from diapir.surveys.prediction.resample import LARGEST, TGS_FIRST_ZERO, first_zero
from diapir.surveys.prediction.section_predictor import SectionPredictor
from diapir.surveys.prediction.survey_options import SurveyOptions, View
from diapir.surveys.prediction.window_size import fastest_tile, windows_per_second, with_tile
from diapir.surveys.sampling import percentile, sample_traces
from diapir.surveys.survey import Survey
from diapir.version import __version__

WORTH_TIMING = 500
"""Windows from which speed is measured before the work, to choose a window size and estimate the
time."""
SLAB_VALUES = 2**24
"""Values of a slab at most, where the block is chosen: it is held several times over, as bytes."""
BLOCKS = (64, 32, 16, 8)
"""Block sizes to choose from. All are multiples of the number of sections predicted together."""
NARROWEST = 8
"""Traces of a section below which a view is left out, unless it is the only one."""
_DASK_WORKERS = 8
"""Number of Dask workers assumed when the block is chosen."""
_SAMPLED_TRACES = 512
"""Traces on which the sampling of a survey is measured."""


@dataclass(frozen=True)
class SettledPrediction:
    """A prediction with every choice made and nothing written yet.

    Attributes:
        survey: the opened survey.
        options: as given.
        record: the choices; of an earlier run where this one resumes it.
        sections: the model with its windows.
        exports: files to write beside the store.
        store: folder of the finished predictions.
        unfinished: folder of the predictions until then.
    """

    survey: Survey
    options: SurveyOptions
    record: PredictionRecord
    sections: SectionPredictor
    exports: Exports
    store: Path
    unfinished: Path


def settle(
    segmenter: Segmenter, survey: Survey, out: Path, options: SurveyOptions
) -> SettledPrediction:
    """Make every choice of a prediction, or take those of an earlier run in `out`.

    Args:
        segmenter: the model or models.
        survey: the opened survey.
        out: folder to write to.
        options: how to predict it.

    Raises:
        SurveyError: `out` holds the input, other files, or results of other options; products that
            the survey cannot have; no amplitude other than 0; or a window larger than the sections.
        MissingDependencyError: a volume, and the package Zarr is not installed.
    """
    options = with_own_settings(segmenter, survey, options)
    threshold = segmenter.threshold if options.threshold is None else options.threshold
    views = choose_views(survey.grid.shape, options.view)
    store, unfinished = _folders(out, survey, views)
    exports = Exports.of(survey, out, options, views, threshold)
    _refuse_overwriting(survey, exports, store, unfinished)
    asked = json.loads(json.dumps(_asked(segmenter, survey, options)))
    record = _earlier(asked, (store, unfinished))
    if record is None:
        record = _new_record(segmenter, survey, options, asked, views, threshold)
    sections = SectionPredictor(
        with_tile(segmenter, record.tile), options.overlap, options.polarity, record.stretch
    )
    return SettledPrediction(survey, options, record, sections, exports, store, unfinished)


def choose_views(shape: tuple[int, int, int], asked: str) -> tuple[View, ...]:
    """The views to predict; `auto` takes both where sections are wide enough either way.

    Args:
        shape: inlines, crosslines, samples.
        asked: `auto`, `both`, `inline` or `crossline`.
    """
    if asked == "inline":
        return ("inline",)
    if asked == "crossline":
        return ("crossline",)
    if asked == "both" or min(shape[:2]) >= NARROWEST:
        return ("inline", "crossline")
    return ("inline",) if shape[1] >= shape[0] else ("crossline",)


def choose_block(shape: tuple[int, int, int], workers: int) -> int:
    """Lines per block: as many as memory allows, with enough blocks for all workers."""
    longest = max(shape[0], shape[1]) * shape[2]
    for block in BLOCKS:
        enough = -(-min(shape[0], shape[1]) // block) >= 2 * workers or workers == 1
        if block * longest <= SLAB_VALUES and enough:
            return block
    return BLOCKS[-1]


def _folders(out: Path, survey: Survey, views: Sequence[View]) -> tuple[Path, Path]:
    """Folders of the finished and the unfinished store; a single section does not need Zarr."""
    shape = survey.grid.shape
    single = len(views) == 1 and shape[0 if views[0] == "inline" else 1] == 1
    if not single and not has_zarr():
        raise MissingDependencyError("zarr", "volume")
    suffix = NUMPY if single else ZARR
    return out / f"{survey.name}{suffix}", out / f".{survey.name}.unfinished{suffix}"


def _refuse_overwriting(survey: Survey, exports: Exports, store: Path, unfinished: Path) -> None:
    source = survey.path.resolve()
    if source == store.resolve() or source.is_relative_to(store.resolve()):
        raise SurveyError(
            f"the result {store} would overwrite the input",
            expected="an --out that does not hold the input under the same name",
            fix="choose another --out",
        )
    if not store.exists() and not unfinished.exists():
        for path in exports.paths:
            claim(path, kind=SurveyError, folder=False)


def _earlier(asked: Mapping[str, Any], folders: Sequence[Path]) -> PredictionRecord | None:
    """The record of an earlier run that this one resumes.

    Raises:
        SurveyError: the earlier run had another input, model or options.
    """
    for folder in folders:
        if folder.exists():
            record = open_store(folder).record
            _refuse_other(folder, record.asked, asked)
            return record
    return None


def _new_record(
    segmenter: Segmenter,
    survey: Survey,
    options: SurveyOptions,
    asked: dict[str, Any],
    views: tuple[View, ...],
    threshold: float,
) -> PredictionRecord:
    stretch = _stretch(survey, options)
    model = segmenter.describe()
    scale = _scale(survey, options)
    tile, rate = _tile(segmenter, survey, options, views, stretch)
    workers = _DASK_WORKERS if options.scheduler else options.workers
    return PredictionRecord(
        diapir=__version__,
        asked=asked,
        model=model,
        model_name=model["name"],
        weights_sha256=tuple(bundle.info.weights_sha256 for bundle in segmenter.bundles),
        input=str(survey.path),
        survey=survey.spec(),
        threshold=threshold,
        views=views,
        scale=scale,
        polarity=options.polarity,
        stretch=stretch,
        tile=tile,
        windows_per_s=rate,
        block=options.block or choose_block(survey.grid.shape, workers),
    )


def _scale(survey: Survey, options: SurveyOptions) -> float:
    scale = options.scale or percentile(survey, options.percentile)
    if not scale > 0:
        raise SurveyError(
            f"{survey.path}: percentile {options.percentile:g} of the absolute amplitudes is 0",
            expected="live traces",
            fix="check the file with `diapir survey`, or set the clipping amplitude with --scale",
        )
    return float(scale)


def _tile(
    segmenter: Segmenter,
    survey: Survey,
    options: SurveyOptions,
    views: Sequence[View],
    stretch: float,
) -> tuple[int, float | None]:
    """Window size in pixels, and windows per second where that is worth measuring."""
    shape = survey.grid.shape
    own = SectionPredictor(segmenter, options.overlap, options.polarity, stretch)
    wide = shape[1] if "inline" in views else shape[0]
    many = sum(
        own.windows(shape[1 - axis], shape[2]) * shape[axis]
        for axis, view in enumerate(("inline", "crossline"))
        if view in views
    )
    if isinstance(options.tile, int):
        _refuse_wide(survey, options.tile, max(wide, own.seen_samples(shape[2])))
        chosen = with_tile(segmenter, options.tile)
        return options.tile, windows_per_second(chosen) if many >= WORTH_TIMING else None
    if many < WORTH_TIMING:
        return own.tile, None
    if options.tile == "own":
        return own.tile, windows_per_second(segmenter)
    return fastest_tile(segmenter, wide, own.seen_samples(shape[2]), options.overlap)


def _asked(segmenter: Segmenter, survey: Survey, options: SurveyOptions) -> dict[str, Any]:
    """Everything that two runs must share to use the same store."""
    grid = survey.grid
    geometry = hashlib.sha256(repr((grid.shape, grid.interval, grid.start)).encode())
    for part in (grid.inlines, grid.crosslines, grid.live):
        geometry.update(np.ascontiguousarray(part).tobytes())
    path = survey.path
    return {
        **options.asked(),
        "model": [bundle.info.weights_sha256 for bundle in segmenter.bundles],
        "tta": [
            getattr(member, "tta", None) for member in getattr(segmenter, "members", [segmenter])
        ],
        "input": path.name,
        "input's size": path.stat().st_size if path.is_file() else None,
        "input's geometry": geometry.hexdigest(),
    }


def _stretch(survey: Survey, options: SurveyOptions) -> float:
    """Factor by which traces are resampled for the network."""
    if options.match_sampling == "none":
        return 1.0
    if isinstance(options.match_sampling, int | float):
        return float(options.match_sampling)
    found = first_zero(sample_traces(survey, most=_SAMPLED_TRACES))
    if not np.isfinite(found):
        raise SurveyError(
            f"the wavelet length of {survey.path} cannot be measured: no trace changes sign as "
            "seismic amplitudes do",
            expected="amplitudes centred on zero",
            fix="give --match-sampling a number, or leave it out",
        )
    return float(np.clip(TGS_FIRST_ZERO / found, 1 / LARGEST, LARGEST))


def _refuse_wide(survey: Survey, tile: int, longest: int) -> None:
    if tile > longest:
        raise SurveyError(
            f"--tile {tile} is larger than the sections of {survey.path}, which have at most "
            f"{longest} pixels a side",
            expected="a window that fits into a section in at least one direction",
            fix="leave --tile out: small sections are mirrored up to the model's own window",
        )


def _refuse_other(folder: Path, earlier: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    different = [name for name in asked if earlier.get(name) != asked[name]]
    if different:
        first = different[0]
        raise SurveyError(
            f"{folder} was made with a different {', '.join(different)}: {first} was "
            f"{earlier.get(first)}, now it is {asked[first]}",
            expected="the same input, model and options, to resume that prediction",
            fix="choose another --out, or remove that folder to start again",
        )
