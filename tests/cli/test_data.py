from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from diapir.tiles import Split, load_tiles
from tests.cli.conftest import RunCli


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
