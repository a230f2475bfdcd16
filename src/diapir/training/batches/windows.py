"""Windows at random positions of whole sections, which are trained on in addition to tiles.

A network trained only on whole tiles learns where tiles end. Windows cross the edges between tiles
and show unlabelled neighbours as context (255 in the mask). Sections come from `diapir data mosaic`
(reassembled tiles), which `diapir data pseudo --mosaic` may have given pseudo-labels, and from
`diapir data synth` (labelled everywhere).

The windows of an epoch are numbered after its tiles and shuffled with them. The content of a window
depends on the run's seed, the step and its number alone, so neither resuming nor the number of
processes changes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diapir.config import IGNORE, DataConfig
from diapir.errors import DataError
from diapir.text import integer
from diapir.tiles import TileSet, read_image
from diapir.tiles.mosaic.mosaic_files import MosaicSection, PlacedTile, read_mosaic
from diapir.tiles.mosaic.pseudo_files import pseudo_path, read_pseudo
from diapir.training.batches.labelled_sections import Cells, LabelledSection, Matrix, SectionSet
from diapir.training.batches.seam_labels import ignore_beside_seams
from diapir.training.batches.tile_batches import consecutive_batches
from diapir.training.batches.tile_crops import Indices

_LEAST_PSEUDO = 0.5
"""Windows are drawn around a tile if at least this share of it has pseudo-labels."""


@dataclass(frozen=True, eq=False)
class Windows:
    """The windows of a run.

    Attributes:
        sets: the sections that windows are cut from, and the number of windows in an epoch.
        sizes: heights and widths in pixels; each step draws one of them.
        canvas: side that tiles are padded to; larger windows are in batches without tiles.
        labelled: share of a window that should be labelled, in [0, 1].
    """

    sets: tuple[tuple[SectionSet, int], ...]
    sizes: tuple[int, ...]
    canvas: int
    labelled: float

    @property
    def count(self) -> int:
        """Number of windows in an epoch."""
        return sum(count for _, count in self.sets)

    @cached_property
    def hash(self) -> str:
        """SHA-256 over all sections."""
        return hashlib.sha256("".join(each.hash for each, _ in self.sets).encode()).hexdigest()

    @property
    def names(self) -> str:
        """The sections that windows are cut from, in words."""
        return " and ".join(each.describe() for each, _ in self.sets)

    def describe(self) -> str:
        """One line for the log."""
        parts = [f"{integer(count)} per epoch from {each.describe()}" for each, count in self.sets]
        return f"Windows: {', '.join(parts)}; {', '.join(map(str, self.sizes))} pixels per side"

    def size(self, seed: Sequence[int], *, alone: bool) -> int:
        """Side of the windows of a step.

        Args:
            seed: the numbers that the draw depends on.
            alone: whether the step has no tiles.
        """
        large = [size for size in self.sizes if size > self.canvas]
        sizes = large if alone else [size for size in self.sizes if size <= self.canvas]
        sizes = sizes or list(self.sizes)
        return sizes[int(np.random.default_rng([*seed, 2]).integers(len(sizes)))]

    def epoch_batches(
        self, tiles: int, batch: int, *, seed: int, epoch: int, processes: int
    ) -> list[Indices]:
        """The shuffled batches of an epoch: tiles with windows, and large windows apart.

        Windows are numbered from `tiles` on. The rest is as for `tile_batches.epoch_batches`.
        """
        rng = np.random.default_rng([seed, epoch, 1])
        windows = tiles + rng.permutation(self.count)
        large = sum(size > self.canvas for size in self.sizes) / len(self.sizes)
        apart = round(large * self.count)
        mixed = rng.permutation(np.concatenate([np.arange(tiles), windows[apart:]]))
        batches = consecutive_batches(mixed, batch) + consecutive_batches(windows[:apart], batch)
        chosen = [batches[number] for number in rng.permutation(len(batches))]
        return [indices for indices in chosen if len(indices) >= processes]

    def cut(
        self, numbers: Sequence[int], size: int, matrices: Matrix, seed: Sequence[int]
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Cut windows.

        Args:
            numbers: numbers of the windows in the epoch, from 0.
            size: height and width in pixels.
            matrices: `(n, 2, 2)`: scale and rotation of each, as `Augmentation.matrix`.
            seed: the numbers that the positions depend on.

        Returns:
            Images and masks, `uint8 (n, size, size)`.
        """
        images = np.empty((len(numbers), size, size), np.uint8)
        masks = np.empty_like(images)
        for row, number in enumerate(numbers):
            rng = np.random.default_rng([*seed, 3, number])
            chosen = self._set_of(number)
            images[row], masks[row] = chosen.window(size, matrices[row], self.labelled, rng)
        return images, masks

    def _set_of(self, number: int) -> SectionSet:
        for each, count in self.sets:
            if number < count:
                return each
            number -= count
        raise IndexError(number)


def open_windows(
    config: DataConfig, train: TileSet, canvas: int, images: int | None = None
) -> Windows | None:
    """The windows of a recipe; None for a recipe without windows.

    Of a mosaic the labels of `train` and the pseudo-labels are used; other tiles are context.

    Args:
        config: the sections, and the number and sizes of windows.
        train: the training tiles.
        canvas: side that tiles are padded to.
        images: number of tiles and crops of larger tiles in an epoch; None for one of each tile.

    Raises:
        DataError: a folder cannot be used, or no section holds a training tile.
    """
    shares: list[tuple[SectionSet, float]] = []
    if config.mosaic is not None and config.mosaic_share:
        mosaic = _mosaic(Path(config.mosaic), train, config.seam_ignored)
        shares.append((mosaic, config.mosaic_share))
    if config.synthetic and config.synthetic_share:
        shares.append((_synthetic([*map(Path, config.synthetic)]), config.synthetic_share))
    if not shares:
        return None
    rest = 1 - sum(share for _, share in shares)
    images = len(train) if images is None else images
    sets = tuple((each, max(1, round(images * share / rest))) for each, share in shares)
    sizes = config.window_sizes or (min(int(train.shapes.max()), canvas),)
    return Windows(sets, sizes, canvas, config.window_labelled)


def _mosaic(folder: Path, train: TileSet, seam: int) -> SectionSet:
    """The sections of a mosaic that hold a training tile or pseudo-labels.

    Args:
        folder: of the mosaic.
        train: the training tiles.
        seam: width in pixels of what is ignored beside contradictory seams; 0 for nothing.
    """
    rows = {tile: row for row, tile in enumerate(train.ids)}
    found = []
    for section in read_mosaic(folder):
        inside = [tile for tile in section.tiles if tile.id in rows]
        if inside or pseudo_path(folder, section.name).exists():
            found.append(_laid_out(section, inside, train, rows, seam))
    if not any(len(section.cells) for section in found):
        raise DataError(
            f"no section of {folder} holds a training tile",
            expected="a mosaic of the training tiles",
            fix=f"diapir data mosaic {train.path} --out FOLDER",
        )
    return SectionSet(folder.name, tuple(found))


def _laid_out(
    section: MosaicSection,
    inside: Sequence[PlacedTile],
    train: TileSet,
    rows: dict[str, int],
    seam: int,
) -> LabelledSection:
    """A section with the labels of its training tiles, pseudo-labels where it has them, else 255.

    Gaps between tiles are blank in the image, like mutes and gaps of a survey, and background (0)
    in the mask.
    """
    image = section.image()
    mask = np.zeros(image.shape, np.uint8)
    boxes = []
    guessed = read_pseudo(section.folder, section.name, image.shape)
    pseudo = []
    for tile in section.tiles:
        place = section.place(tile, image)
        mask[place] = guessed[place]
        if tile not in inside and (guessed[place] != IGNORE).mean() >= _LEAST_PSEUDO:
            pseudo.append(_box(place))
    for tile in inside:
        place = section.place(tile, image)
        section.require_same(tile, image, train, rows[tile.id])
        mask[place] = train.mask(rows[tile.id])
        boxes.append(_box(place))
    places = [section.place(tile, image) for tile in section.tiles]
    seams = ignore_beside_seams(mask, places, seam) if seam else 0
    return LabelledSection(image, mask, _labelled(boxes, mask), _labelled(pseudo, mask), seams)


def _box(place: tuple[slice, slice]) -> tuple[int, int, int, int]:
    rows, columns = place
    return rows.start, columns.start, rows.stop, columns.stop


def _labelled(boxes: Sequence[tuple[int, int, int, int]], mask: NDArray[np.uint8]) -> Cells:
    """The boxes (top, left, bottom, right) that hold labels."""
    kept = [box for box in boxes if (mask[box[0] : box[2], box[1] : box[3]] != IGNORE).any()]
    return np.array(kept, np.int64).reshape(-1, 4)


def _synthetic(folders: Sequence[Path]) -> SectionSet:
    """The sections of synthetic surveys, which are labelled everywhere."""
    found = []
    for folder in folders:
        paths = sorted((folder / "sections").glob("*.png"))
        if not paths:
            raise DataError(
                f"{folder} holds no sections",
                expected="a folder written by `diapir data synth`",
                fix="diapir data synth --out FOLDER, then --set 'data.synthetic=[FOLDER]'",
            )
        for path in paths:
            image, salt = read_image(path), read_image(folder / "sections" / "masks" / path.name)
            whole = np.array([[0, 0, *image.shape]], np.int64)
            found.append(LabelledSection(image, (salt > 0).astype(np.uint8), whole))
    return SectionSet(", ".join(folder.name for folder in folders), tuple(found))


def training_hash(tiles: TileSet, windows: Windows | None) -> str:
    """SHA-256 over the training tiles and the sections of the windows, if there are any."""
    if windows is None:
        return tiles.hash
    return hashlib.sha256((tiles.hash + windows.hash).encode()).hexdigest()


def names(ids: Sequence[str], indices: Indices) -> list[str]:
    """A name for each image of a batch: the tile's id, or the window's number in the epoch."""
    return [ids[index] if index < len(ids) else f"window {index}" for index in indices.tolist()]
