"""The bundled model, on the command line, without PyTorch."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diapir.tiles import load_tiles, read_image

PROGRAM = """
import sys
extras = ["torch", "torchvision", "timm", "onnx", "matplotlib", "jinja2", "zarr", "dask"]
sys.modules.update(dict.fromkeys(extras))
from diapir.cli import main
main(sys.argv[1:])
"""


def without_extras(*words: object) -> dict[str, object]:
    command = [sys.executable, "-c", PROGRAM, *map(str, words), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


@pytest.mark.real
def test_real_tiles_are_predicted_and_evaluated(real_tgs_zip: Path, tmp_path: Path) -> None:
    tiles = load_tiles(real_tgs_zip)
    chosen = [index for index in range(0, len(tiles), 40) if np.ptp(tiles.image(index))]
    for part in ("images", "masks"):
        (tmp_path / "set" / part).mkdir(parents=True)
    for index in chosen:
        name = f"{tiles.ids[index]}.png"
        Image.fromarray(tiles.image(index)).save(tmp_path / "set" / "images" / name)
        Image.fromarray(255 * tiles.mask(index)).save(tmp_path / "set" / "masks" / name)

    evaluated = without_extras("evaluate", "--all-tiles", "--data", tmp_path / "set")
    metrics = evaluated["metrics"]
    assert isinstance(metrics, dict)
    assert metrics["n_images"] == len(chosen)
    # it was trained on most of them: a far lower score means that the files do not fit the code
    assert metrics["dice"] > 0.9
    assert metrics["kaggle_map"] > 0.75

    out = tmp_path / "salt"
    without_extras("predict", tmp_path / "set" / "images", "--out", out)
    overlap = total = 0
    for index in chosen:
        found = read_image(out / "mask" / f"{tiles.ids[index]}.png") > 0
        truth = tiles.mask(index) == 1
        overlap += int((found & truth).sum())
        total += int(found.sum() + truth.sum())
    assert 2 * overlap / total == pytest.approx(metrics["dice"], abs=1e-6)
