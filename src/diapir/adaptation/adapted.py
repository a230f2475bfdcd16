"""The result of an adaptation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from diapir.adaptation.held_out_score import HeldOutScore


@dataclass(frozen=True)
class Adaptation:
    """The result of an adaptation.

    Attributes:
        run: the run folder.
        model: the adapted model's bundle.
        report: the page; None where the packages that write it are not installed.
        labelled: what it was adapted to, in words.
        places: place of each labelled section by its name, as `Section.place`.
        held_out: what was held out, in words.
        before: the original model on the held-out labels; None where nothing was held out.
        after: the first stage on them.
        threshold: probability from which a sample is salt.
        settings: how sections are shown to the network.
        steps: optimiser steps of all stages.
        seconds: duration, in this and earlier calls.
        notes: guesses and what could not be done.
        failed: surveys that could not be used, as `failure` describes them.
    """

    run: Path
    model: Path
    report: Path | None
    labelled: str
    places: dict[str, tuple[str, int] | None]
    held_out: str
    before: HeldOutScore | None
    after: HeldOutScore | None
    threshold: float
    settings: dict[str, Any]
    steps: int
    seconds: float
    notes: tuple[str, ...]
    failed: tuple[dict[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The JSON object."""
        return asdict(self) | {
            "run": str(self.run),
            "model": str(self.model),
            "report": None if self.report is None else str(self.report),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Adaptation:
        """The adaptation that `to_json` gave."""

        def scored(key: str) -> HeldOutScore | None:
            return None if content[key] is None else HeldOutScore.from_json(content[key])

        report = content["report"]
        own = {
            "run": Path(content["run"]),
            "model": Path(content["model"]),
            "report": None if report is None else Path(report),
            "before": scored("before"),
            "after": scored("after"),
            "notes": tuple(content["notes"]),
            "failed": tuple(content.get("failed", ())),
            "places": {
                name: None if place is None else tuple(place)
                for name, place in content["places"].items()
            },
        }
        return cls(**{**content, **own})
