"""Adapt a model to a survey: from labels of a few sections to a run folder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from diapir import bundle as bundles
from diapir.adaptation.adapt_display import Display
from diapir.adaptation.adapt_job import AdaptJob, window_of
from diapir.adaptation.adapt_options import BUDGET_S, AdaptInputs, AdaptOptions
from diapir.adaptation.adapted import Adaptation
from diapir.adaptation.hold_out import hold_out
from diapir.adaptation.pace import Pace
from diapir.adaptation.replay import Replay
from diapir.adaptation.run_state import MARKER, RunState
from diapir.adaptation.scale import choose_scale
from diapir.adaptation.self_training import MOST
from diapir.adaptation.survey_sections import Bytes, LabelledSections, image_hash, read_sections
from diapir.adaptation.unlabelled import Wanted, unlabelled_sections
from diapir.bundle import Bundle
from diapir.errors import BundleError, ConfigError
from diapir.inference.engines.engine import default_threads
from diapir.run.folder import RunFolder
from diapir.surveys import SurveyHints
from diapir.surveys.labels.label_options import LabelOptions
from diapir.training.stopping import Stopping

MODEL = bundles.SECTIONS
"""Model that is adapted where none is given."""


def adapt(
    inputs: str | Path | Sequence[str | Path],
    labels: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    model: str | Path = MODEL,
    budget_s: float | None = None,
    replay: str | Path | None = None,
    options: AdaptOptions | None = None,
    label_options: LabelOptions | None = None,
    hints: SurveyHints | None = None,
    display: Display | None = None,
    started: float | None = None,
) -> Adaptation:
    """Adapt a model to a survey or pictures with labels of a few sections, or resume doing so.

    Args:
        inputs: a survey, several 2D lines or a folder of them, or pictures.
        labels: labels of some of their sections.
        out: the run folder to make; an interrupted adaptation in it is resumed.
        model: a run, a bundle or a bundled model, with trainable weights.
        budget_s: time for everything in seconds, which is kept. Without it and `options.steps`
            about 60, and longer on a machine on which half of the usual steps take longer.
        replay: labelled tiles to train on as well, beside synthetic sections, so that the model
            keeps what it knew.
        options: how to adapt it.
        label_options: how to read the labels.
        hints: what is known of survey files.
        display: shows lines and progress; None for nothing.
        started: `time.monotonic()` when the budget began; by default now.

    Returns:
        What was done.

    Raises:
        DiapirError: inputs, labels, model or folder that cannot be used, or a budget too short.
        Interrupted: a signal came, and a checkpoint was saved.
    """
    started = time.monotonic() if started is None else started
    options = options or AdaptOptions()
    if options.steps is not None and budget_s is not None:
        raise ConfigError(
            "both a budget and a number of steps are given",
            expected="one of them",
            fix="leave out --budget or --steps",
        )
    torch.set_num_threads(options.threads or default_threads())
    out = Path(out)
    base = _open_base(model)
    labelled = read_sections(
        _paths(inputs), _paths(labels), out, options=label_options, hints=hints
    )
    scale = choose_scale(
        labelled,
        window_of(base.info),
        vertical=options.vertical,
        horizontal=options.horizontal,
    )
    held = hold_out(labelled.sections)
    others: list[Bytes] = []
    if options.pseudo_labels:
        others, labelled = _unlabelled(_paths(inputs), labelled, out, hints)
    replayed = Replay.open(options.replay_share, None if replay is None else Path(replay))
    asked = options.asked() | {
        "model": base.info.weights_sha256,
        "labels": labelled.hash,
        "settings": scale.settings.model_dump(),
        "replay": replayed.tiles.hash if replayed and replayed.tiles else None,
        "unlabelled sections": image_hash(others),
    }
    display = display or Display()
    with Stopping(None) as stopping, RunFolder(out, resume=True, marker=MARKER) as folder:
        state = RunState.open(folder.path, asked)
        if state.finished is not None:
            display.say(f"{out} already holds this adaptation; nothing to do")
            return Adaptation.from_json(state.finished)
        job = AdaptJob(
            inputs=AdaptInputs(base, labelled, others, scale, held, replayed, options),
            state=state,
            stopping=stopping,
            pace=Pace(None if options.steps else budget_s or BUDGET_S, started),
            display=display,
            strict=budget_s is not None,
        )
        return job.run()


def _unlabelled(
    files: Sequence[Path], labelled: LabelledSections, out: Path, hints: SurveyHints | None
) -> tuple[list[Bytes], LabelledSections]:
    """Grey images of sections without labels, `uint8 (samples, traces)` each.

    The labelled sections get what is to know of the surveys that these lie in.
    """
    wanted = Wanted(
        MOST, MOST, known={section.name for section in labelled.sections}, clip=labelled.clip
    )
    notes, failed = list(labelled.notes), list(labelled.failed)
    read = unlabelled_sections(
        files, wanted, out=out, hints=hints, tell=notes.append, fail=failed.append
    )
    images = [section.image for section, _ in read if section is not None]
    known = {failure["path"]: failure for failure in failed}
    notes = list(dict.fromkeys(notes))
    return images, replace(labelled, notes=tuple(notes), failed=tuple(known.values()))


def _paths(given: str | Path | Sequence[str | Path]) -> list[Path]:
    return [Path(given)] if isinstance(given, str | Path) else [Path(path) for path in given]


def _open_base(model: str | Path) -> Bundle:
    """The model to adapt.

    Raises:
        BundleError: there is no such model, or it has no trainable weights.
    """
    base = bundles.load(model)
    if not base.info.trainable:
        raise BundleError(
            f"{base.path} holds an exported network, which cannot be trained on",
            expected="a model with trainable weights: a run folder, or a bundle with "
            f"{bundles.WEIGHTS}",
            fix="give the run that it was exported from as --model",
        )
    return base
