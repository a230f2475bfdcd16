"""`diapir average`: the weights of several trainings as one model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from diapir.choices import DeviceName
from diapir.cli.output import Answer, Injected
from diapir.text import plural

app = App(
    name="average",
    help_epilogue="""Examples:

  diapir average runs/a runs/b --data tgs.zip --out averaged
  diapir evaluate averaged --data tgs.zip --split runs/a/split.json:val""",
)


@app.default
def average(
    runs: Annotated[list[Path], Parameter(name="RUN", negative="")],
    /,
    *,
    out: Path,
    data: Annotated[Path | None, Parameter(show_default=False)] = None,
    device: DeviceName = "auto",
    output: Injected,
) -> Answer:
    """Average the weights of trainings of one recipe.

    The average runs at the cost of a single model. It can match the ensemble if
    the trainings started from the same weights and ended close together;
    evaluate it before use.

    Args:
        runs: run folders or bundle folders of one architecture.
        out: folder of the new bundle.
        data: tiles the runs were trained on, to measure batch-norm statistics again.
        device: where batch-norm statistics are measured.
        output: where lines and the answer go.
    """
    from diapir.training.average import average_models

    done = average_models(runs, out, data=data, device=device, show=output.progress)
    output.say(f"average of {done.members} models saved in {done.bundle.path}")
    if done.measured_on is not None:
        output.say(f"batch-norm statistics measured on {plural(done.measured_on, 'tile')}")
    else:
        output.say("batch-norm statistics averaged; --data measures them again")
    output.say(f"evaluate it: diapir evaluate {out} --data PATH --split {runs[0]}/split.json:val")
    info = done.bundle.info
    return Answer({"out": done.bundle.path, "name": info.name, "training": info.training})
