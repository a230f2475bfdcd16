"""The same tiles with every model's answer side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from diapir.inference.overlay import overlay
from diapir.inference.postprocess import salt_mask
from diapir.reports.compare.leaderboard import Results
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
    from diapir.evaluation import Evaluation

PER_CLASS = 2
"""Tiles shown of each class of salt coverage."""


class Card(NamedTuple):
    """A model's answer for a tile."""

    name: str
    note: str
    drawn: Picture


class Shown(NamedTuple):
    """A tile, and what each model made of it."""

    id: str
    where: str
    cards: list[Card]


def sample_ids(evaluation: Evaluation) -> list[str]:
    """The tiles that are shown: of each class of coverage some, whatever the scores."""
    return [
        score.id for _, members in classes(evaluation) for score in fixed_sample(members, PER_CLASS)
    ]


def shown(results: Results) -> list[tuple[str, list[Shown]]]:
    """Tiles of every class of coverage, each with the labels and every model's answer."""
    if results.tiles is None:
        return []
    places = {name: place for place, name in enumerate(results.tiles.ids)}
    dices = {
        name: {tile.id: tile.dice for tile in runs[0].tiles}
        for name, runs in results.comparison.evaluations.items()
    }
    marking = {
        name: (runs[0].metrics["threshold"], runs[0].metrics.get("min_area", 0))
        for name, runs in results.comparison.evaluations.items()
    }
    sections = []
    for title, members in classes(results.evaluation):
        tiles = []
        for score in fixed_sample(members, PER_CLASS):
            image = results.tiles.image(places[score.id])
            mask = results.tiles.mask(places[score.id])
            labelled = overlay(image, (mask == 1).astype(np.uint8))
            cards = [
                Card("tile", "", picture(image, f"Tile {score.id}", SMALL_SIDE)),
                Card("labels", "", picture(labelled, f"Labels of {score.id}", SMALL_SIDE)),
            ]
            for contender in results.ranked:
                probability = contender.probabilities.get(score.id)
                if probability is None:
                    continue
                found = salt_mask(probability, *marking[contender.name])
                dice = decimal(dices[contender.name][score.id], 2)
                alt = f"{contender.name} on tile {score.id}: Dice {dice}"
                drawn = picture(overlay(image, found, mask), alt, SMALL_SIDE)
                cards.append(Card(contender.name, f"Dice {dice}", drawn))
            height, width = image.shape
            where = [f"{percent(score.coverage)} salt", f"{width} × {height} px"]
            if score.group != score.id:
                where.insert(0, f"group {score.group}")
            tiles.append(Shown(score.id, " · ".join(where), cards))
        sections.append((class_title(title), tiles))
    return sections
