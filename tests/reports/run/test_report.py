"""The page as a whole: complete, escaped, self-contained, the same twice, and good at odd input."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from diapir import bundle as bundles
from diapir.bundle import Fingerprints
from diapir.config import RunConfig, load_recipe
from diapir.errors import RunError
from diapir.evaluation import SectionModels, evaluate_in_sections, open_sections
from diapir.reports import write_evaluation_report, write_run_report
from diapir.tiles import Split
from diapir.tiles.pixels import Pixels
from tests.helpers.mosaics import Function, squares, write_sections
from tests.reports.made import COVERAGES, Case, case_of, fill_run, predict, write_tiles

VOID = {"meta", "img", "br", "wbr", "input", "link", "hr"}


class Page(HTMLParser):
    """Elements, ids and text of a page; fails where tags do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in {"style"}:
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def read(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def test_run_report_tells_what_was_trained_on_what(
    finished: Path, report: Path, case: Case
) -> None:
    assert report == finished / "report.html"
    text = read(report).text
    parts = Split.load(finished / "split.json").parts
    training, validation = (len(part) for part in parts.values())
    assert training + validation == len(case.tiles)
    for words in (
        "first-run",
        "U-Net (base 4, levels 4), 100 parameters",
        f"trained on {training} tiles of survey",
        f"27: {training} training, {validation} validation",
        "AdamW, learning rate 0.0005, weight decay 0.0001, gradient clipped at 1; batch size 8",
        "0.3 × cross entropy + 2 × (1 − soft Dice)",
        "20 of max. 50; best: epoch 5",
        "early stopping: no better validation loss for 15 epochs",
        "10 min, 64 tiles/s",
        case.tiles.hash,
        "early_stopping: 15",  # the configuration is there as it is
    ):
        assert words in text


def test_headline_and_table_show_the_scores_with_their_intervals(report: Path, case: Case) -> None:
    text = read(report).text

    for key, name in (("dice", "Dice"), ("kaggle_map", "Kaggle mAP"), ("soft_dice", "Soft Dice")):
        low, high = case.evaluation.metrics["ci95"][key]
        value = case.evaluation.metrics[key]
        assert f"{name} {value:.3f} 95% CI {low:.3f} – {high:.3f}" in text
        assert f"{name} {value:.3f} {low:.3f} – {high:.3f}" in text


def test_error_contributions_by_coverage_add_up(report: Path, case: Case) -> None:
    text = read(report).text

    lost = 1 - case.evaluation.metrics["kaggle_map"]
    assert f"total {lost:.3f}" in text
    assert f"Kaggle mAP is {lost:.3f} below 1" in text


def test_page_needs_nothing_but_itself(report: Path) -> None:
    raw, page = report.read_text(encoding="utf-8"), read(report)

    assert page.all("script") == page.all("link") == page.all("iframe") == []
    for _, attributes in page.elements:
        for name, value in attributes.items():
            if name in {"src", "href", "xlink:href"}:
                assert (value or "").startswith(("data:image/png;base64,", "#"))
    assert set(re.findall(r"url\((.)", raw)) <= {"#"}
    assert "@import" not in raw
    # the names of XML's own dialects are no addresses that are fetched
    without_names = re.sub(r'xmlns(:\w+)?="[^"]*"', "", raw)
    assert "http:" not in without_names
    assert "https:" not in without_names


def test_page_is_sound_and_accessible(report: Path) -> None:
    page = read(report)

    ids = Counter(attributes["id"] for _, attributes in page.elements if "id" in attributes)
    assert [name for name, times in ids.items() if times > 1] == []
    references = [
        value
        for _, attributes in page.elements
        for name, value in attributes.items()
        if name in {"href", "xlink:href", "aria-labelledby"}
        and not (value or "").startswith("data")
    ]
    assert {(value or "").removeprefix("#") for value in references} <= set(ids)
    assert all(image["alt"] for image in page.all("img"))
    plots = [svg for svg in page.all("svg") if svg.get("class") == "plot"]
    assert len(plots) == 10
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in plots)
    assert all("scope" in header for header in page.all("th"))
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == len(page.all("details")) == len(page.all("summary")) == 1


def test_names_from_users_are_escaped(tmp_path: Path, config: RunConfig) -> None:
    evil = "<script>alert(1)<script>"
    names = [f"<img src=x onerror=alert({place})>&\"'" for place in range(len(COVERAGES))]
    tiles = write_tiles(tmp_path / "<b>survey", COVERAGES, names=names)
    tiles = dataclasses.replace(
        tiles, groups=tuple(f"<u>{place % 4}" for place in range(len(names)))
    )
    config = config.model_copy(update={"name": "</dd><script>alert(2)</script>"})
    bundle = fill_run(tmp_path / evil, tiles, config)
    case = case_of(tiles)

    for path in (
        write_run_report(tmp_path / evil, *case.arguments),
        write_evaluation_report(tmp_path / "evaluation.html", *case.arguments, bundle),
    ):
        page = read(path)
        assert page.all("script") == page.all("b") == page.all("u") == []
        assert not any("onerror" in attributes for attributes in page.all("img"))
        assert "</dd><script>alert(2)</script>" in page.text
        assert names[0] in page.text
    assert evil in read(tmp_path / evil / "report.html").text


def test_a_name_that_is_not_unicode_is_shown_as_far_as_it_goes(run: Path, case: Case) -> None:
    odd = os.fsdecode(b"caf\xe9")
    tiles = dataclasses.replace(case.tiles, ids=(odd, *case.tiles.ids[1:]))
    scores = list(case.evaluation.tiles)
    # the worst of all, so that it is shown
    scores[0] = dataclasses.replace(scores[0], id=odd, group=odd, dice=0.0, predicted=1.0)
    evaluation = dataclasses.replace(case.evaluation, tiles=scores)

    text = read(write_run_report(run, evaluation, tiles, case.probabilities)).text

    assert "caf?" in text


def test_the_same_run_gives_the_same_bytes(run: Path, report: Path, case: Case) -> None:
    with matplotlib.rc_context({"font.size": 30, "svg.fonttype": "path", "axes.grid": False}):
        assert write_run_report(run, *case.arguments).read_bytes() == report.read_bytes()
        assert matplotlib.rcParams["font.size"] == 30  # and the user's settings stay as they were


def test_a_failed_write_keeps_the_old_report(
    run: Path, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    (run / "report.html").write_text("the old one")
    monkeypatch.setattr(os, "replace", full)

    with pytest.raises(RunError, match="No space left"):
        write_run_report(run, *case.arguments)

    assert (run / "report.html").read_text() == "the old one"
    assert [path.name for path in run.iterdir() if path.name.endswith(".writing")] == []


def test_a_missing_folder_is_a_plain_error(tmp_path: Path, run: Path, case: Case) -> None:
    with pytest.raises(RunError, match="nowhere") as caught:
        write_evaluation_report(
            tmp_path / "nowhere" / "report.html", *case.arguments, bundles.load(run)
        )
    assert "--out" in caught.value.fix


@pytest.mark.parametrize("missing", ["config.yaml", "metrics.csv", "split.json", "best"])
def test_what_a_run_folder_lacks_is_left_out(run: Path, case: Case, missing: str) -> None:
    (run / missing).rename(run / "elsewhere")

    page = read(write_run_report(run, *case.arguments))

    assert f"{case.evaluation.metrics['dice']:.3f}" in page.text
    assert bool(page.all("details")) == (missing != "config.yaml")
    assert any(element.get("id") == "curves" for element in page.all("section")) == (
        missing != "metrics.csv"
    )


def test_one_epoch_with_unknown_values(run: Path, case: Case) -> None:
    lines = (run / "metrics.csv").read_text().splitlines()
    header, row = lines[0].split(","), lines[1].split(",")
    row[header.index("val_loss")], row[header.index("grad_norm_max")] = "nan", "inf"
    (run / "metrics.csv").write_text(f"{lines[0]}\n{','.join(row)}\n2,0.0005,1.2")

    page = read(write_run_report(run, *case.arguments))

    assert "Trained for a single epoch" not in page.text  # its validation loss is not known
    assert any(element.get("id") == "curves" for element in page.all("section"))


def test_no_salt_in_the_tiles(tmp_path: Path, run: Path) -> None:
    case = case_of(write_tiles(tmp_path / "tiles", [0, 0, 0, 0.5]).select(["tile000", "tile002"]))

    text = read(write_run_report(run, *case.arguments)).text

    assert "None of these tiles has salt" in text
    assert "Best tile of each class" not in text


def test_a_single_tile_has_no_interval(tmp_path: Path, run: Path) -> None:
    case = case_of(write_tiles(tmp_path / "tiles", [0.5, 0.5]).select(["tile001"]))

    text = read(write_run_report(run, *case.arguments)).text

    assert "no CI" in text
    assert "1 tile" in text


def test_perfect_tiles_leave_no_worst(tmp_path: Path, run: Path) -> None:
    tiles = write_tiles(tmp_path / "tiles", COVERAGES)
    truth = [(tiles.mask(place) == 1).astype(np.float32) for place in range(len(tiles))]

    page = read(write_run_report(run, *case_of(tiles, truth).arguments))

    assert "Worst tiles" not in page.text
    assert "of this error" not in page.text


def test_tiles_of_different_sizes_and_ignored_pixels(tmp_path: Path, run: Path) -> None:
    tiles = write_tiles(tmp_path / "tiles", COVERAGES, sizes=[18, 31, 400])
    masks = tiles.pixels.masks.copy()
    masks[: 18 * 18] = 255  # the whole first tile: nothing can be said of it
    masks[-400 * 200 :] = 255  # and half of the last
    pixels = Pixels.of(tiles.pixels.images, masks, tiles.shapes)
    tiles = dataclasses.replace(tiles, pixels=pixels)

    page = read(write_run_report(run, *case_of(tiles, threshold=0.37).arguments))

    assert "3 different sizes" in page.text
    assert "1 tile without valid pixels excluded" in page.text
    sizes = [int(image["width"] or 0) for image in page.all("img")]
    assert 18 in sizes
    assert max(sizes) == 202  # a large tile is made smaller


def test_evaluation_report_tells_of_the_model(tmp_path: Path, run: Path, case: Case) -> None:
    bundle = bundles.load(run)

    path = write_evaluation_report(
        tmp_path / "report.html", *case.arguments, bundle, notes=["WARNING: the scores are <high>"]
    )

    page = read(path)
    assert path == tmp_path / "report.html"
    assert "baseline on survey" in page.text
    assert bundle.info.weights_sha256 in page.text
    assert not any(element.get("id") == "curves" for element in page.all("section"))
    assert "WARNING: the scores are <high>." in page.text


def test_fingerprints_are_not_shown(tmp_path: Path, run: Path, case: Case) -> None:
    known = Fingerprints.of(case.tiles.fingerprints)
    bundle = bundles.annotate(bundles.load(run), training_tiles=known)
    path = write_evaluation_report(tmp_path / "report.html", *case.arguments, bundle)
    assert "training_tiles" in read(path).text
    assert known.tiles not in path.read_text(encoding="utf-8")


def test_evaluation_of_several_models_tells_of_each(tmp_path: Path, run: Path) -> None:
    tiles = write_tiles(tmp_path / "other", COVERAGES)
    config = load_recipe(run / "config.yaml").model_copy(update={"name": "second"})
    fill_run(tmp_path / "second", tiles, config)
    models = [bundles.load(run), bundles.load(tmp_path / "second")]
    case = case_of(tiles, part="all", model={"name": "mean of 2 models (baseline, second)"})

    page = read(write_evaluation_report(tmp_path / "report.html", *case.arguments, *models))

    assert "mean of 2 models (baseline, second) on other" in page.text
    assert "Model 1" in page.text
    assert "Model 2" in page.text


def test_page_stays_small_with_many_large_tiles(tmp_path: Path, run: Path) -> None:
    tiles = write_tiles(tmp_path / "many", COVERAGES * 8, sizes=[202])

    path = write_run_report(run, *case_of(tiles, predict(tiles, noise=0.1)).arguments)

    assert path.stat().st_size < 6e6  # of pure noise, which no PNG can make smaller


def test_importing_reports_draws_nothing_in() -> None:
    code = "import sys, diapir.reports; print(sorted({'matplotlib', 'jinja2'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_scores_in_sections_come_first(tmp_path: Path, run: Path, case: Case) -> None:
    model = Function(lambda image: image >= 0, window=20)
    mosaic = write_sections(tmp_path / "mosaic", case.tiles, squares(case.tiles.ids))
    found = evaluate_in_sections(
        open_sections(mosaic, case.tiles),
        *case.arguments,
        [SectionModels(frozenset(case.tiles.ids), model)],
    )
    page = read(write_run_report(run, *case.arguments, found))
    block, text = found.block(), page.text
    first = text.index(f"Dice in sections {block['dice']:.3f}")
    assert first < text.index(f"Dice of tiles alone {case.evaluation.metrics['dice']:.3f}")
    assert "24 tiles inside 6 sections of the mosaic “mosaic”" in text
    assert f"Inside their sections, 24 tiles have Dice {block['dice']:.3f}" in text
    assert f"Recall {block['recall']:.3f}" in text
    assert "shifted by half their size: 0.0 % (95% CI 0.0 % to 0.0 %)" in text
    drawn = [image for image in page.all("img") if (image["alt"] or "").startswith("Section ")]
    assert len(drawn) == 6
    assert {(image["width"], image["height"]) for image in drawn} == {("40", "40")}
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert ids.count("in-sections") == 1
