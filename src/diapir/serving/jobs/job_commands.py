"""The command of each kind of job: what a user would type for the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from diapir.serving.jobs.job import RESULT, Job, Kind
from diapir.serving.request_errors import bad_request
from diapir.surveys.hints import SurveyHints

LABELS = "labels.json"
"""The strokes that an adaptation was started with, in its folder."""
LEAST_BUDGET_S, MOST_BUDGET_S = 10, 3600


@dataclass(frozen=True)
class Asked:
    """What a job is started on.

    Attributes:
        path: the survey or picture.
        name: its name.
        data: its id.
        model: name of the model.
        model_place: what the command line calls it.
        place: folder of the job.
        hints: what is known of survey files; none for pictures.
        threads: threads of a network.
        options: of the request.
    """

    path: Path
    name: str
    data: str
    model: str
    model_place: str
    place: Path
    hints: SurveyHints | None
    threads: int | None
    options: Mapping[str, Any]


def make_job(kind: Kind, asked: Asked, source: Job | None = None) -> Job:
    """The job of a request.

    Args:
        kind: what to do.
        asked: on what.
        source: the finished prediction that products are made of.

    Raises:
        RequestError: options that cannot be.
    """
    _refuse_unknown(kind, asked.options)
    running = [] if asked.threads is None else ["--threads", str(asked.threads)]
    words = {
        "predict": _predict,
        "products": _products,
        "adapt": _adapt,
        "suggest": _suggest,
    }[kind](asked, source)
    if kind != "products":
        words += [*running, *hint_words(asked.hints)]
    model = Path(asked.model).name
    titles = {
        "predict": f"Predict {asked.name} with {model}",
        "products": f"Horizons and bodies of {asked.name}",
        "adapt": f"Adapt {model} to {asked.name}",
        "suggest": f"Suggest what to label next in {asked.name}",
    }
    return Job(
        id=asked.place.name,
        kind=kind,
        title=titles[kind],
        words=tuple(words),
        data=asked.data,
        model=asked.model,
        source="" if source is None else source.id,
    )


def _predict(asked: Asked, source: Job | None) -> list[str]:
    words = ["predict", str(asked.path), "--model", asked.model_place]
    words += ["--out", str(asked.place / RESULT)]
    if asked.options.get("threshold") is not None:
        words += ["--threshold", f"{_number(asked.options, 'threshold', 0.001, 0.999):g}"]
    every = asked.options.get("every")
    if every is not None and asked.hints is not None:
        words += ["--every", f"{_number(asked.options, 'every', 2, 1000):.0f}"]
    if asked.options.get("products") and asked.hints is not None:
        words += ["--horizons"]
    return words


def _products(asked: Asked, source: Job | None) -> list[str]:
    if source is None or source.kind != "predict" or source.status != "done":
        raise bad_request("products of no finished prediction", "source: the id of a finished job")
    words = ["products", str(asked.place.parent / source.id / RESULT)]
    if asked.options.get("threshold") is not None:
        words += ["--threshold", f"{_number(asked.options, 'threshold', 0.001, 0.999):g}"]
    if asked.options.get("segy"):
        words += ["--formats", "opendtect", "--formats", "ply", "--formats", "segy"]
    return words


def _adapt(asked: Asked, source: Job | None) -> list[str]:
    words = ["adapt", str(asked.path), "--labels", str(asked.place / LABELS)]
    words += ["--out", str(asked.place / RESULT), "--model", asked.model_place]
    if asked.options.get("replay_share") is not None:
        words += ["--replay-share", f"{_number(asked.options, 'replay_share', 0, 0.99):g}"]
    steps = asked.options.get("steps")
    if steps is not None:
        return [*words, "--steps", f"{_number(asked.options, 'steps', 2, 100_000):.0f}"]
    if asked.options.get("budget_s") is None:  # about a minute, longer on a slow machine
        return words
    return [*words, "--budget", f"{_number(asked.options, 'budget_s', LEAST_BUDGET_S, 3600):.0f}s"]


def _suggest(asked: Asked, source: Job | None) -> list[str]:
    most = _number({"most": 40} | dict(asked.options), "most", 1, 1000)
    words = ["suggest", asked.model_place, str(asked.path), "--top", "5"]
    return [*words, "--most", f"{most:.0f}"]


OPTIONS: dict[Kind, frozenset[str]] = {
    "predict": frozenset({"threshold", "products", "every"}),
    "products": frozenset({"threshold", "segy"}),
    "adapt": frozenset({"budget_s", "steps", "replay_share"}),
    "suggest": frozenset({"most"}),
}
"""Options of each kind of job."""


def _refuse_unknown(kind: Kind, options: Mapping[str, Any]) -> None:
    unknown = sorted(set(options) - OPTIONS[kind])
    if unknown:
        raise bad_request(
            f"option {unknown[0][:40]!r} of {kind}", f"one of {', '.join(sorted(OPTIONS[kind]))}"
        )


def _number(options: Mapping[str, Any], name: str, low: float, high: float) -> float:
    value = options.get(name)
    known = isinstance(value, int | float) and not isinstance(value, bool)
    if value is None or not known or not low <= value <= high:
        raise bad_request(f"{name} {str(value)[:40]}", f"a number from {low:g} to {high:g}")
    return float(value)


def hint_words(hints: SurveyHints | None) -> list[str]:
    """The hints as options of the command line."""
    words: list[str] = []
    for one in fields(hints) if hints is not None else ():
        value = getattr(hints, one.name)
        if one.name == "extents" or value == one.default:
            continue
        for each in value if isinstance(value, tuple) else (value,):
            words += [f"--{one.name.replace('_', '-')}", str(each)]
    return words
