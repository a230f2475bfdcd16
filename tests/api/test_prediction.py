import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diapir.api.prediction import Prediction, Predictions
from diapir.errors import DataError
from diapir.inference.overlay import SALT


def prediction(name: str = "line", salt: float = 0.9) -> Prediction:
    probability = np.zeros((20, 30), np.float32)
    probability[5:10, 5:10] = salt
    return Prediction(
        name=name,
        source="",
        image=np.full((20, 30), 99, np.uint8),
        probability=probability,
        mask=(probability > 0.5).astype(np.uint8),
        threshold=0.5,
        min_area=0,
        model="tiny",
        tta="none",
        notes=("a note",),
        caveats=(),
    )


def table(folder: Path) -> dict[str, str]:
    with (folder / "predictions.csv").open(encoding="utf-8", newline="") as stream:
        return {row["name"]: row["salt_share"] for row in csv.DictReader(stream)}


def test_what_is_saved_can_be_read_back(tmp_path: Path) -> None:
    one = prediction()
    files = one.save(tmp_path / "out")
    assert [path.parent.name for path in files] == ["probability", "mask", "overlay", "out"]
    with Image.open(files[0]) as picture:
        np.testing.assert_allclose(np.asarray(picture) / 65535, one.probability, atol=1e-5)
    with Image.open(files[1]) as picture:
        np.testing.assert_array_equal(np.asarray(picture), one.mask * 255)


def test_saving_again_keeps_the_rows_of_others(tmp_path: Path) -> None:
    prediction("a").save(str(tmp_path / "out"))
    Predictions([prediction("b"), prediction("c", salt=0.1)]).save(tmp_path / "out")
    prediction("a", salt=0.2).save(tmp_path / "out")
    prediction("a").save(tmp_path / "out", name="other")
    shares = table(tmp_path / "out")
    assert list(shares) == ["a", "b", "c", "other"]
    assert (shares["a"], shares["b"]) == ("0.000000", shares["other"])


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mask").mkdir()
    (tmp_path / "mask" / "mine.png").write_bytes(b"mine")
    with pytest.raises(DataError):
        prediction().save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mask"]


def test_it_is_shown_in_words_and_as_a_picture() -> None:
    one = prediction()
    assert repr(one) == "Prediction('line', 20 × 30 px, 4.2 % salt, model tiny, 1 note)"
    overlay = np.asarray(one.overlay())
    assert tuple(overlay[5, 5]) == SALT
    assert tuple(overlay[0, 0]) == (99, 99, 99)
    assert one._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize("salt", [0.9, 0.0])
def test_the_plot_has_three_panels(salt: float, tmp_path: Path) -> None:
    figure = prediction(salt=salt).plot()
    titles = [axes.get_title() for axes in figure.axes[:3]]
    assert titles[:2] == ["image", "probability of salt"]
    assert titles[2].startswith("salt: 4.2% of" if salt else "salt: 0.0% of")
    figure.savefig(tmp_path / "figure.png")
    assert figure._repr_png_().startswith(b"\x89PNG")
