"""The part of `diapir predict` that predicts salt in 2D lines and 3D volumes."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diapir.cli.loading import loading
from diapir.cli.options import options_of
from diapir.cli.output import Answer, Output
from diapir.cli.running import Running
from diapir.errors import ConfigError, failure, install_command
from diapir.text import percent, plural

if TYPE_CHECKING:
    from diapir.surveys import Plan, Survey, SurveyHints, SurveyOptions, SurveySummary
    from diapir.surveys.lines.find_lines import SurveyFile
    from diapir.surveys.lines.line_table import LineRow
    from diapir.surveys.lines.predict_lines import PredictedLine

OPTIONS = options_of(
    "Surveys", position=50, without="threshold", about="For SEG-Y, Zarr and .npy files."
)
PART = options_of("Part of the survey", position=51, without="every_of")


def are_surveys(inputs: Sequence[Path]) -> bool:
    """Whether the inputs are lines and volumes, or folders of them, rather than images.

    Raises:
        ConfigError: some are and some are not.
    """
    from diapir.surveys.lines.find_lines import holds_surveys, is_survey

    found = [path for path in inputs if is_survey(path) or holds_surveys(path)]
    if found and len(found) < len(inputs):
        other = next(path for path in inputs if path not in found)
        raise ConfigError(
            f"{found[0]} is a survey, but {other} is not",
            expected="only surveys, or only images",
            fix="predict them in two calls",
        )
    return bool(found)


def predict_surveys(
    models: Sequence[Path],
    inputs: Sequence[Path],
    out: Path,
    options: SurveyOptions,
    hints: SurveyHints,
    *,
    running: Running,
    horizons: bool,
    output: Output,
) -> Answer:
    """Predict salt in lines and volumes, one after the other.

    Args:
        models: run folders or bundles; the bundled model where empty.
        inputs: SEG-Y files, Zarr stores, NumPy arrays, and folders of them.
        out: folder to write to.
        options: how to predict them.
        hints: what is known of the files.
        running: how networks run.
        horizons: extract horizons and bodies as well.
        output: where lines and the answer go.
    """
    from diapir.surveys.lines.find_lines import find_surveys

    files = find_surveys(inputs, out)
    if len(files) == 1 and not files[0].folder.name:
        return _predict_one(
            models, files[0].path, out, options, hints, running, horizons=horizons, output=output
        )
    job = _Lines(out, horizons, output)
    return job.run(models, files, options, hints, running)


def _predict_one(
    models: Sequence[Path],
    path: Path,
    out: Path,
    options: SurveyOptions,
    hints: SurveyHints,
    running: Running,
    *,
    horizons: bool,
    output: Output,
) -> Answer:
    """Predict salt in one line or volume."""
    with loading():
        from diapir.surveys import open_survey, predict_survey

    with output.progress(f"reading headers of {path.name}") as progress:
        survey = open_survey(path, hints, progress=progress)
    doing = f"predicting {survey.name}"
    with (
        contextlib.closing(survey),
        output.progress(doing, unit="Mpx", per=1e6) as progress,
    ):
        summary = predict_survey(
            list(models),
            survey,
            out,
            options,
            engine=running.options(),
            tell=partial(_tell, survey, output=output),
            progress=progress,
        )
    output.say(*_lines(summary))
    answer: dict[str, Any] = {"out": str(out), "surveys": [summary.to_json()]}
    if horizons:
        from diapir.cli.products import extract_products
        from diapir.surveys.products.make import ProductOptions

        made = ProductOptions(threshold=summary.threshold)
        answer |= extract_products([summary.store], made, output)
    return Answer(answer)


@dataclass(frozen=True)
class _Lines:
    """Many lines or volumes as one job.

    Attributes:
        out: folder to write to.
        horizons: whether horizons and bodies are extracted as well.
        output: where lines and the answer go.
    """

    out: Path
    horizons: bool
    output: Output

    def run(
        self,
        models: Sequence[Path],
        files: Sequence[SurveyFile],
        options: SurveyOptions,
        hints: SurveyHints,
        running: Running,
    ) -> Answer:
        """Predict them all, then list what failed."""
        from diapir.surveys.lines.predict_lines import open_lines, predict_lines

        self._say_names(files)
        what = plural(len(files), "survey")
        folder = any(file.folder.name for file in files)
        with contextlib.ExitStack() as stack:
            with self.output.progress(f"reading headers of {what}") as reading:
                surveys = open_lines(files, hints, stack, progress=reading)
            with self.output.progress(f"predicting {what}", unit="Mpx", per=1e6) as progress:
                done = predict_lines(
                    list(models),
                    files,
                    self.out,
                    options,
                    surveys,
                    engine=running.options(),
                    plan=partial(_tell, output=self.output, brief=folder),
                    tell=self._tell,
                    progress=progress,
                )
        rows = [line.row for line in done]
        answer: dict[str, Any] = {
            "out": str(self.out),
            "surveys": [line.summary.to_json() for line in done if line.summary],
            "failed": [
                failure(line.file.name, line.file.path, line.error) for line in done if line.error
            ],
        }
        stores = {line.file.name: line.summary for line in done if line.summary}
        if self.horizons and stores:
            from diapir.cli.products import LineProducts
            from diapir.surveys.products.make import ProductOptions

            threshold = next(iter(stores.values())).threshold  # of the model or option: all alike
            job = LineProducts(self.out, ProductOptions(threshold=threshold), self.output)
            made, rows = job.extract({name: one.store for name, one in stores.items()}, rows)
            answer |= made | {"failed": [*answer["failed"], *made["failed"]]}
        if stores and folder:
            answer["lines"] = self._table(rows)
        failed = [row for row in rows if row.error]
        for row in failed:
            where = "" if row.file in row.error else f" ({row.file})"
            self.output.say(f"failed: {row.line}{where}: {row.error}")
        self.output.say(
            f"{len(files) - len(failed)} of {what} done"
            + (f", {len(failed)} failed (see above)" if failed else "")
            + f"; in {self.out}"
        )
        return Answer(answer, exit_code=2 if failed else 0)

    def _say_names(self, files: Sequence[SurveyFile]) -> None:
        """Say which lines are not called as their file is, because two share its name."""
        from diapir.surveys.lines.find_lines import bare_name

        renamed = [file for file in files if file.name != bare_name(file.path)]
        for file in renamed:
            self.output.say(f"{file.path}: called {file.name}, as two files have the name")

    def _tell(self, line: PredictedLine) -> None:
        if line.summary is None:
            fix = [f"  fix: {line.error.fix}"] if line.error else []
            self.output.say(f"{line.file.path}", f"  failed: {line.row.error}", *fix)
        else:
            self.output.say(*_lines(line.summary))

    def _table(self, rows: Sequence[LineRow]) -> list[str]:
        """Write the table of the lines and its page."""
        from diapir.surveys.lines.line_table import write_lines

        written = [write_lines(self.out / "lines.csv", rows)]
        try:
            from diapir.reports import write_lines_report

            written.append(write_lines_report(rows, self.out / "lines.html", self.out.name))
        except ModuleNotFoundError as error:
            if error.name not in {"jinja2", "matplotlib", "markupsafe"}:
                raise
            self.output.say(f"no page of the lines: it needs {install_command('report')}")
        self.output.say("lines: " + ", ".join(map(str, written)))
        return [str(path) for path in written]


def _tell(survey: Survey, plan: Plan, *, output: Output, brief: bool = False) -> None:
    """Print the plan of a survey, or only its first line and the oddities of the file."""
    from diapir.surveys.restricted import part_lines

    told = [plan.lines()[0], *survey.notes] if brief else plan.lines()
    lines = [*part_lines(survey, plan.views), *told]
    output.say(f"{survey.path}", *(f"  {line}" for line in lines))


def _lines(summary: SurveySummary) -> list[str]:
    share = percent(summary.salt_share, 1)
    lines = [
        f"  {share} of samples are salt (probability ≥ {summary.threshold:g})",
        "  written: " + ", ".join(map(str, [summary.store, *summary.files])),
    ]
    if summary.pixels:
        lines[0] += f"; {summary.seconds:,.0f} s, {summary.mpx_per_s:.2f} Mpx/s"
    if summary.no_data:
        samples = plural(summary.no_data, "sample")
        lines.append(f"  {samples} of live traces are no data and have no prediction")
    lines += [f"  caveat: {caveat}" for caveat in summary.caveats]
    return lines
