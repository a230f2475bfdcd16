"""The same tiles with every model's prediction side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diapir.evaluation.standings import Results
from diapir.inference.overlay import overlay
from diapir.inference.postprocess import salt_mask
from diapir.reports.run.gallery import (
    SMALL_SIDE,
    Picture,
    class_title,
    classes,
    fixed_sample,
    picture,
)
from diapir.text import decimal, percent

if TYPE_CHECKING:
    from diapir.evaluation import Evaluation, TileScore
    from diapir.tiles import TileSet

PER_CLASS = 2
"""Tiles shown of each coverage class."""


class Card(NamedTuple):
    """A model's prediction on a tile, or the tile and its labels."""

    name: str
    note: str
    drawn: Picture


class Shown(NamedTuple):
    """A tile with the predictions of every model."""

    id: str
    where: str
    cards: list[Card]


def sample_ids(evaluation: Evaluation) -> list[str]:
    """The tiles that are shown: some of each coverage class, chosen without regard to scores."""
    return [
        score.id for _, members in classes(evaluation) for score in fixed_sample(members, PER_CLASS)
    ]


def shown(results: Results) -> list[tuple[str, list[Shown]]]:
    """Tiles of every coverage class, each with its labels and every model's prediction."""
    if results.tiles is None:
        return []
    draw = _Drawer(results, results.tiles)
    return [
        (class_title(title), [draw.tile(score) for score in fixed_sample(members, PER_CLASS)])
        for title, members in classes(results.evaluation)
    ]


class _Drawer:
    """Draws tiles with the predictions of every model."""

    def __init__(self, results: Results, tiles: TileSet) -> None:
        self._models = [
            _Model(one.name, one.candidate.probabilities, results.comparison.evaluations[one.name])
            for one in results.standings
        ]
        self._tiles = tiles
        self._places = {name: place for place, name in enumerate(tiles.ids)}

    def tile(self, score: TileScore) -> Shown:
        """A tile, its labels, and the models in the order of the leaderboard."""
        place = self._places[score.id]
        image, mask = self._tiles.image(place), self._tiles.mask(place)
        labelled = overlay(image, (mask == 1).astype(np.uint8))
        height, width = image.shape
        where = [f"{percent(score.coverage)} salt", f"{width} × {height} px"]
        if score.group != score.id:
            where.insert(0, f"group {score.group}")
        cards = [
            Card("tile", "", picture(image, f"Tile {score.id}", SMALL_SIDE)),
            Card("labels", "", picture(labelled, f"Labels of {score.id}", SMALL_SIDE)),
            *(
                model.card(score.id, image, mask)
                for model in self._models
                if score.id in model.probabilities
            ),
        ]
        return Shown(score.id, " · ".join(where), cards)


class _Model:
    """Draws one model's predictions: those of its first seed."""

    def __init__(
        self,
        name: str,
        probabilities: Mapping[str, NDArray[np.float32]],
        evaluations: Sequence[Evaluation],
    ) -> None:
        first = evaluations[0]
        self.name = name
        self.probabilities = probabilities
        self._dices = {tile.id: tile.dice for tile in first.tiles}
        self._threshold = first.metrics["threshold"]
        self._min_area = first.metrics.get("min_area", 0)

    def card(self, tile: str, image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> Card:
        """The prediction over the image, coloured by whether it is right."""
        predicted = salt_mask(self.probabilities[tile], self._threshold, self._min_area)
        dice = decimal(self._dices[tile], 2)
        alt = f"{self.name} on tile {tile}: Dice {dice}"
        drawn = picture(overlay(image, predicted, mask), alt, SMALL_SIDE)
        return Card(self.name, f"Dice {dice}", drawn)
