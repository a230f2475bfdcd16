"""`diapir predict` on lines and volumes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import segyio
from PIL import Image
from segy import SegyFile

from diapir import progress
from diapir.surveys import open_store
from tests.cli.conftest import RunCli
from tests.helpers.segy import write_segy
from tests.surveys.made import onnx_bundle, volume


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return onnx_bundle(tmp_path_factory.mktemp("model") / "convolution")


def test_a_line_and_a_volume(run_cli: RunCli, model: Path, tmp_path: Path) -> None:
    line = write_segy(tmp_path / "line.sgy", volume((1, 60, 50))[0], inlines=None)
    cube = write_segy(tmp_path / "cube.sgy", volume((12, 14, 50)))
    out = tmp_path / "salt"
    done = run_cli("predict", model, line, cube, "--out", out, "--threshold", 0.6)
    assert done.code == 0
    told = done.stdout
    assert "1 × 60 traces, 50 samples each: 1 section (inline view)" in told
    assert "12 × 14 traces, 50 samples each: 26 sections (inline and crossline view)" in told
    assert told.index("windows of 32 px") < told.index("of samples are salt (probability ≥ 0.6)")
    assert sorted(path.name for path in out.iterdir()) == [
        "cube.zarr",
        "cube_mask.sgy",
        "cube_probability.sgy",
        "cube_uncertainty.sgy",
        "line.prediction",
        "line_mask.sgy",
        "line_probability.sgy",
    ]
    store = open_store(out / "cube.zarr")
    with segyio.open(str(out / "cube_probability.sgy")) as file:
        written = segyio.tools.cube(file)
    np.testing.assert_array_equal(written, store.read("probability", slice(None), slice(None)))
    with segyio.open(str(out / "cube_mask.sgy")) as file:
        assert set(np.unique(file.trace.raw[:])) == {0, 255}
        assert "MODEL convolution" in file.text[0].decode()
        assert "FROM cube.sgy" in file.text[0].decode()


def test_json_and_going_on(run_cli: RunCli, model: Path, tmp_path: Path) -> None:
    cube = write_segy(tmp_path / "cube.sgy", volume((12, 14, 30)))
    words = ("predict", cube, "--model", model, "--out", tmp_path / "salt", "--formats", "npy")
    first = run_cli(*words, "--view", "inline", "--json")
    assert first.code == 0
    (survey,) = first.answer["surveys"]
    assert survey["plan"]["views"] == ["inline"]
    assert survey["plan"]["sections"] == 12
    again = run_cli(*words, "--view", "inline", "--json").answer["surveys"][0]
    assert again["plan"]["blocks_done"] == again["plan"]["blocks"]
    other = run_cli(*words, "--view", "both")
    assert other.code == 2
    assert "made with a different view" in other.stderr


def test_no_format_leaves_the_store_alone(run_cli: RunCli, model: Path, tmp_path: Path) -> None:
    line = write_segy(tmp_path / "line.sgy", volume((1, 60, 50))[0], inlines=None)
    out = tmp_path / "salt"
    assert run_cli("predict", model, line, "--out", out, "--formats", "none").code == 0
    assert [path.name for path in out.iterdir()] == ["line.prediction"]


def test_progress_tells_the_rate_and_the_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    clock = iter([0.0, 1.0, 3.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with progress.progress("predicting a", unit="Mpx", per=1e6) as show:
        show(1_000_000, 10_000_000)
        show(4_000_000, 10_000_000)
    first, second = capsys.readouterr().err.splitlines()
    assert first == "predicting a 1.0/10.0 Mpx"
    assert second == "predicting a 4.0/10.0 Mpx, 1.50 Mpx/s, 4 s left"


def test_images_and_surveys_do_not_mix(run_cli: RunCli, model: Path, tmp_path: Path) -> None:
    cube = write_segy(tmp_path / "cube.sgy", volume((12, 14, 30)))
    (tmp_path / "a.png").write_bytes(b"")
    done = run_cli("predict", model, cube, tmp_path / "a.png", "--out", tmp_path / "salt")
    assert done.code == 2
    assert "predict them in two calls" in done.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"no SEG-Y at all", "is not a SEG-Y file"), (b"", "is not a SEG-Y file")],
)
def test_no_survey(run_cli: RunCli, model: Path, tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "bad.sgy").write_bytes(content)
    done = run_cli("predict", model, tmp_path / "bad.sgy", "--out", tmp_path / "salt")
    assert done.code == 2
    assert said in done.stderr
    assert not (tmp_path / "salt").exists()


def test_the_input_lies_in_the_output(run_cli: RunCli, model: Path, tmp_path: Path) -> None:
    before = write_segy(tmp_path / "cube_mask.sgy", volume((12, 14, 30)))
    cube = write_segy(tmp_path / "cube.sgy", volume((12, 14, 30)))
    content = before.read_bytes()
    done = run_cli("predict", model, cube, "--out", tmp_path)
    assert done.code == 2
    assert "cube_mask.sgy" in done.stderr
    assert before.read_bytes() == content


@pytest.mark.parametrize(
    "words",
    [("--overlap", "0.9"), ("--block", "5"), ("--scale", "-1"), ("--tile", "20.5")],
)
def test_options_out_of_range(
    run_cli: RunCli, model: Path, tmp_path: Path, words: tuple[str, str]
) -> None:
    cube = write_segy(tmp_path / "cube.sgy", volume((12, 14, 30)))
    done = run_cli("predict", model, cube, "--out", tmp_path / "salt", *words)
    assert done.code == 2
    assert words[0] in done.stderr


F3 = (23, 18, 75)
GOOD: dict[str, tuple[int, int, int]] = {
    "f3.sgy": F3,
    "f3-lsb.sgy": F3,
    "f3-withdead.sgy": F3,
    "F3_very_small.sgy": (11, 11, 463),
    "penobscot_xl1155.sgy": (601, 1, 1501),
    "npra-31-81-PR.sgy": (1, 534, 1501),
    "formats/Format1lsb.sgy": F3,
    "formats/Format6msb.sgy": F3,
    "formats/Format8msb.sgy": F3,
}
"""Field files, and inlines, crosslines and samples of each."""
SEGY = Path(__file__).resolve().parents[3] / "shared" / "data" / "segy"
KEPT = [1, 5, 9, 13, 17, 21, 71, 73, 77, 115, 117, 181, 185, 189, 193, 197]
"""Bytes of the trace header that are compared."""


@pytest.mark.real
@pytest.mark.parametrize("name", GOOD)
def test_field_files_come_back_with_their_geometry(
    run_cli: RunCli, model: Path, tmp_path: Path, name: str
) -> None:
    source = SEGY / name
    if not source.is_file():
        pytest.skip(f"{source} is not here")
    words = ("--threads", 1, "--products", "probability")
    done = run_cli("predict", model, source, "--out", tmp_path / "salt", "--json", *words)
    assert done.code == 0, done.stderr
    (survey,) = done.answer["surveys"]
    assert tuple(survey["plan"]["shape"]) == GOOD[name]
    endian = "little" if "lsb" in name else "big"
    with (
        segyio.open(str(source), ignore_geometry=True, endian=endian) as old,
        segyio.open(survey["files"][0], ignore_geometry=True) as new,
    ):
        assert int(new.format) == 5
        assert new.tracecount == old.tracecount
        np.testing.assert_array_equal(new.samples, old.samples)
        for byte in KEPT:
            np.testing.assert_array_equal(new.attributes(byte)[:], old.attributes(byte)[:])
        values = new.trace.raw[:]
    assert values.min() >= 0
    assert 0.5 < values.max() <= 1
    other = SegyFile(survey["files"][0])
    assert (other.num_traces, other.samples_per_trace) == values.shape
    np.testing.assert_array_equal(other.sample[:], values)


def test_what_was_found_in_a_line_is_told(run_cli: RunCli, model: Path, tmp_path: Path) -> None:
    fine = np.sin(2 * np.pi * np.arange(400) / 48) + 0.1 * volume((1, 60, 400))[0]
    fine[:, :190] = 0  # a mute
    line = write_segy(tmp_path / "line.sgy", fine.astype(np.float32), inlines=None)
    words = ("predict", model, line, "--out")
    told = run_cli(*words, tmp_path / "salt").stdout
    for part in ("model convolution: threshold", "augmentation none", "--match-sampling none"):
        assert part in told
    assert "of samples are no data" in told
    (answer,) = run_cli(*words, tmp_path / "json", "--json").answer["surveys"]
    assert answer["plan"]["stretch"] < 0.6
    assert answer["plan"]["seen_samples"] < 250
    assert len(answer["notes"]) == 2
    assert isinstance(answer["caveats"], list)
    as_is = (*words, tmp_path / "as-is", "--match-sampling", "none", "--equal-runs", "none")
    (answer,) = run_cli(*as_is, "--json").answer["surveys"]
    assert answer["plan"]["stretch"] == 1
    assert len(answer["notes"]) == 1


def test_what_was_found_in_a_picture_is_told(run_cli: RunCli, model: Path, tmp_path: Path) -> None:
    dip = np.arange(300)[:, None] + 0.3 * np.arange(70)
    picture = 127 + 80 * np.sin(2 * np.pi * dip / 48)
    picture[:, :9] = 0
    path = tmp_path / "line.png"
    Image.fromarray(np.rint(picture).astype(np.uint8)).save(path)
    words = ("predict", model, path, "--out")
    told = run_cli(*words, tmp_path / "salt").stdout
    assert "traces are resampled by 0." in told
    assert "are no data" in told
    answer = run_cli(*words, tmp_path / "json", "--json").answer
    assert answer["resampled"]["line"] < 0.6
    assert len(answer["notes"]) == 2
    assert (answer["model"], answer["tta"]) == ("convolution", "none")
    done = run_cli(*words, tmp_path / "far", "--match-sampling", 9)
    assert done.code == 2
    assert "--match-sampling" in done.stderr
