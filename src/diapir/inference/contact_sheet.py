"""A contact sheet of labelled tiles: images, masks and overlays in one picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from diapir.config import IGNORE
from diapir.errors import DataError
from diapir.files import claim, disk_errors, writing
from diapir.inference.overlay import HIT, overlay
from diapir.text import integer, percent, plural
from diapir.tiles import TileSet
from diapir.tiles.stratify import image_digests

CLASSES = (
    (0.0, "no salt"),
    (0.1, "up to 10 % salt"),
    (0.5, "10 to 50 % salt"),
    (0.9, "50 to 90 % salt"),
    (1.0, "above 90 % salt"),
)
"""Upper bounds of the classes of salt coverage, and their titles."""

CELL, GAP, MARGIN = 120, 6, 16
"""Side of a picture, space between pictures, and margin of the sheet, in pixels."""
FEWEST = 5
"""Pictures in a row that the sheet has room for at least, so that its heading fits."""
LINE = 16
"""Height of a line of text in pixels."""
MARK = "diapir contact sheet"
"""Comment in the file, by which a sheet knows an earlier one."""
INK, PALE, PAPER = (20, 20, 20), (80, 80, 80), (226, 226, 230)


@dataclass(frozen=True)
class Row:
    """A row of the sheet: a title, the indices of its tiles, and a caption for each."""

    title: str
    indices: tuple[int, ...]
    captions: tuple[str, ...]


def sheet_rows(tiles: TileSet, per_row: int) -> list[Row]:
    """Tiles of each class of salt coverage, spread evenly over it, and those to look at twice.

    Args:
        tiles: labelled tiles.
        per_row: most tiles of a row.
    """
    coverage = tiles.coverage
    bounds = np.array([bound for bound, _ in CLASSES], coverage.dtype)
    classes = np.digitize(coverage, bounds, right=True)
    rows = []
    for number, (_, title) in enumerate(CLASSES):
        members = np.flatnonzero(classes == number)
        if not len(members):
            continue
        order = members[np.lexsort((members, coverage[members]))]
        places = np.linspace(0, len(order) - 1, min(per_row, len(order))).round().astype(int)
        chosen = tuple(int(index) for index in order[places])
        share = percent(len(members) / len(tiles))
        captions = tuple(percent(coverage[index]) for index in chosen)
        rows.append(Row(f"{title}: {plural(len(members), 'tile')}, {share}", chosen, captions))
    flagged = flags(tiles)
    if flagged:
        first = dict(islice(_in_turn(flagged), per_row))
        title = f"to look at: {plural(len(flagged), 'tile')}"
        rows.append(Row(title, tuple(first), tuple(first.values())))
    return rows


def _in_turn(flagged: Mapping[int, str]) -> Iterator[tuple[int, str]]:
    """Flagged tiles, one of each reason in turn, so that a short row shows all reasons."""
    by_reason: dict[str, list[int]] = defaultdict(list)
    for index, reason in flagged.items():
        by_reason[reason].append(index)
    for turn in zip_longest(*by_reason.values()):
        for reason, index in zip(by_reason, turn, strict=True):
            if index is not None:
                yield index, reason


def flags(tiles: TileSet) -> dict[int, str]:
    """The tiles whose labels may be wrong or that teach nothing, with the reason, by index.

    Constant images come first, then one image whose masks differ, masks that are mostly ignored,
    and masks that are salt throughout. A tile has its first reason only.
    """
    found: dict[str, list[int]] = defaultdict(list)
    same = defaultdict(list)
    for index, digest in enumerate(image_digests(tiles, range(len(tiles)))):
        same[digest].append(index)
    for members in same.values():
        if len(members) > 1 and len({tiles.mask(index).tobytes() for index in members}) > 1:
            found["masks differ"] += members
    for index in range(len(tiles)):
        mask = tiles.mask(index)
        ignored = np.count_nonzero(mask == IGNORE)
        if not np.ptp(tiles.image(index)):
            found["constant image"].append(index)
        if 2 * ignored > mask.size:
            found["mostly ignored"].append(index)
        if (mask != 0).all() and ignored < mask.size:
            found["all salt"].append(index)
    reasons: dict[int, str] = {}
    for reason in ("constant image", "masks differ", "mostly ignored", "all salt"):
        for index in sorted(found[reason]):
            reasons.setdefault(index, reason)
    return reasons


def contact_sheet(tiles: TileSet, *, per_row: int = 8) -> Image.Image:
    """Draw a contact sheet: for each tile the image, below it the mask, and both together.

    Args:
        tiles: labelled tiles of any sizes; each is scaled to fit its place.
        per_row: most tiles of each class of salt coverage.

    Returns:
        An RGB picture of some 1,000 × 2,000 pixels.
    """
    rows = sheet_rows(tiles, per_row)
    mixed = len({tuple(shape) for shape in tiles.shapes.tolist()}) > 1
    columns = max(FEWEST, *(len(row.indices) for row in rows))
    width = 2 * MARGIN + columns * (CELL + GAP) - GAP
    row_height = 3 * (CELL + GAP) + (4 if mixed else 3) * LINE + MARGIN
    heading = list(_heading(tiles))
    sheet = Image.new(
        "RGB", (width, 2 * MARGIN + len(heading) * LINE + len(rows) * row_height), PAPER
    )
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(12)
    top = MARGIN
    for line in heading:
        draw.text((MARGIN, top), line, INK, font)
        top += LINE
    for row in rows:
        _draw_row(sheet, draw, font, tiles, row, top + MARGIN // 2, mixed=mixed)
        top += row_height
    return sheet


def claim_sheet(out: Path) -> None:
    """Refuse to overwrite anything but an earlier contact sheet.

    Raises:
        DataError: there is something else, or the name is not that of a PNG file.
    """
    if out.suffix.lower() != ".png":
        raise DataError(
            f"{out} is not the name of a PNG file",
            expected="a name that ends in .png",
            fix=f"--out {out.with_suffix('.png')}",
        )
    claim(out, holds="a contact sheet", ours=_is_sheet, folder=False)


def _is_sheet(path: Path) -> bool:
    with Image.open(path, formats=["PNG"]) as picture:
        return picture.info.get("Description") == MARK


def save_sheet(sheet: Image.Image, out: Path) -> None:
    """Write a contact sheet as PNG, whole or not at all.

    Raises:
        DataError: it cannot be written.
    """
    note = PngInfo()
    note.add_text("Description", MARK)
    with disk_errors(out, DataError):
        out.parent.mkdir(parents=True, exist_ok=True)
        with writing(out) as file:
            sheet.save(file, format="PNG", pnginfo=note)


def _heading(tiles: TileSet) -> Iterator[str]:
    shares = ", ".join(f"{name} {percent(one, 1)}" for name, one in tiles.class_shares.items())
    yield f"{tiles.name}: {integer(len(tiles))} tiles, masks {tiles.encoding}: {shares}"
    yield "image; mask: white salt, black background, blue ignored; salt in orange over the image"


def _draw_row(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    tiles: TileSet,
    row: Row,
    top: int,
    *,
    mixed: bool,
) -> None:
    draw.text((MARGIN, top), row.title, INK, font)
    for place, (index, caption) in enumerate(zip(row.indices, row.captions, strict=True)):
        left, below = MARGIN + place * (CELL + GAP), top + LINE + 2
        for picture in pictures(tiles.image(index), tiles.mask(index)):
            fitted = _fitted(picture)
            sheet.paste(fitted, (left, below))
            below += CELL + GAP
        height, width = tiles.shapes[index]
        size = [f"{height} x {width} px"] if mixed else []  # the font has no ×
        for text in (tiles.ids[index], caption, *size):
            draw.text((left, below - 4), _shortened(text, draw, font), PALE, font)
            below += LINE


def pictures(
    image: NDArray[np.uint8], mask: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Image, mask and overlay of a tile `(H, W)`, each RGB `uint8 (H, W, 3)`."""
    grey = np.repeat(image[..., None], 3, axis=2)
    colours = np.zeros((256, 3), np.uint8)
    colours[1], colours[IGNORE] = 255, HIT
    return grey, colours[mask], overlay(image, (mask == 1).astype(np.uint8))


def _fitted(picture: NDArray[np.uint8]) -> Image.Image:
    """A picture as large as its place allows, in its own proportions."""
    height, width = picture.shape[:2]
    scale = CELL / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    # pixels stay visible where a tile is enlarged
    kind = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BOX
    return Image.fromarray(picture).resize(size, kind)


def _shortened(
    text: str, draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont
) -> str:
    """The end of a text that fits into the width of a picture: names differ at their end."""
    text = text.encode("utf-8", "replace").decode()  # a file name may not be Unicode
    shown = text
    while shown and draw.textlength(shown if shown == text else f"…{shown}", font) > CELL:
        shown = shown[1:]
    return shown if shown == text else f"…{shown}"
