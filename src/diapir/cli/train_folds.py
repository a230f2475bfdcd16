"""`diapir train --folds`: all folds of a recipe, evaluated out of fold."""

from __future__ import annotations

import shlex
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from diapir.cli.output import Answer, Output
from diapir.errors import Interrupted

if TYPE_CHECKING:
    from diapir.config import RunConfig


def train_all_folds(
    config: RunConfig,
    data: Path,
    folder: Path,
    folds: int,
    *,
    init: str | None,
    resume: bool,
    budget_s: float | None,
    output: Output,
) -> Answer:
    """Train and evaluate each fold, then all together.

    Args:
        config: the recipe.
        data: labelled tiles.
        folder: for the runs of the folds.
        folds: number of folds.
        init: a model to start from.
        resume: resume what is in the folder.
        budget_s: time of all folds in seconds.
        output: where lines and the answer go.

    Raises:
        Interrupted: by Ctrl-C; what is done is saved.
    """
    from diapir.comparison.evaluate_folds import train_and_evaluate
    from diapir.evaluation.summary import summary
    from diapir.run.folder import resume_words

    try:
        done, scored = train_and_evaluate(
            config,
            data,
            folder,
            folds,
            init=init,
            resume=resume,
            budget_s=budget_s,
            stream=output.stream,
            show=output.progress,
        )
    except KeyboardInterrupt:  # while evaluating: training saves and ends by itself
        command = shlex.join(resume_words(folder))
        message = f"interrupted while evaluating; resume with: {command}"
        raise Interrupted(signal.SIGINT, message) from None
    evaluation, in_sections = scored.result.evaluation, scored.result.in_sections
    output.say(
        "",
        *scored.result.notes,
        *summary(evaluation, in_sections),
        "",
        f"model   {folder} (the mean of {folds} models)",
        f"report  {scored.report}",
    )
    return Answer(
        {
            "run": folder,
            "folds": [
                {
                    "run": each.run,
                    "epochs": each.epochs,
                    "best_epoch": each.best_epoch,
                    "best_val_loss": each.best_val_loss,
                    "stopped": each.stopped,
                }
                for each in done
            ],
            "model": folder,
            "report": scored.report,
            "data": evaluation.data,
            **({"in_sections": in_sections.block()} if in_sections else {}),
            "metrics": evaluation.metrics,
        }
    )
