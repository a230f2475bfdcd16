"""`diapir survey`, `predict` and `products` on a part of a survey, and previews."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import segyio

from diapir.surveys import open_store
from diapir.surveys.prediction.prediction_store import create_store, encode
from tests.cli.conftest import RunCli
from tests.helpers.segy import write_segy
from tests.surveys.made import onnx_bundle, record, volume
from tests.surveys.made_salt import ball, volume_grid

QUIET = ("--threads", 1, "--formats", "none")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return onnx_bundle(tmp_path_factory.mktemp("model") / "convolution")


@pytest.fixture
def cube(tmp_path: Path) -> Path:
    return write_segy(tmp_path / "cube.sgy", volume((22, 14, 36)))


def test_a_part_is_predicted_and_recorded(
    run_cli: RunCli, model: Path, cube: Path, tmp_path: Path
) -> None:
    part = ("--inlines", "104:112", "--time", "20:120", "--domain", "time")
    words = ("predict", model, cube, "--out", tmp_path / "salt", *QUIET)
    done = run_cli(*words, *part)
    assert done.code == 0, done.stderr
    assert "part: 9 inlines 104 to 112, 14 crosslines 300 to 313, 20 to 120 ms" in done.stdout
    store = open_store(tmp_path / "salt/cube.zarr")
    assert store.grid.shape == (9, 14, 26)
    assert run_cli(*words, *part).code == 0  # the same part again
    other = run_cli(*words, "--inlines", "104:113", "--time", "20:120", "--domain", "time")
    assert other.code == 2
    assert "different part" in other.stderr
    made = run_cli("products", tmp_path / "salt", "--min-cells", 1, "--json").answer["products"][0]
    assert "A part of the survey: --inlines 104:112 --time 20:120" in made["notes"][0]
    with (tmp_path / "salt/cube.products/bodies.csv").open(newline="") as stream:
        (first, *_) = csv.DictReader(stream)
    assert int(first["inline_min"]) >= 104
    assert float(first["base_ms"]) <= 120


def test_a_preview_takes_one_view(run_cli: RunCli, model: Path, cube: Path, tmp_path: Path) -> None:
    words = ("predict", model, cube, *QUIET, "--every", 10)
    done = run_cli(*words, "--out", tmp_path / "look")
    assert done.code == 0, done.stderr
    assert "inline view only: one inline in 10 is read" in done.stdout
    assert open_store(tmp_path / "look/cube.zarr").grid.inlines.tolist() == [100, 110, 120]
    made = run_cli("products", tmp_path / "look", "--json").answer["products"][0]
    assert made["options"]["min_cells"] == 100  # a tenth of the default
    assert "stands for 10" in made["notes"][1]
    done = run_cli(*words, "--view", "crossline", "--out", tmp_path / "across")
    assert open_store(tmp_path / "across/cube.zarr").grid.crosslines.tolist() == [300, 310]
    done = run_cli(*words, "--view", "both", "--out", tmp_path / "both")
    assert done.code == 2
    assert "--every 10 is given with --view both" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--inlines", "500:600"), "inlines 100 to 121"),
        (("--inlines", "120:110"), "reversed"),
        (("--time", "900:950"), "0 to 140"),
        (("--crosslines", "x"), "--crosslines x is not a range"),
        (("--every", "0"), "--every 0"),
    ],
)
def test_a_part_that_is_not_there_writes_nothing(
    run_cli: RunCli, model: Path, cube: Path, tmp_path: Path, words: tuple[str, str], said: str
) -> None:
    done = run_cli("predict", model, cube, "--out", tmp_path / "salt", *words)
    assert done.code == 2
    assert said in done.stderr
    assert not (tmp_path / "salt").exists()


def test_the_description_of_a_part(run_cli: RunCli, cube: Path, tmp_path: Path) -> None:
    words = ("survey", cube, "--inlines", "104:112:4", "--crosslines", ":309")
    answer = run_cli(*words, "--out", tmp_path / "look", "--json").answer
    assert answer["shape"] == [3, 10, 36]
    assert answer["part"] == [{"inlines": "104:112:4", "crosslines": ":309"}]
    assert (tmp_path / "look/map.png").is_file()


SHAPE = (24, 20, 40)


@pytest.fixture
def salt(tmp_path: Path) -> Path:
    """Predictions of two balls, around inlines 112 and 134, as `diapir predict` leaves them."""
    balls = (ball(SHAPE, (6, 10, 20), 5.5), ball(SHAPE, (17, 10, 20), 4.5))
    path = tmp_path / "block.zarr"
    made = create_store(path, volume_grid(SHAPE), record(input="block.sgy"))
    made.add("probability", SHAPE, "uint8", made.fill)
    held = encode(np.maximum(*balls), "uint8")
    made.write("probability", slice(None), slice(None), held)
    return path


def bodies(path: Path) -> list[dict[str, str]]:
    with (path.with_suffix(".products") / "bodies.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_products_of_a_part_have_its_coordinates(run_cli: RunCli, salt: Path) -> None:
    words = ("products", salt, "--min-cells", 1, "--formats", "csv")
    assert run_cli(*words).code == 0
    whole = bodies(salt)
    tops = (salt.with_suffix(".products") / "horizons/top.csv").read_text().splitlines()
    done = run_cli(*words, "--inlines", "123:", "--depth", "210:340")
    assert done.code == 0, done.stderr
    (part,) = bodies(salt)
    assert [part[name] for name in ("cells", "volume_m3", "top_m", "base_m")] == [
        whole[1][name] for name in ("cells", "volume_m3", "top_m", "base_m")
    ]
    kept = (salt.with_suffix(".products") / "horizons/top.csv").read_text().splitlines()
    # but for the number of the body, which is the first of this part
    assert {line.rpartition(",")[0] for line in kept} <= {line.rpartition(",")[0] for line in tops}
    assert len(kept) == 1 + sum(int(line.split(",")[0]) > 122 for line in tops[1:])


def test_a_part_with_skipped_lines_counts_each_for_those_left_out(
    run_cli: RunCli, salt: Path
) -> None:
    words = ("products", salt, "--min-cells", 1, "--formats", "opendtect")
    assert run_cli(*words).code == 0
    volumes = [float(row["volume_m3"]) for row in bodies(salt)]
    done = run_cli(*words, "--inlines", "::4")
    assert "One inline in 2 is used and stands for 2" in done.stdout
    thinned = [float(row["volume_m3"]) for row in bodies(salt)]
    np.testing.assert_allclose(thinned, volumes, rtol=0.1)


def test_bodies_are_kept_and_merged_by_number(run_cli: RunCli, salt: Path) -> None:
    words = ("products", salt, "--min-cells", 1, "--formats", "ply")
    assert run_cli(*words, "--bodies", "2").code == 0
    assert [row["body"] for row in bodies(salt)] == ["2"]
    meshes = salt.with_suffix(".products") / "meshes"
    assert [path.name for path in meshes.iterdir()] == ["body-002.ply"]
    done = run_cli(*words, "--merge", "1+2")
    assert "Bodies 1 + 2 are merged" in done.stdout
    (row,) = bodies(salt)
    assert (row["inline_min"], row["inline_max"]) == ("102", "142")
    refused = run_cli(*words, "--bodies", "1,7")
    assert refused.code == 2
    assert "there is no body 7" in refused.stderr
    assert len(bodies(salt)) == 1  # the earlier products are kept


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--snap", "peak"), "seismic amplitudes of block cannot be read"),
        (("--merge", "2"), "--merge 2"),
        (("--bodies", "a"), "'a' is not a list of body numbers"),
        (("--smooth-radius", "0"), "--smooth-radius 0"),
        (("--snap-window", "-4"), "--snap-window -4"),
        (("--inlines", "900:"), "inlines 100 to 146"),
    ],
)
def test_options_that_cannot_be_used(
    run_cli: RunCli, salt: Path, words: tuple[str, str], said: str
) -> None:
    done = run_cli("products", salt, *words)
    assert done.code == 2
    assert said in done.stderr
    assert not salt.with_suffix(".products").exists()


SEGY = Path(__file__).resolve().parents[3] / "shared" / "data" / "segy"


@pytest.mark.real
def test_a_part_of_field_data_keeps_its_headers(
    run_cli: RunCli, model: Path, tmp_path: Path
) -> None:
    source = SEGY / "f3.sgy"
    if not source.is_file():
        pytest.skip(f"{source} is not here")
    words = ("predict", model, source, "--out", tmp_path, "--threads", 1, "--json")
    done = run_cli(*words, "--inlines", "115:124:3", "--crosslines", "880:", "--time", "40:200")
    assert done.code == 0, done.stderr
    (survey,) = done.answer["surveys"]
    assert survey["plan"]["views"] == ["inline"]
    with (
        segyio.open(str(source), ignore_geometry=True) as old,
        segyio.open(survey["files"][0], ignore_geometry=True) as new,
    ):
        numbers = old.attributes(189)[:], old.attributes(193)[:]
        kept = np.isin(numbers[0], [115, 118, 121, 124]) & (numbers[1] >= 880)
        for byte in (1, 5, 71, 73, 77, 181, 185, 189, 193):
            np.testing.assert_array_equal(new.attributes(byte)[:], old.attributes(byte)[:][kept])
        np.testing.assert_array_equal(new.samples, [t for t in old.samples if 40 <= t <= 200])
