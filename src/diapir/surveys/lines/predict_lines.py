"""Predict many surveys as one job: a file that cannot be used does not stop the others."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from diapir.errors import DataError
from diapir.inference import EngineOptions, Segmenter, open_models
from diapir.progress import Progress
from diapir.surveys.hints import SurveyHints
from diapir.surveys.lines.find_lines import SurveyFile
from diapir.surveys.lines.line_table import LineRow
from diapir.surveys.open import open_survey
from diapir.surveys.prediction.plan import Plan
from diapir.surveys.prediction.predict import SurveySummary, predict_survey
from diapir.surveys.prediction.settle import section_pixels
from diapir.surveys.prediction.survey_options import SurveyOptions
from diapir.surveys.survey import Survey


@dataclass(frozen=True)
class PredictedLine:
    """What became of one survey of a job.

    Attributes:
        file: the survey.
        summary: its prediction; None where it failed.
        error: why it failed.
        row: its row in the table of lines.
    """

    file: SurveyFile
    summary: SurveySummary | None
    error: DataError | None
    row: LineRow


Opened = Survey | DataError
"""A survey, or why it could not be opened."""


def predict_lines(
    model: Sequence[str | Path],
    files: Sequence[SurveyFile],
    out: Path,
    options: SurveyOptions | None = None,
    surveys: Sequence[Opened] | None = None,
    *,
    engine: EngineOptions | None = None,
    plan: Callable[[Survey, Plan], object] = lambda survey, plan: None,
    tell: Callable[[PredictedLine], object] = lambda line: None,
    progress: Progress | None = None,
) -> list[PredictedLine]:
    """Predict salt in many lines or volumes, or resume an earlier call that was interrupted.

    Args:
        model: run folders or bundles.
        files: the surveys, from `find_surveys`.
        out: folder to write to.
        options: how to predict them.
        surveys: the files, from `open_lines`; None to open them here, without hints.
        engine: how the networks run.
        plan: called with each survey and its plan before it is predicted.
        tell: called with each survey when it is done or has failed.
        progress: called with the section pixels done and the number there are in all surveys.

    Returns:
        One entry per file, in order.

    Raises:
        DiapirError: a model or an option that no survey could be predicted with.
    """
    options, engine = options or SurveyOptions(), engine or EngineOptions()
    with contextlib.ExitStack() as stack:
        surveys = open_lines(files, None, stack) if surveys is None else surveys
        good = [one for one in surveys if not isinstance(one, DataError)]
        pixels = sum(section_pixels(one, options) for one in good)
        engine = replace(engine, pixels=pixels)
        # workers open the model themselves, and each then has its share of the threads
        opened: Segmenter | Sequence[str | Path] = (
            model if options.workers > 1 else open_models(model, engine)
        )
        meter = _Meter(pixels, progress)
        done = []
        for file, survey in zip(files, surveys, strict=True):
            if isinstance(survey, DataError):
                line = _failed(file, survey)
            else:
                line = _predict(
                    partial(
                        predict_survey,
                        opened,
                        survey,
                        out / file.folder,
                        options,
                        engine=engine,
                        tell=partial(plan, survey),
                        progress=meter.show,
                    ),
                    file,
                    survey,
                )
                meter.next(section_pixels(survey, options))
            tell(line)
            done.append(line)
    return done


def open_lines(
    files: Sequence[SurveyFile],
    hints: SurveyHints | None,
    stack: contextlib.ExitStack,
    *,
    progress: Progress | None = None,
) -> list[Opened]:
    """Open all surveys of a job, so that a bad file is known before the work.

    Args:
        files: the surveys, from `find_surveys`.
        hints: what is known of the files.
        stack: closes them.
        progress: called with the files opened and the number there are.
    """
    surveys: list[Opened] = []
    for number, file in enumerate(files, start=1):
        surveys.append(_open(file, hints, stack))
        if progress:
            progress(number, len(files))
    return surveys


def _open(file: SurveyFile, hints: SurveyHints | None, stack: contextlib.ExitStack) -> Opened:
    try:
        return stack.enter_context(contextlib.closing(open_survey(file.path, hints)))
    except DataError as error:
        return error
    except OSError as error:
        return DataError(
            f"{file.path}: {error.strerror or error}",
            expected="a file that can be read",
            fix="correct the permissions, or leave the file out",
        )


def _predict(run: Callable[[], SurveySummary], file: SurveyFile, survey: Survey) -> PredictedLine:
    try:
        summary = run()
    except DataError as error:
        return _failed(file, error)
    return PredictedLine(file, summary, None, LineRow.predicted(file, survey, summary))


def _failed(file: SurveyFile, error: DataError) -> PredictedLine:
    return PredictedLine(file, None, error, LineRow.failed(file, error))


class _Meter:
    """The progress of one survey as a part of that of all."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._before, self._total, self._progress = 0, total, progress

    def show(self, done: int, total: int) -> None:
        if self._progress:
            self._progress(self._before + done, self._total)

    def next(self, pixels: int) -> None:
        """Go on to the next survey."""
        self._before += pixels
        self.show(0, 0)
