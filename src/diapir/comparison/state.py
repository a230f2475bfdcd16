"""What a comparison was asked for, how far it is and what it found: `compare.json`.

It is written whole after each event, so that the same command continues after any end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from diapir.cli.output import plain
from diapir.errors import RunError
from diapir.files import replace_file

LEDGER = "compare.json"
_FORMAT = 1


@dataclass(frozen=True)
class Entry:
    """What is known of a training.

    Attributes:
        state: `begun` also where it was cut off.
        spent_s: seconds that its attempts so far have trained, up to their last saves.
        begun_at: when the latest attempt began, in seconds since 1970.
        took_s: seconds of all attempts that ended, judging and starting included.
        ended: local time of its end, as ISO writes it.
        stopped: what ended it: `epochs`, `early` or `budget`.
        peak_memory: of its process, in bytes; None where the system does not tell.
        reason: why it failed.
        fix: what may be done about it; `mend` in the file.
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
        """As `compare.json` keeps it."""
        content = asdict(self)
        return content | {"mend": content.pop("fix")}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Entry:
        """Read what `to_json` gave."""
        return cls(**{"fix" if key == "mend" else key: value for key, value in content.items()})

    def settled(self, run: Path) -> Entry:
        """With the time of an attempt that has ended somehow counted, up to its last save.

        Args:
            run: the run folder. What came after its last save is lost, and so is not counted.
        """
        if self.state != "begun":
            return self
        try:
            kept = (run / "last" / "manifest.json").stat().st_mtime - self.begun_at
        except OSError:
            kept = 0.0
        return replace(self, state="waiting", spent_s=self.spent_s + max(0.0, kept))


@dataclass
class Ledger:
    """The content of `compare.json`.

    Attributes:
        path: the file.
        command: what was asked for, in plain values.
        entries: what is known of each training, by the name of its run folder.
        result: the answer of the verb, once there is one.
    """

    path: Path
    command: dict[str, Any]
    entries: dict[str, Entry] = field(default_factory=dict)
    result: Mapping[str, Any] = field(default_factory=dict)

    def save(self) -> None:
        """Write it, whole or not at all."""
        content = {
            "format": _FORMAT,
            "command": self.command,
            "trainings": {name: entry.to_json() for name, entry in self.entries.items()},
            "result": plain(self.result),
        }
        replace_file(self.path, json.dumps(content, indent=1) + "\n")

    def note(self, name: str, entry: Entry) -> None:
        """Keep what is now known of a training."""
        self.entries[name] = entry
        self.save()


def open_ledger(folder: Path) -> Ledger | None:
    """What an earlier command left in a folder; None where it is new or empty.

    Raises:
        RunError: it holds something else, or cannot be read.
    """
    path = folder / LEDGER
    try:
        content = json.loads(path.read_bytes())
        if content.pop("format") != _FORMAT:
            raise ValueError(f"its format is not {_FORMAT}")
        entries = {name: Entry.from_json(entry) for name, entry in content.pop("trainings").items()}
        return Ledger(path, entries=entries, **content)
    except FileNotFoundError:
        found = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
        strange = [name for name in found if not name.startswith(".")]
        if not strange:
            return None
        reason = f"{folder} holds {', '.join(strange[:3])} and is no comparison"
    except NotADirectoryError:
        reason = f"{folder} is no folder"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{path} cannot be read: {error}"
    raise RunError(
        reason,
        expected="a new or empty folder, or that of an earlier `diapir compare`",
        fix="choose another --out",
    )


def refuse_change(ledger: Ledger, changes: Mapping[str, tuple[Any, Any]]) -> None:
    """Refuse a command that is not the one that the folder was begun with.

    Args:
        ledger: of the folder.
        changes: what was asked for then and now, by what it is about.

    Raises:
        RunError: there are changes; all are shown.
    """
    if changes:
        raise RunError(
            f"{ledger.path.parent} was begun with another command: "
            + "; ".join(f"{key}: {old} → {new}" for key, (old, new) in changes.items()),
            expected="the same command, to continue; only --baseline and --sort may change",
            fix="give the same command again, or choose another --out",
        )
