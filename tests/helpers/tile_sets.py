"""Makers of tile sets: in every layout, in memory, and as `train_super` from any tile set.

By hand, on real tiles:

    python -m tests.helpers.tile_sets ZIP OUT --limit 400
"""

from __future__ import annotations

import argparse
import hashlib
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diapir.tiles import TileSet, encode_mask, load_tiles, rle_encode
from diapir.tiles.pixels import Pixels

Images = dict[str, NDArray[np.uint8]]
Layout = Literal["kaggle", "kaggle_zip", "train_super", "pairs", "synthetic"]
SUPER_SUFFIX = "_zssr_X2.00X2.00"


def make_tiles(
    count: int = 8, *, size: tuple[int, int] = (21, 19), seed: int = 0
) -> tuple[Images, Images]:
    """Grey tiles with bright salt, and their masks {0, 1}; every third mask is empty."""
    rng = np.random.default_rng(seed)
    images, masks = {}, {}
    height, width = size
    for number in range(count):
        mask = np.zeros(size, np.uint8)
        if number % 3:
            top, left = rng.integers(0, height // 2), rng.integers(0, width // 2)
            mask[top : top + height // 2, left : left + width // 2] = 1
        noise = rng.integers(20, 120, size, dtype=np.uint8)
        images[f"t{number:03d}"] = noise + mask * np.uint8(100)
        masks[f"t{number:03d}"] = mask
    return images, masks


def png(pixels: NDArray[np.generic], mode: str | None = None) -> bytes:
    """A PNG of `uint8`, `uint16` or colour pixels, in another mode where one is named."""
    file = io.BytesIO()
    picture = Image.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(file, "PNG")
    return file.getvalue()


def tgs_mask(mask: NDArray[np.uint8]) -> bytes:
    """A mask as TGS stores it: 16 bit with salt, 8 bit without."""
    return png(encode_mask(mask, "grey16")) if mask.any() else png(mask)


def tile_files(images: Images, masks: Images, layout: Layout) -> dict[str, bytes]:
    """The files of a layout by name; `kaggle_zip` is not one of them, see `write_tiles`."""
    if layout == "kaggle":
        rows = [f"{tile},{rle_encode(mask)}" for tile, mask in masks.items()]
        depths = [f"{tile},{100 + number}" for number, tile in enumerate(images)]
        return {
            **{f"train/images/{tile}.png": png(image, "RGB") for tile, image in images.items()},
            **{f"train/masks/{tile}.png": tgs_mask(mask) for tile, mask in masks.items()},
            **{f"test/images/x{tile}.png": png(image, "RGB") for tile, image in images.items()},
            "train.csv": "\n".join(["id,rle_mask", *rows, ""]).encode(),
            "depths.csv": "\n".join(["id,z", *depths, ""]).encode(),
        }
    if layout == "train_super":
        files = {}
        for tile in images:
            image, mask = _super_resolved(images[tile], masks[tile])
            files[f"trainSuper/images/{tile}{SUPER_SUFFIX}.png"] = image
            files[f"trainSuper/masks/{tile}{SUPER_SUFFIX}.png"] = mask
        return files
    files = {
        **{f"images/{tile}.png": png(image) for tile, image in images.items()},
        **{f"masks/{tile}.png": png(encode_mask(mask, "grey8")) for tile, mask in masks.items()},
    }
    if layout == "synthetic":
        groups = [f"{tile},section{number // 4}" for number, tile in enumerate(images)]
        files["groups.csv"] = "\n".join(["id,group", *groups, ""]).encode()
        files["synthetic.json"] = b'{"format": 1, "seed": 0, "tiles": %d}' % len(images)
    return files


def write_files(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files below a folder and return it."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def zip_files(path: Path | io.BytesIO, files: dict[str, bytes]) -> None:
    """Put files into a zip."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def write_tiles(
    folder: Path,
    layout: Layout = "pairs",
    *,
    images: Images | None = None,
    masks: Images | None = None,
    count: int = 8,
    size: tuple[int, int] = (21, 19),
    seed: int = 0,
) -> Path:
    """Write a tile set and return what to give to `--data`: the folder, or Kaggle's zip in it."""
    if images is None or masks is None:
        images, masks = make_tiles(count, size=size, seed=seed)
    if layout != "kaggle_zip":
        return write_files(folder, tile_files(images, masks, layout))
    outer: dict[str, bytes] = {}
    parts: dict[str, dict[str, bytes]] = {"train": {}, "test": {}}
    for name, content in tile_files(images, masks, "kaggle").items():
        part, _, rest = name.partition("/")
        if part in parts:
            parts[part][rest] = content
        else:
            outer[name] = content
    for part, files in parts.items():
        inner = io.BytesIO()
        zip_files(inner, files)
        outer[f"{part}.zip"] = inner.getvalue()
    folder.mkdir(parents=True, exist_ok=True)
    zip_files(folder / "tiles.zip", outer)
    return folder / "tiles.zip"


def write_train_super(tiles: TileSet, folder: Path, limit: int | None = None) -> Path:
    """Any labelled tile set in the `train_super` layout: twice the size, RGBA, RGB masks."""
    for number in range(min(len(tiles), limit or len(tiles))):
        tile, image, mask = tiles.ids[number], tiles.image(number), tiles.mask(number)
        write_files(folder, tile_files({tile: image}, {tile: mask}, "train_super"))
    return folder


def tiles_with_salt(
    salt: Sequence[int],
    *,
    groups: Sequence[int] | None = None,
    images: Sequence[int] | None = None,
    order: Sequence[int] | None = None,
    constant: Sequence[int] = (),
) -> TileSet:
    """A set of 10 × 10 tiles in memory.

    Args:
        salt: salt pixels of each tile.
        groups: section number of each tile; None makes each its own group.
        images: equal numbers are identical images; None makes them all different.
        order: indices in another order.
        constant: indices of tiles with a constant image.
    """
    count = len(salt)
    ids = [f"tile{index:04d}" for index in range(count)]
    names = [f"section {group}" for group in groups] if groups is not None else ids
    pictures = np.zeros((count, 10, 10), np.uint8)
    masks = np.zeros((count, 10, 10), np.uint8)
    for index in range(count):
        number = index if images is None else images[index]
        pictures[index].flat[:3] = *divmod(number, 256), 255
        masks[index].flat[: salt[index]] = 1
    pictures[list(constant)] = 90
    tiles = TileSet(
        name="made",
        path=Path("made"),
        layout="pairs",
        encoding="index",
        ids=tuple(ids),
        groups=tuple(names),
        depths=np.full(count, np.nan, np.float32),
        content=tuple(
            hashlib.sha256(picture.tobytes() + mask.tobytes()).hexdigest()
            for picture, mask in zip(pictures, masks, strict=True)
        ),
        skipped=(),
        pixels=Pixels.of(pictures.ravel(), masks.ravel(), np.full((count, 2), 10, np.int32)),
    )
    return tiles if order is None else tiles.select([ids[index] for index in order])


def _super_resolved(image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> tuple[bytes, bytes]:
    height, width = image.shape
    twice = (2 * width, 2 * height)
    larger = Image.fromarray(image).resize(twice, Image.Resampling.BICUBIC)
    salt = Image.fromarray(mask).resize(twice, Image.Resampling.NEAREST)
    # super-resolution left no mask purely black and white: salt is 254 or a little below, never 255
    rows = np.arange(2 * height, dtype=np.uint8)[:, None] % 5
    values = np.asarray(salt) * (np.uint8(254) - rows)
    return png(np.asarray(larger), "RGBA"), png(values, "RGB")


def main() -> None:
    parser = argparse.ArgumentParser(description=write_train_super.__doc__)
    parser.add_argument("tiles", metavar="ZIP", type=Path)
    parser.add_argument("out", metavar="OUT", type=Path)
    parser.add_argument("--limit", type=int)
    chosen = parser.parse_args()
    write_train_super(load_tiles(chosen.tiles), chosen.out, chosen.limit)


if __name__ == "__main__":
    main()
