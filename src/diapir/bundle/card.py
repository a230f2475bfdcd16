"""The card of a bundle: what the model is, what it learnt from, how good it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from diapir.bundle.info import BundleInfo, Export


def write_card(info: BundleInfo) -> str:
    """The card in Markdown: what the model is, what it was trained on, how good it is."""
    metrics = {key: value for key, value in info.metrics.items() if isinstance(value, int | float)}
    intervals = info.metrics.get("ci95", {})
    lines = [
        f"# {info.name}",
        "",
        "Marks salt in seismic images. Input: grey tiles; output: the probability of salt of each "
        "pixel.",
        "",
        f"- Architecture: {_listing(info.model.model_dump(exclude_none=True))}",
        f"- Input: {info.preprocess.size} × {info.preprocess.size} pixels, padded by "
        f"`{info.preprocess.pad}`; images of more than {info.window} pixels are cut into "
        "overlapping windows",
        f"- A pixel counts as salt from a probability of {info.threshold:g}{_judging(info)}",
        *_trained(info),
        f"- Made with: {_listing(info.versions)}",
        *_exported(info.export),
        "",
        "## How good it is",
        "",
    ]
    if metrics:
        lines += [
            f"Measured on: {_listing(info.metrics.get('data', {})) or 'not recorded'}",
            "",
            "| metric | value | 95 % interval |",
            "|---|---|---|",
        ]
        for key, value in metrics.items():
            low_high = intervals.get(key)
            interval = f"{low_high[0]:.4f} to {low_high[1]:.4f}" if low_high else ""
            shown = f"{value:.4f}" if isinstance(value, float) else str(value)
            lines.append(f"| {key} | {shown} | {interval} |")
    else:
        lines.append("Not measured yet: run `diapir evaluate` on tiles it has not seen.")
    lines += [
        "",
        "## What to keep in mind",
        "",
        "It knows only what its training tiles show: another survey, sampling or processing may "
        "need training on some labelled sections of it.",
        "",
    ]
    return "\n".join(lines)


def _trained(info: BundleInfo) -> list[str]:
    if len(info.trainings) == 1:
        return [f"- Training: {_listing(info.training) or 'not recorded'}"]
    return [
        f"- The mean of {len(info.trainings)} models, each trained by itself:",
        *(f"  - {_listing(member)}" for member in info.trainings),
    ]


def _judging(info: BundleInfo) -> str:
    area = f", in areas of at least {info.min_area} pixels" if info.min_area else ""
    mirrored = "; probabilities are the mean of an image's and its mirror's"
    return area + (mirrored if info.tta == "flip" else "")


def _exported(export: Export | None) -> Iterator[str]:
    if export is None:
        return
    parity = export.parity
    stored = ", its weights stored as float16" if export.half else ""
    yield (
        f"- Form: {' + '.join(export.files)}{stored}. Of the network it was made from it differs "
        f"by at most {parity.probability:.1e} in a probability ({parity.logit:.1e} in a logit), "
        f"which moves {parity.flipped} of {parity.pixels} pixels of {parity.tiles} tiles "
        f"({parity.data}) over the threshold"
    )


def _listing(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())
