"""Predict salt in a line or a volume, and resume a prediction that was interrupted."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from diapir.errors import DataError
from diapir.files import FULL, unwritable
from diapir.inference import EngineOptions, Segmenter, open_models
from diapir.inference.engines.engine import default_threads
from diapir.inference.ensemble import engines_of
from diapir.inference.sections.caveats import Confidence
from diapir.locks import lock_beside, locked
from diapir.memory import free_at_once
from diapir.progress import Progress
from diapir.scratch import has_scratch
from diapir.surveys.prediction.begun_engines import with_begun_engines
from diapir.surveys.prediction.blocks import (
    FIRST_VIEW,
    GREY,
    Blocks,
    Job,
    Workplace,
    done_name,
    prepare,
)
from diapir.surveys.prediction.chunked_arrays import write_npy
from diapir.surveys.prediction.plan import (
    Plan,
    disk_bytes,
    free_disk,
    make_plan,
    refuse_full_disk,
)
from diapir.surveys.prediction.prediction_store import (
    PredictionStore,
    create_store,
    decode,
    open_store,
)
from diapir.surveys.prediction.settle import SettledPrediction, section_pixels, settle
from diapir.surveys.prediction.survey_options import SurveyOptions
from diapir.surveys.prediction.workers import choose_runner
from diapir.surveys.restricted import first_sample, places, whole_survey
from diapir.surveys.segy.gzip_source import GzipSurvey
from diapir.surveys.segy.segy_source import SegySurvey
from diapir.surveys.segy.trace_table import TraceTable
from diapir.surveys.survey import Survey
from diapir.text import size

_TRACES = "traces.npy"
"""Table of traces for workers, in the folder of the unfinished store."""


@dataclass(frozen=True)
class SurveySummary:
    """The result of a prediction.

    Attributes:
        name: name of the survey.
        store: folder of the predictions.
        files: files written from it.
        plan: the plan.
        threshold: probability from which a sample is salt.
        salt_share: share of the predicted samples that are salt.
        samples: number of predicted samples.
        no_data: samples of live traces that hold no data, and have no prediction.
        seconds: duration of the prediction, without exports.
        pixels: section pixels predicted in this run.
        notes: what was found in the survey, each with the option that changes it.
        caveats: signs that the model does not suit the survey.
    """

    name: str
    store: Path
    files: list[Path]
    plan: Plan
    threshold: float
    salt_share: float
    samples: int
    no_data: int
    seconds: float
    pixels: int
    notes: list[str]
    caveats: list[str]

    @property
    def mpx_per_s(self) -> float:
        """Million section pixels per second; overlapping windows count once, storing included."""
        return self.pixels / 1e6 / self.seconds if self.seconds else 0.0

    def to_json(self) -> dict[str, Any]:
        """The JSON object."""
        return {
            "name": self.name,
            "store": str(self.store),
            "files": [str(path) for path in self.files],
            "plan": self.plan.to_json(),
            "threshold": self.threshold,
            "salt_share": self.salt_share,
            "cells": self.samples,
            "no_data": self.no_data,
            "seconds": self.seconds,
            "mpx_per_s": self.mpx_per_s,
            "notes": self.notes,
            "caveats": self.caveats,
        }


def predict_survey(
    model: Segmenter | Sequence[str | Path],
    survey: Survey,
    out: Path,
    options: SurveyOptions | None = None,
    *,
    engine: EngineOptions | None = None,
    tell: Callable[[Plan], object] | None = None,
    progress: Progress | None = None,
) -> SurveySummary:
    """Predict salt in a survey, or resume an earlier call that was interrupted.

    The result is `OUT/NAME.zarr` (`NAME.prediction` for a single section), and files of the formats
    asked for. The store gets its final name when it is complete; until then it is
    `.NAME.unfinished…`, from which the same call resumes.

    Args:
        model: run folders or bundles, or an opened model.
        survey: the opened survey.
        out: folder to write to, created if necessary.
        options: how to predict it.
        engine: how the networks run; an opened `model` keeps its own, but workers use this one.
        tell: called with the plan before the work.
        progress: called with the section pixels done and the number there are.

    Returns:
        What was written.

    Raises:
        SurveyError: amplitudes that cannot be used, a window larger than the sections, a disk that
            is too small, or results of other options in `out`.
        DataError: the input or `out` cannot be read or written, or the disk is full.
        DiapirError: a model that cannot be used, or a missing package.
    """
    options = options or SurveyOptions()
    engine = engine or EngineOptions()
    if options.workers > 1 and not options.scheduler and engine.threads is None:
        engine = replace(engine, threads=max(1, default_threads() // options.workers))
    if engine.pixels is None:
        engine = replace(engine, pixels=section_pixels(survey, options))
    place = out / survey.name
    settled = None
    try:
        segmenter = open_models(model, engine) if isinstance(model, Sequence) else model
        if "torch" not in engines_of(segmenter):
            free_at_once()
        with locked(lock_beside(place), place):
            settled = with_begun_engines(settle(segmenter, survey, out, options), engine)
            plan = make_plan(settled)
            if tell:
                tell(plan)
            refuse_full_disk(plan, out)
            started, pixels = time.perf_counter(), 0
            if not settled.store.exists():
                pixels = _compute(settled, engine, plan, progress)
            return _finish(settled, plan, time.perf_counter() - started, pixels)
    except BlockingIOError as error:
        raise unwritable(place, error) from None
    except OSError as error:
        raise _disk_error(error, place, settled) from None


def _disk_error(error: OSError, place: Path, settled: SettledPrediction | None) -> DataError:
    """The error for an input or a result that cannot be read or written."""
    file = error.filename or place
    found = f"{place if has_scratch(Path(file)) else file}: {error.strerror or error}"
    expected = "an input that can be read, and a writable --out with enough free space"
    if error.errno in FULL:
        with contextlib.suppress(OSError):
            found += f": {size(free_disk(place))} free" if " free" not in found else ""
            if settled is not None:
                expected = f"{size(disk_bytes(settled))} free, which the rest may take at most"
    return DataError(
        found,
        expected=expected,
        fix="free space, or choose another --out; the same command resumes",
    )


def _compute(
    settled: SettledPrediction,
    engine: EngineOptions,
    plan: Plan,
    progress: Progress | None,
) -> int:
    """Compute the blocks that are left, and give the store its final name.

    Returns:
        Section pixels of these blocks.
    """
    survey, record, options = settled.survey, settled.record, settled.options
    if settled.unfinished.exists():
        store = open_store(settled.unfinished, writable=True)
        store.arrays.remove_partial()
    else:
        store = create_store(settled.unfinished, survey.grid, record, options.precision)
    prepare(store, record)
    blocks = Blocks(survey.grid.shape, record.block)
    left = {view: blocks.left(store, view) for view in record.views}
    pixels = sum(blocks.pixels(view, indices) for view, indices in left.items())
    meter = _Meter(plan.pixels - pixels, plan.pixels, progress)
    job = Job(
        store=str(settled.unfinished.resolve()),
        models=tuple(str(bundle.path.resolve()) for bundle in settled.sections.segmenter.bundles),
        engine=replace(engine, pixels=None),  # workers open the engines of the record
        average=options.average,
        record=record,
        traces=_trace_table(settled),
    )
    work = Workplace(job, survey, store, settled.sections)
    with contextlib.closing(choose_runner(work, options)) as runner:
        for view, indices in left.items():
            if indices:
                runner.run(view, indices, meter.add)
    (settled.unfinished / _TRACES).unlink(missing_ok=True)
    settled.unfinished.rename(settled.store)
    return pixels


def _trace_table(settled: SettledPrediction) -> TraceTable | None:
    """The table by which workers read a SEG-Y file, in the folder of the unfinished store.

    None where this process reads alone, or where only this machine has the file, unpacked.
    """
    survey, options = settled.survey, settled.options
    whole = whole_survey(survey)
    alone = options.workers == 1 and not options.scheduler
    if alone or not isinstance(whole, SegySurvey) or isinstance(whole, GzipSurvey):
        return None
    rows, columns, _ = places(survey)
    path = settled.unfinished.resolve() / _TRACES
    lines = (
        np.where(survey.grid.live[line], whole.geometry.traces[row, columns], -1)
        for line, row in enumerate(rows)
    )
    write_npy(path, survey.grid.shape[:2], np.dtype(np.int64), lines)
    return whole.trace_table(path, first_sample(survey), survey.grid.samples)


def _finish(settled: SettledPrediction, plan: Plan, seconds: float, pixels: int) -> SurveySummary:
    """Remove intermediate arrays, write the exports, and sum up."""
    store = open_store(settled.store, writable=True)
    store.arrays.remove_partial()
    for name in (GREY, FIRST_VIEW, *map(done_name, settled.record.views)):
        store.arrays.remove(name)
    files = settled.exports.write(store)
    threshold = settled.exports.threshold
    confidence = _confidence(store, threshold)
    known = confidence.samples
    caveats = confidence.caveats()
    store.update_record(caveats=tuple(caveats))
    live = int(np.count_nonzero(store.coverage)) * store.grid.samples
    return SurveySummary(
        name=settled.survey.name,
        store=settled.store,
        files=files,
        plan=plan,
        threshold=threshold,
        salt_share=confidence.salt / max(1, known),
        samples=known,
        no_data=live - known,
        seconds=seconds,
        pixels=pixels,
        notes=list(settled.record.notes),
        caveats=caveats,
    )


def _confidence(store: PredictionStore, threshold: float) -> Confidence:
    """Number of samples with a value, and how many of them are salt, surely or perhaps."""
    confidence = Confidence()
    slab = store.record.block
    for start in range(0, store.grid.shape[0], slab):
        stored = store.raw("probability", slice(start, start + slab), slice(None))
        for line in stored:  # a line at a time, as decoded values take four times the memory
            confidence.add(decode(line), threshold)
    return confidence


class _Meter:
    """Adds up section pixels for the progress display."""

    def __init__(self, done: int, total: int, progress: Progress | None) -> None:
        self._done, self._total, self._progress = done, total, progress

    def add(self, pixels: int) -> None:
        self._done += pixels
        if self._progress:
            self._progress(self._done, self._total)
