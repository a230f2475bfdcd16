"""`diapir suggest`: the sections whose labels would help an adapted model most."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from diapir.cli.options import Whole
from diapir.cli.output import Answer, Injected
from diapir.cli.running import DEFAULT_RUNNING, Running
from diapir.cli.survey import HINTS, NO_HINTS
from diapir.surveys.hints import SurveyHints
from diapir.text import percent

app = App(
    name="suggest",
    help_epilogue="""Examples:

  diapir suggest runs/block block.sgy
  diapir suggest runs/lines lines/ --top 3

Label the first of them, and adapt again with both labels.""",
)

_AtLeastOne = Parameter(validator=Number(gte=1))


@app.default
def suggest(
    model: Annotated[str, Parameter(name="RUN")],
    inputs: Annotated[list[Path], Parameter(name="SURVEY|IMAGES", negative="")],
    /,
    *,
    top: Annotated[Whole, _AtLeastOne] = 5,
    most: Annotated[Whole, _AtLeastOne] = 40,
    running: Running = DEFAULT_RUNNING,
    hints: Annotated[SurveyHints, Parameter(name="*", group=HINTS)] = NO_HINTS,
    output: Injected,
) -> Answer:
    """Name the sections to label next: where the model is least sure.

    Sections are predicted twice, as they are and mirrored with shifted windows.
    Sections that the model was adapted to, and lines beside them, are left out.

    Args:
        model: a run of `diapir adapt`, or any other model.
        inputs: a survey, several 2D lines or a folder of them, or pictures.
        top: number of sections to name.
        most: sections of a volume to look at, spread evenly.
        running: how the network runs.
        hints: what is known of a survey file.
        output: where lines and the answer go.
    """
    from diapir.adaptation import suggest as suggest_sections

    notes: list[str] = []
    failed: list[dict[str, str]] = []
    with output.progress("looking at sections") as progress:
        found = suggest_sections(
            model,
            inputs,
            top=top,
            most=most,
            hints=hints,
            engine=running.options(),
            tell=notes.append,
            fail=failed.append,
            progress=progress,
        )
    width = max((len(each.name) for each in found), default=0)
    output.note(*notes)
    output.say(
        "Label next, the most doubtful section first:" if found else "No section is in doubt"
    )
    output.say(
        *(
            f"  {each.name:<{width}}  doubt {percent(each.doubt, 1)}, "
            f"{percent(each.salt_share, 1)} predicted as salt"
            for each in found
        )
    )
    output.say(*(f"failed: {one['path']}: {one['found']}" for one in failed))
    content = {"sections": [each.to_json() for each in found], "notes": notes, "failed": failed}
    return Answer(content, exit_code=2 if failed else 0)
