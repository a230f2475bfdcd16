"""`diapir survey`: what a SEG-Y file, Zarr store or NumPy volume really is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from diapir.cli.options import AllowList, DomainName, EndianName, Whole
from diapir.cli.output import Answer, Injected

app = App(
    name="survey",
    help_epilogue="""Examples:

  diapir survey line12.sgy
  diapir survey volume.segy --out look
  diapir survey old.sgy --inline-byte 9 --crossline-byte 21 --domain time

With --out the folder holds map.png, section.png and survey.json.""",
)

Byte = Annotated[Whole | None, Parameter(show_default=False)]


@app.default
def survey(
    file: Path,
    /,
    *,
    out: Annotated[Path | None, Parameter(show_default=False)] = None,
    inline_byte: Byte = None,
    crossline_byte: Byte = None,
    x_byte: Byte = None,
    y_byte: Byte = None,
    endian: Annotated[EndianName | None, Parameter(show_default=False)] = None,
    sample_format: Byte = None,
    domain: Annotated[DomainName | None, Parameter(show_default=False)] = None,
    interval: Annotated[float | None, Parameter(show_default=False)] = None,
    allow: AllowList = (),
    output: Injected,
) -> Answer:
    """Say what a survey is: storage, geometry, gaps, samples, amplitudes.

    Nothing in a header is believed that the values do not bear out. Where
    they leave a choice, the choices and the option that settles it are shown.

    Args:
        file: a SEG-Y file, a Zarr store or an .npy array.
        out: folder for a map of the geometry and a section as pictures.
        inline_byte: byte where the inline number begins, from 1; 0 for a line.
        crossline_byte: byte of the crossline number or CDP; 0 for the order of the traces.
        x_byte: byte where the easting begins; 0 for no coordinates.
        y_byte: byte where the northing begins; 0 for no coordinates.
        endian: byte order.
        sample_format: format code of the samples: 1, 2, 3, 5, 6 or 8.
        domain: what runs down the traces.
        interval: between samples, in ms or m.
        allow: go on although the file is refused as this; may be given more than once.
        output: where lines and the answer go.
    """
    from diapir.surveys import describe, open_survey

    with output.progress("reading headers") as progress:
        opened = open_survey(
            file,
            inline_byte=inline_byte,
            crossline_byte=crossline_byte,
            x_byte=x_byte,
            y_byte=y_byte,
            endian=endian,
            sample_format=sample_format,
            domain=domain,
            interval=interval,
            allow=allow,
            progress=progress,
        )
    try:
        facts = describe(opened)
        content = facts.content
        output.say(*facts.lines)
        if out is not None:
            from diapir.reports import write_survey_pictures

            pictures = write_survey_pictures(opened, content, out)
            content = content | {"out": pictures}
            output.say("pictures     " + ", ".join(str(path) for path in pictures))
    finally:
        opened.close()
    return Answer(content)
