import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from diapir.errors import SurveyError
from diapir.surveys.prediction.prediction_store import create_store, decode, encode, open_store
from tests.surveys.made import MemorySurvey, record, volume

pytestmark = pytest.mark.filterwarnings("error")


@given(arrays.arrays(np.float32, (4, 5), elements=st.floats(0, 1, width=32)))
def test_a_step_of_uint8_is_small_enough(values: np.ndarray) -> None:
    values[0, 0] = np.nan
    found = decode(encode(values, "uint8"))
    assert np.isnan(found[0, 0])
    assert not np.isnan(found.ravel()[1:]).any()
    np.testing.assert_allclose(found, values, atol=0.5001 / 254)


def test_certainty_and_a_half_are_kept_exactly() -> None:
    values = np.array([0, 0.5, 1], np.float32)
    for precision in ("uint8", "float16"):
        np.testing.assert_array_equal(decode(encode(values, precision)), values)


@pytest.mark.parametrize("name", ["made.zarr", "made.prediction"])
@pytest.mark.parametrize("precision", ["uint8", "float16"])
def test_what_is_written_is_read(tmp_path: Path, name: str, precision: str) -> None:
    grid = MemorySurvey(volume((6, 7, 9))).grid
    grid.live[2, 3] = False
    store = create_store(tmp_path / name, grid, record(threshold=0.25), precision)
    assert store.names == ()
    store.add("probability", (4, 4, 9), precision, store.fill)
    values = np.random.default_rng(0).random((4, 7, 9), dtype=np.float32)
    store.write("probability", slice(0, 4), slice(None), encode(values, precision))

    again = open_store(tmp_path / name)
    assert again.names == ("probability",)
    assert again.record == record(threshold=0.25)
    assert again.grid.shape == grid.shape
    assert (again.grid.kind, again.grid.domain, again.grid.interval) == ("3d", "time", 4.0)
    for field in ("inlines", "crosslines", "live", "easting", "northing"):
        np.testing.assert_array_equal(getattr(again.grid, field), getattr(grid, field))
    np.testing.assert_array_equal(again.coverage, grid.live)
    found = again.read("probability", slice(1, 6), slice(2, 5))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[:3], values[1:, 2:5], atol=0.003)
    assert np.isnan(found[3:]).all()


def test_a_store_that_is_opened_again_writes_the_same_bytes(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((4, 5, 40), dtype=np.float32)
    written = []
    for name in ("at_once", "later"):
        store = create_store(
            tmp_path / f"{name}.zarr", MemorySurvey(values).grid, record(threshold=0.25), "float16"
        )
        store.add("probability", (4, 5, 40), "float16", store.fill)
        if name == "later":
            store = open_store(tmp_path / f"{name}.zarr", writable=True)
        store.write("probability", slice(None), slice(None), encode(values, "float16"))
        written.append((tmp_path / f"{name}.zarr" / "probability/c/0/0/0").read_bytes())
    assert written[0] == written[1]


def test_maps_take_no_memory_where_they_are_not_read(tmp_path: Path) -> None:
    grid = MemorySurvey(volume((6, 7, 9))).grid
    store = create_store(tmp_path / "made.zarr", grid, record())
    store.add("probability", (4, 4, 9), "uint8", store.fill)
    found = open_store(tmp_path / "made.zarr", maps=False)
    assert found.grid.shape == grid.shape
    assert not found.grid.live.any()
    for values in (found.grid.live, found.grid.easting, found.grid.northing):
        assert values.shape == (6, 7)
        assert values.strides == (0, 0)
    assert np.isnan(found.grid.easting).all()
    assert (found.raw("probability", slice(2), slice(2)) == 255).all()


def test_others_read_the_zarr(tmp_path: Path) -> None:
    store = create_store(tmp_path / "made.zarr", MemorySurvey(volume((4, 5, 6))).grid, record())
    store.add("probability", (2, 2, 6), "uint8", store.fill)
    group = zarr.open_group(str(tmp_path / "made.zarr"), mode="r")
    assert group.metadata.zarr_format == 3
    assert group["probability"].chunks == (2, 2, 6)
    assert (group["probability"][:] == 255).all()


@pytest.mark.parametrize("name", ["none.zarr", "none.prediction"])
def test_no_store(tmp_path: Path, name: str) -> None:
    with pytest.raises(SurveyError, match="cannot be opened"):
        open_store(tmp_path / name)
    (tmp_path / name).mkdir()
    with pytest.raises(SurveyError, match="cannot be opened"):
        open_store(tmp_path / name)


def test_a_zarr_of_somebody_else(tmp_path: Path) -> None:
    zarr.create_group(str(tmp_path / "other.zarr"))
    with pytest.raises(SurveyError, match="holds no predictions"):
        open_store(tmp_path / "other.zarr")


def test_a_broken_description(tmp_path: Path) -> None:
    path = tmp_path / "made.prediction"
    create_store(path, MemorySurvey(volume((1, 5, 6))).grid, record())
    text = (path / "prediction.json").read_text()
    (path / "prediction.json").write_text(text.replace('"3d"', '"4d"'))
    with pytest.raises(SurveyError, match="cannot be read"):
        open_store(path)
    (path / "prediction.json").write_text(text[:40])
    with pytest.raises(SurveyError, match="not valid JSON"):
        open_store(path)


@pytest.mark.parametrize("name", ["made.zarr", "made.prediction"])
def test_a_store_is_created_whole_or_not_at_all(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = MemorySurvey(volume((1, 5, 6))).grid

    def die(self: object, description: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr("diapir.surveys.prediction.chunked_arrays.ZarrArrays.describe", die)
        broken.setattr("diapir.surveys.prediction.chunked_arrays.NumpyArrays.describe", die)
        with pytest.raises(KeyboardInterrupt):
            create_store(tmp_path / name, grid, record())
    assert list(tmp_path.iterdir()) == []
    create_store(tmp_path / name, grid, record())
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_an_array_that_is_missing_is_an_error(tmp_path: Path) -> None:
    grid = MemorySurvey(volume((6, 7, 9))).grid
    create_store(tmp_path / "made.prediction", grid, record(), "uint8")
    (tmp_path / "made.prediction" / "easting.npy").unlink()
    with pytest.raises(SurveyError, match=r"easting\.npy does not exist"):
        open_store(tmp_path / "made.prediction")


@pytest.mark.parametrize("name", ["made.zarr", "made.prediction"])
@pytest.mark.parametrize(
    ("other", "said"),
    [
        ("crosslines", "crosslines has the shape (4, 5), not (4,)"),
        ("inlines", "live has the shape (4, 5), not (5, 5)"),
        ("easting", "easting has the shape (5,), not (4, 5)"),
        ("probability", "probability has the shape (5,), not (4, 5, 6)"),
    ],
)
def test_an_array_of_another_shape_is_refused(
    tmp_path: Path, name: str, other: str, said: str
) -> None:
    store = create_store(tmp_path / name, MemorySurvey(volume((4, 5, 6))).grid, record())
    store.add("probability", (2, 2, 6), "uint8", store.fill)
    suffix = ".npy" if name.endswith("prediction") else ""
    source = store.path / (("easting" if other == "crosslines" else "crosslines") + suffix)
    place = store.path / (other + suffix)
    if suffix:
        shutil.copy(source, place)
    else:
        shutil.rmtree(place)
        shutil.copytree(source, place)
    with pytest.raises(SurveyError) as caught:
        open_store(store.path)
    assert said in caught.value.found


@pytest.mark.parametrize("name", ["made.zarr", "made.prediction"])
def test_probabilities_of_another_type_are_refused(tmp_path: Path, name: str) -> None:
    store = create_store(tmp_path / name, MemorySurvey(volume((4, 5, 6))).grid, record())
    store.add("probability", (2, 2, 6), "int16", 0)
    with pytest.raises(SurveyError, match="probability holds int16, not uint8"):
        open_store(store.path)
