"""`diapir train`: from a recipe and tiles to an evaluated run folder."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from diapir.cli.options import Duration, Flag, Settings, Whole, with_settings
from diapir.cli.output import Answer, Injected
from diapir.errors import ConfigError
from diapir.progress import is_main_process

if TYPE_CHECKING:
    from diapir.config import RunConfig
    from diapir.run.folds import FoldsState

app = App(
    name="train",
    help_epilogue="""Examples:

  diapir train --recipe baseline --data tgs.zip --out runs/a
  diapir train --resume runs/a
  diapir train --recipe baseline --data tgs.zip --out runs/b \\
    --epochs 20 --set model.base=16 --budget 20m
  diapir train --recipe compact/unet --data tgs.zip --out runs/cv --folds 5
  diapir train --recipe finetune --init general --data mine --out runs/ft
  torchrun --nproc-per-node 2 -m diapir train \\
    --recipe baseline --data tgs.zip --out runs/c

The run folder then holds best/ (the model), metrics.csv, log.txt,
evaluation/ and report.html.""",
)


@app.default
def train(
    run: Annotated[Path | None, Parameter(name="RUN", show_default=False)] = None,
    /,
    *,
    recipe: Annotated[str | None, Parameter(name="--recipe", show_default=False)] = None,
    data: Annotated[Path | None, Parameter(show_default=False)] = None,
    out: Annotated[Path | None, Parameter(name="--out", show_default=False)] = None,
    init: Annotated[str | None, Parameter(metavar="MODEL", show_default=False)] = None,
    init_head: Annotated[Literal["keep", "fresh"] | None, Parameter(show_default=False)] = None,
    epochs: Annotated[Whole | None, Parameter(show_default=False)] = None,
    batch: Annotated[Whole | None, Parameter(show_default=False)] = None,
    lr: Annotated[float | None, Parameter(show_default=False)] = None,
    overrides: Settings = (),
    folds: Annotated[Whole | None, Parameter(show_default=False)] = None,
    resume: Flag = False,
    budget: Annotated[Duration | None, Parameter(name="--budget", metavar="TIME")] = None,
    output: Injected,
) -> Answer:
    """Train a network on labelled tiles, evaluate it and report.

    Ctrl-C finishes the current step and saves a checkpoint; `diapir train
    --resume RUN` resumes with the recipe and tiles of the run.

    Args:
        run: the run folder to resume, with --resume.
        recipe: a built-in recipe (`diapir recipes` lists them) or a YAML file, for a new run.
        data: labelled tiles: a folder, or Kaggle's zip as it is.
        out: the run folder to make.
        init: a run, bundle or bundled model whose weights the training starts from.
        init_head: keep the last layers of --init, or initialise them newly; by default keep.
        epochs: passes over the training tiles, instead of the recipe's (train.epochs).
        batch: tiles per step, instead of the recipe's (train.batch).
        lr: learning rate, instead of the recipe's (optimizer.lr).
        overrides: change any key of the recipe, as in augment.flip=random; repeatable.
        folds: train this many networks, each without one fold, and evaluate out of fold.
        resume: resume RUN, or the run in --out.
        budget: stop cleanly after this time: 90s, 20m or 1.5h.
        output: where lines and the answer go.
    """
    from diapir.cli.train_folds import train_all_folds
    from diapir.comparison.evaluate_run import evaluate_run
    from diapir.config import describe_origin
    from diapir.evaluation.summary import summary
    from diapir.run.folder import BEST, CONFIG
    from diapir.run.folds import saved_folds
    from diapir.training import train as train_run

    out = _run_folder(run, out, resume=resume)
    settings = with_settings(
        overrides,
        {
            **{"train.epochs": epochs, "train.batch": batch, "optimizer.lr": lr},
            "train.start_head": init_head,
        },
    )
    known = saved_folds(out) if resume else None
    config = _config(out, recipe, settings, known, resume=resume)
    if init_head is not None and init is None and config.train.start is None:
        raise ConfigError(
            "--init-head is given, but no model to start from",
            expected="--init-head together with --init",
            fix="--init MODEL, or leave --init-head out",
        )
    data = _tiles(config, data, out, resume=resume)
    if folds is None and known is not None:
        folds = len(known.folds)
    if folds is not None:
        return train_all_folds(
            config, data, out, folds, init=init, resume=resume, budget_s=budget, output=output
        )
    result = train_run(
        config,
        data,
        out,
        init=init,
        resume=resume,
        budget_s=budget,
        stream=output.stream,
        origin=describe_origin(recipe or str(out / CONFIG), settings),
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
        scored = evaluate_run(result.run, data, config, progress)
    output.say(
        "",
        *scored.notes,
        *summary(scored.evaluation, scored.in_sections),
        "",
        f"model   {scored.bundle.path}",
        f"report  {scored.report}",
    )
    return Answer(
        answer
        | {
            "model": scored.bundle.path,
            "report": scored.report,
            "data": scored.evaluation.data,
            **({"in_sections": scored.in_sections.block()} if scored.in_sections else {}),
            "metrics": scored.evaluation.metrics,
        }
    )


def with_run_apart(words: Sequence[str]) -> list[str]:
    """`--resume=RUN` as the flag and the run: for the parser `--resume` takes no value."""
    apart: list[str] = []
    for word in words:
        flag, equals, run = word.partition("=")
        apart += [flag, run] if equals and flag == "--resume" else [word]
    return apart


def _run_folder(run: Path | None, out: Path | None, *, resume: bool) -> Path:
    """The run folder, which `--out`, or `--resume` with a word of its own, names."""
    from diapir.run.folder import resume_words

    if run is not None and not resume:
        raise ConfigError(
            f"{run} is given without an option",
            expected="options for a new run, or --resume and the run to resume",
            fix=f"{shlex.join(resume_words(run))}, or --data, --out or --recipe before it",
        )
    folder = out if run is None else run
    if folder is None:
        raise ConfigError(
            "no run is named" if resume else "--out is missing",
            expected="a run folder",
            fix="diapir train --resume RUN" if resume else "--out runs/a",
        )
    if out is not None and out.absolute() != folder.absolute():
        raise ConfigError(
            f"--resume {run} and --out {out} are different folders",
            expected="one run folder, which is resumed in place",
            fix="leave out --out; or start a new run from the weights: "
            + shlex.join(["--init", str(run), "--out", str(out)]),
        )
    return folder


def _config(
    folder: Path,
    recipe: str | None,
    overrides: Sequence[str],
    known: FoldsState | None,
    *,
    resume: bool,
) -> RunConfig:
    """The recipe; by default that of the run or folds to resume."""
    from diapir.config import load_recipe
    from diapir.run.folder import CONFIG, run_config

    if recipe is not None:
        return load_recipe(recipe, overrides)
    if known is not None:
        return known.config(overrides)
    if resume:
        run_config(folder)
        return load_recipe(folder / CONFIG, overrides)
    raise ConfigError(
        "--recipe is missing",
        expected="a recipe for a new run",
        fix="--recipe compact/unet, or any other recipe",
    )


def _tiles(config: RunConfig, data: Path | None, folder: Path, *, resume: bool) -> Path:
    """The labelled tiles, where `--data` or else the recipe or run names them."""
    from diapir.run.folder import resume_words

    if data is not None:
        return data
    known = config.data.path
    if known is not None and Path(known).exists():
        return Path(known)
    found = "--data is missing"
    if resume:
        found = f"{folder} does not record where its tiles are"
    if known is not None:
        found = f"the tiles of {folder if resume else 'the recipe'} are not at {known} any more"
    raise ConfigError(
        found,
        expected="the labelled tiles" + (" that the run was started with" if resume else ""),
        fix=f"{shlex.join(resume_words(folder))} --data PATH" if resume else "--data PATH",
    )
