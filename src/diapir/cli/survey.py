"""`diapir survey`: the contents and geometry of SEG-Y files, Zarr stores and NumPy volumes."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from diapir.cli.loading import loading
from diapir.cli.options import options_of
from diapir.cli.output import Answer, Injected, Output
from diapir.errors import DataError, DiapirError, failure
from diapir.surveys.extent import Extent
from diapir.surveys.hints import SurveyHints
from diapir.text import plural

app = App(
    name="survey",
    help_epilogue="""Examples:

  diapir survey line12.sgy
  diapir survey lines/ more/line13.sgy
  diapir survey volume.segy --out look
  diapir survey volume.segy --inlines 300:400 --time 1000:2400
  diapir survey old.sgy --inline-byte 9 --crossline-byte 21 --domain time

With --out, the folder holds map.png, section.png and survey.json; a folder of
its own for each of several surveys.""",
)

HINTS = options_of("Reading survey files", position=52, without="extents")
NO_HINTS = SurveyHints()
PART = options_of("Part of the survey", position=51, without="every|every_of")
WHOLE = Extent()
_NO_FOLDER = Path(".no-output")


@app.default
def survey(
    files: Annotated[list[Path], Parameter(name="SURVEY", negative="")],
    /,
    *,
    out: Annotated[Path | None, Parameter(show_default=False)] = None,
    part: Annotated[Extent, Parameter(name="*", group=PART)] = WHOLE,
    hints: Annotated[SurveyHints, Parameter(name="*", group=HINTS)] = NO_HINTS,
    output: Injected,
) -> Answer:
    """Describe surveys: format, geometry, gaps, amplitudes, text header.

    The geometry is found from the values in the trace headers, not from what
    the text header says. Where several readings are possible, they are listed
    with the option that chooses one. Of several surveys, one that cannot be
    used is reported and the others are described; the exit code is then 2.

    Args:
        files: SEG-Y files, Zarr stores, .npy arrays, and folders of them.
        out: folder for pictures of the geometry (map view) and of one section.
        part: the part that is described.
        hints: what is known of the files.
        output: where lines and the answer go.
    """
    from diapir.surveys.lines.find_lines import find_surveys, holds_surveys

    hints = replace(hints, extents=(part,) if part else ())
    if len(files) == 1 and not holds_surveys(files[0]):
        return Answer(_describe(files[0], out, hints, output))
    found = find_surveys(files, out or _NO_FOLDER)
    content: dict[str, Any] = {"surveys": [], "failed": []}
    for file in found:
        try:
            folder = None if out is None else out / file.name
            content["surveys"].append(_describe(file.path, folder, hints, output))
        except (DiapirError, OSError) as error:
            content["failed"].append(_failure(file.name, file.path, error))
            output.say(f"failed: {error}")
        output.say("")
    failed = _summary(len(found), content["failed"], output)
    return Answer(content, exit_code=2 if failed else 0)


def _describe(file: Path, out: Path | None, hints: SurveyHints, output: Output) -> dict[str, Any]:
    """Describe one survey, and draw it into a folder."""
    with loading():
        from diapir.surveys import describe, open_survey

    with output.progress("reading headers") as progress:
        opened = open_survey(file, hints, progress=progress)
    with contextlib.closing(opened):
        facts = describe(opened)
        output.say(*facts.lines)
        if out is None:
            return facts.content
        from diapir.reports import write_survey_pictures

        pictures = write_survey_pictures(opened, facts.content, out)
        output.say("pictures     " + ", ".join(str(path) for path in pictures))
        return facts.content | {"out": pictures}


def _failure(name: str, path: Path, error: DiapirError | OSError) -> dict[str, str]:
    if isinstance(error, OSError):
        error = DataError(
            f"{path}: {error.strerror or error}",
            expected="a file that can be read",
            fix="correct the permissions, or leave the file out",
        )
    return failure(name, path, error)


def _summary(count: int, failed: Sequence[dict[str, str]], output: Output) -> int:
    """Say how many surveys were described, and which were not."""
    for one in failed:
        output.say(f"failed: {one['path']}")
    told = f", {len(failed)} failed (see above)" if failed else ""
    output.say(f"{count - len(failed)} of {plural(count, 'survey')} described{told}")
    return len(failed)
