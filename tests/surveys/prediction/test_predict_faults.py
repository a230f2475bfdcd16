"""Predictions of surveys that are killed, or whose disk fills up, at any moment."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from diapir.errors import DataError
from diapir.locks import lock_beside, locked
from diapir.surveys import SurveyOptions, open_store, predict_survey
from diapir.surveys.prediction import settle
from tests.helpers.faults import completes_when_full, completes_when_killed, forks
from tests.surveys.made import MemorySurvey, Pointwise, predictor, volume

VOLUME, LINE = (9, 9, 12), (1, 12, 14)


@pytest.fixture(autouse=True)
def untimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "WORTH_TIMING", 10**9)


def predict(shape: tuple[int, int, int], out: Path) -> None:
    options = SurveyOptions(formats=("npy",), tile="own", block=8)
    predict_survey(predictor(Pointwise()), MemorySurvey(volume(shape)), out, options)


@forks
@pytest.mark.parametrize(("shape", "step"), [(VOLUME, 41), (LINE, 5)])
def test_the_same_call_completes_a_killed_prediction(
    tmp_path: Path, shape: tuple[int, int, int], step: int
) -> None:
    kills = completes_when_killed(tmp_path, lambda out: predict(shape, out), step=step)
    assert kills > 3


@forks
@pytest.mark.parametrize(("shape", "step"), [(VOLUME, 53), (LINE, 6)])
def test_a_full_disk_is_named_and_the_same_call_goes_on(
    tmp_path: Path, shape: tuple[int, int, int], step: int
) -> None:
    full = completes_when_full(tmp_path, lambda out: predict(shape, out), step=step)
    assert full > 2


def test_one_process_predicts_a_survey_at_a_time(tmp_path: Path) -> None:
    place = tmp_path / "made"
    with locked(lock_beside(place), place):
        with pytest.raises(DataError, match=f"in use by process {os.getpid()} on ") as caught:
            predict(LINE, tmp_path)
        assert str(place) in caught.value.found
    predict(LINE, tmp_path)
    assert not lock_beside(place).exists()


@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_damaged_chunk_of_a_store_is_refused(tmp_path: Path, damage: str) -> None:
    predict(VOLUME, tmp_path)
    chunk = tmp_path / "made.zarr" / "probability" / "c" / "0" / "0" / "0"
    content = bytearray(chunk.read_bytes())
    if damage == "cut":
        content = content[:20]
    else:
        content[-10] ^= 4  # beyond any header: found by the checksum alone
    chunk.write_bytes(content)
    store = open_store(tmp_path / "made.zarr")
    with pytest.raises(DataError, match=r"made\.zarr/probability cannot be read"):
        store.read("probability", slice(None), slice(None))


def test_what_an_interrupted_removal_left_is_removed(tmp_path: Path) -> None:
    predict(VOLUME, tmp_path)
    store = open_store(tmp_path / "made.zarr", writable=True)
    store.add("grey", (8, 8, 12), "uint8", 0)
    store.write("grey", slice(None), slice(None), np.ones(VOLUME, np.uint8))
    (tmp_path / "made.zarr" / "grey" / "zarr.json").unlink()  # as rmtree may do first
    predict(VOLUME, tmp_path)
    assert not (tmp_path / "made.zarr" / "grey").exists()
