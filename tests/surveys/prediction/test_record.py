import json
from pathlib import Path

import pytest

from diapir.errors import SurveyError
from diapir.inference.tiling import WindowGrid
from diapir.surveys import open_store
from diapir.surveys.prediction.prediction_store import create_store
from diapir.surveys.prediction.record import PredictionRecord
from tests.surveys.made import MemorySurvey, record, volume

KEYS = (
    *("diapir", "asked", "model", "model_name", "weights_sha256", "input", "survey", "threshold"),
    *("views", "scale", "polarity", "stretch", "tile", "windows_per_s", "block", "skips"),
    *("tta", "equal_runs", "quiet_top", "notes", "caveats", "grids", "engines"),
)
"""Keys on disk, in order."""


def test_a_record_keeps_its_keys_on_disk() -> None:
    grids = (WindowGrid(64, 0.5), WindowGrid(101, 0.25))
    made = record(views=("inline", "crossline"), windows_per_s=3.5, grids=grids)
    content = json.loads(json.dumps(made.model_dump(mode="json")))
    assert tuple(content) == KEYS
    assert content["survey"] == {"path": "made.sgy", "domain": "unknown", "allow": []}
    assert content["views"] == ["inline", "crossline"]
    assert PredictionRecord.model_validate(content) == made
    assert PredictionRecord.model_validate_json(made.model_dump_json()) == made


def test_records_of_older_versions_know_one_window_size() -> None:
    hashes = ("0" * 64, "1" * 64)
    old = record(tile=64, asked={"overlap": 0.6}, weights_sha256=hashes)
    assert old.windows == (WindowGrid(64, 0.6),) * 2
    assert record(tile=101).windows == (WindowGrid(101, 0.25),)


@pytest.mark.parametrize(("key", "value"), [("scale", None), ("survey", {}), ("views", ["up"])])
def test_a_broken_record_is_named(tmp_path: Path, key: str, value: object) -> None:
    path = tmp_path / "made.prediction"
    create_store(path, MemorySurvey(volume((1, 5, 6))).grid, record())
    content = json.loads((path / "prediction.json").read_text())
    content["record"][key] = value
    (path / "prediction.json").write_text(json.dumps(content))
    with pytest.raises(SurveyError, match=f"record.{key}"):
        open_store(path)


def test_a_record_written_before_parts_existed_is_of_a_whole_survey() -> None:
    content = json.loads(json.dumps(record().model_dump(mode="json")))
    del content["skips"]
    made = PredictionRecord.model_validate(content)
    assert made.skips == (1, 1)
    assert made.survey.hints.extents == ()


def test_a_record_of_an_earlier_version_can_be_read() -> None:
    content = record().model_dump(mode="json")
    for name in ("tta", "equal_runs", "quiet_top", "notes", "caveats"):
        del content[name]
    earlier = PredictionRecord.model_validate(content)
    assert earlier.equal_runs is None
    assert earlier.quiet_top is None
    assert earlier.notes == earlier.caveats == ()
    assert "augmentation" not in earlier.settings


def test_the_settings_say_how_the_model_was_applied() -> None:
    settings = record(stretch=0.5, tta="flip", scale=1234.5).settings
    for told in ("model made", "threshold 0.5", "flip", "16 px", "±1234", "resampled by 0.5"):
        assert told in settings
