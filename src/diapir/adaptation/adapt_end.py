"""The end of an adaptation: its bundle, its report and its result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from diapir import bundle as bundles
from diapir.adaptation.adapt_options import AdaptInputs
from diapir.adaptation.adapt_report import Predictions, write_adapt_report
from diapir.adaptation.adapted import Adaptation
from diapir.adaptation.adapted_bundle import held_out_metrics
from diapir.adaptation.held_out_score import USUAL, HeldOutScore
from diapir.adaptation.network_engine import predict_sections
from diapir.adaptation.run_state import Progressed
from diapir.bundle import BundleInfo, Fingerprints
from diapir.models import Network
from diapir.models.trained import load_trained
from diapir.run.folder import BEST, REPORT


def save_adapted(
    inputs: AdaptInputs,
    info: BundleInfo,
    network: Network,
    progressed: Progressed,
    folder: Path,
    *,
    pseudo_labelled: int,
) -> Adaptation:
    """Save the bundle of an adapted model, and write its report.

    Args:
        inputs: what it was adapted from and to.
        info: its description.
        network: trained in all stages.
        progressed: how it was trained, and its scores.
        folder: the run folder.
        pseudo_labelled: number of sections with pseudo-labels.

    Returns:
        The result, not recorded yet.

    Raises:
        BundleError: the bundle cannot be written.
        RunError: the report cannot be written.
    """
    labelled, held = inputs.labelled, inputs.held
    if held.problem:
        progressed.reason = f"{USUAL}: nothing is held out, so nothing calibrates it"
    before, after = (
        None if found is None else HeldOutScore.from_json(found)
        for found in (progressed.before, progressed.after)
    )
    bundle = bundles.save(
        folder / BEST,
        {name: value.detach().cpu().numpy() for name, value in network.state_dict().items()},
        **info.model_dump(
            exclude={
                *("weights_sha256", "versions", "threshold", "training", "metrics"),
                *("training_tiles", "tuned"),  # the threshold is another one
            }
        ),
        threshold=progressed.threshold,
        training=_facts(inputs, progressed, pseudo_labelled),
        training_tiles=_training_tiles(inputs),
        metrics=held_out_metrics(after, labelled.name, held.words),
    )
    result = Adaptation(
        run=folder,
        model=bundle.path,
        report=folder / REPORT,
        labelled=labelled.describe(),
        places={section.name: section.place for section in labelled.sections},
        held_out=held.words,
        before=before,
        after=after,
        threshold=progressed.threshold,
        settings=inputs.scale.settings.model_dump(),
        steps=progressed.total,
        seconds=progressed.seconds,
        notes=(
            *labelled.notes,
            *(f"left out {one['path']}: {one['found']}" for one in labelled.failed),
            *([held.problem] if held.problem else []),
        ),
        failed=labelled.failed,
    )
    return _report(result, inputs, info, network, progressed)


def _report(
    result: Adaptation,
    inputs: AdaptInputs,
    info: BundleInfo,
    network: Network,
    progressed: Progressed,
) -> Adaptation:
    """Write the report; without it where the packages that draw it are not installed."""
    base, settings = inputs.base, inputs.scale.settings
    images = [section.image for section in inputs.labelled.sections]
    original = predict_sections(load_trained(base).network, base.info, images, base.info.survey)
    try:
        write_adapt_report(
            result,
            inputs.labelled,
            inputs.held,
            before=Predictions(original, base.info.threshold),
            after=Predictions(
                predict_sections(network, info, images, settings), progressed.threshold
            ),
            reasons=[
                ("Scale", inputs.scale.reason),
                ("Threshold", progressed.reason),
                ("Pseudo-labels", progressed.pseudo or _no_others(inputs)),
            ],
            losses=progressed.losses,
        )
    except ModuleNotFoundError as error:
        if error.name not in {"matplotlib", "jinja2", "markupsafe"}:
            raise
        return replace(result, report=None)
    return result


def _no_others(inputs: AdaptInputs) -> str:
    if inputs.options.pseudo_labels:
        return "none: there are no other sections"
    return "none (--no-pseudo-labels)"


def _facts(inputs: AdaptInputs, progressed: Progressed, pseudo_labelled: int) -> dict[str, Any]:
    """What the bundle says about its training."""
    return {
        "adapted from": inputs.base.info.name,
        "weights before": inputs.base.info.weights_sha256[:12],
        "survey": inputs.labelled.name,
        "sections": len(inputs.labelled.sections),
        "labels hash": inputs.labelled.hash,
        "steps": progressed.total,
        "seed": inputs.options.seed,
        "pseudo-labelled sections": pseudo_labelled,
    } | ({} if inputs.replay is None else {"replay": inputs.replay.name})


def _training_tiles(inputs: AdaptInputs) -> Fingerprints | None:
    """Fingerprints of the tiles of the original model, and of those replayed."""
    tiles = inputs.replay.tiles if inputs.replay else None
    own = [] if tiles is None else [Fingerprints.of(tiles.fingerprints)]
    return Fingerprints.union([inputs.base.info.training_tiles, *own])
