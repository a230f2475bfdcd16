"""Models compared on equal terms: recipes trained here, or finished runs.

`compare` plans the trainings (`training_plan`, `variants`) and runs them one after the other
(`trainings`, `display`), keeping their state on disk (`state`). It reads finished runs as
candidates (`candidates`), measures their costs (`measure`), compares their scores and describes the
method (`terms`). `evaluate_run` is the last step of every training.
"""

from diapir.comparison.compare import compare
from diapir.evaluation.standings import Candidate, Cost, Failure, Results, Standing

__all__ = ["Candidate", "Cost", "Failure", "Results", "Standing", "compare"]
