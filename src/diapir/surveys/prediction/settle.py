"""Make every choice of a prediction before any work: views, scale, sampling, window, block."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diapir.errors import MissingDependencyError, SurveyError
from diapir.files import claim
from diapir.inference import Segmenter, with_windows
from diapir.inference.ensemble import engine_notes, engines_of, tta_of
from diapir.inference.sections.no_data import (
    has_few_levels,
    least_run,
    no_data,
    with_true_zeros,
)
from diapir.inference.sections.wavelet import (
    SamplingMatch,
    match_sampling,
    trained_first_zero,
    vertical_scale,
)
from diapir.surveys.prediction.blank_samples import SAMPLED_TRACES
from diapir.surveys.prediction.chunked_arrays import has_zarr
from diapir.surveys.prediction.exports import Exports
from diapir.surveys.prediction.own_settings import with_own_settings
from diapir.surveys.prediction.prediction_store import NUMPY, ZARR, open_store
from diapir.surveys.prediction.record import PredictionRecord
from diapir.surveys.prediction.section_predictor import SectionPredictor
from diapir.surveys.prediction.survey_options import SurveyOptions, View
from diapir.surveys.prediction.water_bottom import choose_quiet_top
from diapir.surveys.prediction.window_size import fastest_windows, windows_per_second
from diapir.surveys.restricted import skips
from diapir.surveys.sampling import percentile, sample_traces
from diapir.surveys.survey import Survey
from diapir.text import percent
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
_WHOLE = "whole"
"""The part that is predicted, where no range is given."""


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
    given = options
    options, clipped = with_own_settings(segmenter, survey, given)
    threshold = segmenter.threshold if options.threshold is None else options.threshold
    views = choose_views(survey.grid.shape, options.view, skips(survey))
    store, unfinished = _folders(out, survey, views)
    exports = Exports.of(survey, out, options, views, threshold)
    _refuse_overwriting(survey, exports, store, unfinished)
    asked = json.loads(json.dumps(_asked(segmenter, survey, options)))
    record = _earlier(asked, (store, unfinished))
    if record is None:
        record = _new_record(
            segmenter, survey, options, asked, views, threshold, clipped,
            of_model=options.match_sampling != given.match_sampling,
        )  # fmt: skip
    segmenter = segmenter.with_grids(record.windows)
    sections = SectionPredictor(segmenter, options.polarity, record.stretch)
    return SettledPrediction(survey, options, record, sections, exports, store, unfinished)


def settle_sections(
    segmenter: Segmenter, survey: Survey, options: SurveyOptions
) -> tuple[PredictionRecord, SectionPredictor]:
    """Make the choices of a prediction of single sections as for the whole survey.

    Nothing is measured that is worth it for a whole survey only, and nothing is written.

    Args:
        segmenter: the model or models.
        survey: the opened survey.
        options: how to predict it.

    Raises:
        SurveyError: no amplitude other than 0, or a window larger than the sections.
    """
    given = options
    options, clipped = with_own_settings(segmenter, survey, given)
    threshold = segmenter.threshold if options.threshold is None else options.threshold
    views = choose_views(survey.grid.shape, options.view, skips(survey))
    record = _new_record(
        segmenter, survey, options, {}, views, threshold, clipped,
        of_model=options.match_sampling != given.match_sampling, timed=False,
    )  # fmt: skip
    segmenter = segmenter.with_grids(record.windows)
    return record, SectionPredictor(segmenter, options.polarity, record.stretch)


def choose_views(
    shape: tuple[int, int, int], asked: str, skipped: tuple[int, int] = (1, 1)
) -> tuple[View, ...]:
    """The views to predict; `auto` takes both where sections are wide enough either way.

    Where lines are left out, sections across them would lack traces that the network needs: `auto`
    takes the view along the lines that are kept.

    Args:
        shape: inlines, crosslines, samples.
        asked: `auto`, `both`, `inline` or `crossline`.
        skipped: lines of the file per inline and per crossline; 1 for all.
    """
    if asked == "inline":
        return ("inline",)
    if asked == "crossline":
        return ("crossline",)
    if asked == "auto" and skipped[0] != skipped[1]:
        return ("inline",) if skipped[0] > skipped[1] else ("crossline",)
    if asked == "both" or min(shape[:2]) >= NARROWEST:
        return ("inline", "crossline")
    return ("inline",) if shape[1] >= shape[0] else ("crossline",)


def section_pixels(survey: Survey, options: SurveyOptions) -> int:
    """Section pixels of a survey in all its views."""
    shape = survey.grid.shape
    return len(choose_views(shape, options.view, skips(survey))) * math.prod(shape)


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
    notes: Sequence[str],
    *,
    of_model: bool,
    timed: bool = True,
) -> PredictionRecord:
    traces = sample_traces(survey, most=SAMPLED_TRACES)
    match, told = _sampling(segmenter, traces, options, of_model=of_model)
    stretch = match.factor
    scale = _scale(survey, options)
    equal_runs, blank = _equal_runs(with_true_zeros(traces, scale), match, options)
    quiet_top, water = choose_quiet_top(survey, traces, match.found, options.water_bottom)
    model = segmenter.describe()
    chosen, rate = _windows(segmenter, survey, options, views, stretch, timed=timed)
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
        tile=max(grid.size for grid in chosen.grids),
        windows_per_s=rate,
        block=options.block or choose_block(survey.grid.shape, workers),
        skips=skips(survey),
        tta=tta_of(segmenter),
        equal_runs=equal_runs,
        quiet_top=quiet_top,
        notes=(*survey.notes, told, *notes, *blank, *water, *engine_notes(segmenter)),
        grids=chosen.grids,
        engines=engines_of(segmenter),
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


def _windows(
    segmenter: Segmenter,
    survey: Survey,
    options: SurveyOptions,
    views: Sequence[View],
    stretch: float,
    *,
    timed: bool,
) -> tuple[Segmenter, float | None]:
    """The model with its windows, and windows per second where that is worth measuring."""
    shape = survey.grid.shape
    asked = options.tile if isinstance(options.tile, int) else None
    chosen = with_windows(segmenter, size=asked, overlap=options.overlap)
    sections = SectionPredictor(chosen, options.polarity, stretch)
    wide = shape[1] if "inline" in views else shape[0]
    seen = sections.seen_samples(shape[2])
    if asked:
        _refuse_wide(survey, asked, max(wide, seen))
    many = sum(
        sections.windows(shape[1 - axis], shape[2]) * shape[axis]
        for axis, view in enumerate(("inline", "crossline"))
        if view in views
    )
    if many < WORTH_TIMING or not timed:
        return chosen, None
    if options.tile == "auto":
        return fastest_windows(chosen, wide, seen)
    return chosen, windows_per_second(chosen)


def _asked(segmenter: Segmenter, survey: Survey, options: SurveyOptions) -> dict[str, Any]:
    """Everything that two runs must share to use the same store."""
    grid = survey.grid
    geometry = hashlib.sha256(repr((grid.shape, grid.interval, grid.start)).encode())
    for part in (grid.inlines, grid.crosslines, grid.live):
        geometry.update(np.ascontiguousarray(part).tobytes())
    path = survey.path
    extents = survey.spec().hints.extents
    return {
        **options.asked(),
        "part": " ".join(extent.words() for extent in extents) or _WHOLE,
        "overlap": _overlap(segmenter, options),
        "model": [bundle.info.weights_sha256 for bundle in segmenter.bundles],
        "tta": [
            getattr(member, "tta", None) for member in getattr(segmenter, "members", [segmenter])
        ],
        "input": path.name,
        "input's size": path.stat().st_size if path.is_file() else None,
        "input's geometry": geometry.hexdigest(),
        "undefined": list(survey.spec().hints.undefined),
        "units": [grid.depth_unit, grid.xy_unit],
    }


def _sampling(
    segmenter: Segmenter, traces: NDArray[np.float32], options: SurveyOptions, *, of_model: bool
) -> tuple[SamplingMatch, str]:
    """Factor by which traces are resampled for the network, and what is said about it."""
    match = match_sampling(
        traces, vertical_scale(segmenter.bundles), trained_first_zero(segmenter.bundles)
    )
    if options.match_sampling == "auto":
        return match, match.note
    factor = 1.0 if options.match_sampling == "none" else float(options.match_sampling)
    return replace(match, factor=factor), match.compared(factor, of_model=of_model)


def _equal_runs(
    traces: NDArray[np.float32], match: SamplingMatch, options: SurveyOptions
) -> tuple[int | None, list[str]]:
    """Equal samples from which they are no data, and what is said about it where there are any."""
    if options.equal_runs == "none":
        return None, []
    least = options.equal_runs
    if least == "auto":
        least = least_run(match.found, coarse=has_few_levels(traces))
    share = float(no_data(traces, least).mean()) if traces.size else 0.0
    if not share:
        return least, []
    return least, [
        f"about {percent(share, 1)} of samples are no data, in runs of at least {least} equal "
        "samples along a trace (mutes, water, padding): never salt (--equal-runs none predicts "
        "them)"
    ]


def _overlap(segmenter: Segmenter, options: SurveyOptions) -> float | list[float]:
    """The overlap of windows; of each model where they differ."""
    overlaps = [grid.overlap for grid in segmenter.grids]
    if options.overlap is not None or len(set(overlaps)) == 1:
        return overlaps[0] if options.overlap is None else options.overlap
    return overlaps


def _refuse_wide(survey: Survey, tile: int, longest: int) -> None:
    if tile > longest:
        raise SurveyError(
            f"--tile {tile} is larger than the sections of {survey.path}, which have at most "
            f"{longest} pixels a side",
            expected="a window that fits into a section in at least one direction",
            fix="leave --tile out: small sections are mirrored up to the model's own window",
        )


def _refuse_other(folder: Path, earlier: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    # older records name no part, and none of these
    newer = {name: asked[name] for name in ("undefined", "water-bottom", "units") if name in asked}
    earlier = {"part": _WHOLE} | newer | dict(earlier)
    different = [name for name in asked if earlier.get(name) != asked[name]]
    if "part" in different:  # which has another geometry as well
        different = [name for name in different if name != "input's geometry"]
    if different:
        first = different[0]
        raise SurveyError(
            f"{folder} was made with a different {', '.join(different)}: {first} was "
            f"{earlier.get(first)}, now it is {asked[first]}",
            expected="the same input, model and options, to resume that prediction",
            fix="choose another --out, or remove that folder to start again",
        )
