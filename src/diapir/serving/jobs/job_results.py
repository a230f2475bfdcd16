"""What jobs have made: files to take home, predictions to show, adapted models, meshes."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from diapir.errors import DiapirError
from diapir.run.folder import BEST, LAST
from diapir.serving.jobs.job import RESULT, Job
from diapir.serving.opened_section import Axis
from diapir.serving.opened_survey import OpenedSurvey
from diapir.serving.request_errors import not_found
from diapir.serving.section_levels import COLUMNS, Bytes
from diapir.surveys import PredictionStore, open_store
from diapir.surveys.prediction.prediction_store import NUMPY, ZARR, decode, encode

_KEPT = 8


class JobResults:
    """Reads the results of jobs; safe for threads."""

    def __init__(self) -> None:
        self._stores: dict[Path, PredictionStore] = {}
        self._lock = threading.Lock()

    def store(self, place: Path, job: Job) -> PredictionStore | None:
        """The predictions of a finished job; None where it has none of a survey."""
        if job.kind != "predict" or job.status != "done":
            return None
        result = place / RESULT
        names = sorted(one.name for one in result.iterdir()) if result.is_dir() else []
        path = next(
            (
                result / name
                for name in names
                if name.endswith((ZARR, NUMPY)) and not name.startswith(".")
            ),
            None,
        )
        if path is None:
            return None
        with self._lock:
            found = self._stores.pop(path, None)
        if found is None:
            try:
                found = open_store(path)
            except DiapirError:
                return None
        with self._lock:
            self._stores[path] = found
            while len(self._stores) > _KEPT:
                self._stores.pop(next(iter(self._stores)))
        return found

    def forget(self, place: Path) -> None:
        """Forget what was opened of a job."""
        with self._lock:
            for path in [path for path in self._stores if path.is_relative_to(place)]:
                del self._stores[path]


def shows(store: PredictionStore, opened: OpenedSurvey) -> bool:
    """Whether predictions lie on the whole grid of a survey."""
    return store.grid.shape == opened.survey.grid.shape


def block_of(
    store: PredictionStore, opened: OpenedSurvey, axis: Axis, index: int, number: int
) -> Bytes:
    """Block `number` of the probabilities of a section, as bytes `(rows, columns)`."""
    part, one = slice(number * COLUMNS, (number + 1) * COLUMNS), slice(index, index + 1)
    if axis == "inline":
        found = store.raw("probability", one, part)[0].T
    elif axis == "crossline":
        found = store.raw("probability", part, one)[:, 0].T
    else:
        step = opened.step("slice")
        columns = slice(part.start * step.columns, part.stop * step.columns)
        found = store.arrays.read("probability", (slice(None), columns, one))[..., 0]
        found = found[:: step.rows, :: step.columns]
    return np.asarray(found if found.dtype == np.uint8 else encode(decode(found), "uint8"))


def files_of(place: Path, *, stores: bool = False) -> Iterator[tuple[str, Path]]:
    """Name and place of each file that a job made, without checkpoints.

    Args:
        place: folder of the job.
        stores: whether to go into stores of predictions, which have very many files.
    """
    root = place / RESULT
    for folder, folders, names in os.walk(root):
        parts = Path(folder).relative_to(root).parts
        in_store = any(part.endswith((ZARR, NUMPY)) for part in parts)  # all of it is needed
        folders[:] = sorted(name for name in folders if in_store or _is_result(name, stores=stores))
        for name in sorted(names):
            path = Path(folder) / name
            if (in_store or not name.startswith(".")) and not path.is_symlink():
                yield path.relative_to(root).as_posix(), path


def _is_result(folder: str, *, stores: bool) -> bool:
    if folder == LAST or folder.startswith("."):
        return False
    return stores or not folder.endswith((ZARR, NUMPY))


def file_of(place: Path, name: str) -> Path:
    """A file that a job made.

    Raises:
        RequestError: there is no such file, or it is outside the folders that are served.
    """
    root = (place / RESULT).resolve()
    try:
        path = (root / name).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        raise not_found(f"file {name[:80]!r} of this job") from None
    inside = path.is_relative_to(root) and path.is_file()
    if not inside or any(part.startswith(".") for part in path.relative_to(root).parts):
        raise not_found(f"file {name[:80]!r} of this job")
    return path


def adapted_model(place: Path, job: Job) -> Path | None:
    """The run of a finished adaptation."""
    run = place / RESULT
    usable = job.kind == "adapt" and job.status == "done" and (run / BEST).is_dir()
    return run if usable else None
