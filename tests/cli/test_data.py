from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diapir.inference import EngineOptions, Predictor
from diapir.tiles import Split, load_tiles, read_image
from tests.cli.conftest import RunCli
from tests.helpers.mosaics import write_sections


def test_synth_makes_tiles_that_check_accepts(run_cli: RunCli, tmp_path: Path) -> None:
    out = tmp_path / "survey"
    made = run_cli("data", "synth", "--out", out, "--tiles", 12, "--seed", 5)
    assert made.code == 0
    assert made.stdout.startswith("12 tiles of ")
    assert len(load_tiles(out)) == 12
    checked = run_cli("data", "check", out)
    assert checked.code == 0
    assert "12" in checked.stdout


def test_synth_as_json(run_cli: RunCli, tmp_path: Path) -> None:
    answer = run_cli("data", "synth", "--out", tmp_path / "a", "--tiles", 8, "--json").answer
    tiles = load_tiles(tmp_path / "a")
    assert answer["path"] == str(tmp_path / "a")
    assert answer["tiles"] == len(tiles) == 8
    assert answer["salt"] == float(np.mean([tiles.mask(i) for i in range(8)]))


def test_synth_takes_salt_from_velocity_models(run_cli: RunCli, tmp_path: Path) -> None:
    models = np.full((1, 40, 60), 2000, np.uint16)
    models[0, 20:, 20:40] = 4482
    np.savez(tmp_path / "models.npz", velocity_m_s=models)
    made = ("data", "synth", "--tiles", 8, "--velocity", tmp_path / "models.npz", "--out")
    answer = run_cli(*made, tmp_path / "a", "--salt-velocity", 4482, "--json").answer
    assert answer["tiles"] == 8
    assert answer["salt"] > 0
    refused = run_cli(*made, tmp_path / "b")
    assert refused.code == 2
    assert "--salt-velocity" in refused.stderr
    assert not (tmp_path / "b").exists()


def test_check_as_json_says_what_is_wrong(run_cli: RunCli, survey: Path, tmp_path: Path) -> None:
    good = run_cli("data", "check", survey, "--json")
    assert good.code == 0
    broken = tmp_path / "broken"
    for kind in ("images", "masks"):
        (broken / kind).mkdir(parents=True)
        for path in sorted((survey / kind).glob("*.png"))[:4]:
            (broken / kind / path.name).write_bytes(path.read_bytes())
    lonely = min((broken / "masks").glob("*.png"))
    lonely.unlink()
    bad = run_cli("data", "check", broken, "--json")
    assert bad.code == 2
    assert lonely.stem in json.dumps(bad.answer)
    assert run_cli("data", "check", broken).code == 2


def test_import_unpacks_and_goes_on(run_cli: RunCli, survey: Path, tmp_path: Path) -> None:
    archive, out = tmp_path / "tiles.zip", tmp_path / "tiles"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in sorted(survey.glob("images/*.png"))[:3]:
            for kind in ("images", "masks"):
                packed.write(survey / kind / path.name, f"{kind}/{path.name}")
    done = run_cli("data", "import", archive, "--out", out)
    assert done.code == 0
    assert str(out / "images") in done.stdout
    assert len(load_tiles(out)) == 3
    again = run_cli("data", "import", archive, "--out", out, "--json").answer
    assert (again["written"], again["kept"]) == (0, 6)


def test_split_shares_tiles_out(run_cli: RunCli, survey: Path, tmp_path: Path) -> None:
    file = tmp_path / "split.json"
    words = ("data", "split", survey, "--out", file, "--val-fraction", 0.3, "--seed", 9)
    done = run_cli(*words, "--json")
    assert done.code == 0
    split = Split.load(file)
    assert split.seed == 9
    split.verify(load_tiles(survey))
    assert done.answer["hash"] == split.hash
    assert {name: part["tiles"] for name, part in done.answer["parts"].items()} == {
        name: len(ids) for name, ids in split.parts.items()
    }
    assert "val" in run_cli(*words).stdout


def test_split_makes_folds(run_cli: RunCli, survey: Path, tmp_path: Path) -> None:
    done = run_cli("data", "split", survey, "--out", tmp_path / "folds.json", "--folds", 3)
    assert done.code == 0
    assert list(Split.load(tmp_path / "folds.json").parts) == ["fold0", "fold1", "fold2"]


def test_the_option_for_masks_reaches_the_tiles(run_cli: RunCli, tmp_path: Path) -> None:
    for kind, value in (("images", 90), ("masks", 0)):
        (tmp_path / kind).mkdir()
        for name in ("a", "b"):
            pixels = np.full((20, 20), value, np.uint8)
            pixels[:10, :5] = 1
            Image.fromarray(pixels).save(tmp_path / kind / f"{name}.png")
    salt = {
        encoding: run_cli("data", "check", tmp_path, "--encoding", encoding, "--json")
        for encoding in ("index", "grey8")
    }
    assert salt["index"].stdout != salt["grey8"].stdout


def test_mosaic_finds_the_sections_by_which_split_keeps_tiles_together(
    run_cli: RunCli, survey: Path, tmp_path: Path
) -> None:
    # the survey as tiles alone, without what it says of its sections
    tiles = tmp_path / "tiles"
    for kind in ("images", "masks"):
        shutil.copytree(survey / kind, tiles / kind)
    out = tmp_path / "mosaic"
    done = run_cli("data", "mosaic", tiles, "--out", out)
    assert done.code == 0
    assert "tiles     40, 40 with labels" in done.stdout
    assert str(out) in done.stdout
    table = out / "groups.csv"
    found, true = load_tiles(tiles, groups=table), load_tiles(survey)
    # what was put together does belong together
    assert len(set(zip(found.groups, true.groups, strict=True))) == len(set(found.groups)) < 35
    split = run_cli(
        "data", "split", tiles, "--out", tmp_path / "s.json", "--groups", table, "--json"
    )
    assert split.code == 0
    parts = split.answer["parts"]
    assert sum(part["groups"] for part in parts.values()) == len(set(found.groups))
    answer = run_cli("data", "mosaic", tiles, "--out", out, "--json").answer
    assert answer["tiles"]["all"] == 40
    assert answer["out"] == str(out)


def test_mosaic_and_groups_refuse_what_they_cannot_use(
    run_cli: RunCli, survey: Path, tmp_path: Path
) -> None:
    refused = run_cli("data", "mosaic", survey, "--out", survey)
    assert refused.code == 2
    assert "is not a mosaic" in refused.stderr
    refused = run_cli(
        "data", "split", survey, "--out", tmp_path / "s.json", "--groups", tmp_path / "none.csv"
    )
    assert refused.code == 2
    assert "none.csv" in refused.stderr
    assert not (tmp_path / "s.json").exists()


def test_pseudo_labels_are_a_set_to_train_on(
    run_cli: RunCli, trained: Path, survey: Path, tmp_path: Path
) -> None:
    out = tmp_path / "pseudo"
    # a model that is hardly trained: every probability is near one half
    probabilities = Predictor.load(trained, EngineOptions(device="cpu")).probabilities(
        [read_image(path) for path in sorted((survey / "images").glob("*.png"))]
    )
    middle = float(np.median(np.concatenate([one.ravel() for one in probabilities])))
    limits = ("--low", middle - 1e-6, "--high", middle + 1e-6)
    words = ("data", "pseudo", trained, "--data", survey / "images", "--out", out)
    answer = run_cli(*words, *limits, "--confident", 0.5, "--json").answer
    labelled = load_tiles(out)
    assert len(labelled) == answer["tiles"] > 0
    assert labelled.class_shares == pytest.approx(answer["shares"])
    same = run_cli(*words, *limits, "--confident", 0.5)
    assert same.code == 0
    assert "; they were there already and are unchanged" in same.stdout
    again = run_cli(*words, *limits)
    assert again.code == 2
    assert "is not empty" in again.stderr
    unlabelled = run_cli(*words[:-1], tmp_path / "none", "--low", 0, "--high", 1)
    assert unlabelled.code == 2
    assert "no high-confidence salt" in unlabelled.stderr
    assert not (tmp_path / "none").exists()


def test_pseudo_labels_of_a_mosaic_are_trained_on(
    run_cli: RunCli, trained: Path, survey: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    tiles = load_tiles(survey)
    cells = {(0, column): tile for column, tile in enumerate([*tiles.ids[:4], "unlabelled"])}
    mosaic, out = write_sections(tmp_path / "mosaic", tiles, {"one": cells}), tmp_path / "out"
    words = ("data", "pseudo", trained, "--data", survey, "--mosaic", mosaic, "--out", out)
    answer = run_cli(*words, "--low", 0.001, "--high", 0.01, "--json").answer
    assert (answer["tiles"], answer["labelled"], answer["sections"]) == (1, 4, 1)
    same = run_cli(*words, "--low", 0.001, "--high", 0.01)
    assert same.code == 0
    assert "; they were there already and are unchanged" in same.stdout
    again = run_cli(*words)
    assert again.code == 2
    assert "is not empty" in again.stderr
    made = ("train", "--recipe", tiny_recipe, "--data", survey, "--out", tmp_path / "run")
    settings = ("--set", f"data.mosaic={out}", "--set", "data.seam_ignored=20")
    ran = run_cli(*made, *settings)
    assert ran.code == 0
    assert "pseudo-labels of 1 tile" in (tmp_path / "run" / "log.txt").read_text()


def test_synth_varies_the_style(run_cli: RunCli, tmp_path: Path) -> None:
    made = ("data", "synth", "--tiles", 4, "--style")
    assert run_cli(*made, "varied", "--out", tmp_path / "a").code == 0
    assert run_cli(*made, "plain", "--out", tmp_path / "b").code == 0
    name = Path("sections", "section-0000.png")
    assert (tmp_path / "a" / name).read_bytes() != (tmp_path / "b" / name).read_bytes()
    refused = run_cli(*made, "wild", "--out", tmp_path / "c")
    assert refused.code == 2


def test_show_draws_a_sheet_beside_nothing_else(
    run_cli: RunCli, survey: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run_cli("data", "show", survey)
    assert done.code == 0
    assert done.stdout.splitlines()[-1] == "sheet  survey_tiles.png"
    assert [path.name for path in tmp_path.iterdir()] == ["survey_tiles.png"]
    with Image.open("survey_tiles.png") as sheet:
        assert sheet.mode == "RGB"
    answer = run_cli("data", "show", survey, "--out", "a.png", "--per-row", 2, "--json").answer
    assert (answer["tiles"], answer["out"]) == (40, "a.png")


def test_show_works_in_the_base_install(survey: Path, tmp_path: Path) -> None:
    missing = ("torch", "matplotlib", "jinja2", "markupsafe", "zarr", "timm")
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({missing!r})); "
        "from diapir.cli import main; "
        f"main(['data', 'show', {str(survey)!r}, '--out', {str(tmp_path / 'sheet.png')!r}])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "sheet.png").is_file()


def test_show_refuses_what_it_did_not_draw(run_cli: RunCli, survey: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.png"
    own.write_bytes(b"mine")
    done = run_cli("data", "show", survey, "--out", own)
    assert done.code == 2
    assert "is not a contact sheet" in done.stderr
    assert own.read_bytes() == b"mine"


def test_check_writes_a_report_with_a_sheet(run_cli: RunCli, survey: Path, tmp_path: Path) -> None:
    out = tmp_path / "check"
    done = run_cli("data", "check", survey, "--out", out)
    assert done.code == 0
    assert done.stdout.splitlines()[-1] == f"report  {out / 'report.html'}"
    assert "data:image/png" in (out / "report.html").read_text(encoding="utf-8")
    assert run_cli("data", "check", survey, "--out", out, "--json").answer["report"]
    (out / "mine.txt").touch()
    assert run_cli("data", "check", survey, "--out", out).code == 2
