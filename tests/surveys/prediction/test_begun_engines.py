"""A prediction that was interrupted is finished by the engine that began it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diapir.errors import SurveyError
from diapir.inference import EngineOptions
from diapir.inference.engines import open_engine
from diapir.inference.engines.engine_options import EngineChoice
from diapir.surveys import SurveyOptions, SurveySummary, open_store, predict_survey
from tests.surveys.made import MemorySurvey, onnx_bundle, volume

pytest.importorskip("openvino", reason="the extra [openvino] is not installed")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return onnx_bundle(tmp_path_factory.mktemp("model") / "convolution")


class StopError(Exception):
    pass


def stop(done: int, total: int) -> None:
    raise StopError


def run(model: Path, out: Path, progress: Any = None, **engine: Any) -> SurveySummary:
    survey = MemorySurvey(volume((19, 21, 40)))
    options = SurveyOptions(block=8, tile=32, formats=())
    running = EngineOptions(threads=1, **engine)
    return predict_survey([model], survey, out, options, engine=running, progress=progress)


def interrupted(model: Path, out: Path, engine: EngineChoice) -> None:
    with pytest.raises(StopError):
        run(model, out, stop, engine=engine)


def test_it_goes_on_with_the_engine_of_its_record(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(model, tmp_path / "a", "openvino")
    opened: list[str] = []
    genuine = open_engine.open_network

    def watched(form: str, *rest: Any, **named: Any) -> Any:
        opened.append(form)
        return genuine(form, *rest, **named)

    monkeypatch.setattr(open_engine, "open_network", watched)
    summary = run(model, tmp_path / "a")  # which would take ONNX Runtime
    assert opened == ["onnx", "openvino"]
    store, whole = open_store(summary.store), open_store(run(model, tmp_path / "b").store)
    assert (store.record.engines, whole.record.engines) == (("openvino",), ("onnx",))
    found, expected = (one.read("probability", slice(None), slice(None)) for one in (store, whole))
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_another_engine_is_refused(model: Path, tmp_path: Path) -> None:
    interrupted(model, tmp_path, "openvino")
    with pytest.raises(SurveyError, match="begun with the engine openvino, now it is onnx"):
        run(model, tmp_path, engine="onnx")
    assert open_store(run(model, tmp_path, engine="openvino").store).record.engines


def test_a_store_without_a_record_of_it_goes_on_in_float32(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Versions before the record ran exported networks on the first engine of their form."""
    interrupted(model, tmp_path, "onnx")
    (unfinished,) = tmp_path.glob(".*.unfinished.zarr")
    open_store(unfinished, writable=True).update_record(engines=())
    monkeypatch.setattr(
        "diapir.inference.engines.engine_choice.fastest",
        lambda *arguments: ("openvino", "engine: chosen"),
    )
    opened: list[str] = []
    genuine = open_engine.open_network

    def watched(form: str, *rest: Any, **named: Any) -> Any:
        opened.append(form)
        return genuine(form, *rest, **named)

    monkeypatch.setattr(open_engine, "open_network", watched)
    run(model, tmp_path, pixels=open_engine.WORTH_CHOOSING)
    assert opened == ["openvino", "onnx"]


def test_workers_open_the_engine_that_was_chosen(model: Path, tmp_path: Path) -> None:
    survey_options = {"block": 8, "tile": 32, "formats": ()}
    from diapir.surveys import open_survey
    from tests.helpers.segy import write_segy

    source = write_segy(tmp_path / "vol.sgy", volume((19, 21, 40)))
    stores = []
    for workers in (1, 2):
        survey = open_survey(source)
        try:
            summary = predict_survey(
                [model],
                survey,
                tmp_path / str(workers),
                SurveyOptions(workers=workers, **survey_options),  # type: ignore[arg-type]
                engine=EngineOptions(threads=1, engine="openvino"),
            )
        finally:
            survey.close()
        stores.append(open_store(summary.store))
    one, two = (store.read("probability", slice(None), slice(None)) for store in stores)
    np.testing.assert_array_equal(one, two)
    assert stores[0].record.engines == stores[1].record.engines == ("openvino",)
