"""Where results go, and what continues a run: nothing that was there is lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from diapir import bundle
from diapir.config import load_recipe
from diapir.run.folder import RunFolder
from diapir.tiles import Split, read_image
from diapir.training.checkpoint import Checkpoints
from tests.cli.bad_input.conftest import Refuse, flip, listing, permissions, train
from tests.cli.conftest import RunCli
from tests.helpers.tile_sets import zip_files

# outputs that would lie on something else


def occupy(here: Path) -> None:
    """Fill the places that the next test gives as `--out`."""
    for name in ("mine/mask/a.png", "mine/report.html", "mine/notes.txt"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text("my own")
    (here / "other").mkdir()
    (here / "other" / "predictions.csv").write_text("my,table\n")
    zip_files(here / "tiles.zip", {"images/a.png": b"", "masks/a.png": b""})
    zip_files(here / "other.zip", {"images/b.png": b"b"})
    make = Split({"train": ("a",), "val": ("b",)}, {"a": "0" * 64, "b": "1" * 64}, 1, "holdout")
    make.save(here / "split.json")


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("predict", "run", "tiles", "--out", "tiles"), ["--out tiles"]),
        (("predict", "run", "tiles", "--out", "tiles/images"), ["--out tiles/images"]),
        (("predict", "run", "tiles/images", "--out", "tiles"), ["--out tiles"]),
        (("predict", "run", "tiles/images/tile001.png", "--out", "tiles/images"), ["tile001.png"]),
        (("predict", "run", "tiles", "--out", "mine"), ["mine", "earlier prediction"]),
        (("predict", "run", "tiles", "--out", "other"), ["other", "earlier prediction"]),
        (("predict", "run", "tiles", "--out", "tiny.yaml"), ["tiny.yaml"]),
        (("evaluate", "run", "--data", "tiles", "--out", "tiles"), ["tiles"]),
        (("evaluate", "run", "--data", "tiles", "--out", "run"), ["run"]),
        (("evaluate", "run", "--data", "tiles", "--out", "run/best"), ["run/best"]),
        (("evaluate", "run", "--data", "tiles", "--out", "run/evaluation"), ["run/evaluation"]),
        (("evaluate", "run", "--data", "tiles", "--out", "mine"), ["mine", "not an evaluation"]),
        (("evaluate", "run", "--data", "tiles", "--out", "tiny.yaml"), ["tiny.yaml", "a file"]),
        (train(out="tiles"), ["tiles", "not a run folder"]),
        (train(out="tiles/images"), ["tiles/images", "not a run folder"]),
        (train(out="tiny.yaml"), ["tiny.yaml", "a file"]),
        (train(out="tiny.yaml/new"), ["tiny.yaml/new"]),
        (train(out="run"), ["run", "already holds a run", "--resume"]),
        (("data", "split", "tiles", "--out", "tiles"), ["tiles", "a folder"]),
        (("data", "split", "tiles", "--out", "tiles/images/tile001.png"), ["tile001.png"]),
        (("data", "split", "tiles", "--out", "split.json"), ["split.json", "exists"]),
        (("data", "split", "tiles", "--out", "gone/split.json"), ["gone/split.json"]),
        (("data", "synth", "--out", "tiles"), ["tiles", "not empty"]),
        (("data", "synth", "--out", "tiny.yaml"), ["tiny.yaml"]),
        (("data", "import", "tiles.zip", "--out", "tiles"), ["tiles", "not empty"]),
        (("data", "import", "tiles.zip", "--out", "tiles.zip"), ["tiles.zip", "a file"]),
        (("data", "import", "tiles", "--out", "new"), ["tiles", "--data"]),
        (("data", "import", "gone.zip", "--out", "new"), ["gone.zip"]),
        (("demo", "--out", "tiles"), ["tiles", "exists"]),
    ],
    ids=lambda words: " ".join(map(str, words)) if isinstance(words, tuple) else "",
)
def test_what_is_there_is_not_overwritten(
    refuse: Refuse, here: Path, words: tuple[object, ...], names: list[str]
) -> None:
    occupy(here)
    refuse(*words, names=names)


def test_another_archive_is_not_unpacked_over_the_first(
    refuse: Refuse, run_cli: RunCli, here: Path
) -> None:
    occupy(here)
    assert run_cli("data", "import", "other.zip", "--out", "imported").code == 0
    refuse("data", "import", "tiles.zip", "--out", "imported", names=["imported", "other.zip"])


def test_results_of_the_same_command_may_be_made_again(run_cli: RunCli, here: Path) -> None:
    for words in (
        ("predict", "run", "tiles", "--out", "salt"),
        ("evaluate", "run", "--data", "tiles", "--out", "scores"),
        ("data", "split", "tiles", "--out", "split.json"),
    ):
        assert run_cli(*words).code == 0
        once = listing(here)
        assert run_cli(*words).code == 0
        assert listing(here) == once


# places that cannot be written

WRITING = {
    "split": ("data", "split", "tiles", "--out", "place/split.json"),
    "import": ("data", "import", "whole.zip", "--out", "place/imported"),
    "synth": ("data", "synth", "--out", "place/survey", "--tiles", "1"),
    "train": train(out="place/run"),
    "evaluate": ("evaluate", "run", "--data", "tiles", "--out", "place/scores"),
    "predict": ("predict", "run", "tiles", "--out", "place/salt"),
}


@pytest.fixture
def place(here: Path) -> Path:
    """A folder for what the commands of `WRITING` write."""
    images = {
        path.relative_to(here / "tiles").as_posix(): path.read_bytes()
        for path in (here / "tiles").rglob("*.png")
    }
    zip_files(here / "whole.zip", images)
    (here / "place").mkdir()
    return here / "place"


@pytest.mark.parametrize("command", WRITING)
def test_a_read_only_folder_is_reported(refuse: Refuse, place: Path, command: str) -> None:
    before = listing(place)
    with permissions(place, 0o555):
        # the scores are printed first, so that they are not lost
        refuse(*WRITING[command], names=["place", "Permission denied"], late=command == "evaluate")
    assert listing(place) == before


@contextmanager
def full_after(size: int) -> Iterator[None]:
    """Let no file grow beyond `size` bytes, as on a disk that runs full."""
    resource = pytest.importorskip("resource")
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)


def half_written(folder: Path) -> list[str]:
    """Files under a final name that do not read back whole."""
    readers: dict[str, Callable[[Path], object]] = {
        ".png": read_image,
        ".json": lambda path: json.loads(path.read_bytes()),
        ".yaml": load_recipe,
        ".safetensors": lambda path: bundle.load(path.parent).tensors(),
        ".html": lambda path: path.read_text("utf-8").rindex("</html>"),
    }
    bad = []
    for path in folder.rglob("*"):
        if path.is_dir() or any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        try:
            readers.get(path.suffix, Path.read_bytes)(path)
        except Exception as error:
            bad.append(f"{path}: {error}")
    return bad


@pytest.mark.parametrize(
    ("command", "size"),
    [
        ("synth", 0),
        *[("import", size) for size in (0, 300, 900)],
        *[("split", size) for size in (0, 600)],
        *[(command, size) for command in ("evaluate", "predict") for size in (0, 80, 300, 1_500)],
        *[("train", size) for size in (0, 300, 900, 1_500, 9_000, 30_000, 60_000)],
    ],
)
def test_a_full_disk_loses_nothing_and_can_be_resumed(
    run_cli: RunCli, here: Path, place: Path, command: str, size: int
) -> None:
    before = listing(here)
    with full_after(size):
        done = run_cli(*WRITING[command])
    error = done.stderr[done.stderr.index("error: ") :]
    assert done.code == 2
    assert "place" in error
    assert "File too large" in error
    assert "space" in error or "room" in error
    assert "Traceback" not in done.stderr
    assert half_written(place) == []
    assert listing(here).items() >= before.items()
    again = [*WRITING[command], *(["--resume"] if command == "train" else [])]
    assert run_cli(*again).code == 0
    assert half_written(place) == []
    assert not [path for path in place.rglob("*") if path.name.endswith(".writing")]
    if command == "train":
        assert (
            listing(place / "run")["best/model.safetensors"] == before["run/best/model.safetensors"]
        )
        assert Checkpoints(place / "run", lambda note: pytest.fail(note)).load()


# runs


def test_a_folder_in_use_is_reported(refuse: Refuse, here: Path) -> None:
    for given in ("run", "new"):
        with RunFolder(here / given, resume=True):
            for resume in ([], ["--resume"]):
                refuse(
                    *train(*resume, out=given), names=[given, f"in use by process {os.getpid()}"]
                )


@pytest.mark.parametrize(
    ("spoil", "words", "names"),
    [
        (lambda here: None, ["--set", "loss.ce=0.4"], ["loss.ce: 0.3 → 0.4"]),
        (lambda here: None, ["--set", "data.val_fraction=0.5"], ["data.val_fraction"]),
        (
            lambda here: Image.new("L", (30, 30), 7).save(here / "tiles/images/tile003.png"),
            [], ["tiles", "changed", "tile003"],
        ),
        (
            lambda here: [(here / "tiles" / kind / "tile003.png").unlink()
                          for kind in ("images", "masks")],
            [], ["tiles", "tile003", "lacks"],
        ),
        (lambda here: (here / "run/config.yaml").write_text("a: ["), [], ["run/config.yaml"]),
        (lambda here: (here / "run/split.json").write_text("{}"), [], ["run/split.json"]),
        (
            lambda here: [flip(path, 900) for path in (here / "run/last").glob("*.pt")],
            [], ["run/last", "read back"],
        ),
        (lambda here: shutil.rmtree(here / "run/last"), [], ["run", "last", "--out"]),
    ],
    ids=["recipe", "split", "tile", "fewer", "config", "split.json", "states", "no states"],
)  # fmt: skip
def test_what_does_not_continue_a_run_is_refused(
    refuse: Refuse, here: Path, spoil: Callable[[Path], object], words: list[str], names: list[str]
) -> None:
    spoil(here)
    refuse(*train("--resume", *words, out="run"), names=names)


def test_a_state_that_was_damaged_is_passed_over_and_logged(run_cli: RunCli, here: Path) -> None:
    manifest = json.loads((here / "run/last/manifest.json").read_bytes())
    flip(here / "run/last" / manifest["states"][0]["file"], 900)
    done = run_cli(*train("--resume", out="run"))
    assert done.code == 0
    assert "has changed since it was saved; trying the one before" in done.stdout
    assert Checkpoints(here / "run", lambda note: pytest.fail(note)).load()


@pytest.mark.parametrize("key", ["optimizer.lr=1e20", "loss.ce=1e38"])
def test_a_loss_that_is_not_finite_ends_with_the_last_good_state(
    refuse: Refuse, here: Path, key: str
) -> None:
    settings = ("--set", key, "--set", "optimizer.clip_norm=null")
    done = refuse(*train(*settings), names=["not finite", "optimizer.lr", "data check"], late=True)
    assert "new/best" not in done["found"]  # there is none
    assert "step skipped" in (here / "new" / "log.txt").read_text(encoding="utf-8")
    state = Checkpoints(here / "new", lambda note: pytest.fail(note)).load()
    assert state
    assert all(values.isfinite().all() for values in state["network"].values())


# splits


def edited(here: Path, change: Callable[[dict[str, dict[str, list[str]]]], object]) -> None:
    content = json.loads((here / "split.json").read_bytes())
    change(content)
    (here / "split.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("spoil", "names"),
    [
        (
            lambda here: Image.new("L", (30, 30), 7).save(here / "tiles/images/tile003.png"),
            ["tiles", "tile003", "changed"],
        ),
        (
            lambda here: [(here / "tiles" / kind / "tile003.png").unlink()
                          for kind in ("images", "masks")],
            ["tiles", "tile003", "lacks"],
        ),
        (
            lambda here: edited(here, lambda s: s["parts"]["val"].append(s["parts"]["train"][0])),
            ["split.json", "in train and in val"],
        ),
        (
            lambda here: edited(here, lambda s: s["tiles"].popitem()),
            ["split.json"],
        ),
        (
            lambda here: (here / "tiles/groups.csv").write_text(
                "id,group\n" + "".join(f"tile{number:03d},a\n" for number in range(12))
            ),
            ["'a'", "in train", "in val"],
        ),
        (lambda here: (here / "split.json").write_text('{"format": 1'), ["split.json"]),
        (lambda here: (here / "split.json").write_bytes(b"\xff\xfe"), ["split.json"]),
        (lambda here: (here / "split.json").unlink(), ["split.json", "diapir data split"]),
    ],
    ids=["changed", "missing", "overlap", "edited", "group", "cut", "bytes", "gone"],
)  # fmt: skip
def test_a_split_that_does_not_fit_is_refused(
    refuse: Refuse, run_cli: RunCli, here: Path, spoil: Callable[[Path], object], names: list[str]
) -> None:
    assert run_cli("data", "split", "tiles", "--out", "split.json").code == 0
    spoil(here)
    words = ("evaluate", "run", "--data", "tiles", "--split", "split.json:val", "--out", "scores")
    refuse(*words, names=names)
    refuse(*train("--set", "data.split=split.json"), names=names)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("split.json:test", ["split.json", "'test'", "train, val", "--split split.json:train"]),
        ("split.json", ["FILE:PART", "--split split.json:val"]),
        ("split.json:", ["FILE:PART", "--split split.json:val"]),
        (":val", ["FILE:PART", "--split split.json:val"]),
        ("gone.json:val", ["gone.json"]),
    ],
)
def test_a_part_that_is_not_there_is_named(
    refuse: Refuse, run_cli: RunCli, here: Path, given: str, names: list[str]
) -> None:
    assert run_cli("data", "split", "tiles", "--out", "split.json").code == 0
    refuse("evaluate", "run", "--data", "tiles", "--split", given, names=names)


# the process itself


def test_a_real_process_answers_alike(here: Path) -> None:
    words = [sys.executable, "-m", "diapir", "data", "check", "gone"]
    plain = subprocess.run(words, capture_output=True, text=True)
    assert (plain.returncode, plain.stdout) == (2, "")
    assert plain.stderr.startswith("error: there is no folder or zip gone\n  expected: ")
    done = subprocess.run([*words, "--json"], capture_output=True, text=True)
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["found"] == "there is no folder or zip gone"
