"""Windows of images in batches, and batches on several threads at a time.

On a CPU, batches that run side by side on one core each are faster than one batch on all cores,
and the cores work on while this thread cuts, blends and stores.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from diapir import preprocess
from diapir.config import PreprocessConfig
from diapir.inference.tiling import Window

Group = tuple[Sequence[NDArray[np.uint8]], Sequence[NDArray[np.bool_]] | None]
"""Grey images `uint8 (H, W)` whose windows share batches, and what is live in each; see
`Predictor.probabilities`."""

_AHEAD = 3
"""Batches per lane that are waiting or running."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Patch(NamedTuple):
    """A window of an image, mirrored or not, and the array its probabilities are added to.

    `room` is the height and width of the input that it is padded to.
    """

    window: Window
    image: NDArray[np.uint8]
    room: tuple[int, int]
    mirrored: bool
    probability: NDArray[np.float32]

    def add(self, found: NDArray[np.float32]) -> None:
        """Blend the window's probabilities with those of its neighbours."""
        self.window.add(self.probability, found[:, ::-1] if self.mirrored else found)


@dataclass
class Batch:
    """Windows that run together.

    Attributes:
        patches: windows of one `room`; none where the images are blank.
        ends: images (their probabilities) of which this batch holds the last window.
    """

    patches: list[Patch] = field(default_factory=list)
    ends: list[NDArray[np.float32]] = field(default_factory=list)

    def grey(self, config: PreprocessConfig, least: int = 0) -> NDArray[np.uint8]:
        """Windows padded to the network's input, `uint8 (N, height, width)`.

        Args:
            config: how they are padded.
            least: images that there must be at least; black ones fill the rest.
        """
        room = self.patches[0].room
        by_shape = groupby(self.patches, lambda patch: patch.image.shape)
        grey = [
            preprocess.padded(np.stack([patch.image for patch in group]), config, room)
            for _, group in by_shape
        ]
        missing = least - len(self.patches)
        if missing > 0:
            grey.append(np.zeros((missing, *room), np.uint8))
        return grey[0] if len(grey) == 1 else np.concatenate(grey)


def batches(
    images: Iterable[tuple[Iterable[Patch], NDArray[np.float32]]],
    most: Callable[[tuple[int, int]], int],
) -> Iterator[Batch]:
    """Group the windows of some images in batches.

    Args:
        images: windows of each image, and the array of its probabilities.
        most: windows in a batch, by the height and width of their input.
    """
    batch = Batch()
    for patches, probability in images:
        for patch in patches:
            if batch.patches:
                room = batch.patches[0].room
                if patch.room != room or len(batch.patches) >= most(room):
                    yield batch
                    batch = Batch()
            batch.patches.append(patch)
        batch.ends.append(probability)
    yield batch


def in_order(
    work: Callable[[_Item], _Result], items: Iterable[_Item], lanes: int
) -> Iterator[tuple[_Item, _Result]]:
    """Each item and what `work` makes of it, in order; `lanes` threads work ahead.

    Args:
        work: called in another thread; what it raises is raised here.
        items: taken as they are needed, in this thread.
        lanes: number of threads.
    """
    waiting: deque[tuple[_Item, Future[_Result]]] = deque()
    pool = ThreadPoolExecutor(lanes, thread_name_prefix="diapir-lane")
    try:
        for item in items:
            waiting.append((item, pool.submit(work, item)))
            if len(waiting) >= _AHEAD * lanes:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    finally:
        pool.shutdown(cancel_futures=True)
