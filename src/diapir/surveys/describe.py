"""What a survey is, in words and numbers: the answer of `diapir survey`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diapir.surveys.grid import Grid
from diapir.surveys.prediction.resample import TGS_FIRST_ZERO, first_zero
from diapir.surveys.segy.sample_formats import FORMAT_NAMES
from diapir.surveys.segy.segy_source import SegySurvey
from diapir.surveys.survey import Survey, sample_traces

_PERCENTS = (50, 90, 98, 99.9, 100)
_MATCHES = 1.25
"""Ratio of samplings below which resampling changes little."""


@dataclass(frozen=True)
class SurveyFacts:
    """What a survey is.

    Attributes:
        content: the JSON object.
        lines: the same for people.
    """

    content: dict[str, Any]
    lines: tuple[str, ...]


def describe(survey: Survey) -> SurveyFacts:
    """Say what a survey is: how it is stored, its geometry, its samples and amplitudes.

    Amplitudes are those of `SAMPLE_TRACES` live traces at most, so that time does not grow with
    the survey.

    Args:
        survey: just opened.
    """
    traces = sample_traces(survey)
    content: dict[str, Any] = {"path": str(survey.path), "name": survey.name}
    lines = [str(survey.path)]
    parts = (
        _storage(survey),
        _geometry(survey),
        _coordinates(survey),
        _samples(survey.grid),
        _amplitudes(traces),
        _sampling(traces),
    )
    for facts, said in parts:
        content |= facts
        lines += said
    content["notes"] = list(survey.notes)
    lines += [f"note         {note}" for note in survey.notes]
    return SurveyFacts(content, tuple(lines))


_Part = tuple[dict[str, Any], list[str]]


def _storage(survey: Survey) -> _Part:
    if not isinstance(survey, SegySurvey):
        return {"format": survey.path.suffix.removeprefix(".").lower() or "zarr"}, []
    layout = survey.layout
    major, minor = layout.revision
    revision = f"{major}.{minor}" if major else "0"
    facts = {
        "format": "segy",
        "revision": revision,
        "endian": layout.endian,
        "sample_format": layout.sample_format,
        "text_encoding": layout.encoding,
        "extended_text_headers": layout.extended,
        "trace_header_bytes": layout.header_bytes,
        "traces": layout.traces,
        "text": survey.text,
    }
    said = (
        f"SEG-Y        revision {revision}, {layout.endian}-endian, text in "
        f"{layout.encoding.upper()}, samples of format {layout.sample_format} "
        f"({FORMAT_NAMES[layout.sample_format]})"
    )
    return facts, [said]


def _geometry(survey: Survey) -> _Part:
    grid = survey.grid
    facts: dict[str, Any] = {"kind": grid.kind, "shape": list(grid.shape)}
    facts["live"] = int(grid.live.sum())
    positions = grid.live.size
    inline_byte = crossline_byte = None
    if isinstance(survey, SegySurvey):
        geometry = survey.geometry
        inline_byte, crossline_byte = geometry.choice.inline, geometry.choice.crossline
        absent = int(np.count_nonzero(geometry.traces < 0))
        dead = geometry.dead
        facts |= {
            "inline_byte": inline_byte,
            "crossline_byte": crossline_byte,
            "sorting": geometry.sorting,
            "candidates": [pair.to_json() for pair in geometry.choice.pairs],
        }
    else:
        absent, dead = 0, positions - facts["live"]
    facts |= {"gaps": absent, "dead": dead}
    lines = []
    if grid.kind == "2d":
        named = {None: "", 0: "in the order of the file, "}.get(
            crossline_byte, f"by CDP at byte {crossline_byte}, "
        )
        lines.append(f"line         2D, {named}{_axis(grid.crosslines)}")
        facts["crosslines"] = _axis_json(grid.crosslines)
    else:
        facts["inlines"], facts["crosslines"] = map(_axis_json, (grid.inlines, grid.crosslines))
        for name, numbers, byte in (
            ("inlines", grid.inlines, inline_byte),
            ("crosslines", grid.crosslines, crossline_byte),
        ):
            where = f" at byte {byte}" if byte else ""
            lines.append(f"{name:<12} {_axis(numbers)}{where}")
        if isinstance(survey, SegySurvey):
            words = {"none": "by neither number"}
            lines.append(f"sorted       {words.get(geometry.sorting, f'by {geometry.sorting}')}")
    share = f" ({absent / positions:.1%})" if absent else ""
    lines.append(
        f"traces       {positions - absent:,} at {positions:,} positions; {absent:,} gaps{share}, "
        f"{dead:,} dead"
    )
    if isinstance(survey, SegySurvey) and grid.kind == "3d":
        pairs = survey.geometry.choice.pairs
        others = [
            f"{pair.inline_byte} and {pair.crossline_byte}"
            for pair in pairs
            if pair.usable and pair.inline_byte != inline_byte
        ]
        if others:
            lines.append(f"also usable  bytes {', '.join(others)}, which score no higher")
    return facts, lines


def _coordinates(survey: Survey) -> _Part:
    grid = survey.grid
    known = np.isfinite(grid.easting)
    if not known.any():
        return {"coordinates": None}, ["coordinates  none"]
    facts: dict[str, Any] = {
        "easting": [float(grid.easting[known].min()), float(grid.easting[known].max())],
        "northing": [float(grid.northing[known].min()), float(grid.northing[known].max())],
        "spacing": [None if np.isnan(step) else step for step in grid.spacing],
    }
    where = ""
    if isinstance(survey, SegySurvey):
        choice, scalar = survey.geometry.choice, survey.geometry.scalar
        facts |= {"x_byte": choice.easting, "y_byte": choice.northing, "scalar": scalar}
        where = f" at bytes {choice.easting} and {choice.northing}, scalar {scalar}"
    lines = [
        f"coordinates  {_range(facts['easting'], 1)} east, {_range(facts['northing'], 1)} north"
        + where
    ]
    steps = [
        f"{step:.2f} from one {name} to the next"
        for step, name in zip(facts["spacing"], ("inline", "crossline"), strict=True)
        if step is not None
    ]
    if grid.kind == "2d":
        steps = [f"{facts['spacing'][1]:.2f} from one trace to the next"] * bool(
            facts["spacing"][1]
        )
    return {"coordinates": facts}, lines + ["spacing      " + ", ".join(steps)] * bool(steps)


def _samples(grid: Grid) -> _Part:
    end = grid.start + (grid.samples - 1) * grid.interval
    facts = {
        "samples": grid.samples,
        "interval": grid.interval,
        "start": grid.start,
        "end": end,
        "domain": grid.domain,
    }
    said = f"samples      {grid.samples:,}, every {grid.interval:g} {grid.unit}, "
    lines = [said + f"from {grid.start:g} to {end:g}"]
    if grid.domain == "unknown":
        lines.append(
            "domain       time or depth: the file cannot say; give --domain time or --domain depth"
        )
    else:
        lines.append(f"domain       {grid.domain}")
    return {"vertical": facts}, lines


def _amplitudes(traces: NDArray[np.float32]) -> _Part:
    finite = np.isfinite(traces)
    values = np.abs(traces[finite])
    odd = int(traces.size - values.size)
    percentiles = dict(
        zip(
            (f"p{percent:g}" for percent in _PERCENTS),
            np.percentile(values, _PERCENTS),
            strict=True,
        )
    )
    facts = {
        "traces": len(traces),
        "not_finite": odd,
        "absolute": {name: float(value) for name, value in percentiles.items()},
    }
    said = ", ".join(f"{name} {_rounded(value)}" for name, value in percentiles.items())
    lines = [
        f"amplitudes   {said.replace('p100', 'largest')} (absolute, of {len(traces):,} traces)"
    ]
    if odd:
        samples = "sample" if odd == 1 else "samples"
        lines.append(f"not finite   {odd:,} {samples} of these traces, taken as gaps")
    return {"amplitudes": facts}, lines


def _sampling(traces: NDArray[np.float32]) -> _Part:
    zero = first_zero(traces)
    if np.isnan(zero):
        return {"first_zero": None}, []
    ratio = TGS_FIRST_ZERO / zero
    if 1 / _MATCHES < ratio < _MATCHES:
        meaning = "as the tiles that models learn from"
    else:
        word = "coarser" if ratio > 1 else "finer"
        meaning = f"{max(ratio, 1 / ratio):.1f} times {word} than the tiles that models learn from"
        meaning += f" ({TGS_FIRST_ZERO}); --match-sampling auto evens that out"
    said = f"sampling     first zero of the autocorrelation after {zero:.1f} samples: {meaning}"
    return {"first_zero": zero}, [said]


def _axis(numbers: NDArray[np.int64]) -> str:
    if len(numbers) == 1:
        return f"1, number {numbers[0]}"
    steps = np.unique(np.diff(numbers))
    step = f"step {steps[0]}" if len(steps) == 1 else "uneven steps"
    return f"{len(numbers):,}, {numbers[0]} to {numbers[-1]}, {step}"


def _axis_json(numbers: NDArray[np.int64]) -> dict[str, int | None]:
    steps = np.unique(np.diff(numbers))
    return {
        "count": len(numbers),
        "first": int(numbers[0]),
        "last": int(numbers[-1]),
        "step": int(steps[0]) if len(steps) == 1 else None,
    }


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def _range(pair: list[float], digits: int) -> str:
    return f"{pair[0]:,.{digits}f} to {pair[1]:,.{digits}f}"
