"""The part of `diapir predict` that predicts salt in 2D lines and 3D volumes."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from diapir.cli.options import options_of
from diapir.cli.output import Answer, Output
from diapir.cli.running import Running
from diapir.errors import ConfigError
from diapir.text import percent

if TYPE_CHECKING:
    from diapir.surveys import Plan, Survey, SurveyHints, SurveyOptions, SurveySummary

SUFFIXES = frozenset({".sgy", ".segy", ".seg", ".zarr", ".mdio", ".npy"})
"""Suffixes of surveys."""

OPTIONS = options_of("Surveys", position=50, without="threshold")


def are_surveys(inputs: Sequence[Path]) -> bool:
    """Whether the inputs are lines and volumes rather than images.

    Raises:
        ConfigError: some are and some are not.
    """
    found = [path for path in inputs if path.suffix.lower() in SUFFIXES]
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
        inputs: SEG-Y files, Zarr stores and NumPy arrays.
        out: folder to write to.
        options: how to predict them.
        hints: what is known of the files.
        running: how networks run.
        horizons: extract horizons and bodies as well.
        output: where lines and the answer go.
    """
    from diapir.surveys import open_survey, predict_survey

    _refuse_same_names(inputs)
    summaries = []
    for path in inputs:
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
                tell=partial(_tell, survey, output),
                progress=progress,
            )
        output.say(*_lines(summary))
        summaries.append(summary)
    answer = {"out": str(out), "surveys": [summary.to_json() for summary in summaries]}
    if horizons:
        from diapir.cli.products import extract_products
        from diapir.surveys.products.make import ProductOptions

        answer["products"] = [
            made
            for summary in summaries
            for made in extract_products(
                [summary.store], ProductOptions(threshold=summary.threshold), output
            )
        ]
    return Answer(answer)


def _refuse_same_names(inputs: Sequence[Path]) -> None:
    names: dict[str, Path] = {}
    for path in inputs:
        first = names.setdefault(path.stem, path)
        if first is not path:
            raise ConfigError(
                f"{first} and {path} would both be written as {path.stem}",
                expected="surveys with different names",
                fix="predict them in two calls, each with its own --out",
            )


def _tell(survey: Survey, output: Output, plan: Plan) -> None:
    output.say(f"{survey.path}", *(f"  {line}" for line in plan.lines()))


def _lines(summary: SurveySummary) -> list[str]:
    share = percent(summary.salt_share, 1)
    lines = [
        f"  {share} of samples are salt (probability ≥ {summary.threshold:g})",
        "  written: " + ", ".join(map(str, [summary.store, *summary.files])),
    ]
    if summary.pixels:
        lines[0] += f"; {summary.seconds:,.0f} s, {summary.mpx_per_s:.2f} Mpx/s"
    if summary.not_finite:
        lines.append(f"  {summary.notes[-1]}")
    lines += [f"  caveat: {caveat}" for caveat in summary.caveats]
    return lines
