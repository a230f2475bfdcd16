"""The page of a comparison and its tables: complete, escaped, self-contained, honest about gaps."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diapir.config import RunConfig
from diapir.evaluation import Comparison, Difference, evaluate
from diapir.evaluation.standings import Candidate, Cost, Failure, Results, outcome
from diapir.inference import Latency
from diapir.reports import as_text, sample_ids, write_comparison
from diapir.reports.compare.comparison_figures import Point, pareto
from diapir.reports.compare.comparison_page import CSV, MARKDOWN
from diapir.reports.compare.comparison_words import findings, unequal
from diapir.reports.compare.leaderboard import as_csv, as_markdown, rows, verdict_words
from diapir.run.history import History
from diapir.tiles import TileSet, make_split
from tests.reports.made import COVERAGES, case_of, predict, write_tiles
from tests.reports.run.test_report import Page, read

NOISES = {"unet": 0.19, "linknet": 0.13, "lite0/linknet": 0.129, "segnet": 0.23}


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> TileSet:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIAPIR_CACHE", str(tmp_path_factory.mktemp("cache")))
        return write_tiles(tmp_path_factory.mktemp("tiles") / "survey", COVERAGES * 3)


def history(epochs: int, best: int, speed: float = 60.0) -> History:
    columns = {"tiles_per_s": np.full(epochs, speed), "seconds": np.full(epochs, 30.0)}
    return History(np.arange(1, epochs + 1), columns, best)


def made(tiles: TileSet, config: RunConfig, noises: dict[str, float], *, seeds: int = 1) -> Results:
    """Models of more or less noise, the first of them the baseline."""
    shown = sample_ids(case_of(tiles).evaluation)
    evaluations, candidates = {}, {}
    for number, (name, noise) in enumerate(noises.items()):
        answers = [predict(tiles, noise=noise + 0.02 * seed) for seed in range(seeds)]
        evaluations[name] = [evaluate(tiles, answer, part="val") for answer in answers]
        cost = Cost.of_training([history(10 + seed, 8) for seed in range(seeds)], 900_000_000)
        candidates[name] = Candidate(
            name,
            config.model_copy(update={"name": name}),
            tuple(range(42, 42 + seeds)),
            dataclasses.replace(
                cost,
                parameters=1_500_000 * (number + 1),
                multiply_adds=2_000_000_000 * (number + 1),
                latency=Latency(10.0 * (number + 1), 90.0 * (number + 1), 16, "torch on cpu", 2),
            ),
            probabilities={
                tile: answers[0][place] for place, tile in enumerate(tiles.ids) if tile in shown
            },
        )
    return Results(
        comparison=Comparison(evaluations),
        candidates=candidates,
        baseline=next(iter(noises)),
        by="kaggle_map",
        split=make_split(tiles, val_fraction=0.4, seed=11),
        terms=[("Budget", "12 min each"), ("Machine", "a small one")],
        command="diapir compare --recipes unet,linknet --data survey --out zoo",
        failures=[Failure("hrnet, seed 42", "out of memory", "smaller train.batch")],
        tiles=tiles,
    )


@pytest.fixture(scope="module")
def results(tiles: TileSet, config: RunConfig) -> Results:
    return made(tiles, config, NOISES, seeds=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, results: Results) -> Path:
    folder = tmp_path_factory.mktemp("zoo")
    write_comparison(folder, results)
    return folder


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return read(folder / "report.html")


# ── the page ─────────────────────────────────────────────────────────────────────────────────


def test_the_leaderboard_is_in_order_with_intervals_and_verdicts(
    results: Results, page: Page
) -> None:
    names = ["lite0/linknet", "linknet", "unet", "segnet"]
    assert [one.name for one in results.standings] == names
    assert [one.rank for one in results.standings] == [1, 2, 3, 4]
    for one in results.standings:
        name = re.sub(r"([/_-])", r"\1 ", one.name)  # where it may be broken
        tie = " ≈" if one.tied else ""
        score = results.comparison.score(one.name, "kaggle_map")
        shown = f"{score.value:.3f} {score.low:.3f} – {score.high:.3f}"
        assert f"{one.rank} {name}{tie} {shown}" in page.text
    assert [one.name for one in results.standings if one.tied] == ["linknet"]
    assert page.text.count("baseline") >= 1


def test_costs_and_terms_are_told(page: Page) -> None:
    for words in (
        "1.50 M 2.00 G 32 10.0 90.0 60.0 900 10–11 8 5 min",
        "Budget 12 min each",
        "Machine a small one",
        "diapir compare --recipes unet,linknet --data survey --out zoo",
        "hrnet, seed 42 out of memory Fix: smaller train.batch",
        "1 failed",
        "42, 43",
    ):
        assert words in page.text


def test_every_model_answers_every_tile_that_is_shown(results: Results, page: Page) -> None:
    shown = sample_ids(results.evaluation)
    classes = Counter(
        next(tile.coverage for tile in results.evaluation.tiles if tile.id == name)
        for name in shown
    )
    assert max(classes.values()) == 2
    alts = Counter(image["alt"] for image in page.all("img"))
    assert len(page.all("img")) == len(shown) * (2 + len(NOISES))
    for tile in shown:
        assert alts[f"Tile {tile}"] == alts[f"Labels of {tile}"] == 1
        for name in NOISES:
            run = results.comparison.evaluations[name][0]
            dice = next(score.dice for score in run.tiles if score.id == tile)
            assert alts[f"{name} on tile {tile}: Dice {dice:.2f}"] == 1


def test_which_tiles_are_shown_follows_from_no_score(tiles: TileSet) -> None:
    samples = {
        tuple(sample_ids(evaluate(tiles, predict(tiles, noise=noise), resamples=0)))
        for noise in (0.1, 0.3, 0.8)
    }
    assert len(samples) == 1


def test_page_needs_nothing_but_itself_and_is_sound(folder: Path, page: Page) -> None:
    raw = (folder / "report.html").read_text(encoding="utf-8")
    assert page.all("script") == page.all("link") == page.all("iframe") == []
    assert "@import" not in raw
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"|http-equiv', "", raw)
    ids = Counter(attributes["id"] for _, attributes in page.elements if "id" in attributes)
    assert [name for name, times in ids.items() if times > 1] == []
    for _, attributes in page.elements:
        for name, value in attributes.items():
            if name in {"href", "xlink:href", "aria-labelledby"}:
                assert (value or "").removeprefix("#") in ids
    assert all("scope" in header for header in page.all("th"))
    plots = [svg for svg in page.all("svg") if (svg.get("class") or "").startswith("plot")]
    assert [svg["class"] for svg in plots] == ["plot wide", "plot narrow", "plot", "plot"]
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in plots)


def test_the_same_results_give_the_same_bytes(
    tmp_path: Path, results: Results, folder: Path
) -> None:
    write_comparison(tmp_path, results)
    for name in ("report.html", CSV, MARKDOWN):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_names_from_users_are_escaped(tmp_path: Path, tiles: TileSet, config: RunConfig) -> None:
    evil = "<script>alert(1)</script>|$x^2$_\"'"
    results = made(tiles, config, {evil: 0.3, "b": 0.4})
    results = dataclasses.replace(
        results, command=f"diapir compare {evil}", failures=[Failure(evil, evil, evil)]
    )

    page = read(write_comparison(tmp_path, results).page)

    assert page.all("script") == []
    assert evil in page.text
    table = (tmp_path / MARKDOWN).read_text(encoding="utf-8")
    assert "\n| \\<script\\>alert(1)\\</script\\>\\|$x^2$\\_\"' |" in table


# ── what is said ─────────────────────────────────────────────────────────────────────────────


def test_findings(results: Results) -> None:
    told = " ".join(findings(results))
    score = results.comparison.score("lite0/linknet", "kaggle_map")
    assert f"lite0/linknet scores highest: Kaggle mAP {score.value:.3f}" in told
    assert "Statistically tied with it: linknet." in told
    assert "The fastest of these is linknet: 20.0 ms per tile, 1.5 times as fast" in told
    assert "Kaggle mAP against the baseline unet: better: lite0/linknet, linknet;" in told


def test_findings_where_one_is_best_and_where_all_are_alike(
    tiles: TileSet, config: RunConfig
) -> None:
    one = made(tiles, config, {"a": 0.1, "b": 0.22, "c": 0.22})
    assert "It is significantly better than all others." in findings(one)
    alike = made(tiles, config, {"a": 0.15, "b": 0.15})
    assert "No other model is significantly worse." in findings(alike)
    assert any("no significant difference: b" in sentence for sentence in findings(alike))


def test_few_groups_are_a_caution(results: Results) -> None:
    assert not any("preliminary" in sentence for sentence in findings(results))
    few = {
        name: [dataclasses.replace(run, data=run.data | {"n_groups": 3}) for run in runs]
        for name, runs in results.comparison.evaluations.items()
    }
    (caution, *_) = findings(dataclasses.replace(results, comparison=Comparison(few)))
    assert caution == (
        "Evaluated on only 27 tiles in 3 section groups: the ranking is preliminary."
    )


def test_settings_that_differ_beside_the_network_are_listed(
    results: Results, config: RunConfig
) -> None:
    assert unequal(results) == []
    changed = dict(results.candidates)
    odd = config.model_copy(
        update={"preprocess": config.preprocess.model_copy(update={"size": 48}), "seed": 7}
    )
    changed["segnet"] = dataclasses.replace(changed["segnet"], config=odd)
    assert unequal(dataclasses.replace(results, candidates=changed)) == [
        ("preprocess.size", [("32", "unet, linknet, lite0/linknet"), ("48", "segnet")])
    ]


def test_models_that_no_other_beats() -> None:
    scores = {"a": (1, 0.5), "b": (2, 0.4), "c": (3, 0.7), "d": (3, 0.6), "e": (9, 0.7)}
    comparison = [
        Point(name, cost, dataclasses.make_dataclass("S", ["value"])(value))
        for name, (cost, value) in scores.items()
    ]
    assert [point.name for point in pareto(comparison)] == ["a", "c"]


def graded(results: Results, **costs: Any) -> Results:
    """The results with other costs of the first."""
    first = results.standings[0].name
    one = results.candidates[first]
    changed = dataclasses.replace(one, cost=dataclasses.replace(one.cost, **costs))
    return dataclasses.replace(results, candidates={**results.candidates, first: changed})


def test_there_is_no_verdict_below_predicting_nothing(
    tmp_path: Path, tiles: TileSet, config: RunConfig
) -> None:
    results = made(tiles, config, {"a": 0.4, "b": 0.1, "c": 0.5})
    told = findings(results)
    assert "b scores highest: Kaggle mAP 0.963" in " ".join(told)
    assert "No verdict on: a, c (not better than predicting nothing)." in told
    assert not any("significantly better" in sentence for sentence in told)
    _, *lines = as_text(results)
    assert [line.split()[:3] for line in lines[:2]] == [
        ["1.", "b", "0.963"],
        ["predicts", "nothing", "0.333"],
    ]
    assert lines[0].endswith("no verdict: a: not better than predicting nothing")
    assert [row["kaggle_map_verdict"] for row in rows(results)] == [
        "no verdict",
        "baseline",
        "no verdict",
    ]
    page = read(write_comparison(tmp_path, results).page)
    assert "predicts nothing 0.333" in page.text
    assert page.text.count("no verdict") >= 2
    text = (tmp_path / MARKDOWN).read_text(encoding="utf-8")
    assert "| predicts nothing | 0.333 |" in text


def test_nothing_is_best_where_all_predict_nothing(tiles: TileSet, config: RunConfig) -> None:
    results = made(tiles, config, {"a": 0.1, "b": 0.1})
    empty = [np.zeros(tiles.mask(place).shape, np.float32) for place in range(len(tiles))]
    one = [array.copy() for array in empty]
    one[-1][-3:] = 1  # a few pixels of one tile
    evaluations = {"a": [evaluate(tiles, empty)], "b": [evaluate(tiles, one)]}
    results = dataclasses.replace(results, comparison=Comparison(evaluations))
    told = " ".join(findings(results))
    assert "it bears no verdict: not better than predicting nothing" in told
    for words in ("significantly", "baseline", "fastest"):
        assert words not in told
    assert all("no verdict" in line for line in [*as_text(results)][-1:])


@pytest.mark.parametrize("epochs", [(0, 1), (0, 0)])
def test_there_is_no_verdict_without_a_complete_epoch(
    results: Results, epochs: tuple[int, ...]
) -> None:
    cut = graded(results, whole_epochs=epochs)
    assert cut.standings[0].fault == "no epoch was completed"
    assert "bears no verdict: no epoch was completed" in " ".join(findings(cut))
    assert cut.fastest_tied is None
    assert not any(one.tied for one in cut.standings)
    whole = graded(results, whole_epochs=(1, None))
    assert findings(whole) == findings(results)


def test_there_is_no_verdict_on_what_was_trained_on_these_tiles(results: Results) -> None:
    runs = {**results.comparison.evaluations}
    name = results.standings[0].name
    runs[name] = [
        dataclasses.replace(run, data=run.data | {"n_training_tiles": 4}) for run in runs[name]
    ]
    told = dataclasses.replace(results, comparison=Comparison(runs))
    assert "trained on 4 of the evaluated tiles" in " ".join(findings(told))


def test_unequal_settings_are_named_first(results: Results, config: RunConfig) -> None:
    size = config.preprocess.model_copy(update={"size": 48})
    odd = config.model_copy(update={"preprocess": size})
    changed = dict(results.candidates)
    changed["segnet"] = dataclasses.replace(changed["segnet"], config=odd)
    unlike = dataclasses.replace(results, candidates=changed)
    assert findings(unlike)[0].startswith(
        "Not on equal terms: preprocess.size: 32 (unet, linknet, lite0/linknet), 48 (segnet)."
    )
    terms = [*results.terms, ("Variants", "segnet: preprocess.size=48")]
    varied = dataclasses.replace(unlike, terms=terms)
    assert "equal terms" not in " ".join(findings(varied))


# ── tables ───────────────────────────────────────────────────────────────────────────────────


def test_csv_holds_the_numbers(results: Results) -> None:
    *table, nothing = csv.DictReader(io.StringIO(as_csv(rows(results), results.nothing)))
    assert nothing["model"] == "predicts nothing"
    assert (nothing["rank"], nothing["dice"]) == ("", "0.0")
    assert float(nothing["kaggle_map"]) == pytest.approx(1 / 3)
    assert [row["model"] for row in table] == [one.name for one in results.standings]
    for row, one in zip(table, results.standings, strict=True):
        difference = one.differences.get("dice")
        assert float(row["dice"]) == results.comparison.score(row["model"], "dice").value
        assert row["dice_verdict"] == (difference.verdict if difference else "baseline")
        assert row["dice_difference"] == (str(difference.value) if difference else "")
        assert float(row["epochs"]) == 10.5
        assert float(row["train_tiles_per_s"]) == 60
        assert float(row["peak_memory_mb"]) == 900


def test_text_is_a_table(results: Results) -> None:
    head, *lines = as_text(results)
    assert "Kaggle mAP (95% CI)" in head
    assert "against unet" in head
    score = results.standings[0].score
    shown = f"{score.value:.3f} ({score.low:.3f} – {score.high:.3f})"
    assert lines[0].split() == ["1.", "lite0/linknet", *shown.split(), "30.0", "better"]
    assert lines[2].split()[-2:] == ["10.0", "baseline"]


def test_markdown_is_a_table_with_its_command(results: Results) -> None:
    text = as_markdown(results)
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    assert len(table) == 2 + len(NOISES) + 1
    assert "`diapir compare --recipes unet,linknet" in text
    assert "- Budget: 12 min each" in text
    assert "- hrnet, seed 42 FAILED: out of memory" in text


# ── gaps ─────────────────────────────────────────────────────────────────────────────────────


def test_what_is_not_known_is_left_out(tmp_path: Path, results: Results) -> None:
    bare = {
        name: dataclasses.replace(
            one,
            cost=dataclasses.replace(
                one.cost, parameters=None, multiply_adds=None, latency=None, peak_memory=None
            ),
        )
        for name, one in results.candidates.items()
    }
    results = dataclasses.replace(results, candidates=bare, tiles=None, failures=[])
    page = read(write_comparison(tmp_path, results).page)
    sections = [section.get("id") for section in page.all("section")]
    assert sections == ["summary", "leaderboard", "cost", "differences", "terms"]
    assert "– – 32 – – 60.0 – 10–11" in page.text
    assert not any(svg.get("class") == "plot wide" for svg in page.all("svg"))
    (row, *_) = csv.DictReader((tmp_path / CSV).read_text().splitlines())
    assert row["latency_tile_ms"] == row["parameters"] == ""


def test_macs_stand_in_for_latency(tmp_path: Path, results: Results) -> None:
    slower = dict(results.candidates)
    cost = dataclasses.replace(slower["unet"].cost, latency=None)
    slower["unet"] = dataclasses.replace(slower["unet"], cost=cost)
    report = write_comparison(tmp_path, dataclasses.replace(results, candidates=slower))
    assert "Kaggle mAP against MACs per tile" in read(report.page).text


def test_one_group_has_no_intervals(tmp_path: Path, tiles: TileSet, config: RunConfig) -> None:
    results = made(tiles, config, {"a": 0.1, "b": 0.22})
    alone = dataclasses.replace(tiles, groups=("one",) * len(tiles))
    evaluations = {
        name: [evaluate(alone, predict(tiles, noise=noise))]
        for name, noise in {"a": 0.1, "b": 0.22}.items()
    }
    results = dataclasses.replace(results, comparison=Comparison(evaluations))
    page = read(write_comparison(tmp_path, results).page)
    assert "no significant difference" in page.text
    assert "Evaluated on only 27 tiles in 1 section group" in page.text


def test_ranked_by_dice(tmp_path: Path, results: Results) -> None:
    report = write_comparison(tmp_path, dataclasses.replace(results, by="dice"))
    score = max(results.comparison.score(name, "dice").value for name in NOISES)
    assert f"scores highest: Dice {score:.3f}" in report.findings[0]
    page = read(report.page)
    assert report.findings[0] in page.text
    assert "Dice against latency of one tile" in page.text


def test_the_standings_are_computed_once(
    tmp_path: Path, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: Counter[str] = Counter()
    difference = Comparison.difference

    def counted(self: Comparison, name: str, baseline: str, key: str) -> Difference:
        calls[f"{name} - {baseline}: {key}"] += 1
        return difference(self, name, baseline, key)

    monkeypatch.setattr(Comparison, "difference", counted)
    fresh = dataclasses.replace(results)
    report = write_comparison(tmp_path, fresh)
    list(as_text(fresh))
    assert report.findings
    assert set(calls.values()) == {1}


# ── standings ────────────────────────────────────────────────────────────────────────────────


def test_seeds_that_overlap_are_no_significant_difference() -> None:
    better = Difference(0.1, 0.05, 0.15, (0.1, 0.1), False)
    assert outcome(better) == "better"
    assert outcome(dataclasses.replace(better, seeds_overlap=True)) == "tied"
    assert outcome(dataclasses.replace(better, seeds_overlap=None)) == "better"
    assert outcome(Difference(-0.1, -0.2, -0.05, (), None)) == "worse"
    assert outcome(Difference(0.1, None, None, (), None)) == "tied"
    overlapping = dataclasses.replace(better, seeds_overlap=True)
    assert verdict_words(overlapping) == "better, but seeds overlap"
    assert verdict_words(None) == "baseline"


def test_the_fastest_of_the_tied(results: Results) -> None:
    assert results.fastest_tied is not None
    assert results.fastest_tied.name == "linknet"
    untimed = {
        name: dataclasses.replace(one, cost=dataclasses.replace(one.cost, latency=None))
        for name, one in results.candidates.items()
    }
    assert dataclasses.replace(results, candidates=untimed).fastest_tied is None


def test_cost_of_training() -> None:
    cost = Cost.of_training([history(10, 8, speed=50.0), history(12, 9, speed=70.0)])
    assert (cost.epochs, cost.best_epochs) == ((10, 12), (8, 9))
    assert cost.tiles_per_s == 60
    assert cost.training_s == 11 * 30.0
    unknown = History(np.zeros(0, np.int64), {}, None)
    assert np.isnan(Cost.of_training([unknown]).tiles_per_s)


# ── scores in sections ───────────────────────────────────────────────────────────────────────


def block(dice: float, n_tiles: int = 12) -> dict[str, Any]:
    interval = {"dice": [dice - 0.05, dice + 0.05]}
    return {"dice": dice, "mosaic": "m", "n_tiles": n_tiles, "n_sections": 3, "ci95": interval}


def with_sections(results: Results, blocks: dict[str, tuple[dict[str, Any], ...]]) -> Results:
    candidates = {
        name: dataclasses.replace(one, in_sections=blocks.get(name, ()))
        for name, one in results.candidates.items()
    }
    return dataclasses.replace(results, candidates=candidates)


def test_dice_in_sections_is_a_column_where_runs_have_it(
    results: Results, page: Page, tmp_path: Path
) -> None:
    assert "in sections" not in page.text
    blocks = {"unet": (block(0.7), block(0.6)), "linknet": (block(0.5),)}
    report = write_comparison(tmp_path, with_sections(results, blocks))
    text = read(report.page).text
    assert "Dice in sections" in text
    assert "0.500 0.450 – 0.550" in text
    rows = {row["model"]: row for row in report.rows}
    assert rows["unet"]["dice_in_sections"] == pytest.approx(0.65)
    assert rows["unet"]["dice_in_sections_low"] is None  # of several runs
    assert rows["linknet"]["dice_in_sections_low"] == 0.45
    assert rows["segnet"]["dice_in_sections"] is None
    markdown = report.markdown.read_text(encoding="utf-8")
    assert "| Dice in sections |" in markdown
    assert "0.500 (0.450 – 0.550)" in markdown
    lengths = {line.count("|") for line in markdown.splitlines() if line.startswith("|")}
    assert len(lengths) == 1


def test_scores_in_other_sections_are_not_compared(results: Results) -> None:
    blocks = {"unet": (block(0.7),), "linknet": (block(0.5, n_tiles=11),)}
    assert not with_sections(results, blocks).has_sections
