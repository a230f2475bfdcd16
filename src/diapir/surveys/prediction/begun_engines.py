"""Engines of a prediction that is resumed: those that began it, so that all blocks are alike."""

from __future__ import annotations

from dataclasses import replace

from diapir.bundle import Bundle
from diapir.errors import SurveyError
from diapir.inference import EngineOptions
from diapir.inference.engines.engine_options import EngineChoice
from diapir.inference.engines.open_engine import RUN_BY
from diapir.inference.ensemble import engines_of, with_engines
from diapir.surveys.prediction.settle import SettledPrediction


def with_begun_engines(settled: SettledPrediction, options: EngineOptions) -> SettledPrediction:
    """The prediction with the engines of its record.

    Args:
        settled: the prediction, with the engines that were opened now.
        options: how the networks run.

    Raises:
        SurveyError: the prediction was begun with another engine than the one asked for.
        DiapirError: this machine does not have the engine that began it.
    """
    sections = settled.sections
    now = engines_of(sections.segmenter)
    if settled.store.exists() or not settled.unfinished.exists() or not now:
        return settled
    begun = settled.record.engines
    if not begun and options.engine == "auto" and options.device in {"auto", "cpu"}:
        begun = tuple(map(_before, sections.segmenter.bundles))
    if not begun or begun == now:
        return settled
    if options.engine != "auto":
        raise SurveyError(
            f"{settled.unfinished} was begun with the engine {' and '.join(begun)}, now it is "
            f"{options.engine}",
            expected="the same engine, to resume that prediction",
            fix="leave --engine out, choose another --out, or remove that folder to start again",
        )
    segmenter = with_engines(sections.segmenter, begun, options)
    return replace(settled, sections=replace(sections, segmenter=segmenter))


def _before(bundle: Bundle) -> EngineChoice:
    """The engine that versions without a record of it chose on the CPU."""
    return RUN_BY[bundle.info.form][0]
