"""What is settled once for a survey and kept with its predictions: scale, sampling, tile, block."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from diapir.errors import SurveyError
from diapir.inference import Segmenter
from diapir.surveys.prediction.blocks import View
from diapir.surveys.prediction.plan import choose_block
from diapir.surveys.prediction.prediction_store import open_store
from diapir.surveys.prediction.resample import LARGEST, TGS_FIRST_ZERO, first_zero
from diapir.surveys.prediction.section_predictor import SectionPredictor
from diapir.surveys.prediction.survey_options import SurveyOptions
from diapir.surveys.prediction.window_size import fastest_tile, windows_per_second, with_tile
from diapir.surveys.survey import Survey, percentile, sample_traces
from diapir.version import __version__

WORTH_TIMING = 500
"""Windows from which speed is measured before the work, to choose a tile and tell the time."""
_LEARNT_FROM = 512
"""Traces that the sampling of a survey is measured on."""


def settle(
    marker: Segmenter,
    survey: Survey,
    options: SurveyOptions,
    views: Sequence[View],
    folders: Sequence[Path],
    threshold: float,
) -> dict[str, Any]:
    """What a store records: of an earlier run that this one goes on with, or of a new one.

    Args:
        marker: the model or models.
        survey: the opened survey.
        options: how it is to be predicted.
        views: directions in which sections are cut.
        folders: where the store of an earlier run may be.
        threshold: probability from which a cell counts as salt.

    Returns:
        JSON-able facts: model, survey, and all that was chosen: scale, stretch, tile, block.

    Raises:
        SurveyError: an earlier run was asked for something else, no amplitude but 0, or a tile
            wider than the sections.
    """
    asked = json.loads(json.dumps(_asked(marker, survey, options)))
    for folder in folders:
        if folder.exists():
            kept = dict(open_store(folder).record)
            _refuse_other(folder, kept.get("asked", {}), asked)
            return kept
    scale = options.scale or percentile(survey, options.percentile)
    if not scale > 0:
        raise SurveyError(
            f"{survey.path} holds no amplitude but 0 up to percentile {options.percentile:g}",
            expected="live traces",
            fix="check the file with `diapir survey`; --scale N sets the amplitude of full "
            "white by hand",
        )
    stretch = _stretch(survey, options)
    tile, rate = _tile(marker, survey, options, views, stretch)
    return {
        "diapir": __version__,
        "asked": asked,
        "model": marker.describe(),
        "model_name": marker.describe()["name"],
        "weights_sha256": [bundle.info.weights_sha256 for bundle in marker.bundles],
        "input": str(survey.path),
        "survey": survey.spec(),
        "threshold": threshold,
        "views": list(views),
        "scale": float(scale),
        "polarity": options.polarity,
        "stretch": stretch,
        "tile": tile,
        "windows_per_s": rate,
        "block": options.block or choose_block(survey.grid.shape, _hands(options)),
    }


def _hands(options: SurveyOptions) -> int:
    return 8 if options.scheduler else options.workers


def _tile(
    marker: Segmenter, survey: Survey, options: SurveyOptions, views: Sequence[View], stretch: float
) -> tuple[int, float | None]:
    """The tile, and how many windows a second it does, where that is worth measuring."""
    shape = survey.grid.shape
    own = SectionPredictor(marker, options.overlap, options.polarity, stretch)
    wide = shape[1] if "inline" in views else shape[0]
    many = sum(
        own.windows(shape[1 - axis], shape[2]) * shape[axis]
        for axis, view in enumerate(("inline", "crossline"))
        if view in views
    )
    if isinstance(options.tile, int):
        _refuse_wide(survey, options.tile, max(wide, own.seen_samples(shape[2])))
        chosen = with_tile(marker, options.tile)
        return options.tile, windows_per_second(chosen) if many >= WORTH_TIMING else None
    if many < WORTH_TIMING:
        return own.tile, None
    if options.tile == "own":
        return own.tile, windows_per_second(marker)
    return fastest_tile(marker, wide, own.seen_samples(shape[2]), options.overlap)


def _asked(marker: Segmenter, survey: Survey, options: SurveyOptions) -> dict[str, Any]:
    grid = survey.grid
    geometry = hashlib.sha256(repr((grid.shape, grid.interval, grid.start)).encode())
    for part in (grid.inlines, grid.crosslines, grid.live):
        geometry.update(np.ascontiguousarray(part).tobytes())
    path = survey.path
    return {
        **options.asked(),
        "model": [bundle.info.weights_sha256 for bundle in marker.bundles],
        "tta": [getattr(member, "tta", None) for member in getattr(marker, "members", [marker])],
        "input": path.name,
        "input's size": path.stat().st_size if path.is_file() else None,
        "input's geometry": geometry.hexdigest(),
    }


def _stretch(survey: Survey, options: SurveyOptions) -> float:
    if options.match_sampling == "none":
        return 1.0
    if isinstance(options.match_sampling, int | float):
        return float(options.match_sampling)
    found = first_zero(sample_traces(survey, most=_LEARNT_FROM))
    if not np.isfinite(found):
        raise SurveyError(
            f"{survey.path} does not show how finely it is sampled: no trace changes its sign as "
            "seismic amplitudes do",
            expected="amplitudes around 0",
            fix="--match-sampling with a number, or leave it out",
        )
    return float(np.clip(TGS_FIRST_ZERO / found, 1 / LARGEST, LARGEST))


def _refuse_wide(survey: Survey, tile: int, longest: int) -> None:
    if tile > longest:
        raise SurveyError(
            f"--tile {tile} is larger than the sections of {survey.path}, {longest} pixels at most",
            expected="a tile that fits into a section one way at least",
            fix="leave --tile out: small sections are mirrored up to the model's own size",
        )


def _refuse_other(folder: Path, kept: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    different = [name for name in asked if kept.get(name) != asked[name]]
    if different:
        first = different[0]
        raise SurveyError(
            f"{folder} was made with another {', '.join(different)}: {first} was "
            f"{kept.get(first)}, now it is {asked[first]}",
            expected="the same input, model and options, to go on with it",
            fix="choose another --out, or remove that folder to begin anew",
        )
