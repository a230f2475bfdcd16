from __future__ import annotations

import json
from pathlib import Path

import pytest

from diapir import bundle as bundles
from diapir.tiles import read_image
from tests.cli.conftest import RunCli
from tests.helpers.exports import exported


@pytest.fixture
def onnx(trained: Path) -> Path:
    """The small run as ONNX."""
    return exported(bundles.load(trained), "onnx").path


def test_a_run_is_exported_and_measured(
    run_cli: RunCli, onnx: Path, survey: Path, tmp_path: Path
) -> None:
    out = tmp_path / "openvino"
    pytest.importorskip("openvino", reason="the extra [openvino] is not installed")
    done = run_cli("export", onnx, "--to", "openvino", "--out", out, "--data", survey / "images")
    assert done.code == 0
    assert f"{out}: model.xml and model.bin, " in done.stdout
    assert "0 of 408040 pixels change class" in done.stdout
    told = run_cli(
        *("export", onnx, "--to", "onnx", "--out", tmp_path / "onnx", "--data", survey / "images"),
        "--json",
    )
    assert told.answer["form"] == "onnx"
    assert told.answer["parity"]["tiles"] == 40
    assert told.answer["bytes"] == (tmp_path / "onnx" / "model.onnx").stat().st_size


def test_two_runs_are_exported_as_one(
    run_cli: RunCli, trained: Path, second: Path, survey: Path, tmp_path: Path
) -> None:
    out = tmp_path / "both"
    words = ("export", trained, second, "--to", "onnx", "--out", out, "--data", survey / "images")
    done = run_cli(*words)
    assert done.code == 0, done.stderr
    assert f"differs from {trained / 'best'} and {second / 'best'} by at most" in done.stdout
    together, alone = (
        run_cli(*("evaluate", *models, "--data", survey, "--json")).answer["metrics"]
        for models in ((trained, second), (trained,))
    )
    split = f"{trained}/split.json:val"
    as_one = run_cli("evaluate", out, "--data", survey, "--split", split, "--json").answer
    # pixels close to the threshold may change class
    for key in ("soft_dice", "ece", "dice"):
        assert as_one["metrics"][key] == pytest.approx(together[key], abs=1e-3)
    assert together["ece"] != pytest.approx(alone["ece"], abs=1e-3)
    twice = run_cli("export", trained, trained, "--to", "onnx", "--out", tmp_path / "twice")
    assert twice.code == 2
    assert "the same model" in twice.stderr


def test_the_weights_are_kept_to_train_on(
    run_cli: RunCli, trained: Path, survey: Path, tmp_path: Path
) -> None:
    out = tmp_path / "both"
    words = ("export", trained, "--to", "onnx", "--out", out, "--data", survey / "images")
    done = run_cli(*words, "--trainable", "--name", "mine", "--json")
    assert done.code == 0, done.stderr
    assert "both: model.onnx and model.safetensors, " in done.stderr
    assert done.answer["weights"]["half"] is False
    files = [out / name for name in ("model.onnx", "model.safetensors")]
    assert done.answer["bytes"] == sum(path.stat().st_size for path in files)
    assert bundles.load(out).info.name == "mine"
    image = min((survey / "images").glob("*.png"))
    words = ("predict", out, image, "--out", tmp_path / "salt", "--engine", "torch")
    assert run_cli(*words).code == 0
    files[1].write_bytes(b"damaged")
    again = run_cli("predict", out, image, "--out", tmp_path / "salt")
    assert again.code == 2
    assert "model.safetensors has changed" in again.stderr


def test_without_data_a_synthetic_survey_is_made(
    run_cli: RunCli, onnx: Path, tmp_path: Path
) -> None:
    told = run_cli("export", onnx, "--to", "onnx", "--out", tmp_path / "onnx", "--json")
    assert told.code == 0
    assert (told.answer["parity"]["data"], told.answer["parity"]["tiles"]) == ("synthetic", 32)


def test_what_an_export_predicts_is_what_the_run_predicts(
    run_cli: RunCli, trained: Path, onnx: Path, survey: Path, tmp_path: Path
) -> None:
    for name, model in (("torch", trained), ("onnx", onnx)):
        image = min((survey / "images").glob("*.png"))
        assert run_cli("predict", model, image, "--out", tmp_path / name).code == 0
    found, expected = (
        read_image(next((tmp_path / name / "mask").rglob("*.png"))) for name in ("onnx", "torch")
    )
    assert (found == expected).all()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--engine", "torch"), "the engine 'torch' cannot run model.onnx"),
        (("--device", "cuda"), "the engine 'onnx' runs on the CPU"),
    ],
)
def test_an_engine_that_cannot_run_it_is_refused(
    run_cli: RunCli,
    onnx: Path,
    survey: Path,
    tmp_path: Path,
    words: tuple[str, ...],
    complaint: str,
) -> None:
    done = run_cli("predict", onnx, survey / "images", "--out", tmp_path / "salt", *words)
    assert done.code == 2
    assert complaint in done.stderr


def test_what_is_in_the_way_is_kept(run_cli: RunCli, onnx: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    done = run_cli("export", onnx, "--to", "onnx", "--out", tmp_path, "--json")
    assert done.code == 2
    assert json.loads(done.stdout)["error"]["kind"] == "ExportError"
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_network_with_its_preprocessing_lies_beside(
    run_cli: RunCli, onnx: Path, survey: Path, tmp_path: Path
) -> None:
    words = ("export", onnx, "--to", "onnx", "--out", tmp_path / "out", "--data", survey / "images")
    told = run_cli(*words, "--with-preprocessing", "uint8", "--json")
    assert told.answer["with_preprocessing"] == ["grey_to_probability.onnx"]
    assert "grey levels (uint8, 0 to 255) in, probability out" in told.stderr
    assert run_cli(*words, "--json").answer["with_preprocessing"] == []
    refused = run_cli(*words, "--with-preprocessing", "int8")
    assert refused.code == 2
