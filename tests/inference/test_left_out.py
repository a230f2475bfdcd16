from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diapir.inference.left_out import is_model, masks_beside
from diapir.inference.sources import find_pictures, on_one_scale
from diapir.tiles.files.picture_options import PictureOptions


def _save(path: Path, grey: int = 7) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 3), grey).save(path)
    return path


@pytest.mark.parametrize("ending", ["_salt", "_mask", "_label", "-Mask", "_gt"])
@pytest.mark.parametrize("given", ["folder", "files"])
def test_masks_beside_pictures_are_left_out_and_named(
    tmp_path: Path, ending: str, given: str
) -> None:
    files = [_save(tmp_path / "in" / name) for name in ("a.png", f"a{ending}.png", "b.png")]
    inputs = files if given == "files" else [tmp_path / "in"]
    found = find_pictures(inputs, tmp_path / "out")
    assert [source.name for source in found.sources] == ["a", "b"]
    assert f"a{ending}.png" in found.notes[0]


def test_a_mask_given_alone_is_a_picture(tmp_path: Path) -> None:
    alone = _save(tmp_path / "a_salt.png")
    _save(tmp_path / "a.png")
    found = find_pictures([alone], tmp_path / "out")
    assert [source.name for source in found.sources] == ["a_salt"]
    assert found.notes == []


def test_a_name_that_only_ends_like_a_mask_is_a_picture(tmp_path: Path) -> None:
    paths = [tmp_path / "old_salt.png", tmp_path / "new.png", tmp_path / "other" / "old.png"]
    assert masks_beside(paths) == set()


def test_folders_of_masks_models_and_results_are_left_out_and_named(tmp_path: Path) -> None:
    root = tmp_path / "in"
    _save(root / "images" / "a.png")
    _save(root / "SegmentationClass" / "a.png")
    _save(root / "runs" / "b" / "examples.png")
    _save(root / "runs" / "b" / "best" / "picture.png")
    (root / "runs" / "b" / "config.yaml").write_text("name: b")
    (root / "runs" / "b" / "best" / "bundle.json").write_text("{}")
    _save(root / "earlier" / "overlay" / "a.png")
    _save(root / "earlier" / "own.png")
    (root / "earlier" / "predictions.csv").write_text("input,name")
    found = find_pictures([root], tmp_path / "out")
    assert sorted(source.name for source in found.sources) == ["earlier/own", "images/a"]
    told = "\n".join(found.notes)
    for place in ("SegmentationClass", "runs/b", "earlier/overlay"):
        assert place in told
    assert is_model(root / "runs" / "b")
    assert is_model(root / "runs" / "b" / "best")
    assert not is_model(root)


def test_pictures_of_a_prediction_are_on_one_scale(tmp_path: Path) -> None:
    levels = np.linspace(0, 4095, 400).astype(np.uint16).reshape(20, 20)
    for name, deep in (("a", levels), ("b", levels // 2)):
        Image.fromarray(deep).save(tmp_path / f"{name}.png")
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    sources, notes = on_one_scale(find_pictures(paths, tmp_path / "out").sources, PictureOptions())
    bright, dark = (source.read() for source in sources)
    assert (bright.max(), dark.max()) == (255, 127)
    assert "12 bits" in notes[0]
    assert "(--levels)" in notes[0]
    asked = on_one_scale(sources, PictureOptions(levels="0:8190"))
    assert asked.sources[0].read().max() == 128


def test_reversed_polarity_turns_black_into_white(tmp_path: Path) -> None:
    sources = find_pictures([_save(tmp_path / "a.png", grey=55)], tmp_path / "out").sources
    (source,) = on_one_scale(sources, PictureOptions(), "reversed").sources
    assert (source.read() == 200).all()
