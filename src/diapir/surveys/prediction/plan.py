"""The plan of a prediction: windows, blocks, disk and time, reported before it begins."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from diapir.errors import SurveyError
from diapir.surveys.prediction.blocks import Blocks, finished
from diapir.surveys.prediction.prediction_store import open_store
from diapir.surveys.prediction.settle import SettledPrediction
from diapir.surveys.prediction.survey_options import View
from diapir.text import duration, percent, plural, size


@dataclass(frozen=True)
class Plan:
    """Work and resources of a prediction.

    Attributes:
        shape: inlines, crosslines, samples.
        views: directions of the sections.
        sections: number of sections in all views.
        windows: number of windows that the network computes.
        tile: side of a window in pixels.
        overlap: minimum overlap of neighbouring windows, as a share of a window.
        seen_samples: samples per trace after resampling for the network.
        scale: amplitude that is clipped to full white.
        percentile: percentile of absolute amplitudes that gave `scale`; None where it was given.
        block: lines per block.
        blocks: number of blocks in all views.
        blocks_done: blocks that an earlier run finished.
        disk_bytes: most bytes that results and intermediate arrays take.
        free_bytes: free bytes on the disk.
        seconds: expected duration on this machine alone; None where it was not worth measuring.
        model: name of the model.
        threshold: probability from which a sample is salt.
        tta: test-time augmentation of the model.
        stretch: factor by which traces are resampled for the network.
        notes: what was found in the survey, each with the option that changes it.
    """

    shape: tuple[int, int, int]
    views: tuple[View, ...]
    sections: int
    windows: int
    tile: int
    overlap: float
    seen_samples: int
    scale: float
    percentile: float | None
    block: int
    blocks: int
    blocks_done: int
    disk_bytes: int
    free_bytes: int
    seconds: float | None
    model: str
    threshold: float
    tta: str
    stretch: float
    notes: tuple[str, ...]

    @property
    def pixels(self) -> int:
        """Pixels of all sections in all views, the unit of speed."""
        return len(self.views) * self.shape[0] * self.shape[1] * self.shape[2]

    def to_json(self) -> dict[str, Any]:
        """The JSON object."""
        content = asdict(self) | {"pixels": self.pixels}
        del content["percentile"]  # told to people only
        return content

    def lines(self) -> list[str]:
        """Human-readable summary, printed before the run."""
        inlines, crosslines, samples = self.shape
        clip = "" if self.percentile is None else f" (p{self.percentile:g})"
        told = [
            f"model {self.model}: threshold {self.threshold:g}, test-time augmentation "
            f"{self.tta or 'not recorded'}",
            f"{inlines} × {crosslines} traces, {plural(samples, 'sample')} each: "
            f"{plural(self.sections, 'section')} ({' and '.join(self.views)} view), "
            f"{self.pixels / 1e6:,.1f} Mpx",
            f"{plural(self.windows, 'window')} of {self.tile} px, overlap {percent(self.overlap)} "
            f"(--tile, --overlap); amplitudes clipped at ±{self.scale:.4g}{clip}",
        ]
        told += self.notes
        told.append(f"disk: at most {size(self.disk_bytes)}, {size(self.free_bytes)} free")
        if self.blocks_done:
            told.append(f"{self.blocks_done:,} of {plural(self.blocks, 'block')} already done")
        if self.seconds is not None:
            left = self.seconds * (1 - self.blocks_done / self.blocks)
            told.append(f"expected on this machine alone: {duration(left)}")
        return told


def make_plan(settled: SettledPrediction) -> Plan:
    """Estimate what a prediction needs, less what an earlier run has done.

    Raises:
        OSError: as the system gives it.
    """
    record, sections = settled.record, settled.sections
    shape = settled.survey.grid.shape
    lines = {"inline": (shape[0], shape[1]), "crossline": (shape[1], shape[0])}
    windows = sum(
        number * sections.windows(traces, shape[2])
        for number, traces in (lines[view] for view in record.views)
    )
    blocks = Blocks(shape, record.block)
    rate = record.windows_per_s
    return Plan(
        shape=shape,
        views=record.views,
        sections=sum(lines[view][0] for view in record.views),
        windows=windows,
        tile=record.tile,
        overlap=min(grid.overlap for grid in record.windows),
        seen_samples=sections.seen_samples(shape[2]),
        scale=record.scale,
        percentile=None if settled.options.scale else settled.options.percentile,
        block=record.block,
        blocks=sum(blocks.count(view) for view in record.views),
        blocks_done=_blocks_done(settled, blocks),
        disk_bytes=disk_bytes(settled),
        free_bytes=free_disk(settled.exports.out),
        seconds=None if rate is None else windows / rate,
        model=record.model_name,
        threshold=settled.exports.threshold,
        tta=record.tta,
        stretch=record.stretch,
        notes=record.notes,
    )


def _blocks_done(settled: SettledPrediction, blocks: Blocks) -> int:
    views = settled.record.views
    if settled.store.exists():
        return sum(blocks.count(view) for view in views)
    if settled.unfinished.exists():
        store = open_store(settled.unfinished)
        return sum(len(finished(store, view)) for view in views)
    return 0


def disk_bytes(settled: SettledPrediction) -> int:
    """Most further bytes on the disk at any time, as if nothing could be compressed."""
    exports = settled.exports.size
    if settled.store.exists():
        return exports
    shape = settled.survey.grid.shape
    values = shape[0] * shape[1] * shape[2]
    item = np.dtype(settled.options.precision).itemsize
    if len(settled.record.views) == 1:
        needed = values * item + exports
    else:  # grey levels, masks and the first view are removed before anything is exported
        needed = values * 2 * item + max(values * (2 + item), exports)
    present = _folder_bytes(settled.unfinished) if settled.unfinished.exists() else 0
    return max(0, needed - present)


def _folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def free_disk(out: Path) -> int:
    """Free bytes on the disk of a folder, which need not exist yet.

    Raises:
        OSError: as the system gives it.
    """
    present = out.resolve()
    while not present.exists():
        present = present.parent
    return shutil.disk_usage(present).free


def refuse_full_disk(plan: Plan, out: Path) -> None:
    """Refuse a plan whose results may not fit on the disk.

    Raises:
        SurveyError: the disk is too small.
    """
    if plan.disk_bytes > plan.free_bytes:
        raise SurveyError(
            f"{out} has {size(plan.free_bytes)} free",
            expected=f"{size(plan.disk_bytes)} free, which the results may take at most",
            fix="free space, choose another --out, or write less: --view inline takes less than "
            "half, and --formats none writes the store alone",
        )
