"""The model card of a bundle: what the model is, its training and its evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from diapir.bundle.info import BundleInfo, SurveySettings
from diapir.bundle.weights_file import WEIGHTS


def write_card(info: BundleInfo) -> str:
    """The card in Markdown."""
    lines = [
        f"# {info.name}",
        "",
        "Predicts salt in seismic images. Input: grey tiles. Output: probability of salt per "
        "pixel.",
        "",
        f"- Architecture: {_listing(info.model.model_dump(exclude_none=True))}",
        f"- Input: {info.preprocess.size} × {info.preprocess.size} pixels, padded by "
        f"`{info.preprocess.pad}`; images larger than {info.window} pixels are cut into "
        "overlapping windows",
        f"- Post-processing: threshold {info.threshold:g}{_minimum(info)}",
        f"- Test-time augmentation: {'horizontal flip' if info.tta == 'flip' else info.tta}",
        *_survey(info.survey),
        *_trained(info),
        f"- Versions: {_listing(info.versions)}",
        *_exported(info),
        "",
        "## Evaluation",
        "",
        *_evaluated(info.metrics),
        "",
        "## Limitations",
        "",
        "The model represents its training tiles only. Data of another survey, sampling or "
        "processing may need fine-tuning on some labelled sections of it.",
        "",
    ]
    return "\n".join(lines)


def _minimum(info: BundleInfo) -> str:
    return f", minimum component size {info.min_area} px" if info.min_area else ""


def _survey(settings: SurveySettings | None) -> Iterator[str]:
    if settings is not None:
        clip = "" if settings.clip is None else f", amplitudes clipped at ±{settings.clip:.4g}"
        yield (
            f"- Settings of the survey it was adapted to: vertical ×{settings.vertical:g}, "
            f"horizontal ×{settings.horizontal:g}{clip}"
        )


def _trained(info: BundleInfo) -> Iterator[str]:
    if len(info.trainings) == 1:
        yield f"- Training: {_listing(info.training) or 'not recorded'}"
        return
    yield f"- Mean of {len(info.trainings)} models, each trained separately:"
    for member in info.trainings:
        yield f"  - {_listing(member)}"


def _exported(info: BundleInfo) -> Iterator[str]:
    export, weights = info.export, info.weights
    if export is None:
        return
    parity = export.parity
    stored = ", weights stored as float16" if export.half else ""
    yield (
        f"- Format: {' + '.join(export.files)}{stored}. Differs from the original network by at "
        f"most {parity.probability:.1e} in probability ({parity.logit:.1e} in logits); "
        f"{parity.flipped} of {parity.pixels} pixels of {parity.tiles} tiles ({parity.data}) "
        "change class"
    )
    if weights is not None:
        stored = ", large tensors stored as float16" if weights.half else ""
        yield f"- Trainable weights: {WEIGHTS}{stored}. `train.start` trains on from them"


def _evaluated(metrics: Mapping[str, Any]) -> Iterator[str]:
    """The tables of metrics with their confidence intervals: in sections, then of tiles alone."""
    inside = metrics.get("in_sections")
    if inside:
        yield from _in_sections(inside)
        yield ""
    scores = _scores(metrics)
    if not scores:
        if not inside:
            yield "Not evaluated yet: run `diapir evaluate` on held-out tiles."
        return
    alone = "Tiles alone, evaluated on" if inside else "Evaluated on"
    yield f"{alone}: {_listing(metrics.get('data', {})) or 'not recorded'}"
    yield ""
    yield from _table(scores, metrics.get("ci95", {}))


def _in_sections(metrics: Mapping[str, Any]) -> Iterator[str]:
    """The metrics of tiles inside their sections; `flips` in words."""
    scores = _scores(metrics)
    tiles, sections = scores.pop("n_tiles", "the"), scores.pop("n_sections", "their")
    scores.pop("n_groups", None)
    yield f"In sections: {tiles} tiles inside {sections} sections, each predicted as a whole."
    yield "`flips` is the share of pixels that change class when the windows are shifted by half"
    yield "their size."
    yield ""
    yield from _table(scores, metrics.get("ci95", {}))


def _scores(metrics: Mapping[str, Any]) -> dict[str, int | float]:
    return {key: value for key, value in metrics.items() if isinstance(value, int | float)}


def _table(scores: Mapping[str, int | float], intervals: Mapping[str, Any]) -> Iterator[str]:
    yield "| metric | value | 95% CI |"
    yield "|---|---|---|"
    for key, value in scores.items():
        low_high = intervals.get(key)
        interval = f"{low_high[0]:.4f} to {low_high[1]:.4f}" if low_high else ""
        shown = f"{value:.4f}" if isinstance(value, float) else str(value)
        yield f"| {key} | {shown} | {interval} |"


def _listing(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())
