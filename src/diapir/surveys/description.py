"""The description of a survey, in words and as JSON: the answer of `diapir survey`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diapir.inference.sections.no_data import (
    has_few_levels,
    least_run,
    no_data,
    with_true_zeros,
)
from diapir.inference.sections.wavelet import TGS_FIRST_ZERO, TGS_SPREAD, first_zero
from diapir.surveys.grid import Grid
from diapir.surveys.restricted import RestrictedSurvey, places, whole_survey
from diapir.surveys.sampling import sample_traces
from diapir.surveys.segy.header_choice import HeaderChoice
from diapir.surveys.segy.sample_formats import FORMAT_NAMES
from diapir.surveys.segy.segy_source import SegySurvey
from diapir.surveys.segy.text_header import text_lines
from diapir.surveys.survey import Survey
from diapir.text import percent, plural

_PERCENTS = (50, 90, 98, 99.9, 100)


@dataclass(frozen=True)
class SurveyFacts:
    """The description of a survey.

    Attributes:
        content: the JSON object.
        lines: the same for people.
    """

    content: dict[str, Any]
    lines: tuple[str, ...]


def describe(survey: Survey) -> SurveyFacts:
    """Describe a survey: file format, geometry, samples and amplitudes.

    Amplitudes are those of at most `SAMPLE_TRACES` live traces, so that time does not grow with the
    survey.

    Args:
        survey: just opened.
    """
    traces = sample_traces(survey)
    content: dict[str, Any] = {"path": str(survey.path), "name": survey.name}
    lines = [str(survey.path)]
    if isinstance(survey, RestrictedSurvey):
        content["part"] = [extent.to_json() for extent in survey.spec().hints.extents]
        lines.append(_line("part", survey.part))
    parts = (
        _storage(survey),
        _geometry(survey),
        _coordinates(survey),
        _samples(survey),
        _amplitudes(traces),
        _no_signal(traces),
        _sampling(traces),
        _text(survey),
    )
    for facts, told in parts:
        content |= facts
        lines += told
    content["notes"] = list(survey.notes)
    lines += [_line("note", note) for note in survey.notes]
    return SurveyFacts(content, tuple(lines))


_Part = tuple[dict[str, Any], list[str]]
"""A part of the JSON object, and the lines that say the same."""


def _line(label: str, text: str) -> str:
    return f"{label:<12} {text}"


def _storage(survey: Survey) -> _Part:
    survey = whole_survey(survey)
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
        "data_start": layout.data_start,
        "trace_header_bytes": layout.header_bytes,
        "trace_bytes": layout.trace_bytes,
        "traces": layout.traces,
        "text": survey.text,
    }
    told = (
        f"revision {revision}, {layout.endian}-endian, text header in {layout.encoding.upper()}, "
        f"sample format {layout.sample_format} ({FORMAT_NAMES[layout.sample_format]})"
    )
    return facts, [_line("SEG-Y", told)]


def _geometry(survey: Survey) -> _Part:
    grid = survey.grid
    positions, live = grid.live.size, int(grid.live.sum())
    facts: dict[str, Any] = {"kind": grid.kind, "shape": list(grid.shape), "live": live}
    gaps, dead = 0, positions - live
    whole = whole_survey(survey)
    if isinstance(whole, SegySurvey):
        geometry = whole.geometry
        rows, columns, _ = places(survey)
        gaps = int(np.count_nonzero(geometry.traces[np.ix_(rows, columns)] < 0))
        dead = geometry.dead if survey is whole else dead - gaps
        facts |= {
            "inline_byte": geometry.choice.inline,
            "crossline_byte": geometry.choice.crossline,
            "sorting": geometry.sorting,
            "candidates": [pair.to_json() for pair in geometry.choice.pairs],
        }
    facts |= {"gaps": gaps, "dead": dead}
    if grid.kind == "3d":
        facts["inlines"] = _axis_json(grid.inlines)
    facts["crosslines"] = _axis_json(grid.crosslines)
    lines = _axis_lines(survey)
    share = f" ({percent(gaps / positions, 1)})" if gaps else ""
    lines.append(
        _line(
            "traces",
            f"{positions - gaps:,} at {positions:,} positions; {gaps:,} gaps{share}, {dead:,} dead",
        )
    )
    if isinstance(whole, SegySurvey) and grid.kind == "3d":
        lines += _other_pairs(whole.geometry.choice)
    return facts, lines


def _axis_lines(survey: Survey) -> list[str]:
    grid = survey.grid
    whole = whole_survey(survey)
    geometry = whole.geometry if isinstance(whole, SegySurvey) else None
    if grid.kind == "2d":
        order = ""
        if geometry is not None:
            cdp = geometry.choice.crossline
            order = f", CDP byte {cdp}" if cdp else ", in file order"
        return [_line("line", f"2D, {_axis(grid.crosslines)}{order}")]
    lines = []
    for name, numbers in (("inlines", grid.inlines), ("crosslines", grid.crosslines)):
        where = ""
        if geometry is not None:
            choice = geometry.choice
            where = f", byte {choice.inline if name == 'inlines' else choice.crossline}"
        lines.append(_line(name, _axis(numbers) + where))
    if geometry is not None:
        unsorted = geometry.sorting == "none"
        lines.append(_line("sorted", "no" if unsorted else f"by {geometry.sorting}"))
    return lines


def _other_pairs(choice: HeaderChoice) -> list[str]:
    others = [
        f"{pair.inline_byte}/{pair.crossline_byte}"
        for pair in choice.pairs
        if pair.usable and pair.inline_byte != choice.inline
    ]
    return [_line("byte pairs", f"others that fit as well: {', '.join(others)}")] if others else []


def _coordinates(survey: Survey) -> _Part:
    grid = survey.grid
    known = np.isfinite(grid.easting)
    if not known.any():
        return {"coordinates": None}, [_line("coordinates", "none")]
    facts: dict[str, Any] = {
        "easting": [float(grid.easting[known].min()), float(grid.easting[known].max())],
        "northing": [float(grid.northing[known].min()), float(grid.northing[known].max())],
        "unit": grid.xy_unit,
        "spacing": [None if np.isnan(step) else step for step in _spacing(grid)],
        "spacing_unit": "ft" if grid.xy_unit == "ft" else "m",
    }
    where = ""
    whole = whole_survey(survey)
    if isinstance(whole, SegySurvey):
        choice, scalar = whole.geometry.choice, whole.geometry.scalar
        facts |= {"x_byte": choice.easting, "y_byte": choice.northing, "scalar": scalar}
        where = f" (bytes {choice.easting} and {choice.northing}, scalar {scalar})"
    digits = 5 if grid.xy_unit == "degrees" else 1
    told = f"{_range(facts['easting'], digits)} E, {_range(facts['northing'], digits)} N"
    lines = [_line("coordinates", f"{told}, in {grid.xy_unit}{_assumed(whole)}{where}")]
    between = ("inlines", "crosslines") if grid.kind == "3d" else ("lines", "traces")
    steps = [
        f"{step:.2f} {facts['spacing_unit']} between {name}"
        for step, name in zip(facts["spacing"], between, strict=True)
        if step is not None
    ]
    if steps:
        lines.append(_line("spacing", ", ".join(steps)))
    return {"coordinates": facts}, lines


def _samples(survey: Survey) -> _Part:
    grid = survey.grid
    end = grid.start + (grid.samples - 1) * grid.interval
    facts = {
        "samples": grid.samples,
        "interval": grid.interval,
        "start": grid.start,
        "end": end,
        "domain": grid.domain,
        "unit": grid.unit,
    }
    extent = f"{grid.start:g}–{end:g}"
    if grid.domain != "unknown":
        told = f"{grid.samples:,}, interval {grid.interval:g} {grid.unit}, {extent} {grid.unit}"
        stated = grid.domain == "time" or _is_stated(whole_survey(survey))
        assumed = "" if stated else f", in {grid.unit}, assumed: --depth-unit changes it"
        return {"vertical": facts}, [_line("samples", told), _line("domain", grid.domain + assumed)]
    reason = ": SEG-Y does not record it" if isinstance(whole_survey(survey), SegySurvey) else ""
    lines = [
        _line("samples", f"{grid.samples:,}, interval {grid.interval:g} ({grid.unit}), {extent}"),
        _line("domain", f"unknown{reason}. Add --domain time or --domain depth"),
    ]
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
    told = ", ".join(f"{name} {_rounded(value)}" for name, value in percentiles.items())
    told = told.replace("p100", "maximum")
    lines = [_line("amplitudes", f"{told} (absolute values of {plural(len(traces), 'trace')})")]
    if odd:
        lines.append(_line("not finite", f"{plural(odd, 'sample')} of these traces, read as gaps"))
    return {"amplitudes": facts}, lines


def _no_signal(traces: NDArray[np.float32]) -> _Part:
    """Runs of equal samples, which `diapir predict` takes for no data."""
    scale = float(np.percentile(np.abs(traces[np.isfinite(traces)]), _PERCENTS[2]))
    plain = with_true_zeros(traces, scale)
    least = least_run(first_zero(traces), coarse=has_few_levels(traces))
    share = float(no_data(plain, least).mean())
    told = f"{percent(share, 1)} of samples, in runs of at least {least} equal ones along a trace"
    return {"no_signal": share}, [_line("no signal", told)] if share else []


def _text(survey: Survey) -> _Part:
    """The text header, and what it hints at."""
    whole = whole_survey(survey)
    if not isinstance(whole, SegySurvey):
        return {}, []
    hints = whole.hints
    facts = {
        "domain": hints.domain[0] if hints.domain else None,
        "reference_system": list(hints.crs),
        "feet": hints.feet or None,
    }
    lines = [_line("text header", line) for line in text_lines(whole.text)]
    lines[1:] = [line.replace("text header", " " * 11) for line in lines[1:]]
    if hints.crs:
        told = "named in the text header, which may be of another file: "
        lines.append(_line("coordinates", told + "; ".join(hints.crs)))
    return {"text_hints": facts}, lines


def _sampling(traces: NDArray[np.float32]) -> _Part:
    zero = first_zero(traces)
    if np.isnan(zero):
        return {"first_zero": None}, []
    low, high = (bound * TGS_FIRST_ZERO for bound in TGS_SPREAD)
    told = f"first zero of the autocorrelation at {zero:.1f} samples; TGS sections {low:.1f}–"
    told += f"{high:.1f}"
    if not low <= zero <= high:
        word = "coarser" if zero < low else "finer"
        ratio = max(zero / TGS_FIRST_ZERO, TGS_FIRST_ZERO / zero)
        told += f": {word} by {ratio:.1f}, diapir predict resamples where its model needs it"
    return {"first_zero": zero}, [_line("sampling", told)]


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


def _spacing(grid: Grid) -> tuple[float, float]:
    """Distances between neighbours, in metres where the coordinates are degrees."""
    return grid.spacing_m if grid.xy_unit == "degrees" else grid.spacing


def _assumed(survey: Survey) -> str:
    """What to say about a unit of lengths that neither file nor user states."""
    known = survey.grid.xy_unit == "degrees" or _is_stated(survey)
    return "" if known else ", assumed: --coordinate-unit changes it"


def _is_stated(survey: Survey) -> bool:
    """Whether file or user state the unit of lengths."""
    return isinstance(survey, SegySurvey) and survey.units.stated
