"""The table of the lines of a job: what was found in each, and what to know first."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from diapir.errors import DataError
from diapir.files import replace_file
from diapir.surveys.lines.find_lines import SurveyFile
from diapir.surveys.prediction.predict import SurveySummary
from diapir.surveys.products.from_prediction import sentence
from diapir.surveys.products.make import Products
from diapir.surveys.survey import Survey
from diapir.text import csv_cell


@dataclass(frozen=True)
class LineRow:
    """One line, or volume, of a job; None where a figure was not computed.

    Attributes:
        line: name of the line.
        file: the survey's file.
        kind: `2d` or `3d`; empty where it could not be read.
        traces: number of live traces.
        samples: samples per trace.
        threshold: probability from which a sample is salt.
        salt_share: share of the predicted samples that are salt.
        bodies: number of salt bodies.
        body_share: share of the live samples in bodies.
        top: time or depth of the highest point of all bodies, in the survey's unit.
        base: likewise the lowest point.
        unit: unit of `top` and `base`.
        report: the page of the line's products, relative to the table.
        notes: what to know first.
        error: why there is no result.
    """

    line: str
    file: str
    kind: str = ""
    traces: int | None = None
    samples: int | None = None
    threshold: float | None = None
    salt_share: float | None = None
    bodies: int | None = None
    body_share: float | None = None
    top: float | None = None
    base: float | None = None
    unit: str = ""
    report: str = ""
    notes: tuple[str, ...] = ()
    error: str = ""

    @classmethod
    def predicted(cls, file: SurveyFile, survey: Survey, summary: SurveySummary) -> Self:
        """The row of a prediction, with the notes of its file and of its prediction."""
        told = summary.to_json()
        notes = (*told.get("caveats", ()), *told.get("notes", ()), *survey.notes)
        return cls(
            line=file.name,
            file=str(file.path),
            kind=survey.grid.kind,
            traces=int(np.count_nonzero(survey.grid.live)),
            samples=survey.grid.samples,
            threshold=summary.threshold,
            salt_share=round(summary.salt_share, 5),
            unit=survey.grid.unit,
            notes=tuple(dict.fromkeys(notes)),
        )

    @classmethod
    def failed(cls, file: SurveyFile, error: DataError) -> Self:
        """The row of a survey that could not be predicted."""
        return cls(line=file.name, file=str(file.path), error=error.found)

    @classmethod
    def of_survey(cls, line: str, made: Products) -> Self:
        """The row of a line whose products alone are known; `with_products` adds their figures."""
        return cls(
            line=line,
            file=made.origin.get("survey", ""),
            kind=made.grid.kind,
            traces=int(np.count_nonzero(made.grid.live)),
            samples=made.grid.samples,
        )

    def with_products(self, made: Products, report: str) -> Self:
        """The same row with the figures of the line's products."""
        grid, table = made.grid, made.bodies.table
        ends: dict[str, Any] = {}
        if len(table):
            ends = {
                "top": round(grid.start + float(table["top"].min()) * grid.interval, 3),
                "base": round(grid.start + float(table["base"].max()) * grid.interval, 3),
            }
        live = int(np.count_nonzero(grid.live)) * grid.samples
        return replace(
            self,
            threshold=made.threshold,
            bodies=len(table),
            body_share=round(int(table["cells"].sum()) / max(1, live), 5),
            unit=grid.unit,
            report=report,
            notes=(*(note for note in self.notes if sentence(note) not in made.notes), *made.notes),
            **ends,
        )

    def to_json(self) -> dict[str, Any]:
        """The JSON object."""
        return asdict(self) | {"notes": list(self.notes)}


def write_lines(path: Path, rows: Sequence[LineRow]) -> Path:
    """Write the table as CSV; unknown figures are empty, notes are separated by ` | `.

    Raises:
        OSError: the disk is full or not writable.
    """
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(LineRow.__dataclass_fields__), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(asdict(row) | {"line": csv_cell(row.line), "notes": " | ".join(row.notes)})
    replace_file(path, stream.getvalue())
    return path
