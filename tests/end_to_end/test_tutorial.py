"""docs/tutorial.ipynb runs, and the outputs that it shows are those of its cells."""

from itertools import groupby
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tutorial.ipynb"


def kinds(cell: Any) -> list[str]:
    """What a code cell shows: its streams, and the kinds of its displayed results.

    A stream comes in one part or in several, as its timing has it.
    """
    shown = [
        output.get("name", "") or " ".join(sorted(output.data))
        for output in cell.get("outputs", [])
    ]
    return [kind for kind, _ in groupby(shown)]


@pytest.mark.slow
def test_every_cell_runs_and_shows_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(PAGE, as_version=4)
    shown = [kinds(cell) for cell in notebook.cells]
    nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    ).execute()
    assert [kinds(cell) for cell in notebook.cells] == shown
    assert sum(map(len, shown)) > 6


def test_the_outputs_name_no_place_of_the_machine_they_were_made_on() -> None:
    notebook = nbformat.read(PAGE, as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    text = "".join(str(output.get("text", "")) for output in outputs)
    assert "Dice" in text
    for word in ("Warning", "site-packages", "/tmp"):
        assert word not in text
