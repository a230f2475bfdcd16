"""The part of `diapir predict` that marks salt in lines and volumes."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter

from diapir.cli.options import Flag, Whole
from diapir.cli.output import Answer, Output
from diapir.cli.running import Running
from diapir.errors import ConfigError
from diapir.progress import LINE_EVERY_S, Progress, is_main_process

if TYPE_CHECKING:
    from diapir.surveys import Plan, Survey, SurveyHints, SurveySummary

SUFFIXES = frozenset({".sgy", ".segy", ".seg", ".zarr", ".mdio", ".npy"})
"""What ends like this is a survey."""

HOW = Group("Surveys", sort_key=50)

_Quiet = Parameter(show_default=False)
Formats = Annotated[
    tuple[Literal["segy", "npy", "none"], ...] | None, Parameter(negative="", show_default=False)
]
Products = Annotated[
    tuple[Literal["probability", "mask", "uncertainty", "coverage"], ...] | None,
    Parameter(negative="", show_default=False),
]


@Parameter(name="*", group=HOW)
@dataclass(frozen=True, kw_only=True)
class SurveyHow:
    """How surveys are predicted."""

    view: Literal["auto", "both", "inline", "crossline"] = "auto"
    """Sections along inlines, along crosslines, or both and averaged; `auto`: both of a volume."""
    average: Literal["arithmetic", "geometric"] = "arithmetic"
    """How two views become one: mean of probabilities, or of their log odds."""
    percentile: float = 98.0
    """Of absolute amplitudes of the whole survey: shown as full white, its negative as black."""
    scale: Annotated[float | None, _Quiet] = None
    """Amplitude of full white, instead of the percentile."""
    polarity: Literal["normal", "reversed", "both"] = "normal"
    """Sign in which amplitudes are shown; `both` averages the two at twice the cost."""
    match_sampling: Literal["auto", "none"] | float = "none"
    """`auto` resamples to as many samples a wavelet as TGS tiles have; a number: so many times."""
    tile: Literal["own", "auto"] | Whole = "own"
    """Pixels of a window; `own`: of the tiles the model learnt from, where it is at its best;
    `auto`: the fastest that its network may be shown."""
    overlap: float = 0.25
    """Least share of a window that its neighbour covers as well."""
    formats: Formats = None
    """Files beside the store; else SEG-Y for SEG-Y. May be given more than once."""
    products: Products = None
    """What the files hold; else probability and mask, and uncertainty of two views."""
    precision: Literal["uint8", "float16"] = "uint8"
    """How the store holds probabilities: in 254 steps, or as 16-bit numbers."""
    block: Annotated[Whole | None, _Quiet] = None
    """Inlines or crosslines of a task, a multiple of 8; else by memory."""
    horizons: Flag = False
    """Make horizons, bodies and meshes too, as `diapir products` does."""
    workers: Whole = 1
    """Processes on this machine."""
    scheduler: Annotated[str | None, _Quiet] = None
    """Address of a Dask scheduler; its workers, on any machines that see the files, do the work."""


AS_USUAL = SurveyHow()


def are_surveys(inputs: Sequence[Path]) -> bool:
    """Whether the inputs are lines and volumes rather than images.

    Raises:
        ConfigError: some are and some are not.
    """
    found = [path for path in inputs if path.suffix.lower() in SUFFIXES]
    if found and len(found) < len(inputs):
        other = next(path for path in inputs if path not in found)
        raise ConfigError(
            f"{found[0]} is a survey and {other} is none",
            expected="surveys alone, or images alone",
            fix="predict them in two calls",
        )
    return bool(found)


def predict_surveys(
    models: Sequence[Path],
    inputs: Sequence[Path],
    out: Path,
    *,
    threshold: float | None,
    running: Running,
    how: SurveyHow,
    hints: SurveyHints,
    output: Output,
) -> Answer:
    """Mark salt in lines and volumes, one after the other.

    Args:
        models: run folders or bundles; none is the shipped model.
        inputs: SEG-Y files, Zarr stores and NumPy arrays.
        out: folder to write to.
        threshold: probability from which a cell counts as salt, instead of the model's own.
        running: how networks run.
        how: how surveys are predicted.
        hints: what is known of the files.
        output: where lines and the answer go.
    """
    from diapir.surveys import SurveyOptions, open_survey, predict_survey

    _refuse_same_names(inputs)
    wanted = asdict(how)
    horizons = wanted.pop("horizons")
    if wanted["formats"] is not None:
        wanted["formats"] = tuple(name for name in wanted["formats"] if name != "none")
    options = SurveyOptions(**wanted, threshold=threshold)
    summaries = []
    for path in inputs:
        with output.progress(f"reading headers of {path.name}") as progress:
            survey = open_survey(path, hints, progress=progress)
        with contextlib.closing(survey), _speed(f"predicting {survey.name}", output) as progress:
            summary = predict_survey(
                list(models),
                survey,
                out,
                options,
                model_options=asdict(running),
                tell=partial(_tell, survey, output),
                progress=progress,
            )
        output.say(*_lines(summary))
        summaries.append(summary)
    answer = {"out": str(out), "surveys": [summary.to_json() for summary in summaries]}
    if horizons:
        from diapir.cli.products import products_of
        from diapir.surveys.products.make import ProductOptions

        answer["products"] = [
            made
            for summary in summaries
            for made in products_of(
                [summary.store], ProductOptions(threshold=summary.threshold), output
            )
        ]
    return Answer(answer)


def _refuse_same_names(inputs: Sequence[Path]) -> None:
    names: dict[str, Path] = {}
    for path in inputs:
        first = names.setdefault(path.stem, path)
        if first is not path:
            raise ConfigError(
                f"{first} and {path} would both be written as {path.stem}",
                expected="surveys whose names differ",
                fix="predict them in two calls, each with its own --out",
            )


def _tell(survey: Survey, output: Output, plan: Plan) -> None:
    output.say(f"{survey.path}", *(f"  {line}" for line in plan.lines()))


def _lines(summary: SurveySummary) -> list[str]:
    lines = [
        f"  {summary.salt_share:.1%} salt from a probability of {summary.threshold:g}",
        "  written: " + ", ".join(map(str, [summary.store, *summary.files])),
    ]
    if summary.pixels:
        lines[0] += f"; {summary.seconds:,.0f} s, {summary.mpx_per_s:.2f} Mpx/s"
    if summary.not_finite:
        lines.append(
            f"  {summary.not_finite:,} samples of live traces were no finite numbers; "
            "they are gaps in the result"
        )
    return lines


@contextlib.contextmanager
def _speed(doing: str, output: Output) -> Iterator[Progress | None]:
    """Progress in Mpx, with Mpx/s and time left."""
    if not is_main_process():
        yield None
    elif sys.stderr.isatty():
        with _bar(doing) as show:
            yield show
    else:
        yield _SpeedLines(doing)


class _SpeedLines:
    """A line every few seconds where there is no terminal; quick work stays silent."""

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._next = time.monotonic() + LINE_EVERY_S
        self._start: tuple[float, int] | None = None

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if self._start is None:
            self._start = now, done
        if now < self._next:
            return
        self._next = now + LINE_EVERY_S
        text = f"{self._doing}: {done / 1e6:,.1f} of {total / 1e6:,.1f} Mpx"
        rate = (done - self._start[1]) / max(1e-9, now - self._start[0])
        if rate:
            text += f", {rate / 1e6:.2f} Mpx/s, {(total - done) / rate:,.0f} s left"
        print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def _bar(doing: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns: list[Any] = [
        TextColumn(doing),
        BarColumn(),
        TextColumn("{task.completed:,.1f}/{task.total:,.1f} Mpx"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    ]
    with RichProgress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing, total=0, visible=False, rate="")

        def show(done: int, total: int) -> None:
            speed = bar.tasks[0].speed
            bar.update(
                task,
                completed=done / 1e6,
                total=total / 1e6,
                visible=True,
                rate=f"{speed:.2f} Mpx/s" if speed else "",
            )

        yield show
