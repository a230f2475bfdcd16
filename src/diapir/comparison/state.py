"""The state file of a comparison, `compare.json`: the request, each training, and the result.

It is written whole after each event, so that the same command can resume after any interruption.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from diapir.config import config_diff, parse_config
from diapir.errors import RunError
from diapir.files import replace_file
from diapir.json_text import parse_json
from diapir.locks import locked
from diapir.run.folder import LAST
from diapir.text import listing, plain

STATE = "compare.json"
_FORMAT = 1


@dataclass(frozen=True)
class TrainingState:
    """The state of a training.

    Attributes:
        state: `begun` also if it was killed.
        spent_s: seconds trained in all attempts so far, up to their last checkpoints.
        begun_at: start of the latest attempt, in seconds since 1970.
        took_s: seconds of all attempts that ended, start-up and evaluation included.
        ended: local time of its end, in ISO format.
        stopped: what ended it: `epochs`, `early` or `budget`.
        peak_memory: of its process, in bytes; None if the system does not report it.
        reason: why it failed.
        fix: how to fix that; `mend` in the file.
    """

    state: Literal["waiting", "begun", "done", "failed"] = "waiting"
    spent_s: float = 0.0
    begun_at: float = 0.0
    took_s: float = 0.0
    ended: str = ""
    stopped: str = ""
    peak_memory: int | None = None
    reason: str = ""
    fix: str = ""

    def to_json(self) -> dict[str, Any]:
        """The JSON object of `compare.json`."""
        content = asdict(self)
        return content | {"mend": content.pop("fix")}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> TrainingState:
        """Read what `to_json` gave."""
        values = {"fix" if key == "mend" else key: value for key, value in content.items()}
        return TypeAdapter(cls).validate_python(values)

    def settled(self, run: Path) -> TrainingState:
        """The state after an attempt has ended in any way: its time counted, waiting again.

        Args:
            run: the run folder. Time after its last checkpoint is lost, and so not counted.
        """
        if self.state != "begun":
            return self
        try:
            kept = (run / LAST / "manifest.json").stat().st_mtime - self.begun_at
        except OSError:
            kept = 0.0
        return replace(self, state="waiting", spent_s=self.spent_s + max(0.0, kept))


@dataclass
class StateFile:
    """The content of `compare.json`.

    Attributes:
        path: the file.
        request: the plan of the comparison, in plain values; `command` in the file.
        trainings: the state of each training, by the name of its run folder.
        result: the answer of the command, once there is one.
    """

    path: Path
    request: dict[str, Any]
    trainings: dict[str, TrainingState] = field(default_factory=dict)
    result: Mapping[str, Any] = field(default_factory=dict)

    def save(self) -> None:
        """Write the file, whole or not at all."""
        content = {
            "format": _FORMAT,
            "command": self.request,
            "trainings": {name: one.to_json() for name, one in self.trainings.items()},
            "result": plain(self.result),
        }
        replace_file(self.path, json.dumps(content, indent=1) + "\n")

    def note(self, name: str, training: TrainingState) -> None:
        """Keep the new state of a training."""
        self.trainings[name] = training
        self.save()


def open_state(folder: Path) -> StateFile | None:
    """Read what an earlier command left in a folder; None if the folder is new or empty.

    Raises:
        RunError: the folder holds something else, or its state file cannot be read.
    """
    path = folder / STATE
    try:
        content = parse_json(path.read_bytes())
        if content.pop("format") != _FORMAT:
            raise ValueError(f"its format is not {_FORMAT}")
        trainings = {
            name: TrainingState.from_json(one) for name, one in content.pop("trainings").items()
        }
        request = TypeAdapter(dict[str, Any]).validate_python(content.pop("command"))
        TypeAdapter(dict[str, dict[str, Any]]).validate_python(request.get("recipes", {}))
        return StateFile(path, request, trainings, **content)
    except FileNotFoundError:
        found = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
        foreign = [name for name in found if not name.startswith(".")]
        if not foreign:
            return None
        reason = f"{folder} is not a comparison: it holds {listing(foreign)}"
    except NotADirectoryError:
        reason = f"{folder} is a file"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{path} cannot be read: {_reason(error)}"
    raise RunError(
        reason,
        expected="a new or empty folder, or that of an earlier `diapir compare`",
        fix="choose another --out",
    )


def begin(folder: Path, before: StateFile | None, request: dict[str, Any]) -> StateFile:
    """The state to continue with: that of the same request, else a new one, not yet written.

    Args:
        folder: of the comparison.
        before: what `open_state` found there.
        request: the plan of this command, in plain values.

    Raises:
        RunError: the folder was begun with another request; all changes are shown.
    """
    if before is None:
        return StateFile(folder / STATE, request)
    changes = _changes(before.request, request)
    if changes:
        raise RunError(
            f"{folder} was begun with another command: "
            + "; ".join(f"{key}: {old} → {new}" for key, (old, new) in changes.items()),
            expected="the same command, to resume; only --baseline and --sort may change",
            fix="give the same command again, or choose another --out",
        )
    return before


def save_result(folder: Path, result: Mapping[str, Any]) -> None:
    """Keep the answer of the command in the state file of its folder."""
    state = open_state(folder)
    if state is not None:
        state.result = result
        state.save()


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Keep other commands out of a folder, which is created if missing.

    Raises:
        RunError: another command is running there.
    """
    with ExitStack() as held:
        try:
            held.enter_context(locked(folder / ".lock", folder))
        except BlockingIOError:
            raise RunError(
                f"another `diapir compare` is running in {folder}",
                expected="one command per folder at a time",
                fix="wait for it to end, stop it, or choose another --out",
            ) from None
        yield


def _reason(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def _changes(before: dict[str, Any], now: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Changes between two requests: old and new value by option or key."""
    changes: dict[str, tuple[Any, Any]] = {}
    for key, value in now.items():
        if key != "recipes" and before.get(key) != value:
            changes[key if key.isupper() else f"--{key}"] = (before.get(key), value)
    old, new = before.get("recipes", {}), now.get("recipes", {})
    if list(old) != list(new):
        changes["--recipes"] = (",".join(old) or None, ",".join(new) or None)
    for name in filter(old.__contains__, new):
        difference = config_diff(
            parse_config(old[name], source=STATE), parse_config(new[name], source=name)
        )
        changes |= {f"{key} of {name}": values for key, values in difference.items()}
    return changes
