"""Evaluation of models on labelled tiles: scores, confidence intervals and breakdowns.

`evaluate` counts every tile once (`histogram`, `scored`), scores the counts (`metrics`), resamples
them (`bootstrap`) and breaks them down (`breakdown`) into an `Evaluation` (`result`).
`evaluate_models` first chooses tiles that the models held out (`held_out`) and predicts them
(`predictions`), alone and, with a mosaic, inside their sections (`in_sections`). `tuning` tunes the
post-processing on such tiles. `differences` compares evaluations of the same tiles.
"""

from diapir.evaluation.differences import (
    PAIRED,
    Comparison,
    Difference,
    Score,
    Verdict,
    check_comparable,
)
from diapir.evaluation.evaluate import evaluate, evaluate_model
from diapir.evaluation.evaluate_models import Evaluated, evaluate_models
from diapir.evaluation.in_sections import (
    InSections,
    SectionModels,
    evaluate_in_sections,
    open_sections,
    save_in_sections,
)
from diapir.evaluation.result import Evaluation, TileScore, claim_evaluation

__all__ = [
    "PAIRED",
    "Comparison",
    "Difference",
    "Evaluated",
    "Evaluation",
    "InSections",
    "Score",
    "SectionModels",
    "TileScore",
    "Verdict",
    "check_comparable",
    "claim_evaluation",
    "evaluate",
    "evaluate_in_sections",
    "evaluate_model",
    "evaluate_models",
    "open_sections",
    "save_in_sections",
]
