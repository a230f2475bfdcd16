"""A SEG-Y file compressed with gzip, read from an unpacked copy that is removed afterwards."""

from __future__ import annotations

import gzip
import shutil
import tempfile
import weakref
import zlib
from dataclasses import replace
from pathlib import Path

from diapir.errors import SurveyError
from diapir.progress import Progress
from diapir.surveys.hints import SurveyHints, SurveySpec
from diapir.surveys.other_formats import named, refuse_packed
from diapir.surveys.segy.segy_source import SegySurvey
from diapir.text import size

MOST_BYTES = 64 * 2**30
"""Largest file that is unpacked."""
_SPARE = 2**30
"""Bytes of the disk for temporary files that are left free."""
_PIECE = 2**22


class GzipSurvey(SegySurvey):
    """A SEG-Y file in gzip.

    The copy lies in the folder for temporary files (`TMPDIR`) until the survey is closed.

    Args:
        path: the compressed file.
        hints: what is known of it.
        progress: called with the trace headers read and the number there are.

    Raises:
        SurveyError: the file is damaged, too large to unpack, or no usable SEG-Y.
    """

    def __init__(self, path: Path, hints: SurveyHints, *, progress: Progress | None = None) -> None:
        folder = Path(tempfile.mkdtemp(prefix="diapir-gzip-"))
        self._finalizer = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        copy = folder / (Path(path.stem).stem + ".sgy")
        try:
            _unpack(path, copy)
            refuse_packed(copy)
            super().__init__(copy, hints, progress=progress)
        except SurveyError as refusal:
            error = named(copy, refusal)
            self._finalizer()
            raise SurveyError(
                error.found.replace(str(copy), str(path)),
                expected=error.expected,
                fix=error.fix.replace(str(copy), str(path)),
            ) from None
        except BaseException:
            self._finalizer()
            raise
        self.path = path

    def spec(self) -> SurveySpec:
        """Argument of `reopen`, which unpacks the file again; see `Survey.spec`."""
        return replace(super().spec(), path=str(self.path.resolve()))

    def close(self) -> None:
        """Remove the copy."""
        self._finalizer()


def _unpack(path: Path, copy: Path) -> None:
    """Unpack a file, within the space that there is."""
    most = min(MOST_BYTES, shutil.disk_usage(copy.parent).free - _SPARE)
    written = 0
    try:
        with gzip.open(path) as source, copy.open("wb") as target:
            while piece := source.read(_PIECE):
                written += len(piece)
                if written > most:
                    raise _too_large(path, most)
                target.write(piece)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SurveyError(
            f"{path} is a damaged or truncated gzip file: {error}",
            expected="a whole gzip file with one SEG-Y file in it",
            fix="copy the file again from its source",
        ) from None


def _too_large(path: Path, most: int) -> SurveyError:
    return SurveyError(
        f"{path} is compressed with gzip and holds more than {size(max(0, most))}, which is what "
        f"may be unpacked into {tempfile.gettempdir()}",
        expected="a file that fits there",
        fix=f"unpack it where there is room, gunzip -k {path}, and give the file in it; or set "
        "TMPDIR to a folder with more room",
    )
