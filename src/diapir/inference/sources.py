"""The images that the inputs of a prediction stand for, and their names in the output."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from diapir.errors import DataError
from diapir.text import listing
from diapir.tiles.files.decode import FORMATS, decode_image, read_image
from diapir.tiles.files.file_store import Store, refuse_unreadable_name

LABELS = "masks"
"""Folders of this name contain labels and are skipped."""
_PROBED = 8
"""Images that are read to tell sections from tiles."""
OUTPUTS = ("probability", "mask", "overlay")
"""Folders that a prediction writes its images to."""


@dataclass(frozen=True)
class Source:
    """An image that has not been read yet.

    Attributes:
        path: the file; for a member of a zip, the zip's path followed by the member's name.
        name: its name in the output, with forward slashes and no suffix.
        read: decodes it to grey `uint8 (H, W)`; raises DataError for a file that cannot be read.
    """

    path: Path
    name: str
    read: Callable[[], NDArray[np.uint8]]


def are_larger(sources: Sequence[Source], side: int) -> bool:
    """Whether images are sections rather than tiles, going by the first eight that can be read.

    Args:
        sources: images, not read yet.
        side: side of a tile in pixels.

    Returns:
        True if none of them fits into a tile; False if one does, or if none can be read.
    """
    readable = 0
    for source in sources[:_PROBED]:
        with contextlib.suppress(DataError):
            if max(source.read().shape) <= side:
                return False
            readable += 1
    return readable > 0


def find_sources(inputs: Sequence[Path], out: Path) -> list[Source]:
    """The images of files, folders with their sub-folders, and zips (Kaggle's zip in a zip too).

    Folders named `masks` are skipped, and so are results in `out` if it lies inside an input.

    Args:
        inputs: files, folders and zips.
        out: folder of the prediction.

    Returns:
        Images in the order of the inputs, those of a folder sorted, each once. Their names are
        unique: the path below the input, extended only where two would be the same.

    Raises:
        DataError: an input that does not exist, no images in any of them, or images in `out`, which
            is for results only.
    """
    target = out.resolve()
    sources: dict[Path, Source] = {}
    for path in inputs:
        if path.resolve() == target:
            raise _within(path, out)
        for source in _of_input(path, target):
            real = source.path.resolve()
            if real.is_relative_to(target):
                raise _within(source.path, out)
            sources.setdefault(real, source)
    if not sources:
        raise DataError(
            f"there are no images in {listing(inputs) or 'the empty list of inputs'}",
            expected="files ending in " + ", ".join(FORMATS),
            fix="give image files, folders that contain some, or a tile set",
        )
    return _distinct(list(sources.values()))


def _within(path: Path, out: Path) -> DataError:
    return DataError(
        f"the input {path} is in --out {out}, the folder for results",
        expected="a folder for results only, so that no input is overwritten",
        fix="choose another --out",
    )


def _of_input(path: Path, target: Path) -> Iterator[Source]:
    if path.is_file() and path.suffix.lower() != ".zip":
        refuse_unreadable_name(path.parent, path.name)
        yield Source(path, path.stem, lambda: read_image(path))
        return
    if not path.exists():
        raise DataError(
            f"{path} does not exist",
            expected="an image, a folder of images, or a tile set",
            fix="correct the path",
        )
    if path.is_dir() and not any(files for _, _, files in os.walk(path)):
        return
    found: dict[str, Store] = {}
    for part in ("train", "test"):
        store = Store(path, inner=part)
        found |= dict.fromkeys(store.names, store)
    root = path.resolve()
    inside = None
    if target.is_relative_to(root):
        inside = [(target / folder).relative_to(root).as_posix() for folder in OUTPUTS]
    for name, store in sorted(found.items()):
        member = PurePosixPath(name)
        if member.suffix.lower() not in FORMATS or LABELS in member.parts[:-1]:
            continue
        if inside is not None and any(member.is_relative_to(result) for result in inside):
            continue
        yield Source(path / name, str(member.with_suffix("")), _reader(store, name))


def _reader(store: Store, name: str) -> Callable[[], NDArray[np.uint8]]:
    label = str(store.path / name)
    suffix = PurePosixPath(name).suffix
    return lambda: decode_image(store.read(name), label, suffix=suffix).grey


def _distinct(sources: list[Source]) -> list[Source]:
    """Extend names that are the same: by folders, then by the suffix."""
    for lengthen in (_with_folders, _with_suffix):
        counts = Counter(source.name for source in sources)
        clashing = {name for name, count in counts.items() if count > 1}
        for name in clashing:
            places = [place for place, source in enumerate(sources) if source.name == name]
            longer = lengthen([sources[place] for place in places])
            for place, new in zip(places, longer, strict=True):
                sources[place] = replace(sources[place], name=new)
    owners: dict[str, Source] = {}
    for source in sources:
        owner = owners.setdefault(source.name, source)
        if owner is not source:
            raise DataError(
                f"{owner.path} and {source.path} would both be written as {source.name}.png",
                expected="images with different names",
                fix="predict them in two commands, each with its own --out",
            )
    return sources


def _with_folders(clashing: Sequence[Source]) -> Iterable[str]:
    """Paths below their deepest common folder, without suffix."""
    paths = [source.path.resolve() for source in clashing]
    shared = paths[0].parent
    while not all(path.is_relative_to(shared) for path in paths) and shared != shared.parent:
        shared = shared.parent
    return [
        path.relative_to(shared if path.is_relative_to(shared) else path.anchor)
        .with_suffix("")
        .as_posix()
        for path in paths
    ]


def _with_suffix(clashing: Sequence[Source]) -> Iterable[str]:
    return [f"{source.name}_{source.path.suffix.removeprefix('.')}" for source in clashing]
