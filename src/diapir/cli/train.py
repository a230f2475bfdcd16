"""`diapir train`: from a recipe and tiles to an evaluated run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from diapir.cli.options import Duration, Flag, Settings, Whole, with_settings
from diapir.cli.output import Answer, Injected
from diapir.progress import is_main_process

app = App(
    name="train",
    help_epilogue="""Examples:

  diapir train --recipe baseline --data tgs.zip --out runs/a
  diapir train --recipe baseline --data tgs.zip --out runs/a --resume
  diapir train --recipe baseline --data tgs.zip --out runs/b \\
    --epochs 20 --set model.base=16 --budget 20m
  torchrun --nproc-per-node 2 -m diapir train \\
    --recipe baseline --data tgs.zip --out runs/c

The run folder then holds best/ (the model), metrics.csv, log.txt,
evaluation/ and report.html.""",
)


@app.default
def train(
    *,
    recipe: Annotated[str, Parameter(name="--recipe")],
    data: Path,
    out: Annotated[Path, Parameter(name="--out")],
    epochs: Annotated[Whole | None, Parameter(show_default=False)] = None,
    batch: Annotated[Whole | None, Parameter(show_default=False)] = None,
    lr: Annotated[float | None, Parameter(show_default=False)] = None,
    overrides: Settings = (),
    resume: Flag = False,
    budget: Annotated[Duration | None, Parameter(name="--budget", metavar="TIME")] = None,
    output: Injected,
) -> Answer:
    """Train a network on labelled tiles, evaluate it and report.

    Ctrl-C finishes the current step and saves a checkpoint; run the same
    command with --resume to resume.

    Args:
        recipe: a built-in recipe (`diapir recipes` lists them) or a YAML file.
        data: labelled tiles: a folder, or Kaggle's zip as it is.
        out: the run folder to make.
        epochs: passes over the training tiles, instead of the recipe's (train.epochs).
        batch: tiles per step, instead of the recipe's (train.batch).
        lr: learning rate, instead of the recipe's (optimizer.lr).
        overrides: change any key of the recipe, as in augment.flip=random; repeatable.
        resume: resume the run in --out.
        budget: stop cleanly after this time: 90s, 20m or 1.5h.
        output: where lines and the answer go.
    """
    from diapir.comparison.evaluate_run import evaluate_run
    from diapir.config import describe_origin, load_recipe
    from diapir.evaluation.summary import summary
    from diapir.run.folder import BEST
    from diapir.training import train as train_run

    settings = with_settings(
        overrides, {"train.epochs": epochs, "train.batch": batch, "optimizer.lr": lr}
    )
    config = load_recipe(recipe, settings)
    result = train_run(
        config,
        data,
        out,
        resume=resume,
        budget_s=budget,
        stream=output.stream,
        origin=describe_origin(recipe, settings),
    )
    if not is_main_process():
        return Answer({})
    answer = {
        "run": result.run,
        "epochs": result.epochs,
        "best_epoch": result.best_epoch,
        "best_val_loss": result.best_val_loss,
        "stopped": result.stopped,
    }
    if config.data.use_all:
        model = result.run / BEST
        output.say(
            "", "Trained on all tiles; none are held out, so no score is given.", f"model   {model}"
        )
        return Answer(answer | {"model": model})
    with output.progress("evaluating") as progress:
        run = evaluate_run(result.run, data, config, progress)
    output.say(
        "",
        *run.notes,
        *summary(run.evaluation, run.in_sections),
        "",
        f"model   {run.bundle.path}",
        f"report  {run.report}",
    )
    return Answer(
        answer
        | {
            "model": run.bundle.path,
            "report": run.report,
            "data": run.evaluation.data,
            **({"in_sections": run.in_sections.block()} if run.in_sections else {}),
            "metrics": run.evaluation.metrics,
        }
    )
