"""The survey files that the inputs of a prediction stand for, and their names in the output."""

from __future__ import annotations

import os
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from diapir.errors import ConfigError
from diapir.surveys.other_formats import OTHER_SUFFIXES

SUFFIXES = frozenset({".sgy", ".segy", ".seg", ".zarr", ".mdio", ".npy"})
"""Suffixes of surveys."""
_UNREADABLE = frozenset(OTHER_SUFFIXES)
"""Suffixes of data that diapir refuses, saying how to convert them."""
_FLAT = PurePath()
"""The output folder itself."""
_PACKED = frozenset({".sgy", ".segy", ".seg"})
"""Suffixes of surveys that are read in gzip."""
_STORES = frozenset({".zarr", ".mdio"})
"""Suffixes of surveys that are folders."""
_RESULTS = frozenset({".prediction", ".products"})
"""Suffixes of folders that diapir writes."""


@dataclass(frozen=True)
class SurveyFile:
    """A survey to predict.

    Attributes:
        path: the file or store.
        name: its name, unique in the job.
        folder: where its results go, relative to the output folder.
    """

    path: Path
    name: str
    folder: PurePath = _FLAT


def is_survey(path: Path) -> bool:
    """Whether a path is named as a survey, gzipped SEG-Y and seismic data not read included."""
    suffix = path.suffix.lower()
    if suffix == ".gz":
        return Path(path.stem).suffix.lower() in _PACKED
    if suffix == ".zip":
        return _is_zipped_segy(path)
    return suffix in SUFFIXES or suffix in _UNREADABLE


def _is_listed(path: Path) -> bool:
    """Whether a file in a folder is a survey; archives may belong to images beside it."""
    return path.suffix.lower() not in {".npz", ".zip"} and is_survey(path)


def _is_zipped_segy(path: Path) -> bool:
    """Whether a zip holds SEG-Y and nothing else, so that it is no tile set."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [PurePath(name) for name in archive.namelist() if not name.endswith("/")]
    except (OSError, ValueError, zipfile.BadZipFile):
        return False
    return bool(names) and all(name.suffix.lower() in _PACKED for name in names)


def bare_name(path: PurePath) -> str:
    """The name of a survey's results: without its suffix, and without that of gzip."""
    return PurePath(path.stem).stem if path.suffix.lower() == ".gz" else path.stem


def holds_surveys(folder: Path) -> bool:
    """Whether a folder, or a folder in it, contains surveys; arrays beside images are none.

    Raises:
        ConfigError: it contains SEG-Y files and images.
    """
    if not folder.is_dir():
        return False
    from diapir.tiles.files.decode import FORMATS

    found = next(_inside(folder, None), None)
    if found is None or not any(
        name.lower().endswith(tuple(FORMATS)) for _, _, names in os.walk(folder) for name in names
    ):
        return found is not None
    if all(path.suffix.lower() == ".npy" for path in _inside(folder, None)):
        return False
    raise ConfigError(
        f"{folder} holds images and SEG-Y files",
        expected="a folder of one kind",
        fix=f"give the files themselves, such as {folder / '*.sgy'}",
    )


def find_surveys(inputs: Sequence[Path], out: Path) -> list[SurveyFile]:
    """The surveys of files and folders.

    A survey of a folder gets a folder of its own in the output, at the same place below it.

    Args:
        inputs: survey files, and folders with surveys in them or in their sub-folders.
        out: folder of the prediction, skipped where it lies inside an input.

    Returns:
        Surveys in the order of the inputs, those of a folder sorted, with unique names: the file's,
        or its path below the input where two files have the same.

    Raises:
        ConfigError: two surveys that would be written to the same place, or an input that is the
            output folder.
    """
    found: list[tuple[Path, PurePath | None]] = []
    for path in inputs:
        if is_survey(path) or not path.is_dir():
            found.append((path, None))
            continue
        if path.resolve() == out.resolve():
            raise ConfigError(
                f"--out {out} is the folder of the surveys",
                expected="another folder for results, so that they are not taken for surveys",
                fix=f"choose another --out, such as {path / 'salt'}",
            )
        found += [(file, file.relative_to(path)) for file in _inside(path, out.resolve())]
    folders = _folders([place for _, place in found])
    names = unique_names(
        [
            folder if place else PurePath(bare_name(path))
            for (path, place), folder in zip(found, folders, strict=True)
        ]
    )
    files = [
        SurveyFile(path, name, folder)
        for (path, _), name, folder in zip(found, names, folders, strict=True)
    ]
    owners: dict[PurePath, SurveyFile] = {}
    for file in files:
        first = owners.setdefault(file.folder / bare_name(file.path), file)
        if first is not file:
            raise ConfigError(
                f"{first.path} and {file.path} would both be written as {bare_name(file.path)}",
                expected="surveys with different names",
                fix="predict them in two calls, each with its own --out",
            )
    return files


def unique_names(places: Sequence[PurePath]) -> list[str]:
    """Names of lines: the last part of their place, or all parts where two share the last."""
    counts = Counter(place.name for place in places)
    return [place.name if counts[place.name] == 1 else "_".join(place.parts) for place in places]


def _inside(folder: Path, out: Path | None) -> Iterator[Path]:
    """Surveys in a folder and its sub-folders, sorted; hidden ones and results are skipped."""
    for inner in sorted(folder.iterdir()):
        if inner.name.startswith(".") or inner.suffix in _RESULTS:
            continue
        if inner.is_dir() and inner.suffix.lower() not in _STORES:
            place = inner.resolve()
            if place != out and not folder.resolve().is_relative_to(place):  # a link upwards
                yield from _inside(inner, out)
        elif _is_listed(inner) and os.access(inner, os.F_OK):
            yield inner


def _folders(places: Sequence[PurePath | None]) -> list[PurePath]:
    """Output folder of each survey; with its suffix where two would share one."""
    plain = [place.with_name(bare_name(place)) if place else PurePath() for place in places]
    counts = Counter(plain)
    return [
        folder.with_name(f"{folder.name}_{place.suffix.removeprefix('.')}")
        if place and counts[folder] > 1
        else folder
        for place, folder in zip(places, plain, strict=True)
    ]
