"""Which tiles are shown, and that their pictures show what they say."""

from __future__ import annotations

import base64
import dataclasses
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diapir.inference.overlay import FALSE, MISSED
from diapir.reports.run import gallery
from diapir.reports.run.gallery import Gallery, Picture
from tests.reports.made import COVERAGES, Case, case_of, predict, write_tiles


def pixels(picture: Picture) -> NDArray[np.uint8]:
    data = base64.b64decode(picture.src.removeprefix("data:image/png;base64,"))
    image = Image.open(io.BytesIO(data))
    assert image.size == (picture.width, picture.height)
    return np.asarray(image.convert("RGB"))


def shown(case: Case) -> list[str]:
    return [card.id for row in Gallery(*case.arguments).sample() for card in row.cards]


def test_the_sample_has_every_class_and_does_not_depend_on_the_scores(tmp_path: Path) -> None:
    tiles = write_tiles(tmp_path / "tiles", COVERAGES * 5)
    good = case_of(tiles, predict(tiles, noise=0.05))
    bad = case_of(tiles, predict(tiles, noise=0.6))

    assert shown(good) == shown(bad)
    rows = Gallery(*good.arguments).sample()
    assert [row.title for row in rows] == [
        "No salt",
        "0–5 % salt",
        "5–20 % salt",
        "20–40 % salt",
        "40–60 % salt",
        "60–80 % salt",
        "Above 80 % salt",
    ]
    assert [len(row.cards) for row in rows] == [6, 5, 5, 5, 5, 5, 5]
    assert rows[0].share == "15 tiles, 33 % of all"
    # and is not the first by name, which may be of one section
    assert [card.id for card in rows[0].cards] != sorted(
        score.id for score in good.evaluation.tiles if score.coverage == 0
    )[:6]


def test_a_tile_is_shown_in_the_class_it_was_counted_in(case: Case) -> None:
    coverage = {score.id: score.coverage for score in case.evaluation.tiles}
    for row, bounds in zip(
        Gallery(*case.arguments).sample(),
        [(-1, 0), (0, 0.05), (0.05, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1)],
        strict=True,
    ):
        for card in row.cards:
            assert bounds[0] < coverage[card.id] <= bounds[1]


def test_the_best_are_one_of_each_class_with_salt(case: Case) -> None:
    scores = {score.id: score for score in case.evaluation.tiles}
    best = [scores[card.id] for card in Gallery(*case.arguments).best()]

    assert len(best) == 6
    for score in best:
        rivals = [other for other in scores.values() if other.coverage == score.coverage]
        assert score.dice == max(other.dice for other in rivals)


def test_the_worst_come_with_and_without_salt_the_worst_first(tmp_path: Path) -> None:
    tiles = write_tiles(tmp_path / "tiles", [0, 0, 0, 0.5, 0.5, 0.5])
    wrong = [(tiles.mask(place) == 1).astype(np.float32) for place in range(len(tiles))]
    wrong[1][:3] = 1  # 15 % of an empty tile
    wrong[2][:] = 1  # an empty tile wholly
    wrong[3][:] = 0  # all its salt
    wrong[4][:] = 1 - wrong[4]  # the wrong half

    worst = dict(Gallery(*case_of(tiles, wrong).arguments).worst())

    assert [failure.id for failure in worst["Tiles with salt"]] == ["tile004", "tile003"]
    assert [failure.id for failure in worst["Tiles without salt"]] == ["tile002", "tile001"]
    elsewhere, missed = worst["Tiles with salt"]
    assert elsewhere.verdict == "All salt missed, all predicted salt false"
    assert missed.verdict == "All salt missed"
    assert dict(missed.numbers)["predicted salt"] == "0.0 %"
    assert worst["Tiles without salt"][1].verdict == (
        "No labelled salt, 15 % of the tile predicted as salt"
    )


def test_pictures_show_image_labels_probability_and_overlay(tmp_path: Path) -> None:
    tiles = write_tiles(tmp_path / "tiles", [0.5, 0.5])
    wrong = [(tiles.mask(place) != 1).astype(np.float32) for place in range(2)]

    (_, failures) = Gallery(*case_of(tiles, wrong).arguments).worst()[0]
    pictures = failures[0].pictures
    image = tiles.image(tiles.ids.index(failures[0].id))

    assert list(pictures) == ["Tile", "Labels", "Probability", "Overlay"]
    assert (pixels(pictures["Tile"])[..., 0] == image).all()
    truth = pixels(pictures["Labels"])[..., 0]
    assert (truth[:10] == 0).all()
    assert (truth[10:] == 255).all()
    ramp = gallery.probability_colours()
    assert (pixels(pictures["Probability"])[0, 0] == ramp[255]).all()
    assert (pixels(pictures["Probability"])[-1, 0] == ramp[0]).all()
    # the outlines are in the plain colours
    overlay = pixels(pictures["Overlay"]).astype(int)
    assert np.abs(overlay[9] - FALSE).max() < 16
    assert np.abs(overlay[10] - MISSED).max() < 16


def test_where_a_tile_lies_is_told_where_known(tmp_path: Path) -> None:
    tiles = write_tiles(tmp_path / "tiles", [0.5, 0.5])
    tiles = dataclasses.replace(
        tiles, groups=("line 7", tiles.ids[1]), depths=np.array([np.nan, 812.5], np.float32)
    )
    wrong = [np.zeros((20, 20), np.float32), np.zeros((20, 20), np.float32)]

    (_, failures) = Gallery(*case_of(tiles, wrong).arguments).worst()[0]

    assert {failure.id: failure.where for failure in failures} == {
        "tile000": "20 × 20 px · group line 7",
        "tile001": "20 × 20 px · depth 812.5",
    }


def test_ignored_pixels_are_grey_in_the_labels() -> None:
    assert gallery.labels_grey(np.array([[0, 1, 255]], np.uint8)).tolist() == [[0, 255, 128]]
