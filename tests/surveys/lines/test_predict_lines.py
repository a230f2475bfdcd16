"""A folder of lines as one job: a damaged file, an interruption, one progress."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from diapir.surveys import SurveyOptions, open_store
from diapir.surveys.lines.find_lines import find_surveys
from diapir.surveys.lines.predict_lines import PredictedLine, predict_lines
from tests.helpers.segy import write_segy
from tests.surveys.made import onnx_bundle, volume

OPTIONS = SurveyOptions(formats=("none",))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return onnx_bundle(tmp_path_factory.mktemp("model") / "convolution")


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """Lines a, b, c of 40, 50 and 60 traces; b is cut off."""
    folder = tmp_path / "lines"
    folder.mkdir()
    for number, name in enumerate("abc"):
        amplitude = volume((1, 40 + 10 * number, 36), seed=number)[0]
        write_segy(folder / f"{name}.sgy", amplitude, inlines=None, cut=9 if name == "b" else 0)
    return folder


def test_a_damaged_file_stops_no_other(model: Path, lines: Path, tmp_path: Path) -> None:
    out, seen = tmp_path / "salt", []
    done = predict_lines(
        [model],
        find_surveys([lines], out),
        out,
        OPTIONS,
        progress=lambda part, total: seen.append((part, total)),
    )
    assert [line.summary is not None for line in done] == [True, False, True]
    assert done[1].error is not None
    assert "is truncated" in done[1].row.error
    assert seen[-1] == (100 * 36, 100 * 36)
    assert seen == sorted(seen)
    row = done[2].row
    assert (row.line, row.kind, row.traces, row.samples) == ("c", "2d", 60, 36)
    assert 0 < (row.salt_share or 0) < 1
    assert (out / "c/c.prediction").is_dir()
    assert not (out / "b").exists()


def test_an_interrupted_job_resumes(model: Path, lines: Path, tmp_path: Path) -> None:
    out = tmp_path / "salt"
    files = find_surveys([lines], out)

    def stop(line: PredictedLine) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_lines([model], files, out, OPTIONS, tell=stop)
    stored = out / "a/a.prediction/probability.npy"
    before = stored.stat().st_mtime_ns
    assert not (out / "c").exists()
    again = predict_lines([model], files, out, OPTIONS)
    assert again[0].summary is not None
    assert again[0].summary.pixels == 0
    assert stored.stat().st_mtime_ns == before
    write_segy(lines / "b.sgy", volume((1, 50, 36), seed=1)[0], inlines=None)
    mended = predict_lines([model], files, out, OPTIONS)
    assert [line.summary.pixels for line in mended if line.summary] == [0, 50 * 36, 0]
    whole = np.s_[:]
    alone = predict_lines([model], files[1:2], tmp_path / "alone", OPTIONS)
    for one in (mended[1], alone[0]):
        assert one.summary is not None
    np.testing.assert_array_equal(
        open_store(out / "b/b.prediction").read("probability", whole, whole),
        open_store(tmp_path / "alone/b/b.prediction").read("probability", whole, whole),
    )
