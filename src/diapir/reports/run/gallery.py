"""The tiles shown in a report, with their pictures embedded in the page."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diapir.config import IGNORE
from diapir.evaluation.breakdown import COVERAGE_NAMES
from diapir.inference.overlay import overlay
from diapir.inference.postprocess import salt_mask
from diapir.text import decimal, percent, plural

if TYPE_CHECKING:
    from diapir.evaluation import Evaluation, TileScore
    from diapir.tiles import TileSet

Bytes = NDArray[np.uint8]

PER_CLASS, WORST = 6, 6
"""Number of tiles shown per class of salt coverage, and of worst tiles with and without salt."""
SMALL_SIDE, LARGE_SIDE = 160, 202
"""Longest side in pixels of a picture in the gallery, and of the worst tiles."""

_IGNORED_GREY = 128


class Picture(NamedTuple):
    """An image of the page, as a data URI."""

    src: str
    alt: str
    width: int
    height: int


class TileCard(NamedTuple):
    """A tile of the gallery; `bare` is the tile without the overlay."""

    id: str
    numbers: list[str]
    drawn: Picture
    bare: Picture


class CoverageRow(NamedTuple):
    """The tiles shown of one class of salt coverage."""

    title: str
    share: str
    cards: list[TileCard]


class WorstTile(NamedTuple):
    """One of the worst tiles: its errors in words, its scores, and four pictures by name."""

    id: str
    where: str
    verdict: str
    numbers: list[tuple[str, str]]
    pictures: dict[str, Picture]


class Gallery:
    """Draws evaluated tiles.

    Args:
        evaluation: the scores.
        tiles: the evaluated tiles.
        probabilities: salt probability of each tile, float32 (H, W), in the order of the tiles.
    """

    def __init__(
        self,
        evaluation: Evaluation,
        tiles: TileSet,
        probabilities: Sequence[NDArray[np.float32]],
    ) -> None:
        self._evaluation = evaluation
        self._tiles = tiles
        self._probabilities = probabilities
        self._threshold = evaluation.metrics["threshold"]
        self._min_area = evaluation.metrics.get("min_area", 0)
        self._places = {name: place for place, name in enumerate(tiles.ids)}
        self._scores = {score.id: score for score in evaluation.tiles}

    def sample(self) -> list[CoverageRow]:
        """Tiles of each class of coverage, sampled independently of the scores.

        They are sorted by a hash of the id, so all reports on the same tiles show the same ones.
        """
        rows = []
        for name, members in classes(self._evaluation):
            share = percent(len(members) / len(self._evaluation.tiles))
            share = f"{plural(len(members), 'tile')}, {share} of all"
            chosen = fixed_sample(members, PER_CLASS)
            cards = [self._card(score) for score in chosen]
            rows.append(CoverageRow(class_title(name), share, cards))
        return rows

    def best(self) -> list[TileCard]:
        """The best tile of each class with salt, if any of its salt was found."""
        ranks = {name: rank for rank, name in enumerate(self._evaluation.best(len(self._scores)))}
        best = [
            min(members, key=lambda score: ranks[score.id])
            for name, members in classes(self._evaluation)
            if name != COVERAGE_NAMES[0]
        ]
        return [self._card(score) for score in best if score.dice > 0]

    def worst(self) -> list[tuple[str, list[WorstTile]]]:
        """The worst tiles with salt and without, worst first; perfect tiles are excluded.

        Two lists, because tiles of Dice 0 of either kind could fill a single one.
        """
        ranked = [self._scores[name] for name in self._evaluation.worst(len(self._scores))]
        wrong = [score for score in ranked if score.dice < 1]
        kinds = [
            ("Tiles with salt", [score for score in wrong if score.coverage > 0]),
            ("Tiles without salt", [score for score in wrong if score.coverage == 0]),
        ]
        return [
            (title, [self._worst_tile(score) for score in scores[:WORST]])
            for title, scores in kinds
            if scores
        ]

    def _card(self, score: TileScore) -> TileCard:
        image, mask, found = self._arrays(score.id)
        numbers = [f"Dice {decimal(score.dice, 2)}", f"salt {percent(score.coverage)}"]
        alt = f"Tile {score.id}, {self._verdict(mask, found)}"
        return TileCard(
            score.id,
            numbers,
            picture(overlay(image, found, mask), alt, SMALL_SIDE),
            picture(image, f"Tile {score.id} without the prediction", SMALL_SIDE),
        )

    def _worst_tile(self, score: TileScore) -> WorstTile:
        image, mask, found = self._arrays(score.id)
        place = self._places[score.id]
        height, width = image.shape
        where = [f"{width} × {height} px"]
        if score.group != score.id:
            where.append(f"group {score.group}")
        depth = float(self._tiles.depths[place])
        if np.isfinite(depth):
            where.append(f"depth {depth:g}")
        probability = np.clip(np.nan_to_num(self._probabilities[place]), 0, 1)
        levels = np.round(255 * probability).astype(np.uint8)
        verdict = self._verdict(mask, found)
        pictures = {
            "Tile": picture(image, f"Tile {score.id}", LARGE_SIDE),
            "Labels": picture(
                labels_grey(mask), f"Labels: {percent(score.coverage)} salt", LARGE_SIDE
            ),
            "Probability": picture(probability_colours()[levels], "Predicted", LARGE_SIDE),
            "Overlay": picture(overlay(image, found, mask), verdict, LARGE_SIDE),
        }
        numbers = [
            ("Dice", decimal(score.dice, 2)),
            ("IoU", decimal(score.iou, 2)),
            ("Kaggle", decimal(score.kaggle_ap, 2)),
            ("salt", percent(score.coverage, 1)),
            ("predicted salt", percent(score.predicted, 1)),
        ]
        return WorstTile(
            score.id, " · ".join(where), verdict[0].upper() + verdict[1:], numbers, pictures
        )

    def _arrays(self, name: str) -> tuple[Bytes, Bytes, Bytes]:
        """Image, labels and predicted mask of a tile."""
        place = self._places[name]
        found = salt_mask(self._probabilities[place], self._threshold, self._min_area)
        return self._tiles.image(place), self._tiles.mask(place), found

    @staticmethod
    def _verdict(mask: Bytes, found: Bytes) -> str:
        """The errors of a tile, in words."""
        salt, predicted = mask == 1, (found == 1) & (mask != IGNORE)
        if not salt.any():
            share = predicted.sum() / max((mask != IGNORE).sum(), 1)
            return f"no labelled salt, {percent(share)} of the tile predicted as salt"
        if not predicted.any():
            return "all salt missed"
        if not (salt & predicted).any():
            return "all salt missed, all predicted salt false"
        missed = (salt & ~predicted).sum() / salt.sum()
        false = (predicted & ~salt).sum() / predicted.sum()
        return f"{percent(missed)} of the salt missed, {percent(false)} of the predicted salt false"


def classes(evaluation: Evaluation) -> list[tuple[str, list[TileScore]]]:
    """The non-empty classes of salt coverage, with their tiles."""
    scores = sorted(evaluation.tiles, key=lambda score: score.coverage)
    found = []
    for row in evaluation.by_coverage:
        # classes ascend, so their sizes divide the sorted tiles as the evaluation did
        members, scores = scores[: row["n_images"]], scores[row["n_images"] :]
        found.append((str(row["coverage"]), members))
    return found


def fixed_sample(members: Sequence[TileScore], number: int) -> list[TileScore]:
    """Tiles of a class, sampled independently of the scores and sorted by coverage."""
    chosen = sorted(members, key=lambda score: _shuffled(score.id))[:number]
    return sorted(chosen, key=lambda score: (score.coverage, score.id))


def labels_grey(mask: Bytes) -> Bytes:
    """Labels as an image: salt white, background black, ignored pixels grey."""
    return np.where(mask == IGNORE, _IGNORED_GREY, np.where(mask == 1, 255, 0)).astype(np.uint8)


@cache
def probability_colours() -> Bytes:
    """Colours of probability 0 … 1 in 256 steps, uint8 (256, 3): cividis, colour-blind safe."""
    from matplotlib import colormaps

    colours: Bytes = colormaps["cividis"](np.arange(256), bytes=True)[:, :3]
    return colours


def class_title(name: str) -> str:
    """A class of coverage as a heading."""
    if name == COVERAGE_NAMES[0]:
        return "No salt"
    return f"{name[0].upper()}{name[1:]} salt"


def _shuffled(name: str) -> bytes:
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()


def picture(pixels: Bytes, alt: str, side: int) -> Picture:
    """A PNG of at most `side` pixels as a data URI."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    scale = side / max(image.size)
    if scale < 1:
        size = [max(1, round(scale * length)) for length in image.size]
        image = image.resize((size[0], size[1]), Image.Resampling.BOX)
    if image.mode == "RGB":
        # 256 colours look the same at a third of the size
        image = image.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    src = "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
    return Picture(src, alt, *image.size)
