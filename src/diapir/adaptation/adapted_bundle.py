"""What the bundle of an adapted model says about itself."""

from __future__ import annotations

from typing import Any

from diapir.adaptation.held_out_score import HeldOutScore
from diapir.bundle import BundleInfo, SurveySettings


def adapted_info(info: BundleInfo, settings: SurveySettings, window: int) -> BundleInfo:
    """The description of an adapted model, before it is trained.

    Args:
        info: description of the model it is adapted from.
        settings: how sections are shown to it.
        window: side of its windows in pixels.
    """
    return info.model_copy(
        update={
            "name": f"{info.name}, adapted",
            "survey": settings,
            "tile": window,
            "preprocess": info.preprocess.model_copy(update={"size": window}),
            "min_area": 0,
            "format": 1,
            "export": None,
            "weights": None,
        }
    )


def held_out_metrics(after: HeldOutScore | None, survey: str, held_out: str) -> dict[str, Any]:
    """What the bundle says about its evaluation; nothing where nothing was held out.

    Args:
        after: its score on the held-out labels.
        survey: name of the survey.
        held_out: what was held out, in words.
    """
    if after is None:
        return {}
    interval = {} if after.ci95 is None else {"ci95": {"dice": list(after.ci95)}}
    return {
        "dice": after.dice,
        "threshold": after.threshold,
        "data": {"name": survey, "part": f"held out: {held_out}", "traces": after.traces},
    } | interval
