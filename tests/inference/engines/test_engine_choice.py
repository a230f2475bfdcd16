"""The choice of an engine by times that are given here, as those of a machine would vary."""

import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from diapir.bundle import Bundle, BundleInfo, Parity
from diapir.errors import BundleError, DeviceError, install_command
from diapir.inference import Engine, EngineOptions, Predictor
from diapir.inference.engines import engine_choice, open_engine
from diapir.inference.engines.engine_cache import Measured
from diapir.inference.engines.engine_choice import choose, fastest, measure
from diapir.inference.engines.engine_options import EngineChoice
from diapir.inference.engines.open_engine import RUN_BY, WORTH_CHOOSING
from diapir.inference.ensemble import engine_notes, engines_of, with_engines
from tests.helpers.exports import exported

ABLE = RUN_BY["onnx"]


def parity(flipped: int = 1, mean: float = 1e-4) -> Parity:
    return Parity(
        reference="onnx", data="tiles", tiles=1, pixels=1000, logit=1, probability=1, mean=mean,
        flipped=flipped,
    )  # fmt: skip


class Scaled:
    """A network whose logit of salt is the first plane times a factor."""

    threads = 1

    def __init__(self, name: str, factor: float = 1) -> None:
        self.name, self._factor = name, factor

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.stack([np.zeros_like(batch[:, 0]), self._factor * batch[:, 0]], axis=1)


class OnGpu(Scaled):
    """An engine with three lanes of 64 images."""

    lanes, batch, even = 3, 192, False

    def lane(self, threads: int) -> "OnGpu":
        return self


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, float]:
    """Milliseconds a tile, by engine."""
    given = {"onnx": 4.0, "openvino": 4.4, "openvino-bf16": 2.2}
    monkeypatch.setattr(
        engine_choice, "_seconds", lambda engine, batch: given[engine.name] * len(batch) / 1e3
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return given


@pytest.mark.parametrize(
    ("seconds", "bf16", "expected"),
    [
        ({"onnx": 4.0, "openvino-bf16": 2.2}, parity(), "openvino-bf16"),
        ({"onnx": 4.0, "openvino-bf16": 2.2}, parity(flipped=3), "onnx"),
        ({"onnx": 4.0, "openvino-bf16": 2.2}, parity(mean=0.01), "onnx"),
        ({"onnx": 4.0, "openvino-bf16": 2.2}, None, "onnx"),
        ({"onnx": 4.0, "openvino": 3.0}, None, "openvino"),
        ({"onnx": 4.0, "openvino": 3.9}, None, "onnx"),  # hardly faster
    ],
)
def test_the_fastest_that_gives_the_models_results(
    seconds: dict[EngineChoice, float], bf16: Parity | None, expected: str
) -> None:
    assert choose(Measured(seconds=seconds), "onnx", bf16)[0] == expected


@pytest.mark.parametrize(
    ("gpu", "expected", "note"),
    [
        (parity(), "torch", "engine: PyTorch on the GPU (0.1 ms/tile; ONNX Runtime 4;"),
        (parity(flipped=3), "onnx", "the GPU is not used, as 0.3 % of pixels change class"),
        (None, "onnx", "engine: ONNX Runtime"),  # it could not be compared
    ],
)
def test_a_gpu_is_taken_where_it_gives_the_models_results(
    gpu: Parity | None, expected: str, note: str
) -> None:
    measured = Measured(seconds={"onnx": 4e-3, "torch": 1e-4}, gpu=gpu)
    engine, said = choose(measured, "onnx", None)
    assert engine == expected
    assert note in said


def test_a_gpu_is_compared_and_timed_with_its_own_batch(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed: list[tuple[str, int]] = []

    def seconds(engine: Scaled, batch: NDArray[np.float32]) -> float:
        timed.append((engine.name, len(batch)))
        return 1e-3

    monkeypatch.setattr(engine_choice, "_seconds", seconds)

    def open_one(choice: EngineChoice) -> Engine:
        return OnGpu(choice) if choice == "torch" else Scaled(choice)

    found = measure(_without_record(bundle), ("onnx", "torch"), open_one)
    assert found.gpu is not None
    assert (found.gpu.flipped, found.gpu.tiles) == (0, 16)
    assert found.seconds == {"onnx": 1e-3 / 16, "torch": 1e-3 / 64}
    assert timed[-1] == ("torch", 64)


def test_a_gpu_with_too_little_memory_is_left_out(bundle: Bundle, times: dict[str, float]) -> None:
    class Small(OnGpu):
        def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
            if len(batch) > 16:
                raise DeviceError("too little memory", expected="", fix="")
            return super().logits(batch)

    def open_one(choice: EngineChoice) -> Engine:
        return Small(choice) if choice == "torch" else Scaled(choice)

    assert measure(_without_record(bundle), ("onnx", "torch"), open_one).seconds.keys() == {"onnx"}


def test_it_is_said_in_one_line() -> None:
    measured = Measured(seconds={"onnx": 0.00402, "openvino-bf16": 0.0022})
    note = choose(measured, "onnx", parity())[1]
    assert note == (
        "engine: OpenVINO bf16 (2.2 ms/tile; ONNX Runtime 4; measured on this machine; --engine)"
    )
    note = choose(measured, "onnx", parity(flipped=20, mean=0.01))[1]
    assert note.startswith("engine: ONNX Runtime (4 ms/tile; measured")
    assert "bfloat16 is not used, as 2.0 % of pixels change class" in note


def test_bfloat16_is_compared_where_the_export_did_not(
    bundle: Bundle, times: dict[str, float]
) -> None:
    found = measure(_without_record(bundle), ABLE, Scaled)
    assert found.seconds == {"onnx": 0.004, "openvino-bf16": 0.0022}
    assert found.bf16 is not None
    assert (found.bf16.flipped, found.bf16.tiles) == (0, 16)


def test_bfloat16_with_other_results_gives_way_to_float32(
    bundle: Bundle, times: dict[str, float]
) -> None:
    def open_one(choice: EngineChoice) -> Engine:
        return Scaled(choice, -1 if choice == "openvino-bf16" else 1)

    found = measure(_without_record(bundle), ABLE, open_one)
    assert found.seconds.keys() == {"onnx", "openvino-bf16", "openvino"}
    assert choose(found, "onnx", found.bf16)[0] == "onnx"


def test_an_engine_that_does_not_open_is_left_out(bundle: Bundle, times: dict[str, float]) -> None:
    def open_one(choice: EngineChoice) -> Engine:
        if choice == "openvino-bf16":
            raise DeviceError("no bfloat16", expected="", fix="")
        if choice == "openvino":
            raise BundleError("cannot be read", expected="", fix="")
        return Scaled(choice)

    assert measure(_without_record(bundle), ABLE, open_one).seconds.keys() == {"onnx"}


def test_engines_are_measured_once(
    bundle: Bundle, times: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_choice, "find_spec", lambda name: name)
    opened: list[str] = []

    def open_one(choice: EngineChoice) -> Engine:
        opened.append(choice)
        return Scaled(choice)

    held = _without_record(bundle)
    first = fastest(held, ABLE, open_one, 1)
    assert first[0] == "openvino-bf16"
    assert opened == ["onnx", "openvino-bf16"]
    assert fastest(held, ABLE, open_one, 1) == first
    assert len(opened) == 2
    fastest(held, ABLE, open_one, 2)
    assert len(opened) == 4


def test_a_slower_engine_is_freed_and_so_is_its_memory(
    bundle: Bundle, times: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: dict[str, weakref.ref[Scaled]] = {}
    alive: list[list[str]] = []

    def open_one(form: str, network: Path, **options: object) -> Scaled:
        engine = Scaled(form)
        opened[form] = weakref.ref(engine)
        return engine

    def note() -> None:
        alive.append([form for form, engine in opened.items() if engine() is not None])

    monkeypatch.setattr(engine_choice, "find_spec", lambda name: name)
    monkeypatch.setattr(open_engine, "open_network", open_one)
    monkeypatch.setattr(open_engine, "return_freed", note)
    held = _recorded(bundle, parity())
    chosen = open_engine.open_chosen(held, EngineOptions(pixels=WORTH_CHOOSING))
    assert set(opened) == {"onnx", "openvino-bf16"}
    assert alive == [[chosen.choice]] == [["openvino-bf16"]]
    assert opened["openvino-bf16"]() is chosen.engine
    open_engine.open_chosen(held, EngineOptions(pixels=WORTH_CHOOSING))
    assert len(alive) == 1  # remembered: no other was opened


@pytest.mark.parametrize("bf16", [True, False])
def test_without_openvino_it_is_named_where_it_would_help(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, bf16: bool
) -> None:
    monkeypatch.setattr(engine_choice, "find_spec", lambda name: None)
    monkeypatch.setattr(engine_choice, "has_bf16", lambda: bf16)
    engine, note = fastest(_without_record(bundle), ABLE, Scaled, 1)
    assert engine == "onnx"
    assert (install_command("openvino") in note) is bf16


def test_little_work_measures_nothing_and_much_takes_the_fastest(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def chosen(*arguments: Any) -> tuple[EngineChoice, str]:
        asked.append(arguments)
        return "onnx", "engine: as measured"

    monkeypatch.setattr(engine_choice, "fastest", chosen)
    held = exported(bundle, "onnx")
    for pixels in (None, WORTH_CHOOSING - 1):
        assert engine_notes(Predictor(held, EngineOptions(pixels=pixels))) == []
    assert not asked
    predictor = Predictor(held, EngineOptions(pixels=WORTH_CHOOSING))
    assert engine_notes(predictor) == ["engine: as measured"]
    assert engines_of(predictor) == ("onnx",)
    named = Predictor(held, EngineOptions(pixels=WORTH_CHOOSING, engine="onnx"))
    assert engine_notes(named) == []
    assert len(asked) == 1


def test_the_same_model_on_another_engine(bundle: Bundle) -> None:
    pytest.importorskip("openvino", reason="the extra [openvino] is not installed")
    one = Predictor(exported(bundle, "onnx"), EngineOptions(tta="flip"))
    other = with_engines(one, ["openvino"], EngineOptions())
    assert engines_of(other) == ("openvino",)
    assert (other.engine.name, other.tta) == ("openvino on cpu", "flip")  # type: ignore[attr-defined]
    assert one.engine.name == "onnxruntime on cpu"


def _without_record(bundle: Bundle) -> Bundle:
    return _recorded(bundle, None)


def _recorded(bundle: Bundle, bf16: Parity | None) -> Bundle:
    held = exported(bundle, "onnx")
    made = held.info.export
    assert made is not None
    export = made.model_copy(update={"bf16": bf16})
    return Bundle(held.path, held.info.model_copy(update={"export": export}))


@pytest.mark.parametrize(("device", "gpu"), [("auto", True), ("cpu", True), ("auto", False)])
def test_a_gpu_is_a_choice_where_there_is_one_and_the_model_has_weights(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, device: str, gpu: bool
) -> None:
    asked: list[tuple[EngineChoice, ...]] = []

    def chosen(held: Bundle, able: tuple[EngineChoice, ...], *rest: Any) -> tuple[str, str]:
        asked.append(able)
        return "onnx", ""

    monkeypatch.setattr(engine_choice, "fastest", chosen)
    monkeypatch.setattr(open_engine, "has_gpu", lambda: gpu)
    held = exported(bundle, "onnx")
    for trainable in (True, False):
        monkeypatch.setattr(BundleInfo, "trainable", property(lambda info, it=trainable: it))
        open_engine.open_chosen(held, EngineOptions(pixels=WORTH_CHOOSING, device=device))
    with_gpu = device == "auto" and gpu
    assert [one[-1] == "torch" for one in asked] == [with_gpu, False]
