"""How good a model is, with intervals: scores, where they come from, and which tiles they lose.

`evaluate` counts every tile once (`histogram`), scores the counts (`metrics`), resamples them
(`bootstrap`) and takes them apart (`breakdown`) into an `Evaluation` (`result`); `compare` sets
evaluations of the same tiles against each other.
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
from diapir.evaluation.result import Evaluation, TileScore

__all__ = [
    "PAIRED",
    "Comparison",
    "Difference",
    "Evaluation",
    "Score",
    "TileScore",
    "Verdict",
    "check_comparable",
    "evaluate",
    "evaluate_model",
]
