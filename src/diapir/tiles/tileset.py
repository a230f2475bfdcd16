"""A set of tiles, decoded once and kept in memory as flat bytes."""

from __future__ import annotations

import hashlib
import math
import operator
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from diapir.config import IGNORE, MaskEncoding, PreprocessConfig
from diapir.errors import DataError, MissingDependencyError
from diapir.text import integer, listing, plural
from diapir.tiles.files.layout_places import Layout
from diapir.tiles.files.layouts import VAL, TileFiles
from diapir.tiles.pixels import Pixels
from diapir.tiles.tile import Tile

if TYPE_CHECKING:
    from diapir.tiles.torch_tiles import TorchTiles


def set_hash(tiles: Iterable[tuple[str, str]]) -> str:
    """SHA-256 over ids and the hashes of their contents, independent of their order."""
    digest = hashlib.sha256()
    for tile, content in sorted(tiles):
        digest.update(f"{tile}\0{content}\n".encode())
    return digest.hexdigest()


@dataclass(frozen=True, eq=False, repr=False)
class TileSet:
    """Grey tiles and their masks, decoded once; sizes may differ between tiles.

    A sequence of `Tile`: `tiles[0]`, `tiles["0a1b2c3d4e"]` by id, `for image, mask in tiles`. A
    slice, a list of indices or a boolean array selects a `TileSet`, which shares its pixels with
    the set it came from.
    """

    name: str
    """Name of the folder or zip."""
    path: Path
    layout: Layout
    encoding: MaskEncoding | None
    """How the masks were stored; None if the set is unlabelled."""
    ids: tuple[str, ...]
    """Sorted after loading; in the given order after `select`."""
    groups: tuple[str, ...]
    """Section that each tile was cut from; the tile's own id if that is unknown."""
    depths: NDArray[np.float32]
    """`float32 (N,)`: depth in the unit of the source, nan if unknown."""
    content: tuple[str, ...]
    """SHA-256 of each tile's decoded shape, image and mask."""
    skipped: tuple[tuple[str, str], ...]
    """Tiles that were left out because they cannot be used: id and reason."""
    pixels: Pixels
    """Images and masks as flat bytes."""
    notes: tuple[str, ...] = ()
    """What was taken for what when the files were read, where that was a choice."""

    @classmethod
    def of(
        cls,
        path: Path,
        files: TileFiles,
        ids: Sequence[str],
        pixels: Pixels,
        *,
        encoding: MaskEncoding | None,
        skipped: Iterable[tuple[str, str]],
        notes: Iterable[str] = (),
    ) -> TileSet:
        """The set of these tiles of a folder or zip.

        Args:
            path: the folder or zip.
            files: its layout and tables.
            ids: the tiles that were read.
            pixels: their images and masks, in the same order.
            encoding: how the masks were stored; None if there are none.
            skipped: id and reason of each tile that was left out.
            notes: what was taken for what.
        """
        return cls(
            name=path.resolve().name,
            path=path,
            layout=files.layout,
            encoding=encoding,
            ids=tuple(ids),
            groups=tuple(files.groups.get(tile) or tile for tile in ids),
            depths=np.array([files.depths.get(tile, math.nan) for tile in ids], np.float32),
            content=pixels.content_hashes(),
            skipped=tuple(sorted(skipped)),
            pixels=pixels,
            notes=tuple(notes),
        )

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        height, width = self.shapes.max(axis=0).tolist() if len(self) else (0, 0)
        same = len(np.unique(self.shapes, axis=0)) < 2
        size = f"{height} × {width} px" if same else f"up to {height} × {width} px"
        masks = f"masks {self.encoding}" if self.labelled else "unlabelled"
        return f"TileSet({self.name!r}, {plural(len(self), 'tile')}, {size}, {masks})"

    def _repr_html_(self) -> str:
        from diapir.tiles.tiles_html import tiles_html

        return tiles_html(self.describe(), self.ids, self.pixels, labelled=self.labelled)

    def __iter__(self) -> Iterator[Tile]:
        return (self._tile(row) for row in range(len(self)))

    @overload
    def __getitem__(self, index: int | np.integer[Any] | str) -> Tile: ...

    @overload
    def __getitem__(self, index: slice | Sequence[int] | NDArray[Any]) -> TileSet: ...

    def __getitem__(
        self, index: int | np.integer[Any] | str | slice | Sequence[int] | NDArray[Any]
    ) -> Tile | TileSet:
        """A tile by its index or id, or the set of a slice, of indices or of a boolean array.

        Raises:
            IndexError: there is no such tile.
            DataError: there is no tile of this id.
        """
        if isinstance(index, str):
            return self.select([index])[0]
        if isinstance(index, slice):
            return self._selected(range(len(self))[index])
        if isinstance(index, Sequence) or (isinstance(index, np.ndarray) and index.ndim):
            rows = np.arange(len(self))[np.asarray(index, None if len(index) else np.intp)]
            return self._selected(rows.tolist())
        row = operator.index(index)
        if not -len(self) <= row < len(self):
            raise IndexError(f"{self.name} has {plural(len(self), 'tile')}, and no tile {row}")
        return self._tile(row % len(self))

    def _tile(self, row: int) -> Tile:
        # copies, which may be changed without changing the set
        mask = self.mask(row).copy() if self.labelled else None
        return Tile(
            self.image(row).copy(), mask, self.ids[row], self.groups[row], float(self.depths[row])
        )

    def to_torch(
        self,
        size: int | None = None,
        *,
        pad: Literal["zero", "reflect", "edge"] = "zero",
        mean: tuple[float, float, float] | None = None,
        std: tuple[float, float, float] | None = None,
    ) -> TorchTiles:
        """A PyTorch data set of pairs, for a `DataLoader`; see `TorchTiles`.

        Args:
            size: height and width of the images in pixels; None for the next multiple of 32 that
                all tiles fit into.
            pad: how smaller tiles are padded.
            mean: of each channel, for the normalisation; None for that of ImageNet.
            std: the same of the standard deviation.

        Raises:
            DataError: tiles that are larger than the size.
            MissingDependencyError: PyTorch is not installed.
        """
        try:
            from diapir.tiles.torch_tiles import TorchTiles
        except ModuleNotFoundError as error:
            if error.name != "torch":
                raise
            raise MissingDependencyError("torch", "train") from None
        largest = int(self.shapes.max()) if len(self) else 1
        given = {"size": size or -(-largest // 32) * 32, "pad": pad, "mean": mean, "std": std}
        known = {key: value for key, value in given.items() if value is not None}
        config = PreprocessConfig.model_validate(known)
        return TorchTiles(self.name, self.pixels, config, labelled=self.labelled)

    @property
    def labelled(self) -> bool:
        """Whether the tiles have masks."""
        return self.encoding is not None

    @property
    def held_out(self) -> tuple[str, ...]:
        """Tiles that the set itself keeps apart for validation, in its own folder `val`."""
        return tuple(tile for tile in self.ids if tile.startswith(VAL) and self.layout == "pairs")

    @property
    def shapes(self) -> NDArray[np.int32]:
        """`int32 (N, 2)`: height and width of each tile in pixels."""
        return self.pixels.shapes

    @cached_property
    def coverage(self) -> NDArray[np.float32]:
        """`float32 (N,)` in [0, 1]: share of salt among each tile's valid pixels; 0 if none are."""
        coverage = np.zeros(len(self), np.float32)
        for i in range(len(self)):
            mask = self.mask(i)
            valid = int(np.count_nonzero(mask != IGNORE))
            coverage[i] = int(np.count_nonzero(mask == 1)) / max(valid, 1)
        return coverage

    @cached_property
    def hash(self) -> str:
        """SHA-256 over ids and contents, independent of their order."""
        return set_hash(zip(self.ids, self.content, strict=True))

    @cached_property
    def fingerprints(self) -> tuple[str, ...]:
        """A fingerprint of each tile's image, 16 hexadecimal digits; see `bundle.fingerprints`."""
        return tuple(self.pixels.image_hash(index)[:16] for index in range(len(self)))

    @property
    def constant(self) -> frozenset[str]:
        """Ids of the tiles whose image is constant, which no split contains."""
        return frozenset(
            tile for index, tile in enumerate(self.ids) if not np.ptp(self.image(index))
        )

    @cached_property
    def class_shares(self) -> dict[str, float]:
        """Share of all pixels that are `background`, `salt` and `ignored`, in [0, 1]."""
        total = salt = ignored = 0
        for i in range(len(self)):
            mask = self.mask(i)
            total += mask.size
            salt += int(np.count_nonzero(mask == 1))
            ignored += int(np.count_nonzero(mask == IGNORE))
        total = max(total, 1)
        return {
            "background": (total - salt - ignored) / total,
            "salt": salt / total,
            "ignored": ignored / total,
        }

    def describe(self) -> str:
        """Number of tiles, mask encoding and share of each class, in one line."""
        skipped = f", {integer(len(self.skipped))} left out as unreadable" if self.skipped else ""
        line = f"{self.name}: {plural(len(self), 'tile')} ({self.layout}){skipped}"
        if self.encoding is None:
            return line
        shares = ", ".join(f"{name} {share:.1%}" for name, share in self.class_shares.items())
        return f"{line}; mask encoding {self.encoding}: {shares}"

    def image(self, index: int) -> NDArray[np.uint8]:
        """Grey image `uint8 (H, W)` of one tile, a read-only view."""
        return self.pixels.image(index)

    def mask(self, index: int) -> NDArray[np.uint8]:
        """Mask `uint8 (H, W)` of {0 background, 1 salt, 255 ignore} of one tile, a read-only view.

        Raises:
            DataError: the set is unlabelled.
        """
        if not self.labelled:
            raise DataError(
                f"{self.name} was read without masks",
                expected="labelled tiles",
                fix="give tiles with masks",
            )
        return self.pixels.mask(index)

    def select(self, ids: Iterable[str]) -> TileSet:
        """The tiles with these ids, in this order.

        Raises:
            DataError: an id that is not in the set.
        """
        index = {tile: i for i, tile in enumerate(self.ids)}
        chosen = tuple(ids)
        unknown = [tile for tile in chosen if tile not in index]
        if unknown:
            raise DataError(
                f"{self.name} has no tile {listing(unknown)}",
                expected=f"ids among its {len(self)} tiles",
                fix=f"use a split of these tiles: diapir data split {self.path} --out FILE",
            )
        return self._selected([index[tile] for tile in chosen])

    def _selected(self, rows: Sequence[int]) -> TileSet:
        """The tiles of these rows, in this order."""
        rows = list(rows)
        return replace(
            self,
            ids=tuple(self.ids[row] for row in rows),
            groups=tuple(self.groups[row] for row in rows),
            depths=self.depths[rows],
            content=tuple(self.content[row] for row in rows),
            pixels=self.pixels.select(rows),
        )

    def join(self, other: TileSet) -> TileSet:
        """The tiles of two labelled sets, those of `other` last; everything else is this set's."""
        return replace(
            self,
            ids=self.ids + other.ids,
            groups=self.groups + other.groups,
            depths=np.concatenate([self.depths, other.depths]),
            content=self.content + other.content,
            skipped=self.skipped + other.skipped,
            notes=self.notes + other.notes,
            pixels=self.pixels.join(other.pixels),
        )

    def stack(
        self, indices: Sequence[int] | NDArray[np.integer]
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Images and masks of tiles of one size, copied: two `uint8 (n, H, W)`.

        Raises:
            DataError: the tiles differ in size, or the set is unlabelled.
        """
        if len(indices):
            self.mask(int(indices[0]))
        return self.pixels.stack(np.asarray(indices, dtype=np.int64))
