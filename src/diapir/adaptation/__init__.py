"""Adaptation: labels of a few sections in, training on from a model, a model of the survey out.

`survey_sections` reads them, `scale` chooses how they are shown to the network, `hold_out` sets
labels aside, `crops` draws windows, `fine_tuning` trains, `held_out_score` measures, `adapt_job`
does all of it in order, and `suggest_sections` names the section to label next.

Each name is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diapir.adaptation.adapt_model import adapt
    from diapir.adaptation.adapt_options import AdaptOptions
    from diapir.adaptation.adapted import Adaptation
    from diapir.adaptation.suggest_sections import Suggestion, suggest

_HOMES = {
    "AdaptOptions": "adapt_options",
    "Adaptation": "adapted",
    "Suggestion": "suggest_sections",
    "adapt": "adapt_model",
    "suggest": "suggest_sections",
}

__all__ = ["AdaptOptions", "Adaptation", "Suggestion", "adapt", "suggest"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
