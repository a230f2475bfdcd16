"""`diapir adapt`: train on from a model on labels of a few sections of a survey."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from diapir.adaptation.adapt_options import AdaptOptions
from diapir.cli.options import Duration, options_of
from diapir.cli.output import Answer, Injected
from diapir.cli.survey import HINTS, NO_HINTS
from diapir.errors import install_command
from diapir.surveys.hints import SurveyHints
from diapir.surveys.labels.label_options import DEFAULTS as NO_LABEL_OPTIONS
from diapir.surveys.labels.label_options import LabelOptions

app = App(
    name="adapt",
    help_epilogue="""Examples:

  diapir adapt block.sgy --labels inline_241.png --out runs/block
  diapir adapt pictures/ --labels masks/ --out runs/block --budget 2m
  diapir adapt lines/ --labels labels/ --out runs/lines
  diapir predict runs/block block.sgy --out salt

The run folder then holds best/ (the model), log.txt, adapt.json and
report.html.
An interrupted adaptation resumes when the same command is run again.""",
)

OPTIONS = options_of("Adaptation", position=40)
LABELS = options_of("Reading labels", position=45)
DEFAULTS = AdaptOptions()


@app.default
def adapt(
    inputs: Annotated[list[Path], Parameter(name="SURVEY|IMAGES", negative="")],
    /,
    *,
    labels: Annotated[list[Path], Parameter(negative="")],
    out: Path,
    model: str = "general",
    budget: Annotated[Duration | None, Parameter(metavar="TIME", show_default=False)] = None,
    replay: Annotated[Path | None, Parameter(show_default=False)] = None,
    options: Annotated[AdaptOptions, Parameter(name="*", group=OPTIONS)] = DEFAULTS,
    label_options: Annotated[LabelOptions, Parameter(name="*", group=LABELS)] = NO_LABEL_OPTIONS,
    hints: Annotated[SurveyHints, Parameter(name="*", group=HINTS)] = NO_HINTS,
    output: Injected,
) -> Answer:
    """Adapt a model to your own survey with labels of a few sections.

    Trains on for a minute from a model, without some of the labels first, on
    which it is evaluated, then on all, and last on confident predictions in
    sections without labels as well. The settings of the survey are saved with
    the model, so that `diapir predict RUN SURVEY` needs no options.

    Args:
        inputs: a survey, several 2D lines or a folder of them, or pictures.
        labels: masks, horizons, polygons or strokes; may be given more than once.
        out: the run folder to make.
        model: a run, bundle or bundled model with trainable weights.
        budget: time for everything: 90s, 5m; by default about 60s, longer on a slow machine.
        replay: labelled tiles to train on as well, beside synthetic sections, so that
            the model keeps what it knew of them.
        options: how to adapt it.
        label_options: how to read the labels.
        hints: what is known of a survey file.
        output: where lines and the answer go.
    """
    started = time.monotonic()
    from diapir.adaptation import adapt as adapt_model
    from diapir.adaptation.adapt_display import Display
    from diapir.adaptation.adapt_report import interval_words

    result = adapt_model(
        inputs,
        labels,
        out,
        model=model,
        budget_s=budget,
        replay=replay,
        options=options,
        label_options=label_options,
        hints=hints,
        display=Display(output.say, output.progress, output.command),
        started=started,
    )
    lines = [
        f"{name} {score.dice:.3f} ({interval_words(score)})"
        for name, score in (
            ("held-out Dice, original model", result.before),
            ("held-out Dice, adapted model ", result.after),
        )
        if score is not None
    ]
    report = result.report or f"none: it needs {install_command('report')}"
    output.say("", *lines, f"model   {result.model}", f"report  {report}")
    output.say(*(f"failed: {one['path']}: {one['found']}" for one in result.failed))
    return Answer(result.to_json(), exit_code=2 if result.failed else 0)
