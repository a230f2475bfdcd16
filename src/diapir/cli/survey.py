"""`diapir survey`: the contents and geometry of a SEG-Y file, Zarr store or NumPy volume."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from diapir.cli.options import options_of
from diapir.cli.output import Answer, Injected
from diapir.surveys.extent import Extent
from diapir.surveys.hints import SurveyHints

app = App(
    name="survey",
    help_epilogue="""Examples:

  diapir survey line12.sgy
  diapir survey volume.segy --out look
  diapir survey volume.segy --inlines 300:400 --time 1000:2400
  diapir survey old.sgy --inline-byte 9 --crossline-byte 21 --domain time

With --out, the folder holds map.png, section.png and survey.json.""",
)

HINTS = options_of("Reading survey files", position=52, without="extents")
NO_HINTS = SurveyHints()
PART = options_of("Part of the survey", position=51, without="every|every_of")
WHOLE = Extent()


@app.default
def survey(
    file: Path,
    /,
    *,
    out: Annotated[Path | None, Parameter(show_default=False)] = None,
    part: Annotated[Extent, Parameter(name="*", group=PART)] = WHOLE,
    hints: Annotated[SurveyHints, Parameter(name="*", group=HINTS)] = NO_HINTS,
    output: Injected,
) -> Answer:
    """Describe a survey: file format, geometry, gaps, samples and amplitudes.

    The geometry is found from the values in the trace headers, not from what
    the text header says. Where several readings are possible, they are listed
    with the option that chooses one.

    Args:
        file: a SEG-Y file, a Zarr store or an .npy array.
        out: folder for pictures of the geometry (map view) and of one section.
        part: the part that is described.
        hints: what is known of the file.
        output: where lines and the answer go.
    """
    from diapir.surveys import describe, open_survey

    with output.progress("reading headers") as progress:
        hints = replace(hints, extents=(part,) if part else ())
        opened = open_survey(file, hints, progress=progress)
    with contextlib.closing(opened):
        facts = describe(opened)
        content = facts.content
        output.say(*facts.lines)
        if out is not None:
            from diapir.reports import write_survey_pictures

            pictures = write_survey_pictures(opened, content, out)
            content = content | {"out": pictures}
            output.say("pictures     " + ", ".join(str(path) for path in pictures))
    return Answer(content)
