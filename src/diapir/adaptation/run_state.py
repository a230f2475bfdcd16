"""What an adaptation keeps in its run folder: what was asked for, how far it is, its result.

RUN/  adapt.json   log.txt   last/ (checkpoints)   best/ (bundle)   report.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from diapir.adaptation.held_out_score import USUAL
from diapir.errors import RunError
from diapir.files import disk_errors, replace_file
from diapir.json_text import parse_json
from diapir.run.folder import LOG, RESUME
from diapir.text import plain

MARKER = "adapt.json"
"""File that makes a folder that of an adaptation."""


@dataclass
class Progressed:
    """How far an adaptation is; saved in its checkpoints.

    Attributes:
        stage: 1 without the held-out labels, 2 on all, 3 on pseudo-labels as well.
        step: steps done of this stage.
        steps: steps of this stage; None while they are not decided.
        total: steps done of all stages.
        seconds: duration of earlier calls.
        threshold: probability from which a sample is salt.
        reason: why, in words.
        losses: loss of each step; NaN where a step was skipped.
        before: score of the original model on the held-out labels, as JSON.
        after: that of the first stage.
        self_trains: whether there is a stage 3.
        pseudo: what was pseudo-labelled, or why nothing was; empty where nothing could be.
    """

    stage: int
    step: int = 0
    steps: int | None = None
    total: int = 0
    seconds: float = 0.0
    threshold: float = USUAL
    reason: str = ""
    losses: list[float] = field(default_factory=list)
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    self_trains: bool = False
    pseudo: str = ""


class RunState:
    """The record of an adaptation in its folder.

    Nothing is written before `mark`, so that a call that is refused leaves no folder behind.

    Args:
        folder: the run folder, which this process holds.
        asked: what decides the result.
        finished: the result of an earlier call; None where there is none.
        marked: whether the folder holds this adaptation already.
    """

    def __init__(
        self,
        folder: Path,
        asked: dict[str, Any],
        finished: dict[str, Any] | None = None,
        *,
        marked: bool = False,
    ) -> None:
        self.folder, self._asked, self.finished, self.marked = folder, asked, finished, marked
        self._lines: list[str] = []

    @classmethod
    def open(cls, folder: Path, asked: dict[str, Any]) -> RunState:
        """The state in a folder, or that of a new adaptation.

        Raises:
            RunError: the folder holds an adaptation with other inputs or options, or its record
                cannot be read.
        """
        asked = json.loads(json.dumps(plain(asked)))
        path = folder / MARKER
        if not path.exists():
            return cls(folder, asked)
        try:
            content = parse_json(path.read_bytes())
            earlier, finished = content["asked"], content["finished"]
            different = [key for key in asked if earlier.get(key) != asked[key]]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise RunError(
                f"{path} cannot be read: {error}",
                expected="the record of an adaptation",
                fix="choose another --out",
            ) from None
        if different:
            raise RunError(
                f"{folder} holds an adaptation with different {', '.join(different)}",
                expected="the same inputs, model and options, to resume it",
                fix="choose another --out, or repeat the command as it was",
            )
        return cls(folder, asked, finished, marked=True)

    def mark(self) -> None:
        """Make the folder that of this adaptation."""
        if not self.marked:
            self._write()
            self.marked = True
            self.log()

    def log(self, *lines: str) -> None:
        """Add lines to the log, once the folder is that of this adaptation."""
        self._lines += lines
        if self.marked and self._lines:
            with (
                disk_errors(self.folder / LOG, RunError, fix=RESUME),
                (self.folder / LOG).open("a", encoding="utf-8") as log,
            ):
                log.writelines(f"{line}\n" for line in self._lines)
            self._lines = []

    def finish(self, result: dict[str, Any]) -> None:
        """Record the result."""
        self.finished = json.loads(json.dumps(plain(result)))
        self._write()

    def _write(self) -> None:
        content = {"asked": self._asked, "finished": self.finished}
        with disk_errors(self.folder / MARKER, RunError, fix=RESUME):
            replace_file(self.folder / MARKER, json.dumps(content, indent=2) + "\n")
