"""The section to label next: where a model is least sure, and where its views disagree.

Each section is predicted twice: as it is, and mirrored with windows shifted by half a window. The
doubt of a sample is 2 · min(p, 1 − p) of the mean of both, so it is 1 where they contradict each
other or both cannot tell, and 0 where both are sure of the same. A section's doubt is the mean over
its samples.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from diapir.adaptation.hold_out import LINE_GAP
from diapir.adaptation.run_state import MARKER
from diapir.adaptation.unlabelled import Unlabelled, Wanted, unlabelled_sections
from diapir.bundle import SurveySettings
from diapir.errors import DataError
from diapir.inference import EngineOptions, Segmenter, open_models
from diapir.inference.sections.presentation import present, restore, settings_of
from diapir.json_text import parse_json
from diapir.progress import Progress
from diapir.surveys import SurveyHints
from diapir.text import percent, plural

MOST = 40
"""Sections of a volume that are looked at, in all views."""
LEAST_DOUBT = 0.0005
"""Doubt below which a section is not named: 0.0 % in words."""

Place = tuple[str, int]


@dataclass(frozen=True)
class Suggestion:
    """A section that could be labelled next.

    Attributes:
        name: of the section: inline 241, or the name of the line or picture.
        doubt: mean doubt of its samples, in [0, 1].
        salt_share: share of its samples that are predicted as salt.
    """

    name: str
    doubt: float
    salt_share: float

    def to_json(self) -> dict[str, Any]:
        """The JSON object."""
        return asdict(self)


def suggest(
    model: str | Path,
    inputs: str | Path | Sequence[str | Path],
    *,
    top: int = 5,
    most: int = MOST,
    hints: SurveyHints | None = None,
    engine: EngineOptions | None = None,
    tell: Callable[[str], object] = lambda note: None,
    fail: Callable[[dict[str, str]], object] = lambda failure: None,
    progress: Progress | None = None,
) -> list[Suggestion]:
    """Name the sections whose labels would help a model most.

    Sections that the model was adapted to, and lines beside them, are left out; so are sections in
    which hardly anything is in doubt.

    Args:
        model: a run of `adapt`, or any other model.
        inputs: a survey, several 2D lines or a folder of them, or pictures.
        top: number of sections to name.
        most: sections of a volume to look at, spread evenly.
        hints: what is known of survey files.
        engine: how the network runs.
        tell: called with each oddity of a survey's file, and where sections without doubt were left
            out.
        fail: called with what is wrong with one of several surveys, which stops no other.
        progress: called with the sections done and the number there are.

    Returns:
        The sections, the most doubtful first; lines near a better one are left out. Empty if
        the model is sure of all.

    Raises:
        DataError: no section is left to suggest.
        DiapirError: a model or inputs that cannot be used.
    """
    paths = [inputs] if isinstance(inputs, str | Path) else inputs
    files = [Path(path) for path in paths]
    segmenter = open_models([model], engine or EngineOptions())
    settings = settings_of(segmenter.bundles)
    known = _labelled(Path(model))
    wanted = Wanted(most, known=known, clip=settings.clip if settings else None)
    chosen = unlabelled_sections(files, wanted, out=Path(MARKER), hints=hints, tell=tell, fail=fail)
    found: list[tuple[Suggestion, Place | None]] = []
    for done, (candidate, total) in enumerate(chosen, start=1):
        if candidate is not None:
            found.append((_assess(segmenter, candidate, settings), candidate.place))
        if progress:
            progress(done, total)
    places = [place for name, place in known.items() if place is not None]
    left = [one for one in found if not any(_near(one[1], place) for place in places)]
    doubtful = [one for one in left if one[0].doubt >= LEAST_DOUBT]
    if not left:
        raise DataError(
            f"no section of {', '.join(map(str, files))} is left to suggest",
            expected="sections other than those that the model was adapted to",
            fix="give the whole survey, or further lines",
        )
    if sure := len(left) - len(doubtful):
        tell(
            f"the model is sure of {sure} of {plural(len(left), 'section')} "
            f"(doubt below {percent(LEAST_DOUBT, 2)}), left out"
        )
    return _best(doubtful, top)


def _best(found: Sequence[tuple[Suggestion, Place | None]], top: int) -> list[Suggestion]:
    """The most doubtful sections, no two of them near each other."""
    best: list[Suggestion] = []
    places: list[Place | None] = []
    for suggestion, place in sorted(found, key=lambda each: -each[0].doubt):
        if len(best) < top and not any(_near(place, other) for other in places):
            best.append(suggestion)
            places.append(place)
    return best


def _labelled(run: Path) -> dict[str, Place | None]:
    """Names and places of the sections that a run was adapted to; none for other models."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        finished = parse_json((run / MARKER).read_bytes())["finished"]
        return {
            name: None if place is None else (str(place[0]), int(place[1]))
            for name, place in finished["places"].items()
        }
    return {}


def _near(place: Place | None, other: Place | None) -> bool:
    if place is None or other is None or place[0] != other[0]:
        return False
    return abs(place[1] - other[1]) <= LINE_GAP


def _assess(
    segmenter: Segmenter, candidate: Unlabelled, settings: SurveySettings | None
) -> Suggestion:
    shown = present(candidate.image, settings)
    shift = max(grid.size for grid in segmenter.grids) // 2
    left = min(shift, shown.shape[1] - 1)
    moved = np.pad(shown, ((0, 0), (left, 0)), mode="reflect")[:, ::-1]
    (plain,) = segmenter.probabilities([shown])
    (mirrored,) = segmenter.probabilities([np.ascontiguousarray(moved)])
    mean = (plain + mirrored[:, ::-1][:, left:]) / 2
    doubtful = restore(np.ascontiguousarray(mean, np.float32), candidate.image.shape)
    return Suggestion(
        candidate.name,
        float((2 * np.minimum(doubtful, 1 - doubtful)).mean()),
        float((doubtful >= segmenter.threshold).mean()),
    )
