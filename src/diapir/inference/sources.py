"""The images that the inputs of a prediction stand for, and their names in the output."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diapir.errors import DataError
from diapir.inference.left_out import Skipped, masks_beside
from diapir.text import listing
from diapir.tiles.files.decode import (
    FORMATS,
    Header,
    decode_image,
    read_bytes,
    read_header,
)
from diapir.tiles.files.file_store import Store, folder_in_zip, refuse_unreadable_name
from diapir.tiles.files.grey_levels import GreyCensus, Pixels, is_grey, own_grey
from diapir.tiles.files.orientation import turned_notes
from diapir.tiles.files.picture_options import MAX_PIXELS, PictureOptions

_PROBED = 8
"""Images whose size tells sections from tiles."""
_KEPT_BYTES = 32 * 1024**2
"""Decoded images that are kept from deciding on their scale until they are predicted."""
PICTURES = PictureOptions()
"""How images are read, unless an option says otherwise."""
OUTPUTS = ("probability", "mask", "overlay")
"""Folders that a prediction writes its images to."""


@dataclass(frozen=True)
class Source:
    """An image that has not been read yet.

    Attributes:
        path: the file; for a member of a zip, the zip's path followed by the member's name.
        name: its name in the output, with forward slashes and no suffix.
        read: decodes it to grey `uint8 (H, W)`; raises DataError for a file that cannot be read.
        content: its bytes; None if it is no file.
        stored: its pixels, if it is no file.
        max_pixels: pixels that the file may have.
    """

    path: Path
    name: str
    read: Callable[[], NDArray[np.uint8]]
    content: Callable[[], bytes] | None = None
    stored: Pixels | None = None
    max_pixels: int = MAX_PIXELS

    @classmethod
    def of_pixels(cls, name: str, pixels: Pixels) -> Source:
        """An image in memory: grey, colours or numbers, see `grey_levels`."""
        return cls(Path(name), name, lambda: own_grey(pixels), stored=pixels)

    @classmethod
    def of(cls, path: Path, name: str, content: Callable[[], bytes], max_pixels: int) -> Source:
        """An image file with at most so many pixels."""

        def read() -> NDArray[np.uint8]:
            label = str(path)
            return decode_image(content(), label, suffix=path.suffix, max_pixels=max_pixels).grey

        return cls(path, name, read, content, max_pixels=max_pixels)

    def header(self) -> Header:
        """What is known of it before it is decoded.

        Raises:
            DataError: it is too large, or damaged.
        """
        if self.content is None:
            pixels = self.pixels()
            height, width = pixels.shape[:2]
            return Header(is_grey(pixels), False, max(height, width), height * width)
        return read_header(self.content(), str(self.path), self.path.suffix, self.max_pixels)

    def pixels(self) -> Pixels:
        """Its pixels as they are stored, of an image that is not 8-bit grey.

        Raises:
            DataError: it cannot be read.
        """
        if self.stored is not None:
            return self.stored
        if self.content is None:
            return self.read()
        suffix, limit = self.path.suffix, self.max_pixels
        return decode_image(self.content(), str(self.path), suffix=suffix, max_pixels=limit).pixels


class Found(NamedTuple):
    """Images to predict, and what was left out."""

    sources: list[Source]
    notes: list[str]


def find_pictures(inputs: Sequence[Path], out: Path, options: PictureOptions = PICTURES) -> Found:
    """The images of the inputs without the masks beside them; see `find_sources`.

    Args:
        inputs: files, folders and zips.
        out: folder of the prediction.
        options: how pictures are read.

    Raises:
        DataError: as `find_sources`.
    """
    skipped = Skipped()
    sources = find_sources(inputs, out, max_pixels=options.max_pixels, skipped=skipped)
    masks = masks_beside([source.path for source in sources])
    skipped.masks += sorted(masks)
    return Found([source for source in sources if source.path not in masks], skipped.notes())


def on_one_scale(
    sources: Sequence[Source],
    options: PictureOptions,
    polarity: Literal["normal", "reversed", "both"] = "normal",
) -> Found:
    """The same images with grey levels on one scale for all of them, and notes that say which.

    Images of other than 8-bit grey are decoded for this, and again when they are read; the first
    ones, up to 32 MiB, only once.

    Args:
        sources: images; those that cannot be read are left to whoever predicts them.
        options: how pictures are read.
        polarity: `reversed` turns black into white.
    """
    census = GreyCensus()
    unscaled, turned = set(), []
    kept: dict[str, Pixels] = {}
    room = _KEPT_BYTES
    for place, source in enumerate(sources):
        with contextlib.suppress(DataError):
            header = source.header()
            if not header.plain_grey:
                pixels = source.pixels()
                census.add(source.name, pixels)
                unscaled.add(place)
                if pixels.nbytes <= room:
                    kept[source.name] = pixels
                    room -= pixels.nbytes
            if header.turned:
                turned.append(source.name)
    rule = census.decide(options.limits(), brightness=options.colours == "brightness")

    def grey(source: Source, *, scaled: bool) -> NDArray[np.uint8]:
        if scaled:
            pixels = kept.pop(source.name, None)  # once: a second reader decodes it again
            pixels = source.pixels() if pixels is None else pixels
            found = rule.grey(source.name, pixels)
        else:
            found = source.read()
        return 255 - found if polarity == "reversed" else found

    changed = [
        replace(source, read=partial(grey, source, scaled=place in unscaled))
        for place, source in enumerate(sources)
    ]
    notes = rule.notes(
        levels=" (--levels)",
        colours=" (--colours brightness keeps brightness)"
        if options.colours == "auto"
        else ", as --colours asks",
        polarity=" (--polarity reversed turns them round, --colours brightness keeps brightness)",
    )
    return Found(changed, [*turned_notes(turned), *notes])


def are_larger(sources: Sequence[Source], side: int) -> bool:
    """Whether images are sections rather than tiles, going by the headers of the first eight.

    Args:
        sources: images, not read yet.
        side: side of a tile in pixels.

    Returns:
        True if none of them fits into a tile; False if one does, or if no header can be read.
    """
    headers = _headers(sources)
    return bool(headers) and min(header.side for header in headers) > side


def expected_pixels(sources: Sequence[Source]) -> int:
    """About how many pixels images have, going by the headers of the first eight."""
    headers = _headers(sources)
    pixels = sum(header.pixels for header in headers)
    return pixels * len(sources) // len(headers) if headers else 0


def _headers(sources: Sequence[Source]) -> list[Header]:
    """The headers of the first eight that can be read."""
    found = []
    for source in sources[:_PROBED]:
        with contextlib.suppress(DataError):
            found.append(source.header())
    return found


def find_sources(
    inputs: Sequence[Path],
    out: Path,
    *,
    max_pixels: int = MAX_PIXELS,
    skipped: Skipped | None = None,
) -> list[Source]:
    """The images of files, folders with their sub-folders, and zips (Kaggle's zip in a zip too).

    Folders of masks are skipped, and so are models, results of earlier predictions, and results in
    `out` if it lies inside an input.

    Args:
        inputs: files, folders, zips, and folders in zips.
        out: folder of the prediction.
        max_pixels: pixels that an image may have.
        skipped: takes what is skipped.

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
        for source in _of_input(path, target, max_pixels, skipped or Skipped()):
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


def _of_input(path: Path, target: Path, max_pixels: int, skipped: Skipped) -> Iterator[Source]:
    if path.is_file() and path.suffix.lower() != ".zip":
        refuse_unreadable_name(path.parent, path.name)
        yield Source.of(path, path.stem, partial(read_bytes, path), max_pixels)
        return
    if not path.exists() and not folder_in_zip(path)[1]:
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
    inside = []
    if target.is_relative_to(root):
        inside = [(target / folder).relative_to(root).as_posix() for folder in OUTPUTS]
    pictures = [name for name in sorted(found) if _is_picture(name)]
    pictures = [name for name in pictures if not _within_any(name, inside)]
    for name in skipped.sift(path, list(found), pictures, OUTPUTS):
        content = partial(found[name].read, name)
        yield Source.of(path / name, str(PurePosixPath(name).with_suffix("")), content, max_pixels)


def _is_picture(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in FORMATS


def _within_any(name: str, folders: Iterable[str]) -> bool:
    return any(PurePosixPath(name).is_relative_to(folder) for folder in folders)


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
