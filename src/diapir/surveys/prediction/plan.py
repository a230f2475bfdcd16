"""What a prediction will take: windows, blocks, disk and time, told before it begins."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from diapir.errors import SurveyError
from diapir.surveys.prediction.blocks import View, block_count
from diapir.text import duration, size

SLAB_CELLS = 2**24
"""Cells of a slab at most, where the block is chosen: it is held several times over, as bytes."""
BLOCKS = (64, 32, 16, 8)
"""Lines of a block that are chosen from. All are multiples of what is predicted together."""
NARROWEST = 8
"""A view is taken where its sections have at least so many traces, unless it is the only one."""


@dataclass(frozen=True)
class Plan:
    """What will be done.

    Attributes:
        shape: inlines, crosslines, samples.
        views: directions in which sections are cut.
        sections: in all views.
        windows: that the network computes.
        tile: side of a window in pixels.
        overlap: of neighbouring windows.
        seen_samples: samples of a section after resampling.
        scale: amplitude of full white.
        block: lines of a block.
        blocks: in all views.
        blocks_done: of them, by an earlier run.
        disk_bytes: that the results and what stands between take at most.
        free_bytes: of the disk.
        seconds: expected on this machine alone; None where it is not worth measuring.
    """

    shape: tuple[int, int, int]
    views: tuple[View, ...]
    sections: int
    windows: int
    tile: int
    overlap: float
    seen_samples: int
    scale: float
    block: int
    blocks: int
    blocks_done: int
    disk_bytes: int
    free_bytes: int
    seconds: float | None

    @property
    def pixels(self) -> int:
        """Pixels of all sections in all views: what speed is told in."""
        return len(self.views) * self.shape[0] * self.shape[1] * self.shape[2]

    def to_json(self) -> dict[str, Any]:
        """As JSON can say it."""
        return asdict(self) | {"pixels": self.pixels}

    def lines(self) -> list[str]:
        """For people, before the work begins."""
        inlines, crosslines, samples = self.shape
        traces = f"{samples} samples"
        if self.seen_samples != samples:
            traces += f", shown as {self.seen_samples}"
        sections = f"{self.sections:,} section" + "s" * (self.sections > 1)
        told = [
            f"{inlines} × {crosslines} traces of {traces}: {sections} "
            f"({' and '.join(self.views)} view), {self.pixels / 1e6:,.1f} Mpx",
            f"{self.windows:,} windows of {self.tile} px, overlap {self.overlap:.0%}; "
            f"grey levels span ±{self.scale:.4g}",
            f"disk: at most {size(self.disk_bytes)}, {size(self.free_bytes)} free",
        ]
        if self.blocks_done:
            told.append(f"{self.blocks_done:,} of {self.blocks:,} blocks are done already")
        if self.seconds is not None:
            left = self.seconds * (1 - self.blocks_done / self.blocks)
            told.append(f"expected on this machine alone: {duration(left)}")
        return told


def choose_views(shape: tuple[int, int, int], asked: str) -> tuple[View, ...]:
    """The views of a grid: of `auto`, both where sections either way are wide enough to see.

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
    """Lines of a block: as many as memory allows, and blocks enough for all workers."""
    longest = max(shape[0], shape[1]) * shape[2]
    for block in BLOCKS:
        enough = -(-min(shape[0], shape[1]) // block) >= 2 * workers or workers == 1
        if block * longest <= SLAB_CELLS and enough:
            return block
    return BLOCKS[-1]


def count_blocks(shape: tuple[int, int, int], views: tuple[View, ...], block: int) -> int:
    """Blocks of all passes."""
    return sum(block_count(shape, view, block) for view in views)


def disk_needed(
    shape: tuple[int, int, int], views: tuple[View, ...], item: int, exports: int
) -> int:
    """Most bytes on the disk at any time, as if nothing could be compressed.

    Args:
        shape: inlines, crosslines, samples.
        views: of the plan.
        item: bytes of a stored probability.
        exports: bytes of the files that are written from the store.
    """
    cells = shape[0] * shape[1] * shape[2]
    if len(views) == 1:
        return cells * item + exports
    # grey levels and the first view go before anything is exported
    return cells * 2 * item + max(cells * (1 + item), exports)


def free_disk(out: Path) -> int:
    """Free bytes where a folder is or will be.

    Raises:
        OSError: as the system gives it.
    """
    there = out.resolve()
    while not there.exists():
        there = there.parent
    return shutil.disk_usage(there).free


def refuse_full_disk(plan: Plan, out: Path) -> None:
    """Refuse a plan that may not fit.

    Raises:
        SurveyError: the disk is too small.
    """
    if plan.disk_bytes > plan.free_bytes:
        raise SurveyError(
            f"{out} has {size(plan.free_bytes)} free",
            expected=f"{size(plan.disk_bytes)}, which the results may take at most",
            fix="free space or choose another --out; --view inline takes less than half, and "
            "so does leaving formats out with --formats",
        )
