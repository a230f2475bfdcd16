"""docs/python.md works from top to bottom, and lists what is public."""

import re
from pathlib import Path
from typing import Any

import pytest

import diapir

PAGE = Path(__file__).resolve().parents[2] / "docs" / "python.md"


def test_the_examples_run_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    names: dict[str, Any] = {"__name__": "page"}
    blocks = list(re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    assert len(blocks) > 8
    for block in blocks:
        line = text.count("\n", 0, block.start(1))
        code = "\n" * line + block[1]  # so that a traceback names the line of the page
        exec(compile(code, str(PAGE), "exec"), names)  # noqa: S102 - our own page
    assert names["result"].mask.shape == (101, 101)
    assert names["probability"].shape == (1, 120, 256)
    assert (tmp_path / "runs" / "a" / "report.html").is_file()
    assert (tmp_path / "salt" / "overlay" / "first.png").is_file()


def test_every_public_name_is_listed() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("## All public names")[2]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    listed = re.findall(r"`(\w+)`", " ".join(row.split("|")[1] for row in rows))
    assert sorted(listed) == sorted(diapir.__all__)
