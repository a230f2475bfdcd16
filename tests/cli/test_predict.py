from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from diapir.tiles import read_image
from tests.cli.conftest import RunCli


def test_images_and_folders(run_cli: RunCli, trained: Path, survey: Path, tmp_path: Path) -> None:
    section = min((survey / "sections").glob("*.png"))
    out = tmp_path / "salt"
    done = run_cli("predict", trained, section, survey / "images", "--out", out)
    assert done.code == 0
    assert f"{1 + len(list((survey / 'images').glob('*.png')))} images" in done.stdout
    found = next((out / "mask").rglob(section.name))
    assert read_image(found).shape == read_image(section).shape


def test_the_windows_of_larger_images_are_told_and_can_be_chosen(
    run_cli: RunCli, trained: Path, survey: Path, tmp_path: Path
) -> None:
    section, tile = (min((survey / part).glob("*.png")) for part in ("sections", "images"))
    done = run_cli("predict", trained, section, tile, "--out", tmp_path / "own")
    assert "1 larger image in windows of 101 px, overlap 25 % (--tile, --overlap)" in done.stdout
    asked = ("--tile", 120, "--overlap", 0.5)
    other = run_cli("predict", trained, section, tile, "--out", tmp_path / "asked", *asked)
    assert "1 larger image in windows of 120 px, overlap 50 %" in other.stdout
    masks = [tmp_path / name / "probability" / section.name for name in ("own", "asked")]
    assert not np.array_equal(*map(read_image, masks))
    alone = run_cli("predict", trained, tile, "--out", tmp_path / "tile", "--json")
    assert alone.answer["in_windows"] == 0
    assert alone.answer["windows"] == [{"size": 101, "overlap": 0.25}]


def test_a_bad_file_is_told_and_the_rest_goes_on(
    run_cli: RunCli, trained: Path, survey: Path, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    good = min((survey / "images").glob("*.png"))
    (images / "good.png").write_bytes(good.read_bytes())
    (images / "cut.png").write_bytes(good.read_bytes()[:200])
    done = run_cli("predict", trained, images, "--out", tmp_path / "salt")
    assert done.code == 2
    assert f"left out {images / 'cut.png'}: " in done.stdout
    assert (tmp_path / "salt" / "mask" / "good.png").is_file()
    told = run_cli("predict", trained, images, "--out", tmp_path / "json", "--json")
    assert told.code == 2
    assert told.answer["images"] == 1
    assert list(told.answer["failed"]) == [str(images / "cut.png")]


def test_the_threshold_reaches_the_masks(
    run_cli: RunCli, trained: Path, survey: Path, tmp_path: Path
) -> None:
    image = min((survey / "images").glob("*.png"))
    for name, threshold in (("low", 0.001), ("high", 0.999)):
        words = ("predict", trained, image, "--out", tmp_path / name, "--threshold", threshold)
        assert run_cli(*words, "--json").answer["threshold"] == threshold
    low, high = (
        read_image(next((tmp_path / name / "mask").rglob("*.png"))) for name in ("low", "high")
    )
    assert (low >= high).all()
    assert low.mean() > high.mean()


def test_several_models_are_averaged(
    run_cli: RunCli, trained: Path, second: Path, survey: Path, tmp_path: Path
) -> None:
    image = min((survey / "images").glob("*.png"))
    both = f"{trained},{second}"
    given = {
        "a": (trained, image),
        "b": (second, image),
        "words": (both, image),
        "options": (image, "--model", trained, "--model", second),
        "flipped": (both, image, "--tta", "flip"),
    }
    found = {}
    for name, words in given.items():
        assert run_cli("predict", *words, "--out", tmp_path / name).code == 0
        picture = next((tmp_path / name / "probability").rglob("*.png"))
        found[name] = np.asarray(Image.open(picture)).astype(float)
    assert (found["a"] != found["b"]).any()
    np.testing.assert_allclose(found["words"], (found["a"] + found["b"]) / 2, atol=1)
    np.testing.assert_array_equal(found["words"], found["options"])
    assert (found["flipped"] != found["words"]).any()


def test_the_bundled_model_follows_the_inputs(
    run_cli: RunCli, survey: Path, tmp_path: Path
) -> None:
    line = tmp_path / "line.npy"
    np.save(line, np.random.default_rng(3).normal(0, 1, (120, 110)).astype(np.float32))
    for given, name in (
        (min((survey / "images").glob("*.png")), "salt"),
        (min((survey / "sections").glob("*.png")), "general"),
        (line, "general"),
    ):
        done = run_cli("predict", given, "--out", tmp_path / given.stem)
        assert done.code == 0, done.stderr
        assert done.stdout.startswith(f"model: {name}, the bundled model for ")


def test_options_of_surveys_are_refused_on_pictures(
    run_cli: RunCli, survey: Path, tmp_path: Path
) -> None:
    image = min((survey / "images").glob("*.png"))
    out = tmp_path / "salt"
    for words in (
        ("--horizons",),
        ("--formats", "npy"),
        ("--inlines", "3:4"),
        ("--every", 4),
        ("--view", "both"),
        ("--percentile", 90),
        ("--interval", 4),
        ("--samples-axis", "first"),
        ("--tile", "auto"),
    ):
        done = run_cli("predict", image, "--out", out, *words)
        assert done.code == 2
        assert words[0] in done.stderr
        assert "for surveys only" in done.stderr
    assert not out.exists()


def test_options_of_pictures_are_refused_on_surveys(run_cli: RunCli, tmp_path: Path) -> None:
    np.save(tmp_path / "line.npy", np.random.default_rng(0).normal(size=(40, 50)))
    for words in (("--levels", "0:1"), ("--colours", "brightness"), ("--min-area", 9)):
        done = run_cli("predict", tmp_path / "line.npy", "--out", tmp_path / "salt", *words)
        assert done.code == 2
        assert words[0] in done.stderr
        assert "for images only" in done.stderr


def test_a_model_among_the_inputs_is_recognised(
    run_cli: RunCli, trained: Path, survey: Path, tmp_path: Path
) -> None:
    image = min((survey / "images").glob("*.png"))
    for model in (trained, trained / "best", "general"):
        done = run_cli("predict", image, model, "--out", tmp_path / "salt")
        assert done.code == 2
        assert f"{model} is a model, but stands among the inputs" in done.stderr
        assert f"diapir predict {model} {image}" in done.stderr
    assert not (tmp_path / "salt").exists()
    told = run_cli("predict", trained, image, "--out", tmp_path / "salt").stdout
    (result,) = [line for line in told.splitlines() if "of pixels are salt" in line]
    assert str(trained) in result


def test_polarity_is_honoured_on_pictures(
    run_cli: RunCli, trained: Path, survey: Path, tmp_path: Path
) -> None:
    image = min((survey / "images").glob("*.png"))
    turned = tmp_path / "turned.png"
    Image.fromarray(255 - read_image(image)).save(turned)
    found = {}
    for name, words in {
        "turned": (turned,),
        "plain": (image,),
        "reversed": (image, "--polarity", "reversed"),
        "both": (image, "--polarity", "both"),
    }.items():
        run_cli("predict", trained, *words, "--out", tmp_path / name)
        made = next((tmp_path / name / "probability").glob("*.png"))
        found[name] = np.asarray(Image.open(made)).astype(int)
    np.testing.assert_array_equal(found["reversed"], found["turned"])
    mean = (found["plain"] + found["reversed"]) / 2
    np.testing.assert_allclose(found["both"], mean, atol=1)
