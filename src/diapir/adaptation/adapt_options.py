"""The options of adapting a model, also a group of options on the command line; and its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from diapir.errors import refuse_options

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from diapir.adaptation.hold_out import HoldOut
    from diapir.adaptation.replay import Replay
    from diapir.adaptation.scale import ChosenScale
    from diapir.adaptation.survey_sections import LabelledSections
    from diapir.bundle import Bundle

BUDGET_S = 60.0
"""Time budget in seconds where neither it nor the steps are given."""


@dataclass(frozen=True, kw_only=True)
class AdaptOptions:
    """How a model is adapted.

    Raises:
        ConfigError: a value out of range, naming the option.
    """

    steps: int | None = None
    """Optimiser steps in all, instead of a time budget; the result can then be reproduced."""
    vertical: float | None = None
    """Resample traces by this factor; by default to the wavelet length of the training data."""
    horizontal: float | None = None
    """Resample the number of traces by this factor."""
    replay_share: float = 0.4
    """Share of windows of synthetic sections and the tiles of --replay; 0 for labels only."""
    pseudo_labels: bool = True
    """Train on confident predictions in sections without labels as well."""
    seed: int = 0
    """Seed of all random draws."""
    threads: int | None = None
    """CPU threads; by default all cores."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        refuse_options(
            (
                ("--steps", self.steps, self.steps is None or self.steps >= 2, "at least 2"),
                ("--vertical", self.vertical, _scale(self.vertical), "0.1 to 10"),
                ("--horizontal", self.horizontal, _scale(self.horizontal), "0.1 to 10"),
                ("--replay-share", self.replay_share, 0 <= self.replay_share < 1, "0 to below 1"),
                ("--threads", self.threads, (self.threads or 1) >= 1, "at least 1"),
                ("--seed", self.seed, self.seed >= 0, "0 or more"),
            ),
            problem="is out of range",
        )

    def asked(self) -> dict[str, Any]:
        """The options that decide the result; a run may be resumed with the same ones only."""
        return {
            "steps": self.steps,
            "vertical": self.vertical,
            "horizontal": self.horizontal,
            "replay-share": self.replay_share,
            "pseudo-labels": self.pseudo_labels,
            "seed": self.seed,
        }


@dataclass(frozen=True, eq=False)
class AdaptInputs:
    """What an adaptation works with, read and checked.

    Attributes:
        base: the model that is adapted.
        labelled: the labelled sections.
        others: images of sections without labels, `uint8 (samples, traces)` each.
        scale: how sections are shown to the network.
        held: the labels divided into those to train on first and those to evaluate on.
        replay: tiles to train on as well; None for labels only.
        options: how the model is adapted.
    """

    base: Bundle
    labelled: LabelledSections
    others: Sequence[NDArray[np.uint8]]
    scale: ChosenScale
    held: HoldOut
    replay: Replay | None
    options: AdaptOptions


def _scale(factor: float | None) -> bool:
    return factor is None or 0.1 <= factor <= 10
