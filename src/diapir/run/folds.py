"""The folder of folds that `diapir train --folds` writes: their runs, which together are a model.

    runs/cv/  folds.json  split.json  fold0/ … fold4/  evaluation/  report.html

`folds.json` has the recipe and says how far the folds are; `split.json` has a part for each fold.
Wherever several models may be given, the folder stands for the runs of its folds.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import TypeAdapter, ValidationError

from diapir.errors import RunError
from diapir.files import replace_file
from diapir.run.folder import FOLDS, LAST, resume_words
from diapir.text import plural

if TYPE_CHECKING:
    from diapir.config import RunConfig

_Model = TypeVar("_Model", Path, "str | Path")


@dataclass(frozen=True)
class FoldState:
    """How far a fold is.

    Attributes:
        spent_s: seconds trained in all attempts so far, up to their last checkpoints.
        begun_at: start of the present attempt, in seconds since 1970; 0 for none.
        best_epoch: epoch of its best model; the fields from here on are those of its end.
        best_val_loss: validation loss of that model.
        epochs: completed epochs.
        stopped: what ended it; "" where it is not done.
    """

    spent_s: float = 0.0
    begun_at: float = 0.0
    best_epoch: int = 0
    best_val_loss: float = 0.0
    epochs: int = 0
    stopped: Literal["", "epochs", "early", "budget", "callback"] = ""

    @property
    def done(self) -> bool:
        """Whether it is trained."""
        return bool(self.stopped)

    def settled(self, run: Path) -> FoldState:
        """The state after an attempt was killed; time after its last checkpoint is lost."""
        if not self.begun_at:
            return self
        try:
            kept = (run / LAST / "manifest.json").stat().st_mtime - self.begun_at
        except OSError:
            kept = 0.0
        return replace(self, spent_s=self.spent_s + max(0.0, kept), begun_at=0.0)

    def ended(self) -> FoldState:
        """The state after an attempt has ended in order."""
        took = max(0.0, time.time() - self.begun_at)
        return replace(self, spent_s=self.spent_s + took, begun_at=0.0)


@dataclass(frozen=True)
class FoldsState:
    """The content of `folds.json`.

    Attributes:
        recipe: the configuration, in plain values.
        folds: the state of each fold.
        share_s: seconds of each fold; None without a budget.
    """

    recipe: dict[str, Any]
    folds: tuple[FoldState, ...]
    share_s: float | None = None
    format: Literal[1] = 1

    def config(self, overrides: Iterable[str] = ()) -> RunConfig:
        """The configuration, with `section.key=value` overrides.

        Raises:
            ConfigError: it cannot be read, or an override is wrong.
        """
        from diapir.config import parse_config

        return parse_config(self.recipe, source=FOLDS, overrides=overrides)

    def with_budget(self, budget_s: float | None) -> FoldsState:
        """The state with a budget for the folds that are not done; None leaves it as it is."""
        waiting = [fold for fold in self.folds if not fold.done]
        if budget_s is None or not waiting:
            return self
        spent = sum(fold.spent_s for fold in waiting)
        return replace(self, share_s=(budget_s + spent) / len(waiting))

    def with_fold(self, number: int, fold: FoldState) -> FoldsState:
        """The state with another state of a fold."""
        folds = (*self.folds[:number], fold, *self.folds[number + 1 :])
        return replace(self, folds=folds)

    def save(self, folder: Path) -> None:
        """Write `folds.json`, whole or not at all."""
        replace_file(folder / FOLDS, TypeAdapter(FoldsState).dump_json(self, indent=1) + b"\n")


def saved_folds(folder: Path) -> FoldsState | None:
    """What `folds.json` says; None where there is none.

    Raises:
        RunError: it cannot be read.
    """
    path = folder / FOLDS
    try:
        content = path.read_bytes()
        return TypeAdapter(FoldsState).validate_json(content)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValidationError) as error:
        raise RunError(
            f"{path} cannot be read: {str(error).splitlines()[0]}",
            expected="the file as `diapir train --folds` wrote it",
            fix="restore it from a backup, or name the runs in the folder one by one",
        ) from None


def fold_runs(folder: Path, count: int) -> tuple[Path, ...]:
    """The run folders of folds."""
    return tuple(folder / f"fold{number}" for number in range(count))


def expand(models: Sequence[_Model]) -> list[_Model]:
    """Models, with the runs of its folds in place of each folder of folds.

    Raises:
        RunError: a folder has folds that are not trained yet.
    """
    expanded: list[_Model] = []
    for model in models:
        state = saved_folds(Path(model))
        if state is None:
            expanded.append(model)
            continue
        done = sum(fold.done for fold in state.folds)
        if done < len(state.folds):
            raise RunError(
                f"{done} of the {plural(len(state.folds), 'fold')} of {model} are trained",
                expected="a folder of `diapir train --folds` with all folds",
                fix=f"resume it: {shlex.join(resume_words(Path(model)))}",
            )
        expanded += fold_runs(Path(model), len(state.folds))
    return expanded
