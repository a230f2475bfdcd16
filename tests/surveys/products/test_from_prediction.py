from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from diapir.errors import SurveyError
from diapir.surveys import open_survey
from diapir.surveys.prediction.prediction_store import create_store, encode
from diapir.surveys.products.from_prediction import find_stores, store_products
from diapir.surveys.products.make import ProductOptions
from tests.helpers.segy import write_segy
from tests.surveys.made import record
from tests.surveys.made_salt import ball

SHAPE = (12, 14, 30)


def amplitudes(shape: tuple[int, int, int]) -> NDArray[np.float32]:
    return np.random.default_rng(2).normal(size=shape).astype(np.float32)


def predicted(tmp_path: Path, **changes: object) -> Path:
    """A survey, and a store as `diapir predict` leaves it."""
    source = tmp_path / "block.sgy"
    write_segy(source, amplitudes(SHAPE))
    survey = open_survey(source)
    path = tmp_path / "block.prediction"
    store = create_store(path, survey.grid, record(survey=survey.spec(), scale=2.0, **changes))
    survey.close()
    store.add("probability", SHAPE, "uint8", store.fill)
    held = encode(ball(SHAPE, (5, 7, 15), 5), "uint8")
    store.write("probability", slice(None), slice(None), held)
    return path


def test_sections_are_drawn_over_the_amplitudes_of_the_survey(tmp_path: Path) -> None:
    products = store_products(predicted(tmp_path), ProductOptions(min_cells=10))
    assert products.notes == []
    assert products.out == tmp_path / "block.products"
    assert all(section.grey is not None for section in products.sections)
    assert products.name == "block"


def test_a_survey_that_is_gone_or_another_leaves_the_probability(tmp_path: Path) -> None:
    path = predicted(tmp_path)
    write_segy(tmp_path / "block.sgy", amplitudes((3, 14, 30)))
    products = store_products(path)
    assert "has changed" in products.notes[0]
    (tmp_path / "block.sgy").unlink()
    products = store_products(path)
    assert "could not be opened" in products.notes[0]
    assert all(section.grey is None for section in products.sections)


def test_the_threshold_of_the_prediction_is_taken(tmp_path: Path) -> None:
    path = predicted(tmp_path, threshold=0.8)
    assert store_products(path).threshold == 0.8
    assert store_products(path, ProductOptions(threshold=0.3)).threshold == 0.3


def test_finished_stores_are_found_once(tmp_path: Path) -> None:
    for name in ("b.zarr", "a.prediction", ".c.unfinished.zarr", "a.products"):
        (tmp_path / name).mkdir()
    (tmp_path / "d.zarr").write_text("no folder")
    found = find_stores([tmp_path / "b.zarr", tmp_path])
    assert [path.name for path in found] == ["b.zarr", "a.prediction"]
    with pytest.raises(SurveyError, match="contains no predictions"):
        find_stores([tmp_path / "a.products"])
