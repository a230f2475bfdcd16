"""Checkpoints of a run in `last/`, saved so that a kill at any moment leaves a complete one.

    last/  state-000016.pt   state-000017.pt   manifest.json

A state is written under another name, flushed, and renamed; then the manifest, which lists the
newest states with their SHA-256, is replaced in the same way. The previous state is kept in case
the newest cannot be read back. `torch.load` gets `weights_only=True`.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from diapir.errors import RunError
from diapir.files import replace_file
from diapir.json_text import parse_json
from diapir.run.folder import LAST
from diapir.scratch import is_scratch, remove_stale
from diapir.text import size

MANIFEST = "manifest.json"
_KEPT = 2
_STATE = re.compile(r"state-(?P<number>\d{6,})\.pt")

State = dict[str, Any]
"""Tensors and plain values by name."""


class Checkpoints:
    """The checkpoints of a run.

    Args:
        run: the run folder.
        note: prints a line.
    """

    def __init__(self, run: Path, note: Callable[[str], None]) -> None:
        self.folder = run / LAST
        self._note = note

    @property
    def exist(self) -> bool:
        """Whether there is a checkpoint to load."""
        return (self.folder / MANIFEST).is_file()

    def save(self, state: State) -> None:
        """Save a checkpoint.

        Args:
            state: tensors and plain values, as `load` will return them.

        Raises:
            RunError: the disk is full or not writable; earlier checkpoints are untouched.
        """
        # into memory first: torch reports a full disk as a RuntimeError without its reason
        buffer = io.BytesIO()
        torch.save(state, buffer)
        content = buffer.getbuffer()
        before = self._entries()
        number = before[0]["number"] + 1 if before else 0
        name = _state_name(number)
        digest = hashlib.sha256(content).hexdigest()
        entries = [{"file": name, "number": number, "sha256": digest}, *before][:_KEPT]
        try:
            self.folder.mkdir(exist_ok=True)
            if not before:
                self._refuse_foreign()
            replace_file(self.folder / name, content)
            replace_file(self.folder / MANIFEST, json.dumps({"states": entries}).encode())
        except OSError as error:
            raise RunError(
                f"the checkpoint cannot be saved in {self.folder}: {error.strerror or error}",
                expected=f"a writable folder with {size(len(content))} free",
                fix="free space, then resume the run from its previous checkpoint",
            ) from None
        self._remove_before(min(entry["number"] for entry in entries))

    def _refuse_foreign(self) -> None:
        """Refuse a link to the folder of something else, before anything is written there."""
        if not self.folder.is_symlink():
            return
        names = [path.name for path in self.folder.iterdir()]
        if not all(is_scratch(name) or _STATE.fullmatch(name) for name in names):
            raise RunError(
                f"{self.folder} is a link to a folder that holds something else",
                expected="a folder, or a link to an empty folder or to checkpoints of this run",
                fix="remove the link, or let it lead to an empty folder",
            )

    def _remove_before(self, number: int) -> None:
        """Remove older states, and scratch of a killed process; files of others stay."""
        for path in self.folder.iterdir():
            state = _STATE.fullmatch(path.name)
            if state and int(state["number"]) < number and not path.is_dir():
                path.unlink(missing_ok=True)
            elif is_scratch(path.name) and (torn := _STATE.search(path.name)):
                remove_stale(self.folder / torn[0])

    def load(self) -> State | None:
        """The newest checkpoint that can be read back; None where none was saved.

        Raises:
            RunError: checkpoints were saved, and none of them can be read back.
        """
        entries = self._entries()
        for entry in entries:
            path = self.folder / str(entry["file"])
            try:
                content = path.read_bytes()
            except OSError as error:
                self._note(f"{path} cannot be read ({error.strerror}); trying the one before")
                continue
            if hashlib.sha256(content).hexdigest() != entry["sha256"]:
                self._note(f"{path} has changed since it was saved; trying the one before")
                continue
            return self._unpacked(path, content)
        if entries or self._has_states():
            raise RunError(
                f"no checkpoint in {self.folder} can be read back",
                expected=f"{MANIFEST} and a checkpoint with the SHA-256 that it lists",
                fix="restore the folder from a backup, or train into another --out",
            )
        return None

    @contextlib.contextmanager
    def fitting(self) -> Iterator[None]:
        """Turn errors of restoring a checkpoint into one that says what to do.

        Raises:
            RunError: the checkpoint could be read, and is not one of this run.
        """
        try:
            yield
        except (
            ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError
        ) as error:  # fmt: skip
            reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise RunError(
                f"the checkpoint in {self.folder} does not fit its run: "
                + " ".join(reason.splitlines()[:2]),
                expected="a checkpoint that this run saved",
                fix="restore the folder from a backup, or train into another --out",
            ) from None

    def _unpacked(self, path: Path, content: bytes) -> State:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch's, about formats that are not ours
                state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        except Exception:  # torch and pickle raise nearly anything on bytes that are not theirs
            # torch's own message may advise to load it in the way that executes code
            state = None
        if isinstance(state, dict):
            return state
        raise RunError(
            f"{path} is not a checkpoint, though {MANIFEST} lists its SHA-256",
            expected="tensors and plain values, as `diapir train` saves them",
            fix="restore the folder from a backup, or train into another --out",
        )

    def _has_states(self) -> bool:
        # the first state without a manifest is left by a kill during the first save
        first = {self.folder / _state_name(0)}
        return self.folder.is_dir() and bool(set(self.folder.glob("state-*.pt")) - first)

    def _entries(self) -> list[dict[str, Any]]:
        try:
            return list(parse_json((self.folder / MANIFEST).read_bytes())["states"])
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._note(f"{self.folder / MANIFEST} cannot be read: {error}")
            return []


def _state_name(number: int) -> str:
    return f"state-{number:06d}.pt"
