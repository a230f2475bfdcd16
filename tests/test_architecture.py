"""The layout that CONTRIBUTING describes.

Imports go down only and in no circle, each heavy dependency has its doors, folders stay small,
module names are unique, and tests lie where the code lies.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "diapir"

ROWS: tuple[frozenset[str], ...] = tuple(
    frozenset(row.split())
    for row in (
        "cli",
        "serving",
        "api",
        "comparison adaptation",
        "reports",
        "training exports",
        "evaluation",
        "surveys",
        "inference",
        "models tiles",
        "bundle preprocess",
        "run",
        "config",  # over its neighbour: a recipe that cannot be used is an error
        "architectures connected files recipes shipped",
        "extras progress",  # progress shows durations as text does
        "choices errors json_text locks memory no_telemetry scratch stop_signals text "
        "undefined version",
    )
)
"""Parts that may import only from rows below their own; top row first."""

FACADE = frozenset({"diapir", "diapir.__main__"})
"""The package's own door and `python -m`: above all rows."""

TORCH_ROOMS = (
    *("models", "training", "exports", "adaptation"),
    *("inference.engines.torch_engine", "inference.engines.gpu_graphs", "tiles.torch_tiles"),
)
DOORS: dict[str, tuple[str, ...]] = {
    "torch": TORCH_ROOMS,
    "torchvision": TORCH_ROOMS,
    "timm": TORCH_ROOMS,
    "segmentation_models_pytorch": TORCH_ROOMS,
    "accelerate": ("training",),
    "wandb": ("training.tracking.wandb_tracker",),
    "tensorboard": ("training.tracking.tensorboard_tracker",),
    "torch.utils.tensorboard": ("training.tracking.tensorboard_tracker",),
    "matplotlib": ("reports", "adaptation.adapt_report"),
    "jinja2": ("reports",),
    "dask": ("surveys",),
    "distributed": ("surveys",),
    "zarr": ("surveys",),
    "surfio": ("surveys.products.irap",),
    "onnx": ("exports",),
    "onnxruntime": ("exports", "inference.engines.onnx_engine"),
    "openvino": ("exports", "inference.engines.openvino_engine"),
    "starlette": ("serving",),
    "uvicorn": ("serving",),
}
"""Heavy packages, and the rooms of diapir that may import each."""

NEED_AN_EXTRA = {"training", "exports", "models", "adaptation"}
"""Parts that may need more than `pip install diapir` brings."""


LARGEST_FOLDER = 22
"""Modules of one folder, `__init__` left out."""

TESTS = Path(__file__).resolve().parent
TESTS_OF_THE_WHOLE = frozenset({"test_architecture.py", "cli/bad_input", "end_to_end"})
"""Test files and folders of no single module."""


@dataclass(frozen=True)
class Import:
    """One import statement: the module it stands in, and what it names."""

    module: str
    line: int
    name: str

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.name}"


def imports_of(source: Path) -> Iterator[Import]:
    """Every import under the package folder `source`, those inside functions too."""
    for path in sorted(source.rglob("*.py")):
        parts = ["diapir", *path.relative_to(source).with_suffix("").parts]
        package = parts[:-1]
        module = ".".join(package if parts[-1] == "__init__" else parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(module, node.lineno, alias.name)
            elif isinstance(node, ast.ImportFrom):
                above = package[: len(package) - node.level + 1] if node.level else []
                base = ".".join([*above, *([node.module] if node.module else [])])
                for alias in node.names:
                    yield Import(module, node.lineno, f"{base}.{alias.name}")


def inside(name: str, room: str) -> bool:
    return name == room or name.startswith(room + ".")


def part_of(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


def row_of(part: str) -> int | None:
    return next((index for index, row in enumerate(ROWS) if part in row), None)


def upward(source: Path) -> list[str]:
    """Imports that do not go down, and parts that have no row."""
    wrong = []
    for found in imports_of(source):
        if found.module in FACADE or not inside(found.name, "diapir"):
            continue
        part, other = part_of(found.module), part_of(found.name)
        if part == other or other == "":
            continue
        here, there = row_of(part), row_of(other)
        if here is None:
            wrong.append(f"{found}: the part {part!r} has no row")
        elif there is None:
            wrong.append(f"{found}: the part {other!r} has no row")
        elif there <= here:
            wrong.append(f"{found}: {'sideways' if there == here else 'upwards'}")
    return wrong


def circle(source: Path) -> list[str]:
    """Modules that import each other in a circle; empty where there is none.

    A name that a package's `__init__` passes on counts as imported from the module that defines it.
    Imports inside functions or under TYPE_CHECKING count as well: a reader meets them all the same.
    """
    found = list(imports_of(source))
    files = {
        ".".join(["diapir", *path.relative_to(source).with_suffix("").parts])
        for path in source.rglob("*.py")
    }
    modules = {name for name in files if not name.endswith(".__init__")}
    passed_on = {
        f"{one.module}.{one.name.rpartition('.')[2]}": one.name
        for one in found
        if f"{one.module}.__init__" in files
    }
    graph: dict[str, set[str]] = {name: set() for name in modules}
    for one in found:
        name = passed_on.get(one.name, one.name)
        target = name if name in modules else name.rpartition(".")[0]
        if one.module in modules and target in modules:
            graph[one.module].add(target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def large_folders(source: Path) -> list[str]:
    """Folders of more modules than a newcomer takes in."""
    counts = Counter(path.parent for path in source.rglob("*.py") if path.stem != "__init__")
    return [f"{folder.name}: {count}" for folder, count in counts.items() if count > LARGEST_FOLDER]


def repeated_names(source: Path) -> list[str]:
    """Module names that stand for two things; a command may be named as what it calls."""
    counts = Counter(
        path.stem
        for path in source.rglob("*.py")
        if not path.stem.startswith("__") and path.parent != source / "cli"
    )
    return sorted(name for name, count in counts.items() if count > 1)


def stray_tests(source: Path, tests: Path) -> list[str]:
    """Test files that are named for no module of the folder they mirror."""
    stray = []
    for path in sorted(tests.rglob("test_*.py")):
        place = path.relative_to(tests)
        if {str(place), str(place.parent)} & TESTS_OF_THE_WHOLE:
            continue
        folder = source / place.parent
        names = {one.stem for one in folder.glob("*")} - {"__init__"} | {folder.name}
        topic = path.stem.removeprefix("test_")
        if not any(topic == name or topic.startswith(f"{name}_") for name in names):
            stray.append(str(place))
    return stray


def outside_doors(source: Path) -> list[str]:
    """Imports of a heavy package in a room that is not its door."""
    wrong = []
    for found in imports_of(source):
        room = found.module.removeprefix("diapir.")
        for package, doors in DOORS.items():
            if inside(found.name, package) and not any(inside(room, door) for door in doors):
                wrong.append(f"{found}: its doors are {', '.join(doors)}")
    return wrong


def test_imports_go_down_only() -> None:
    assert upward(SOURCE) == []


def test_heavy_dependencies_have_their_doors() -> None:
    assert outside_doors(SOURCE) == []


def test_no_files_import_each_other_in_a_circle() -> None:
    assert circle(SOURCE) == []


def test_no_folder_is_too_large() -> None:
    assert large_folders(SOURCE) == []


def test_module_names_are_unique() -> None:
    assert repeated_names(SOURCE) == []


def test_tests_lie_where_the_code_lies() -> None:
    assert stray_tests(SOURCE, TESTS) == []


def test_the_map_of_the_code_is_current() -> None:
    docs = SOURCE.parents[1] / "docs"
    made = subprocess.run(
        [sys.executable, "-c", "import make_map; print(make_map.page(), end='')"],
        cwd=docs,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        check=True,
    )
    kept = (docs / "map.md").read_text(encoding="utf-8")
    assert kept == made.stdout.decode(), "run: python docs/make_map.py"


def test_every_part_has_a_row() -> None:
    parts = {path.stem for path in SOURCE.iterdir() if path.suffix in {"", ".py"}}
    parts -= {"__init__", "__main__", "__pycache__"}
    assert parts <= frozenset().union(*ROWS)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A made-up package that keeps every rule."""
    files = {
        "__init__.py": "__version__ = '1'",
        "errors.py": "",
        "config.py": "from diapir.errors import ConfigError",
        "bundle.py": "from diapir.version import __version__",
        "version.py": "",
        "training/__init__.py": "from diapir.training.loop import loop",
        "training/loop.py": "import torch\nfrom . import losses\nfrom ..config import RunConfig",
        "training/losses.py": "from torch.nn import functional",
        "training/tracking/tensorboard_tracker.py": (
            "from torch.utils.tensorboard import SummaryWriter"
        ),
        "evaluation/__init__.py": "import numpy",
        "cli/__init__.py": "def train():\n    from diapir import training",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def test_a_tree_that_keeps_the_rules_passes(tree: Path) -> None:
    assert upward(tree) == []
    assert outside_doors(tree) == []


@pytest.mark.parametrize(
    ("room", "statement", "complaint"),
    [
        ("evaluation/__init__.py", "from diapir.training import train", "upwards"),
        ("evaluation/metrics.py", "from ..training import train", "upwards"),
        ("training/losses.py", "from diapir import exports", "sideways"),
        ("config.py", "import diapir.bundle", "upwards"),
        ("bundle.py", "def late():\n    from diapir.cli import main", "upwards"),
        ("training/loop.py", "if True:\n    import diapir.reports", "upwards"),
        ("helpers.py", "from diapir.errors import DataError", "'helpers' has no row"),
        ("cli/__init__.py", "from diapir.helpers import anything", "'helpers' has no row"),
    ],
)
def test_an_import_against_the_rows_is_caught(
    tree: Path, room: str, statement: str, complaint: str
) -> None:
    (tree / room).write_text(statement, encoding="utf-8")
    (found,) = upward(tree)
    assert complaint in found


@pytest.mark.parametrize(
    ("room", "statement"),
    [
        ("evaluation/__init__.py", "def late():\n    import torch"),
        ("evaluation/__init__.py", "from torch import Tensor"),
        ("inference/__init__.py", "import torch.nn"),
        ("training/loop.py", "import wandb"),
        ("training/loop.py", "from torch.utils.tensorboard import SummaryWriter"),
        ("training/loop.py", "from torch.utils import tensorboard"),
        ("cli/__init__.py", "from matplotlib import pyplot"),
        ("evaluation/__init__.py", "import jinja2"),
        ("inference/engines/torch_engine.py", "import onnxruntime"),
    ],
)
def test_a_heavy_import_beside_its_door_is_caught(tree: Path, room: str, statement: str) -> None:
    (tree / room).parent.mkdir(parents=True, exist_ok=True)
    (tree / room).write_text(statement, encoding="utf-8")
    (found,) = outside_doors(tree)
    assert "its doors are" in found


@pytest.mark.parametrize(
    "statement",
    [
        "from diapir.training.loop import step",
        "from diapir.training import loop",
        "def late():\n    from diapir.training import loop",
    ],
)
def test_a_circle_of_files_is_caught(tree: Path, statement: str) -> None:
    assert circle(tree) == []
    (tree / "training" / "losses.py").write_text(statement, encoding="utf-8")
    assert set(circle(tree)) == {"diapir.training.loop", "diapir.training.losses"}


def test_a_large_folder_and_a_repeated_name_are_caught(tree: Path) -> None:
    assert repeated_names(tree) == []
    for number in range(LARGEST_FOLDER):
        (tree / "evaluation" / f"part{number}.py").write_text("", encoding="utf-8")
    assert large_folders(tree) == []
    (tree / "evaluation" / "losses.py").write_text("", encoding="utf-8")
    assert large_folders(tree) == [f"evaluation: {LARGEST_FOLDER + 1}"]
    assert repeated_names(tree) == ["losses"]


def test_a_test_of_no_module_is_caught(
    tree: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tests = tmp_path_factory.mktemp("tests")
    (tests / "training").mkdir(parents=True)
    for name in ("test_loop.py", "test_loop_resume.py", "test_training.py", "test_lunch.py"):
        (tests / "training" / name).write_text("", encoding="utf-8")
    assert stray_tests(tree, tests) == ["training/test_lunch.py"]


@pytest.mark.parametrize("part", sorted(frozenset().union(*ROWS) - NEED_AN_EXTRA))
def test_the_base_install_needs_no_torch(part: str) -> None:
    blocked = [package for package, doors in DOORS.items() if doors != ("reports",)]
    program = (
        "import importlib, sys\n"
        f"sys.modules.update(dict.fromkeys({blocked!r}))\n"  # None there makes an import fail
        f"importlib.import_module('diapir.{part}')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
