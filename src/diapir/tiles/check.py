"""Checking a tile set for `diapir data check`: everything that is wrong, found in one pass."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from diapir.config import MaskEncoding
from diapir.errors import DataError
from diapir.text import integer, plural
from diapir.tiles.check_report import CheckReport, Duplicates, counted, named
from diapir.tiles.files.file_store import Store
from diapir.tiles.files.grey_levels import GreyCensus, Pixels
from diapir.tiles.files.layouts import VAL, TileFiles, find_tiles
from diapir.tiles.files.mask_census import Decision, MaskCensus, refuse_without_background
from diapir.tiles.files.mask_origins import MaskOrigins
from diapir.tiles.files.masks import StoredMask
from diapir.tiles.files.scan import BadTile, ReadTile, mask_name, read_tiles
from diapir.tiles.splitting import split_note

_THREE_CLASSES = bytes([0] + [1] * 254 + [255])
"""Mask code → one of three classes, to compare masks before their encoding is known."""


def check_tiles(
    path: str | Path, *, encoding: MaskEncoding | Literal["auto"] = "auto"
) -> CheckReport:
    """Read every labelled tile once and list everything that is wrong.

    Bad tiles are listed in the report; they raise no error.

    Args:
        path: a folder or zip of any layout.
        encoding: mask encoding; `auto` recognises it from the values of the whole set.

    Raises:
        DataError: the path does not exist or has no known layout, no images, no masks, or a broken
            table.
    """
    path = Path(path)
    with Store(path, inner="train") as store:
        files = find_tiles(store, labelled=True, part="train", rle=encoding == "rle")
        facts = _Facts(files)
        for tile in read_tiles(store, files, labelled=True):
            facts.add(tile)
    return facts.report(path, "rle" if files.runs is not None else encoding)


class _Facts:
    """Facts about a set, collected tile by tile; no pixels are kept."""

    def __init__(self, files: TileFiles) -> None:
        self.files = files
        self.ids: list[str] = []
        self.values = MaskCensus()
        self.sizes: Counter[str] = Counter()
        self.image_modes: Counter[str] = Counter()
        self.mask_modes: Counter[str] = Counter()
        self.constant: list[str] = []
        self.grey = GreyCensus()
        self.origins = MaskOrigins()
        self.same: dict[bytes, list[tuple[str, bytes]]] = {}
        self.unreadable: dict[str, str] = {}
        self.mismatched: dict[str, str] = {}

    def add(self, tile: ReadTile | BadTile) -> None:
        if tile.image_mode:
            self.image_modes[tile.image_mode] += 1
        if tile.mask_mode:
            self.mask_modes[tile.mask_mode] += 1
        if isinstance(tile, BadTile):
            bad = self.mismatched if tile.mismatch else self.unreadable
            bad[tile.id] = tile.problem.found
        elif tile.mask is not None:
            self.origins.add(tile.id, tile.mask_mode, tile.image_mode)
            self._add_pair(tile.id, tile.image, tile.mask)

    def _add_pair(self, tile: str, image: Pixels, mask: StoredMask) -> None:
        self.ids.append(tile)
        self.grey.add(tile, image)
        self.values.add(mask_name(self.files, tile), mask)
        size = "{} × {}".format(*image.shape[:2])
        self.sizes[size] += 1
        if (image == image[0, 0]).all():
            self.constant.append(tile)
        pixels = hashlib.sha256(f"{size} {image.dtype}".encode() + image.tobytes()).digest()
        labels = hashlib.sha256(mask.codes.tobytes().translate(_THREE_CLASSES)).digest()
        self.same.setdefault(pixels, []).append((tile, labels))

    def report(self, path: Path, encoding: MaskEncoding | Literal["auto"]) -> CheckReport:
        files = self.files
        errors = self._errors()
        decision: Decision | None = None
        if self.ids:
            try:
                self.origins.check()
                decision = self.values.decide(encoding)
                refuse_without_background(decision)
            except DataError as error:
                errors.append(f"{error.found} (expected: {error.expected}; fix: {error.fix})")
        errors += self._unsplittable(decision)
        errors += self._shared()
        empty, full = self._extremes(decision)
        duplicates = tuple(
            Duplicates(tuple(tile for tile, _ in tiles), len({mask for _, mask in tiles}) == 1)
            for tiles in self.same.values()
            if len(tiles) > 1
        )
        return CheckReport(
            name=path.resolve().name,
            path=path,
            layout=files.layout,
            encoding=decision.encoding if decision else None,
            images=len(files.images),
            pairs=len(self.ids),
            image_sizes=dict(self.sizes.most_common()),
            image_modes=dict(self.image_modes.most_common()),
            mask_modes=dict(self.mask_modes.most_common()),
            mask_values=self.values.totals(),
            shares=decision.shares if decision else {},
            empty=empty,
            full=tuple(full),
            constant=tuple(self.constant),
            duplicates=duplicates,
            unmasked=tuple(files.unmasked),
            unpictured=tuple(files.unpictured),
            unreadable=self.unreadable,
            mismatched=self.mismatched,
            repeated=files.repeated,
            other=files.other,
            errors=tuple(errors),
            warnings=(*self._notes(decision), *self._warnings(full, duplicates)),
        )

    def _errors(self) -> list[str]:
        files = self.files
        errors = []
        if files.repeated:
            tiles = named([f"{t} ({', '.join(f)})" for t, f in files.repeated.items()])
            errors.append(f"tiles with several files: {tiles}")
        if files.unmasked:
            errors.append(f"images without a mask: {named(files.unmasked)}")
        if files.unpictured:
            errors.append(f"masks without an image: {named(files.unpictured)}")
        if self.unreadable:
            errors.append(f"tiles that cannot be read: {named(list(self.unreadable.values()))}")
        if self.mismatched:
            sizes = named(list(self.mismatched.values()))
            errors.append(f"images and masks of different sizes: {sizes}")
        usable = len(self.ids) - len(self.constant)
        if usable < 2:
            varied = " whose image is not constant" if self.constant else ""
            errors.append(f"only {plural(usable, 'usable tile')}{varied}; training needs two")
        return errors

    def _unsplittable(self, decision: Decision | None) -> Iterable[str]:
        """Why the tiles cannot be split into training and validation."""
        constant = set(self.constant)  # in no part of a split
        varied = [
            (self.files.groups.get(tile) or tile, histogram)
            for tile, histogram in zip(self.ids, self.values.histograms, strict=True)
            if tile not in constant
        ]
        groups = {group for group, _ in varied}
        if len(varied) > 1 and len(groups) == 1:
            yield f"all tiles belong to section group {min(groups)!r}; training needs two groups"
        elif decision:
            salty = {group for group, histogram in varied if decision.count(histogram)[1]}
            if len(salty) == 1 and len(varied) > 1:
                yield f"only {min(salty)} has salt; training needs two tiles or groups with salt"
            elif not salty and len(varied) > 1 and constant:
                yield "no tile with salt whose image is not constant; training needs two"

    def _shared(self) -> Iterable[str]:
        """Images that the set has both in its training and in its validation part."""
        if self.files.layout != "pairs":
            return
        groups = ([tile for tile, _ in tiles] for tiles in self.same.values())
        both = [
            f"{next(tile for tile in group if not tile.startswith(VAL))} and {val[0]}"
            for group in groups
            if (val := [tile for tile in group if tile.startswith(VAL)]) and len(val) < len(group)
        ]
        if both:
            yield (
                f"images both in train and in val: {named(both)}; scores would be optimistic "
                "(data.split with a split of `diapir data split` keeps them together)"
            )

    def _extremes(self, decision: Decision | None) -> tuple[int, list[str]]:
        """The number of masks without salt, and the ids of those that are all salt."""
        empty, full = 0, []
        for tile, histogram in zip(self.ids, self.values.histograms, strict=True):
            if decision is None:  # under every encoding, 0 is background
                empty += int(histogram[0] == histogram.sum())
                continue
            background, salt = decision.count(histogram)
            empty += int(salt == 0)
            if salt and not background:
                full.append(tile)
        return empty, full

    def _notes(self, decision: Decision | None) -> Iterable[str]:
        """What was taken for what, as loading the tiles says it."""
        yield from self.files.notes
        yield from self.grey.decide().notes()
        yield from self.origins.notes()
        yield from decision.notes if decision else ()
        held_out = sum(tile.startswith(VAL) for tile in self.ids)
        if held_out and self.files.layout == "pairs":
            yield split_note(len(self.ids) - held_out, held_out)

    def _warnings(self, full: Sequence[str], duplicates: Sequence[Duplicates]) -> Iterable[str]:
        if self.constant:
            yield f"constant images, which are left out of every split: {named(self.constant)}"
        if full:
            yield f"masks that are salt throughout: {named(full)}"
        if duplicates:
            tiles = sum(len(group.ids) for group in duplicates)
            groups = plural(len(duplicates), "group")
            yield (
                f"{integer(tiles)} tiles in {groups} of identical images; a split keeps each group "
                "together"
            )
        differing = [group.ids[0] for group in duplicates if not group.masks_agree]
        if differing:
            yield f"identical images with different masks: {named(differing)}"
        grouped = self.files.groups
        alone = [tile for tile in self.ids if grouped and not grouped.get(tile)]
        if alone:
            yield f"tiles without a group in groups.csv, each its own group: {named(alone)}"
        if len(self.sizes) > 1:
            yield f"tiles of {len(self.sizes)} sizes: {counted(self.sizes)}"
        if self.files.other:
            yield f"files in formats that are not read: {named(self.files.other)}"
