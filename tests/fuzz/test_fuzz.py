"""A short run of each fuzzer, and the inputs that were once read wrongly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.fuzz.campaign import Tally, campaign, table
from tests.fuzz.child import read
from tests.fuzz.mutate import spoil_bytes, spoil_text, spoil_tree
from tests.fuzz.target import NAMES, Target, build, chance

FAST = (
    *("segy", "images", "zips", "recipes", "tables", "labels", "onnx", "bundles", "weights"),
    *("arrays", "stores"),
)
"""Targets whose inputs are read in milliseconds."""
INPUTS = 16

ONCE_WRONG: dict[str, tuple[tuple[int, int], ...]] = {
    # amplitudes near the limit of their type; 24 unsigned bits of a file without a live trace
    "segy": ((2026, 837), (6001, 4678)),
    # brackets in brackets: PyYAML took minutes; lists where a name belongs; half a character
    "recipes": ((1, 11), (2026, 324), (2026, 526), (2026, 9092)),
    # JSON nested so deep that its reader gave up; words, infinities and huge numbers in tables
    "tables": ((1, 0), (1, 11), (2026, 1496), (2026, 2031), (2026, 3471)),
    # an empty grid; polygons that are no list; crossings without numbers
    "labels": ((2, 304), (2, 374), (2, 592), (2026, 23)),
    # a Resize without sizes: ONNX Runtime ended the process
    # infinite logits; names that are no text
    "onnx": ((1, 36), (2026, 2399), (2026, 5265)),
    "bundles": ((1, 3), (2026, 278)),  # an interval that no card could show; a minute std
    # numbers whose squares, or that themselves, overflow; signalling NaN
    "arrays": ((77, 13), (77, 1187), (6001, 3717)),
    # a colour map of blacks and greys; a NaN that signals
    "images": ((2026, 743), (2026, 6360)),
    "zips": ((2026, 7070),),  # a name that is not the UTF-8 that its flag says
    # an array that is missing; huge coordinates; arrays under the names of others
    "stores": ((77, 6), (77, 182), (901, 146), (901, 313)),
}
"""Seed and number of inputs that ended in anything but a DiapirError, or never ended."""


@pytest.fixture(scope="module", params=FAST)
def target(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Target]:
    name: str = request.param
    return name, build(name, tmp_path_factory.mktemp(name))


def test_hostile_inputs_are_accepted_or_refused(target: tuple[str, Target], tmp_path: Path) -> None:
    name, inputs = target
    cases = [*((5, number) for number in range(INPUTS)), *ONCE_WRONG.get(name, ())]
    outcomes = {
        (seed, number): read(inputs, name, seed, number, tmp_path / "input")
        for seed, number in cases
    }
    wrong = {
        case: found for case, found in outcomes.items()
        if found["outcome"] not in {"accepted", "refused"}
    }  # fmt: skip
    assert not wrong
    assert any(found["outcome"] == "refused" for found in outcomes.values())


def test_an_input_is_rebuilt_from_its_numbers(tmp_path: Path) -> None:
    inputs = build("images", tmp_path)
    contents = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        inputs.make(chance("images", 3, 7), tmp_path / folder)
        contents.append(_files(tmp_path / folder))
    assert contents[0] == contents[1]
    (tmp_path / "c").mkdir()
    inputs.make(chance("images", 3, 8), tmp_path / "c")
    assert _files(tmp_path / "c") != contents[0]


def _files(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]


def test_damage_is_done_whatever_there_is() -> None:
    for number in range(200):
        rng = np.random.default_rng(number)
        spoil_bytes(rng, b"")
        spoil_text(rng, "")
        spoil_tree(rng, {})
        assert len(spoil_bytes(rng, bytes(100))) < 1000


def test_a_crash_and_a_hang_are_blamed_on_their_input(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / "crashing.py"
    package.write_text(
        "import os, sys, time\n"
        "from tests.fuzz import child, target\n"
        "class Inputs:\n"
        "    def make(self, rng, folder):\n"
        "        number = self.number = getattr(self, 'number', FIRST - 1) + 1\n"
        "        return {2: os.abort, 4: lambda: time.sleep(60)}.get(number, lambda: None)\n"
        "FIRST = int(sys.argv[3])\n"
        "child.build = lambda name, home: Inputs()\n"
        "home = target.Path(sys.argv[5])\n"
        "child.main(sys.argv[1], *map(int, sys.argv[2:5]), home)\n"
    )
    monkeypatch.setattr("tests.fuzz.campaign.CHILD", (str(package),))
    monkeypatch.setattr("tests.fuzz.campaign.SILENT_S", 2.0)
    (tally,) = campaign(["images"], 1, seconds=60, count=6, note=lambda line: None)
    assert (tally.accepted, tally.other) == (4, 2)
    assert tally.findings == {"signal SIGABRT": 2, "no end after 10 s": 4}
    assert "| images | 6 | 4 | 0 | 2 (2 kinds) |" in table([tally])


def test_every_target_has_a_module() -> None:
    modules = {path.stem for path in (Path(__file__).parent / "targets").glob("*.py")}
    assert modules - {"__init__", "models"} == set(NAMES)
    rows = table([Tally("a", accepted=1), Tally("b", refused=2)]).splitlines()
    assert rows[-1] == "| all | 3 | 1 | 2 | 0 | 0 MB |"
