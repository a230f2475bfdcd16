"""The functions have the arguments and defaults of the commands."""

import inspect
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

import diapir
from diapir.errors import ConfigError, install_command

RENAMED = {"budget": "budget_s", "hints": "further", "options": "further"}
NOT_IN_PYTHON = {"output", "running", "post_processing", "label_options"}
"""What prints; and groups of options, which are keyword arguments or fields of dataclasses."""


@pytest.mark.parametrize("name", ["evaluate", "tune", "compare", "adapt", "export"])
def test_arguments_and_defaults_are_those_of_the_command(name: str) -> None:
    command = inspect.signature(getattr(import_module(f"diapir.cli.{name}"), name)).parameters
    function = inspect.signature(getattr(diapir, name)).parameters
    for key, parameter in command.items():
        if key in NOT_IN_PYTHON:
            continue
        own = function[RENAMED.get(key, key)]
        required = parameter.default is inspect.Parameter.empty
        if key == "out" and name == "compare":  # nothing need be written from Python
            assert own.default is None
        elif RENAMED.get(key) != "further" and not required:
            assert (own.default or None) == (parameter.default or None), key


def test_create_model_builds_what_a_recipe_says() -> None:
    network = diapir.create_model("unet", base=4, levels=2)
    assert isinstance(network, torch.nn.Module)
    assert network(torch.zeros(1, 3, 8, 8)).shape == (1, 2, 8, 8)
    assert "halite" in diapir.list_models()
    assert diapir.models.build("unet").divisor == 16


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("unett", {}), "did you mean 'unet'"),
        (("unet", {"bas": 3}), "did you mean 'base'"),
        (("unet", {"base": "wide"}), "model.base"),
    ],
)
def test_create_model_refuses_what_is_not_there(
    arguments: tuple[str, dict[str, Any]], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        diapir.create_model(arguments[0], **arguments[1])


def test_an_evaluation_is_written_where_asked(run: diapir.Run, made: Path, tmp_path: Path) -> None:
    done = diapir.evaluate(run, data=str(made / "mini"), out=str(tmp_path / "scores"))
    assert done.evaluation.metrics["dice"] == pytest.approx(run.metrics["dice"])
    names = {path.name for path in (tmp_path / "scores").iterdir()}
    assert names == {"evaluation.json", "tiles.csv", "report.html"}


def test_tuning_writes_its_file(run: diapir.Run, made: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "run")  # the setting may be written into the model
    tuned = diapir.tune(copy, data=made / "mini", out=tmp_path / "tuned.json")
    assert (tmp_path / "tuned.json").is_file()
    assert 0 < tuned.tuning.chosen.threshold < 1


BLOCKED = ("torch", "timm", "onnx", "matplotlib", "jinja2", "zarr", "openvino")


@pytest.mark.parametrize(
    ("call", "extra"),
    [
        ("diapir.train('baseline', 'mini', 'out')", "train"),
        ("diapir.create_model('unet')", "train"),
        ("diapir.adapt('a.sgy', 'b.png', 'out')", "train"),
        ("diapir.export(to='onnx', out='out')", "train"),
    ],
)
def test_the_base_install_names_the_extra(call: str, extra: str) -> None:
    program = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({BLOCKED!r}))\n"
        "import diapir\n"
        f"try:\n    {call}\n"
        "except diapir.DiapirError as error:\n    print(type(error).__name__, error.fix)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    kind, _, fix = done.stdout.partition(" ")
    assert kind == "MissingDependencyError"
    assert fix.strip() == install_command(extra)


def test_the_base_install_predicts() -> None:
    program = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({BLOCKED!r}))\n"
        "import diapir, numpy\n"
        "result = diapir.load('salt').predict(numpy.zeros((30, 30)))\n"
        "assert result.probability.shape == (30, 30)\n"
        "try:\n    result.plot()\n"
        "except diapir.DiapirError as error:\n    assert '[report]' in error.fix\n"
        "else:\n    raise SystemExit('no error')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _resolved(name: str) -> Callable[..., Any]:
    found: Callable[..., Any] = getattr(diapir, name)
    return found


def test_every_public_name_is_there_and_described() -> None:
    for name in diapir.__all__:
        assert _resolved(name) is not None
        if name != "__version__":
            assert inspect.getdoc(_resolved(name)), name


def test_no_module_has_the_name_of_a_function() -> None:
    # importing `diapir.export` would put the module in the place of the function
    modules = {path.stem for path in Path(diapir.__file__).parent.iterdir()}
    assert modules & set(diapir.__all__) == set()
