import builtins
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from diapir.bundle import Bundle, load
from diapir.errors import BundleError, DeviceError, MissingDependencyError, install_command
from diapir.inference.engines import open_engine as open_engine_module
from diapir.inference.engines.engine_options import EngineChoice, EngineOptions
from diapir.inference.engines.open_engine import _choose, has_gpu, open_engine
from tests.helpers.exports import exported

OPENVINO = "openvino or openvino-bf16"


def test_a_bundle_of_weights_runs_in_torch(bundle: Bundle) -> None:
    assert open_engine(bundle, EngineOptions(device="cpu")).name == "torch on cpu"
    assert open_engine(bundle, EngineOptions(device="cpu", engine="torch")).name == "torch on cpu"


def test_an_export_runs_in_the_engine_it_was_made_for(bundle: Bundle) -> None:
    assert open_engine(exported(bundle, "onnx")).name == "onnxruntime on cpu"
    pytest.importorskip("openvino", reason="the extra [openvino] is not installed")
    assert open_engine(exported(bundle, "openvino")).name == "openvino on cpu"
    assert (
        open_engine(exported(bundle, "onnx"), EngineOptions(engine="openvino")).name
        == "openvino on cpu"
    )


@pytest.mark.parametrize(
    ("pixels", "int8", "optimised"),
    [(None, False, True), (101**2, False, False), (101**2, True, True), (400**2, False, True)],
)
def test_a_network_is_optimised_where_that_is_worth_its_time(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, pixels: int | None, int8: bool, optimised: bool
) -> None:
    held = exported(bundle, "onnx")
    export = held.info.export.model_copy(update={"int8": int8})
    held = replace(held, info=held.info.model_copy(update={"export": export}))
    opened = []
    monkeypatch.setattr(
        "diapir.inference.engines.onnx_engine.OnnxEngine",
        lambda network, **given: opened.append(given),
    )
    open_engine(held, EngineOptions(pixels=pixels))
    assert [given["optimised"] for given in opened] == [optimised]


def test_threads_reach_the_engine(bundle: Bundle) -> None:
    assert open_engine(exported(bundle, "onnx"), EngineOptions(threads=3)).threads == 3


@pytest.mark.parametrize(
    ("form", "engine", "able", "fix"),
    [
        ("weights", "onnx", "torch", "--to onnx --out DIR` writes"),
        (
            "onnx",
            "torch",
            "onnx or openvino or openvino-bf16",
            "the run that the model was exported from",
        ),
        ("openvino", "onnx", OPENVINO, "--to onnx --out DIR` writes"),
    ],
)
def test_an_engine_that_cannot_run_what_the_bundle_holds_is_refused(
    bundle: Bundle, form: str, engine: EngineChoice, able: str, fix: str
) -> None:
    if form == "openvino":
        pytest.importorskip("openvino", reason="the extra [openvino] is not installed")
    held = bundle if form == "weights" else exported(bundle, form)
    with pytest.raises(BundleError, match=f"'{engine}' cannot run") as caught:
        open_engine(held, EngineOptions(engine=engine))
    assert caught.value.expected == f"--engine {able} for this model"
    assert fix in caught.value.fix


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_an_export_computes_on_the_cpu(bundle: Bundle, device: str) -> None:
    with pytest.raises(DeviceError, match=f"device '{device}' was requested"):
        open_engine(exported(bundle, "onnx"), EngineOptions(device=device))


@pytest.mark.parametrize(
    ("engine", "package", "extra"), [("torch", "torch", "train"), ("openvino",) * 3]
)
def test_without_a_library_the_extra_is_named(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, engine: EngineChoice, package: str, extra: str
) -> None:
    held = bundle if engine == "torch" else exported(bundle, "onnx")
    genuine = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name == package:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
        return genuine(name, *rest, **named)

    monkeypatch.delitem(sys.modules, f"diapir.inference.engines.{engine}_engine", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependencyError, match=f"'{package}' is not installed") as caught:
        open_engine(held, EngineOptions(engine=engine))
    assert caught.value.fix == install_command(extra)


@pytest.mark.parametrize(
    ("device", "engine"), [("auto", "onnx"), ("cpu", "onnx"), ("cuda", "torch")]
)
def test_weights_beside_an_export_run_on_other_devices(device: str, engine: str) -> None:
    both = load("general")
    assert _choose(both, EngineOptions(device=device))[0] == engine
    assert open_engine(both, EngineOptions(engine="torch", device="cpu")).name == "torch on cpu"


@pytest.mark.parametrize("found", [True, False])
def test_torch_is_asked_for_a_gpu_only_where_a_driver_is_installed(
    monkeypatch: pytest.MonkeyPatch, found: bool
) -> None:
    asked: list[bool] = []

    def finds_gpu() -> bool:
        asked.append(True)
        return found

    monkeypatch.setattr("diapir.inference.engines.torch_engine.finds_gpu", finds_gpu)
    monkeypatch.setattr(Path, "glob", lambda path, pattern: iter(()))
    monkeypatch.setattr(Path, "exists", lambda path: False)
    monkeypatch.setattr(open_engine_module, "which", lambda name: None)
    assert not has_gpu()
    assert not asked
    monkeypatch.setattr(open_engine_module, "which", lambda name: f"/usr/bin/{name}")
    assert has_gpu() is found
    assert asked
