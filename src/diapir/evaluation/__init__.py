"""How good a model is, with intervals: scores, where they come from, and which tiles they lose.

`evaluate` counts every tile once (`histogram`), scores the counts (`metrics`), resamples them
(`bootstrap`) and takes them apart (`breakdown`) into an `Evaluation` (`result`).
"""

from diapir.evaluation.evaluate import evaluate, evaluate_model
from diapir.evaluation.result import Evaluation, TileScore

__all__ = ["Evaluation", "TileScore", "evaluate", "evaluate_model"]
