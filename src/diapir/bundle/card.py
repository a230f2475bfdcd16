"""The model card of a bundle: what the model is, its training and its evaluation."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from typing import Any

from diapir.bundle.info import BundleInfo, SurveySettings
from diapir.bundle.weights_file import WEIGHTS


def write_card(info: BundleInfo) -> str:
    """The card in Markdown."""
    lines = [
        f"# {_inert(info.name)}",
        "",
        "Predicts salt in seismic images. Input: grey tiles. Output: probability of salt per "
        "pixel.",
        "",
        f"- Architecture: {_listing(info.model.model_dump(exclude_none=True))}",
        f"- Input: {info.preprocess.side} × {info.preprocess.side} pixels, padded by "
        f"`{info.preprocess.pad}`; images larger than {info.section_size} pixels are cut into "
        "overlapping windows",
        f"- Post-processing: threshold {info.threshold:g}{_minimum(info)}",
        f"- Test-time augmentation: {'horizontal flip' if info.tta == 'flip' else info.tta}",
        *_survey(info.survey),
        *_tuned(info),
        *_trained(info),
        *_training_tiles(info),
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


def _tuned(info: BundleInfo) -> Iterator[str]:
    for tuned in info.tuned:
        checked = tuned.cross_validated
        yield (
            f"- Post-processing was tuned on {_inert(tuned.data)}, part {_inert(tuned.part)}, "
            f"{len(tuned.tiles)} tiles: Kaggle mAP {tuned.kaggle_map:.4f} there"
            + ("" if checked is None else f", {checked:.4f} cross-validated")
        )


def _training_tiles(info: BundleInfo) -> Iterator[str]:
    tiles = info.training_tiles
    if tiles is not None:
        part = "" if tiles.complete else "; those of a model it was made from are not recorded"
        yield (
            f"- Fingerprints of {len(tiles)} training tiles are in `bundle.json`: "
            f"`diapir evaluate` does not score these tiles{part}"
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
    stored += ", convolutions in int8" if export.int8 else ""
    yield (
        f"- Format: {' + '.join(export.files)}{stored}. Differs from the original network by at "
        f"most {parity.probability:.1e} in probability ({parity.logit:.1e} in logits); "
        f"{parity.flipped} of {parity.pixels} pixels of {parity.tiles} tiles "
        f"({_inert(parity.data)}) "
        "change class"
    )
    if export.bf16 is not None:
        bf16 = export.bf16
        yield (
            f"- In bfloat16 (OpenVINO) {bf16.flipped} of {bf16.pixels} pixels of {bf16.tiles} "
            f"tiles ({_inert(bf16.data)}) change class; probabilities differ by "
            f"{bf16.mean or 0:.1e} on average"
        )
    if weights is not None:
        stored = ", large tensors stored as float16" if weights.half else ""
        yield f"- Trainable weights: {WEIGHTS}{stored}. `train.start` trains on from them"


def _evaluated(metrics: Mapping[str, Any]) -> Iterator[str]:
    """The table of metrics with their confidence intervals."""
    scores = {key: value for key, value in metrics.items() if isinstance(value, int | float)}
    if not scores:
        yield "Not evaluated yet: run `diapir evaluate` on held-out tiles."
        return
    yield from _in_sections(metrics.get("in_sections"))
    yield f"Evaluated on: {_listing(metrics.get('data', {})) or 'not recorded'}"
    yield ""
    yield "| metric | value | 95% CI |"
    yield "|---|---|---|"
    for key, value in scores.items():
        shown = f"{value:.4f}" if isinstance(value, float) else str(value)
        yield f"| {_inert(key)} | {shown} | {_interval(metrics, key)} |"


def _in_sections(block: Mapping[str, Any] | None) -> Iterator[str]:
    """The scores of tiles inside their sections: what to expect of a survey, so they come first."""
    if not block:
        return
    alone = block["alone"]
    yield (
        f"**In sections: Dice {block['dice']:.3f}, Kaggle mAP {block['kaggle_map']:.3f}.** Inside "
        f"their whole sections, as in a survey: {block['n_tiles']} tiles in {block['n_sections']} "
        f"sections. The same tiles alone: Dice {alone['dice']:.3f}, Kaggle mAP "
        f"{alone['kaggle_map']:.3f}. {100 * block['flips']:.1f} % of the pixels change class when "
        "the windows shift by half their size."
    )
    yield ""
    yield "| metric | in sections | 95% CI | same tiles alone | 95% CI |"
    yield "|---|---|---|---|---|"
    for key, value in alone.items():
        if isinstance(value, float):
            inside = f"{block[key]:.4f} | {_interval(block, key)}"
            yield f"| {key} | {inside} | {value:.4f} | {_interval(alone, key)} |"
    yield f"| flips | {block['flips']:.4f} | {_interval(block, 'flips')} | | |"
    yield ""
    yield "All evaluated tiles, each alone:"
    yield ""


def _interval(metrics: Mapping[str, Any], key: str) -> str:
    low_high = metrics.get("ci95", {}).get(key)
    return f"{low_high[0]:.4f} to {low_high[1]:.4f}" if low_high else ""


def _listing(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{_inert(key)} {_inert(value)}" for key, value in values.items())


def _inert(value: object) -> str:
    """Text of a recipe or a tile set in one line, without HTML or links: cards travel."""
    text = html.escape(" ".join(str(value).split()), quote=False)
    return text.replace("](", "]\\(").replace("|", "\\|")
