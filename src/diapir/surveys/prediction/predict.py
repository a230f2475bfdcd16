"""Salt in a line or a volume: what will be done, the doing of it, and taking it up again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from diapir.errors import DataError, MissingDependencyError, SurveyError
from diapir.inference import EngineOptions, Segmenter, open_models
from diapir.inference.engine import default_threads
from diapir.surveys.prediction import plan as planning
from diapir.surveys.prediction.blocks import (
    FIRST_VIEW,
    GREY,
    Job,
    View,
    Workplace,
    block_count,
    compute_block,
    finished,
    marks,
    pack,
    prepare,
)
from diapir.surveys.prediction.chunked_arrays import has_zarr
from diapir.surveys.prediction.exports import (
    Format,
    export,
    export_bytes,
    export_paths,
    is_segy,
    products_of,
)
from diapir.surveys.prediction.plan import Plan
from diapir.surveys.prediction.prediction_store import (
    NUMPY,
    ZARR,
    PredictionStore,
    create_store,
    decode,
    open_store,
)
from diapir.surveys.prediction.record import settle
from diapir.surveys.prediction.section_predictor import SectionPredictor
from diapir.surveys.prediction.survey_options import SurveyOptions
from diapir.surveys.prediction.window_size import with_tile
from diapir.surveys.prediction.workers import DaskWorkers, run_in_pool
from diapir.surveys.survey import Survey

Progress = Callable[[int, int], None]
"""Called with the pixels of sections that are done and all of them."""


@dataclass(frozen=True)
class SurveySummary:
    """What came of a prediction.

    Attributes:
        name: of the survey.
        store: folder of the predictions.
        files: written from it.
        plan: what was done.
        threshold: probability from which a cell counts as salt.
        salt_share: of the cells that have a value.
        cells: with a value.
        not_finite: samples of live traces that were no finite numbers.
        seconds: the prediction took, exports left out.
        pixels: of sections, predicted in this run.
    """

    name: str
    store: Path
    files: list[Path]
    plan: Plan
    threshold: float
    salt_share: float
    cells: int
    not_finite: int
    seconds: float
    pixels: int

    @property
    def mpx_per_s(self) -> float:
        """Millions of section pixels a second, each counted once, windows blended and stored."""
        return self.pixels / 1e6 / self.seconds if self.seconds else 0.0

    def to_json(self) -> dict[str, Any]:
        """As JSON can say it."""
        return {
            "name": self.name,
            "store": str(self.store),
            "files": [str(path) for path in self.files],
            "plan": self.plan.to_json(),
            "threshold": self.threshold,
            "salt_share": self.salt_share,
            "cells": self.cells,
            "not_finite": self.not_finite,
            "seconds": self.seconds,
            "mpx_per_s": self.mpx_per_s,
        }


def predict_survey(
    model: Segmenter | Sequence[str | Path],
    survey: Survey,
    out: Path,
    options: SurveyOptions | None = None,
    *,
    model_options: Mapping[str, Any] | None = None,
    tell: Callable[[Plan], object] | None = None,
    progress: Progress | None = None,
) -> SurveySummary:
    """Mark salt in a survey, or go on where an earlier call was interrupted.

    There will be `OUT/NAME.zarr` (`NAME.prediction` for a single section), and files of the formats
    asked for. A store bears its final name when it is complete; until then it is
    `.NAME.unfinished…`, which the same call takes up.

    Args:
        model: run folders or bundles, or an opened model.
        survey: the opened survey.
        out: folder to write to; made where it is not there.
        options: how.
        model_options: fields of `EngineOptions`; workers use them too.
        tell: called with the plan before the work.
        progress: called as sections are done.

    Returns:
        What was written.

    Raises:
        SurveyError: nothing to see in the survey, a tile wider than it, a disk that is too small
            or full, results of other options in `out`.
        DiapirError: a model that cannot be used, a package that is missing.
    """
    options = options or SurveyOptions()
    try:
        return _Prediction(model, survey, out, options, dict(model_options or {})).run(
            tell, progress
        )
    except OSError as error:
        raise DataError(
            f"{error.filename or out}: {error.strerror or error}",
            expected="an input that stays where it is, and a writable folder with enough space",
            fix="free space, or choose another --out; the same command goes on from here",
        ) from None


class _Prediction:
    """One survey on its way: every choice made, nothing written yet."""

    def __init__(
        self,
        model: Segmenter | Sequence[str | Path],
        survey: Survey,
        out: Path,
        options: SurveyOptions,
        model_options: dict[str, Any],
    ) -> None:
        self.survey, self.out, self.options = survey, out, options
        if options.workers > 1 and not options.scheduler:
            model_options.setdefault("threads", max(1, default_threads() // options.workers))
        self.model_options = model_options
        if isinstance(model, Sequence):
            model = open_models(model, EngineOptions(**model_options))
        marker = model
        self.threshold = marker.threshold if options.threshold is None else options.threshold
        self.formats: tuple[Format, ...] = (
            (("segy",) if is_segy(survey) else ()) if options.formats is None else options.formats
        )
        shape = survey.grid.shape
        self.views = planning.choose_views(shape, options.view)
        self.products = options.products or products_of(self.views)
        self.target, self.unfinished = _places(out, survey, self.views)
        self._refuse_impossible()
        self.record = settle(
            marker, survey, options, self.views, (self.target, self.unfinished), self.threshold
        )
        self.sections = SectionPredictor(
            with_tile(marker, self.record["tile"]),
            options.overlap,
            options.polarity,
            self.record["stretch"],
        )

    def run(
        self, tell: Callable[[Plan], object] | None, progress: Progress | None
    ) -> SurveySummary:
        """Predict what is left, and write the files."""
        plan = self._plan()
        if tell:
            tell(plan)
        planning.refuse_full_disk(plan, self.out)
        self.out.mkdir(parents=True, exist_ok=True)
        started, done = time.perf_counter(), 0
        if not self.target.exists():
            done = self._compute(plan, progress)
        seconds = time.perf_counter() - started
        store = open_store(self.target, writable=True)
        for name in (GREY, FIRST_VIEW, *(marks(view) for view in self.views)):
            store.arrays.remove(name)
        files = export(
            store,
            self.survey,
            self.out,
            self.formats,
            self.products,
            self.threshold,
            self.record["block"],
        )
        salt, known = _count(store, self.threshold, self.record["block"])
        live = int(np.count_nonzero(store.coverage)) * store.grid.samples
        return SurveySummary(
            name=self.survey.name,
            store=self.target,
            files=files,
            plan=plan,
            threshold=self.threshold,
            salt_share=salt / max(1, known),
            cells=known,
            not_finite=live - known,
            seconds=seconds,
            pixels=done,
        )

    def _compute(self, plan: Plan, progress: Progress | None) -> int:
        """Compute the blocks that are left; the pixels of their sections."""
        grid, options = self.survey.grid, self.options
        if self.unfinished.exists():
            store = open_store(self.unfinished, writable=True)
        else:
            store = create_store(self.unfinished, grid, self.record, options.precision)
        job = self._job()
        prepare(store, job)
        left = {
            view: sorted(
                set(range(block_count(grid.shape, view, job.block))) - finished(store, view)
            )
            for view in self.views
        }
        of_all = {
            view: _pixels(grid.shape, view, blocks, job.block) for view, blocks in left.items()
        }
        meter = _Meter(plan.pixels - sum(of_all.values()), plan.pixels, progress)
        dask = DaskWorkers(options.scheduler) if options.scheduler else None
        try:
            for view, blocks in left.items():
                if not blocks:
                    continue

                def count(block: int, view: View = view) -> None:
                    meter.add(_pixels(grid.shape, view, [block], job.block))

                if dask is not None:
                    dask.run(pack(job), view, blocks, count)
                elif options.workers > 1:
                    run_in_pool(pack(job), view, blocks, options.workers, count)
                else:
                    work = Workplace(job, self.survey, store, self.sections)
                    for block in blocks:
                        compute_block(work, view, block, meter.add)
        finally:
            if dask is not None:
                dask.close()
        self.unfinished.rename(self.target)
        return sum(of_all.values())

    def _job(self) -> Job:
        return Job(
            store=str(self.unfinished.resolve()),
            survey=self.survey.spec(),
            models=tuple(str(bundle.path.resolve()) for bundle in self.sections.marker.bundles),
            model_options=self.model_options,
            tile=self.record["tile"],
            overlap=self.options.overlap,
            polarity=self.options.polarity,
            stretch=self.record["stretch"],
            scale=self.record["scale"],
            views=self.views,
            average=self.options.average,
            block=self.record["block"],
        )

    def _plan(self) -> Plan:
        shape, block = self.survey.grid.shape, self.record["block"]
        done = 0
        disk = 0
        count = planning.count_blocks(shape, self.views, block)
        if self.target.exists():
            done = count
            disk = export_bytes(self.survey, self.formats, self.products)
        else:
            disk = planning.disk_needed(
                shape,
                self.views,
                np.dtype(self.options.precision).itemsize,
                export_bytes(self.survey, self.formats, self.products),
            )
        if self.unfinished.exists():
            store = open_store(self.unfinished)
            done = sum(
                len(finished(store, view)) for view in self.views if marks(view) in store.arrays
            )
            disk -= _size(self.unfinished)
        sections = {"inline": (shape[0], shape[1]), "crossline": (shape[1], shape[0])}
        windows = sum(
            number * self.sections.windows(traces, shape[2])
            for number, traces in (sections[view] for view in self.views)
        )
        rate = self.record.get("windows_per_s")
        return Plan(
            shape=shape,
            views=self.views,
            sections=sum(sections[view][0] for view in self.views),
            windows=windows,
            tile=self.sections.tile,
            overlap=self.options.overlap,
            seen_samples=self.sections.seen_samples(shape[2]),
            scale=self.record["scale"],
            block=block,
            blocks=count,
            blocks_done=done,
            disk_bytes=max(0, disk),
            free_bytes=planning.free_disk(self.out),
            seconds=None if rate is None else windows / rate,
        )

    def _refuse_impossible(self) -> None:
        source = self.survey.path.resolve()
        if source == self.target.resolve() or source.is_relative_to(self.target.resolve()):
            raise SurveyError(
                f"the input {source} is where the result would go",
                expected="an --out that does not hold the input under the same name",
                fix="choose another --out",
            )
        started = self.target.exists() or self.unfinished.exists()
        for path in export_paths(self.survey, self.out, self.formats, self.products):
            if path.exists() and not started:
                raise SurveyError(
                    f"{path} is there, and no prediction in {self.out} wrote it",
                    expected="a folder for the results alone, so that nothing else is overwritten",
                    fix="choose another --out",
                )
        if "segy" in self.formats and not is_segy(self.survey):
            raise SurveyError(
                f"{self.survey.path} has no SEG-Y headers to keep",
                expected="a SEG-Y input for --formats segy",
                fix="--formats npy, or read the predictions from the store",
            )
        if "uncertainty" in self.products and len(self.views) == 1:
            raise SurveyError(
                "uncertainty is the disagreement of two views, and there is one",
                expected="a volume with inline and crossline view",
                fix="--view both, or leave it out of --products",
            )


def _places(out: Path, survey: Survey, views: Sequence[View]) -> tuple[Path, Path]:
    """The finished store and the unfinished one; a single section needs no Zarr."""
    shape = survey.grid.shape
    single = len(views) == 1 and shape[0 if views[0] == "inline" else 1] == 1
    if not single and not has_zarr():
        raise MissingDependencyError("zarr", "volume")
    suffix = NUMPY if single else ZARR
    return out / f"{survey.name}{suffix}", out / f".{survey.name}.unfinished{suffix}"


def _pixels(shape: tuple[int, int, int], view: View, blocks: Sequence[int], block: int) -> int:
    lines, traces = (shape[0], shape[1]) if view == "inline" else (shape[1], shape[0])
    return sum(min(lines, (index + 1) * block) - index * block for index in blocks) * (
        traces * shape[2]
    )


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _count(store: PredictionStore, threshold: float, slab: int) -> tuple[int, int]:
    """Cells of salt, and cells with a value."""
    salt = known = 0
    for start in range(0, store.grid.shape[0], slab):
        held = store.raw("probability", slice(start, start + slab), slice(None))
        for line in held:  # a line at a time, as decoded values take four times as much
            probability = decode(line)
            salt += int(np.count_nonzero(probability >= threshold))
            known += int(np.count_nonzero(~np.isnan(probability)))
    return salt, known


class _Meter:
    """Pixels that are done, out of all."""

    def __init__(self, done: int, total: int, progress: Progress | None) -> None:
        self._done, self._total, self._progress = done, total, progress

    def add(self, pixels: int) -> None:
        self._done += pixels
        if self._progress:
            self._progress(self._done, self._total)
