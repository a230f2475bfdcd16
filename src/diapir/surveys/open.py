"""Open a survey file of any kind: SEG-Y, Zarr or NumPy."""

from __future__ import annotations

from pathlib import Path

from diapir.errors import SurveyError
from diapir.progress import Progress
from diapir.surveys.array_source import ArraySurvey
from diapir.surveys.hints import SurveyHints, SurveySpec
from diapir.surveys.numpy_source import open_numpy
from diapir.surveys.other_formats import is_gzip, named, refuse_packed
from diapir.surveys.restricted import restrict
from diapir.surveys.segy.gzip_source import GzipSurvey
from diapir.surveys.segy.segy_source import SegySurvey
from diapir.surveys.survey import Survey
from diapir.surveys.zarr_source import is_zarr, open_zarr

_KINDS = "a SEG-Y file, a Zarr store or an .npy array"


def open_survey(
    path: Path | str,
    hints: SurveyHints | None = None,
    *,
    progress: Progress | None = None,
) -> Survey:
    """Open a SEG-Y file, a Zarr store or a NumPy array.

    Args:
        path: a SEG-Y file; a Zarr store; or an `.npy` of `(inlines, crosslines, samples)` or
            `(traces, samples)`, or with the samples first where that is plain or asked for.
        hints: what is known of the file; everything else is found from it.
        progress: called with the number of trace headers read and the number there are.

    Raises:
        SurveyError: the file is missing, is not a survey, cannot be used, its geometry is
            ambiguous, or it has nothing in the part that `hints` ask for.
        MissingDependencyError: a Zarr store, and the package Zarr is not installed.
    """
    path, hints = Path(path), hints or SurveyHints()
    return restrict(_open(path, hints, progress), hints.extents)


def _open(path: Path, hints: SurveyHints, progress: Progress | None) -> Survey:
    """The whole survey."""
    if not path.exists():
        raise SurveyError(f"{path} does not exist", expected=_KINDS, fix="correct the path")
    if not (path.is_dir() or path.is_file()):
        raise SurveyError(
            f"{path} is neither a file nor a folder",
            expected=_KINDS + ", not a pipe, socket or device",
            fix="write the data to a file, and give that",
        )
    array = not path.is_dir() and path.suffix.lower() == ".npy"
    if hints.samples_axis is not None and not array:
        raise SurveyError(
            f"--samples-axis {hints.samples_axis} given for {path}, which is not an .npy array",
            expected="this option with .npy arrays only: other formats say where samples are",
            fix="leave the option out",
        )
    if not path.is_dir() and not array:
        return _open_segy(path, hints, progress)
    if hints.segy_only:
        raise SurveyError(
            f"{', '.join(hints.segy_only)} given for {path}, which is not a SEG-Y file",
            expected="options for header bytes and sample formats with SEG-Y files only",
            fix="leave the option out, or give the SEG-Y file",
        )
    if not path.is_dir():
        return open_numpy(path, hints, progress=progress)
    if not is_zarr(path):
        raise SurveyError(
            f"{path} is a folder but not a Zarr store",
            expected=_KINDS,
            fix="give the path of the file itself",
        )
    return ArraySurvey(path, *open_zarr(path), hints, progress=progress)


def _open_segy(path: Path, hints: SurveyHints, progress: Progress | None) -> Survey:
    """A SEG-Y file; any other file is named where that is possible."""
    refuse_packed(path)
    if is_gzip(path):
        return GzipSurvey(path, hints, progress=progress)
    try:
        return SegySurvey(path, hints, progress=progress)
    except SurveyError as error:
        raise named(path, error) from None


def reopen(spec: SurveySpec) -> Survey:
    """Open a survey again as it was opened before.

    Args:
        spec: from `Survey.spec`.

    Raises:
        SurveyError: the file is gone or has changed so that it cannot be read.
    """
    return open_survey(spec.path, spec.hints)
