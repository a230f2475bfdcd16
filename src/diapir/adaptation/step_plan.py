"""How many steps each stage of an adaptation has."""

from __future__ import annotations

from dataclasses import dataclass

MOST_STEPS = 120
"""Steps on labels alone within a time budget, and half as many more for each further section. With
more the network learns its few lines by heart, and finds less on others."""
FIRST = 0.45
"""Share of the steps on labels alone that are done without the held-out ones."""
PSEUDO = 1 / 3
"""Share of all steps that are done on pseudo-labels as well."""
LEAST = 5
"""Least steps of a stage, even if an earlier one took longer than planned."""


@dataclass(frozen=True)
class StepPlan:
    """The stages of an adaptation.

    Attributes:
        holds_out: whether there is a stage without the held-out labels.
        self_trains: whether there is one on pseudo-labels.
        sections: number of labelled sections.
    """

    holds_out: bool
    self_trains: bool
    sections: int = 1

    @property
    def stages(self) -> int:
        """Number of the last stage."""
        return 3 if self.self_trains else 2

    def weight(self, stage: int) -> float:
        """A stage's share of all steps."""
        pseudo = PSEUDO if self.self_trains else 0.0
        first = FIRST * (1 - pseudo) if self.holds_out else 0.0
        return {1: first, 2: 1 - pseudo - first, 3: pseudo}[stage]

    def share_of_rest(self, stage: int) -> float:
        """A stage's share of the steps that are left when it begins."""
        return self.weight(stage) / sum(self.weight(later) for later in range(stage, 4))

    def given(self, total: int, stage: int, before: int) -> int:
        """Steps of a stage where the number of all is given.

        Args:
            total: steps of all stages.
            stage: the stage.
            before: steps of earlier stages.
        """
        left = total - before
        later = sum(self.weight(each) > 0 for each in range(stage + 1, 4))
        return max(0, min(left - later, max(1, round(left * self.share_of_rest(stage)))))

    def most(self, stage: int, before: int) -> int:
        """Most steps of a stage within a time budget; the second may use what the first left."""
        on_labels = MOST_STEPS * (1 + (self.sections - 1) / 2)
        every = on_labels / (1 - self.weight(3))
        if stage == 2:
            return max(LEAST, round(on_labels - before))
        return max(LEAST, round(every * self.weight(stage)))
