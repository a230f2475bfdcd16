"""A sign that a model is out of its depth: it is unsure of most of the salt that it finds.

Chosen among other signs (disagreement between shifted windows and between mirrored images, length
of the mask's edge, entropy, grey levels, sampling) by measurement; docs/results.md has hits and
false alarms. It costs nothing, as it needs the probabilities alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diapir.text import listing, percent, plural

POSSIBLE, CERTAIN = 0.1, 0.9
"""A sample with at least the first probability may be salt; with the second, it is certain."""
UNSURE = 0.85
"""Share of unsure samples, among those that may be salt, from which predictions often fail."""
LEAST_SALT = 0.005
"""Share of salt below which the sign tells nothing, as a few samples decide it."""
ADVICE = (
    "In tests, half of such sections had a Dice below 0.5; where it was surer, one in twenty. "
    "Compare the mask with the section before you use it; label one line of the survey and run "
    "`diapir adapt`"
)


@dataclass
class Confidence:
    """How sure a model is of what it found, added up over sections.

    Attributes:
        samples: samples with a probability.
        salt: of these, with a probability of at least the threshold.
        possible: with one of at least `POSSIBLE`.
        certain: with one of at least `CERTAIN`.
    """

    samples: int = 0
    salt: int = 0
    possible: int = 0
    certain: int = 0

    def add(self, probability: NDArray[np.float32], threshold: float) -> None:
        """Count a section.

        Args:
            probability: `float32` of any shape, NaN where there is no value.
            threshold: probability from which a sample is salt.
        """
        self.samples += int(np.count_nonzero(~np.isnan(probability)))
        self.salt += int(np.count_nonzero(probability >= threshold))
        self.possible += int(np.count_nonzero(probability >= POSSIBLE))
        self.certain += int(np.count_nonzero(probability >= CERTAIN))

    @property
    def unsure(self) -> float:
        """Share of the samples that may be salt without being certain, in [0, 1]; 0 without any."""
        return 1 - self.certain / self.possible if self.possible else 0.0

    @property
    def doubtful(self) -> bool:
        """Whether predictions like this one often fail."""
        return self.salt >= LEAST_SALT * self.samples > 0 and self.unsure >= UNSURE

    def caveats(self) -> list[str]:
        """The caveat, where there is one."""
        if not self.doubtful:
            return []
        return [
            f"the model is unsure here: of the samples that may be salt (probability ≥ "
            f"{POSSIBLE:g}), {percent(self.unsure)} stay below {CERTAIN:g}. {ADVICE}"
        ]


def image_caveats(found: dict[str, Confidence]) -> list[str]:
    """The caveat about images larger than a tile, where there is one.

    Args:
        found: the confidence in each of them, by its name.
    """
    doubtful = [name for name, confidence in found.items() if confidence.doubtful]
    if len(found) == 1:
        return next(iter(found.values())).caveats()
    if not doubtful:
        return []
    return [
        f"the model is unsure in {len(doubtful)} of {plural(len(found), 'image')} larger than a "
        f"tile ({listing(doubtful)}): of the pixels that may be salt (probability ≥ "
        f"{POSSIBLE:g}), at least {percent(UNSURE)} stay below {CERTAIN:g}. {ADVICE}"
    ]
