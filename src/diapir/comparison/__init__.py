"""Models compared on equal terms: recipes trained here, or finished runs.

`compare` plans the trainings (`training_plan`, `variants`), runs them one after the other (`trainings`,
`display`) and remembers them (`state`). Finished runs become candidates (`candidates`), whose costs
are measured (`measure`) and whose scores are set against each other; how all that was done goes
into the report as `terms`. `evaluate_run` is what follows every training.
"""

from diapir.comparison.compare import compare
from diapir.evaluation.standings import Candidate, Cost, Failure, Results, Standing

__all__ = ["Candidate", "Cost", "Failure", "Results", "Standing", "compare"]
