"""`diapir data check`: all that is wrong with a tile set, found in one pass."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from diapir.config import MaskEncoding
from diapir.errors import DataError
from diapir.tiles.files.file_store import Store
from diapir.tiles.files.layouts import Layout, Listing, find_tiles
from diapir.tiles.files.masks import Decision, StoredMask, ValueCensus
from diapir.tiles.files.scan import BadTile, ReadTile, mask_name, read_tiles

_NAMED = 3
"""How many tiles a line for people names before it counts the rest."""
# background, salt and ignore of every encoding, told apart without knowing which it is
_THREE_CLASSES = bytes([0] + [1] * 254 + [255])


@dataclass(frozen=True)
class Duplicates:
    """Tiles whose images are the same, pixel by pixel."""

    ids: tuple[str, ...]
    masks_agree: bool


@dataclass(frozen=True)
class CheckReport:
    """What a tile set holds, and what is wrong with it."""

    name: str
    path: Path
    layout: Layout
    encoding: MaskEncoding | None
    """None where it could not be settled; `errors` says why."""
    images: int
    pairs: int
    """Tiles whose image and mask were both read and have one size."""
    image_sizes: Mapping[str, int]
    """`{"101 × 101": 3200}`, height first."""
    image_modes: Mapping[str, int]
    """`{"RGB": 3200}`: how images are stored, in Pillow's names."""
    mask_modes: Mapping[str, int]
    mask_values: Mapping[int, int]
    """Pixels of each stored value."""
    shares: Mapping[str, float]
    """Share of all mask pixels that each class gets, in [0, 1]."""
    empty: int
    """Masks without salt."""
    full: tuple[str, ...]
    """Masks that are salt in every valid pixel."""
    constant: tuple[str, ...]
    """Images of one grey level."""
    duplicates: tuple[Duplicates, ...]
    unmasked: tuple[str, ...]
    unpictured: tuple[str, ...]
    unreadable: Mapping[str, str]
    """Reasons by tile id."""
    mismatched: Mapping[str, str]
    """Both sizes, in words, by tile id."""
    repeated: Mapping[str, tuple[str, ...]]
    """Files by the tile id that they share."""
    other: tuple[str, ...]
    """Files among images and masks that are of no format that is read."""
    errors: tuple[str, ...]
    """Why training on this set would be wrong."""
    warnings: tuple[str, ...]
    """What is worth knowing before training."""

    @property
    def ok(self) -> bool:
        """Whether one may train on the set."""
        return not self.errors

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return asdict(self) | {
            "path": str(self.path),
            "mask_values": {str(value): count for value, count in self.mask_values.items()},
            "ok": self.ok,
        }

    def lines(self) -> list[str]:
        """All of it for people, the errors last."""
        facts = {
            "images": f"{self.images:,} "
            f"({_counts(self.image_sizes) or 'no pair'}; {_counts(self.image_modes) or 'unread'})",
            "pairs": f"{self.pairs:,}",
            "mask modes": _counts(self.mask_modes),
            "mask values": _values(self.mask_values),
            "mask encoding": self.encoding or "not settled",
            "pixels": ", ".join(f"{name} {share:.1%}" for name, share in self.shares.items()),
            "empty masks": f"{self.empty:,} ({self.empty / max(self.pairs, 1):.1%})",
            "full masks": _named(self.full),
            "constant images": _named(self.constant),
            "same images": "; ".join(
                f"{_named(group.ids)}, masks {'agree' if group.masks_agree else 'differ'}"
                for group in self.duplicates[:_NAMED]
            )
            + (f"; … {len(self.duplicates)} groups" if len(self.duplicates) > _NAMED else ""),
        }
        width = max(map(len, facts))
        return [
            f"{self.name} ({self.layout})",
            *(f"  {name:<{width}}  {fact or 'none'}" for name, fact in facts.items()),
            *(f"warning: {warning}" for warning in self.warnings),
            *(f"error: {error}" for error in self.errors),
            "fit for training"
            if self.ok
            else f"not fit for training: {_number(len(self.errors), 'error')}",
        ]


def check_tiles(
    path: str | Path, *, encoding: MaskEncoding | Literal["auto"] = "auto"
) -> CheckReport:
    """Look at every labelled tile once and list all that is wrong.

    Bad tiles are listed, never raised.

    Args:
        path: a folder or zip of any layout.
        encoding: what the masks' values mean; `auto` decides over the whole set.

    Raises:
        DataError: nothing there, no known layout, no images or no masks at all, a broken table.
    """
    path = Path(path)
    with Store(path, inner="train") as store:
        listing = find_tiles(store, labelled=True, part="train", rle=encoding == "rle")
        census = _Census(listing)
        for tile in read_tiles(store, listing, labelled=True):
            census.add(tile)
    return census.report(path, "rle" if listing.runs is not None else encoding)


class _Census:
    """Facts of a set, gathered tile by tile; no pixels are kept."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.ids: list[str] = []
        self.values = ValueCensus()
        self.sizes: Counter[str] = Counter()
        self.image_modes: Counter[str] = Counter()
        self.mask_modes: Counter[str] = Counter()
        self.constant: list[str] = []
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
            self._add_pair(tile.id, tile.image, tile.mask)

    def _add_pair(self, tile: str, image: NDArray[np.uint8], mask: StoredMask) -> None:
        self.ids.append(tile)
        self.values.add(mask_name(self.listing, tile), mask)
        size = "{} × {}".format(*image.shape)
        self.sizes[size] += 1
        if (image == image[0, 0]).all():
            self.constant.append(tile)
        seen = hashlib.sha256(size.encode() + image.tobytes()).digest()
        labels = hashlib.sha256(mask.codes.tobytes().translate(_THREE_CLASSES)).digest()
        self.same.setdefault(seen, []).append((tile, labels))

    def report(self, path: Path, encoding: MaskEncoding | Literal["auto"]) -> CheckReport:
        listing = self.listing
        errors = self._errors()
        decision: Decision | None = None
        if self.ids:
            try:
                decision = self.values.decide(encoding)
            except DataError as error:
                errors.append(f"{error.found} (expected: {error.expected}; fix: {error.fix})")
        errors += self._unsplittable(decision)
        empty, full = self._extremes(decision)
        duplicates = tuple(
            Duplicates(tuple(tile for tile, _ in tiles), len({mask for _, mask in tiles}) == 1)
            for tiles in self.same.values()
            if len(tiles) > 1
        )
        return CheckReport(
            name=path.resolve().name,
            path=path,
            layout=listing.layout,
            encoding=decision.encoding if decision else None,
            images=len(listing.images),
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
            unmasked=tuple(listing.unmasked),
            unpictured=tuple(listing.unpictured),
            unreadable=self.unreadable,
            mismatched=self.mismatched,
            repeated=listing.repeated,
            other=listing.other,
            errors=tuple(errors),
            warnings=tuple(self._warnings(full, duplicates)),
        )

    def _errors(self) -> list[str]:
        listing = self.listing
        errors = []
        if listing.repeated:
            tiles = _named([f"{t} ({', '.join(f)})" for t, f in listing.repeated.items()])
            errors.append(f"tiles met more than once: {tiles}")
        if listing.unmasked:
            errors.append(f"images without a mask: {_named(listing.unmasked)}")
        if listing.unpictured:
            errors.append(f"masks without an image: {_named(listing.unpictured)}")
        if self.unreadable:
            errors.append(f"tiles that cannot be read: {_named(list(self.unreadable.values()))}")
        if self.mismatched:
            sizes = _named(list(self.mismatched.values()))
            errors.append(f"images and masks of different sizes: {sizes}")
        if len(self.ids) < 2:
            errors.append(f"only {_number(len(self.ids), 'usable tile')}; training needs two")
        return errors

    def _unsplittable(self, decision: Decision | None) -> Iterable[str]:
        """Why the tiles could not be shared out to training and validation."""
        group_of = [self.listing.groups.get(tile) or tile for tile in self.ids]
        if len(group_of) > 1 and len(set(group_of)) == 1:
            yield f"all tiles are of the section group {group_of[0]!r}; training needs two groups"
        elif decision:
            histograms = zip(group_of, self.values.histograms, strict=True)
            salty = {group for group, histogram in histograms if decision.count(histogram)[1]}
            if len(salty) == 1 and len(group_of) > 1:
                yield f"only {min(salty)} holds salt; training needs two tiles or groups with salt"

    def _extremes(self, decision: Decision | None) -> tuple[int, list[str]]:
        """The number of masks without salt, and the ids of those that are all salt."""
        empty, full = 0, []
        for tile, histogram in zip(self.ids, self.values.histograms, strict=True):
            if decision is None:  # not settled: only 0 is background for sure
                empty += int(histogram[0] == histogram.sum())
                continue
            background, salt = decision.count(histogram)
            empty += int(salt == 0)
            if salt and not background:
                full.append(tile)
        return empty, full

    def _warnings(self, full: Sequence[str], duplicates: Sequence[Duplicates]) -> Iterable[str]:
        if self.constant:
            yield f"images of one grey level, which teach nothing: {_named(self.constant)}"
        if full:
            yield f"masks that are all salt: {_named(full)}"
        if duplicates:
            tiles = sum(len(group.ids) for group in duplicates)
            groups = _number(len(duplicates), "group")
            yield f"{tiles:,} tiles in {groups} of same images; a split keeps each group together"
        differing = [group.ids[0] for group in duplicates if not group.masks_agree]
        if differing:
            yield f"same images with different masks: {_named(differing)}"
        grouped = self.listing.groups
        alone = [tile for tile in self.ids if grouped and not grouped.get(tile)]
        if alone:
            yield f"tiles that groups.csv gives no group, so each is its own: {_named(alone)}"
        if len(self.sizes) > 1:
            yield f"tiles of {len(self.sizes)} sizes: {_counts(self.sizes)}"
        if self.listing.other:
            yield f"files that are no images: {_named(self.listing.other)}"


def _named(names: Sequence[str]) -> str:
    """Some names and how many there are: `3: a, b, c`."""
    if not names:
        return ""
    more = ", …" if len(names) > _NAMED else ""
    return f"{len(names):,}: " + ", ".join(names[:_NAMED]) + more


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _counts(counts: Mapping[str, int]) -> str:
    shown = [f"{name}: {count:,}" for name, count in list(counts.items())[:6]]
    return ", ".join(shown) + (f", … {len(counts)} kinds" if len(counts) > 6 else "")


def _values(values: Mapping[int, int]) -> str:
    total = max(sum(values.values()), 1)
    common = sorted(values.items(), key=lambda item: -item[1])[:6]
    shown = [f"{value}: {count / total:.1%}" for value, count in sorted(common)]
    return ", ".join(shown) + (f", … {len(values)} values" if len(values) > 6 else "")
