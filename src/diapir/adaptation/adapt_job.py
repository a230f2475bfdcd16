"""An adaptation whose inputs are read and checked: training, evaluation, bundle and report.

Three stages. The first trains without the held-out labels; it is evaluated on them, and the
threshold is calibrated. The second trains the same network on, on all labels, so that none are
wasted, and the third on pseudo-labels of sections without labels as well; the held-out score is
that of the first stage.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import torch

from diapir.adaptation.adapt_display import Display
from diapir.adaptation.adapt_end import save_adapted
from diapir.adaptation.adapt_options import AdaptInputs
from diapir.adaptation.adapted import Adaptation
from diapir.adaptation.adapted_bundle import adapted_info
from diapir.adaptation.crops import Bytes, Crops, resampled_crops
from diapir.adaptation.fine_tuning import FineTuning, Recipe, Stage
from diapir.adaptation.held_out_score import USUAL, calibrate, score
from diapir.adaptation.network_engine import predict_sections
from diapir.adaptation.pace import Pace
from diapir.adaptation.run_state import Progressed, RunState
from diapir.adaptation.self_training import (
    Mixed,
    pseudo_labels,
    saved_labels,
    shortened,
    teaches,
)
from diapir.adaptation.step_plan import LEAST, StepPlan
from diapir.bundle import BundleInfo
from diapir.config import IGNORE
from diapir.errors import Interrupted
from diapir.inference.sections.presentation import present
from diapir.models.trained import load_trained
from diapir.text import duration, plural
from diapir.training.checkpoint import Checkpoints
from diapir.training.saved_state import restore_values
from diapir.training.stopping import Stopping

RECIPE = Recipe()
"""How networks are trained on; windows are smaller where the model's input is."""
SECOND = 0.5
"""Highest learning rate of a later stage, as a share of that of the first."""
PASSES = 16
"""Predictions of sections without labels, as passes over them at the adapted scale: one there and
one with three times the pixels, with windows that overlap by half."""
_STAGES = {
    1: "without the held-out labels",
    2: "on all labels",
    3: "on all labels and pseudo-labels",
}
SAVE_S = 20.0
"""Seconds between checkpoints."""


class AdaptJob:
    """An adaptation whose inputs are all read and checked."""

    def __init__(
        self,
        *,
        inputs: AdaptInputs,
        state: RunState,
        stopping: Stopping,
        pace: Pace,
        display: Display,
        strict: bool,
    ) -> None:
        self._inputs, self._base, self._options = inputs, inputs.base, inputs.options
        self._labelled, self._scale, self._held = inputs.labelled, inputs.scale, inputs.held
        self._state, self._stopping, self._pace = state, stopping, pace
        self._display, self._say = display, display.say
        base, seed, settings = inputs.base, inputs.options.seed, inputs.scale.settings
        self._recipe = replace(RECIPE, window=window_of(base.info))
        self._info = adapted_info(base.info, settings, self._recipe.window)
        self._images = [section.image for section in inputs.labelled.sections]
        self._shown = [present(image, settings) for image in self._images]
        self._others = shortened(inputs.others, settings, self._recipe.window, seed)
        self._pseudo: list[Bytes] = []
        self._plan = StepPlan(not inputs.held.problem, False, len(inputs.labelled.sections))
        self._tuning = FineTuning(
            load_trained(base).network, base.info.preprocess, self._recipe, seed, inputs.replay
        )
        self._checkpoints = Checkpoints(state.folder, display.say)
        self._strict = strict
        self._saved = time.monotonic()

    def run(self) -> Adaptation:
        """Train from where it stands, evaluate, save and report."""
        progressed = self._restore()
        self._introduce(progressed)
        if progressed is None:
            progressed = self._before()
        self._plan = replace(self._plan, self_trains=progressed.self_trains)
        if progressed.stage == 1:
            self._train(progressed, self._crops(self._held.training))
            self._end_first_stage(progressed)
        crops = self._crops([section.mask for section in self._labelled.sections])
        if progressed.stage == 2:
            self._train(progressed, crops)
            if self._plan.self_trains:
                self._begin_third_stage(progressed)
        if progressed.stage == 3:
            self._train(progressed, Mixed(crops, self._pseudo_crops()))
        progressed.seconds += self._pace.lap()
        result = save_adapted(
            self._inputs,
            self._info,
            self._tuning.network,
            progressed,
            self._state.folder,
            pseudo_labelled=len(self._pseudo),
        )
        self._state.finish(result.to_json())
        return result

    def _restore(self) -> Progressed | None:
        saved = self._checkpoints.load()
        if saved is None:
            return None
        with self._checkpoints.fitting():
            self._tuning.restore(saved["tuning"])
            progressed = restore_values(Progressed, saved["progressed"])
            if progressed.stage == 3:
                self._pseudo = [
                    saved_labels(labels, image.shape)
                    for labels, image in zip(saved["pseudo"], self._others, strict=True)
                ]
            return progressed

    def _introduce(self, progressed: Progressed | None) -> None:
        if progressed is not None:
            self._note(
                f"Resumed in stage {progressed.stage} at step {progressed.step}"
                + (f"/{progressed.steps}" if progressed.steps else "")
            )
            return
        for note in self._labelled.notes:
            self._say(note)
        for failure in self._labelled.failed:
            self._say(f"left out {failure['path']}: {failure['found']}")
        self._note(f"Labels: {self._labelled.describe()}")
        self._note(f"Scale: {self._scale.reason}")
        self._note(f"Held out: {self._held.problem or self._held.words}")

    def _before(self) -> Progressed:
        """The score of the original model, shown sections as it would be by default."""
        progressed = Progressed(stage=2 if self._held.problem else 1)
        if not self._held.problem:
            found = predict_sections(
                self._tuning.network, self._base.info, self._images, self._base.info.survey
            )
            before = score(found, self._held.held_out, self._base.info.threshold)
            progressed.before = before.to_json()
        progressed.self_trains = bool(self._others) and self._can_teach(progressed)
        return progressed

    def _can_teach(self, progressed: Progressed) -> bool:
        """Whether the original model knows enough of this salt for pseudo-labels."""
        masks = [section.mask for section in self._labelled.sections]
        can, dice = teaches(self._base, self._info, self._scale.settings, self._images, masks)
        if not can:
            progressed.pseudo = (
                "none, as the original model finds too little of the labelled salt "
                f"(Dice {dice:.2f})"
            )
            self._note(f"Pseudo-labels: {progressed.pseudo}")
        return can

    def _crops(self, masks: Sequence[Bytes]) -> Crops:
        """Labelled sections as the network is shown them, with these masks."""
        return resampled_crops(self._shown, masks)

    def _pseudo_crops(self) -> Crops:
        shown = [present(image, self._scale.settings) for image in self._others]
        return resampled_crops(shown, self._pseudo)

    def _train(self, progressed: Progressed, crops: Crops | Mixed) -> None:
        """Train the rest of the current stage."""
        name = _STAGES[progressed.stage]
        if progressed.steps is None and self._options.steps is not None:
            progressed.steps = self._plan.given(
                self._options.steps, progressed.stage, progressed.total - progressed.step
            )
        with self._display.show(f"training {name}") as progress:
            while progressed.steps is None or progressed.step < progressed.steps:
                begun = time.monotonic()
                share = 1.0 if progressed.total == progressed.step else SECOND
                stage = Stage(progressed.stage, progressed.steps, share)
                loss = self._tuning.step(crops, stage, progressed.step)
                self._pace.add(time.monotonic() - begun)
                progressed.step += 1
                progressed.total += 1
                progressed.losses.append(loss)
                if progressed.steps is None and self._pace.known:
                    self._plan_by_time(progressed)
                progress(progressed.step, progressed.steps or progressed.step + 1)
                self._obey(progressed)
        recent = [loss for loss in progressed.losses[-20:] if math.isfinite(loss)]
        self._note(
            f"Stage {progressed.stage} of {self._plan.stages}, {name}: "
            f"{plural(progressed.step, 'step')} of {plural(self._recipe.batch, 'window')}, "
            f"loss {sum(recent) / max(1, len(recent)):.3f}"
        )

    def _plan_by_time(self, progressed: Progressed) -> None:
        """Decide the number of steps of the stage from the time left and the time of a step."""
        following = 3.0 * sum(image.size for image in self._shown)
        if self._plan.self_trains and progressed.stage < 3:
            view = self._scale.settings
            seen = view.vertical * view.horizontal * sum(image.size for image in self._others)
            following += PASSES * seen
        most = self._plan.most(progressed.stage, progressed.total - progressed.step)
        least = LEAST if self._state.marked else 0
        if not self._strict:
            least = max(least, most // 2 - progressed.step)
        fitting = self._pace.steps(
            done=progressed.step,
            share=self._plan.share_of_rest(progressed.stage),
            passes=following / (self._recipe.window**2 * self._recipe.batch),
            least=least,
        )
        progressed.steps = max(progressed.step, min(fitting, most))
        self._save(progressed)

    def _obey(self, progressed: Progressed) -> None:
        """Save a checkpoint where it is time to, and stop where a signal came."""
        signum = self._stopping.signum
        due = time.monotonic() - self._saved > SAVE_S and progressed.steps is not None
        if signum or due:
            self._save(progressed)
        if signum:
            raise Interrupted(
                signum,
                f"interrupted in stage {progressed.stage} of {self._plan.stages}, "
                f"step {progressed.step}; checkpoint saved; "
                f"resume with: {self._display.resume_with}",
            )

    def _save(self, progressed: Progressed) -> None:
        self._state.mark()
        progressed.seconds += self._pace.lap()
        state: dict[str, Any] = {"tuning": self._tuning.state(), "progressed": asdict(progressed)}
        if progressed.stage == 3:
            state["pseudo"] = [torch.from_numpy(labels) for labels in self._pseudo]
        self._checkpoints.save(state)
        self._saved = time.monotonic()

    def _end_first_stage(self, progressed: Progressed) -> None:
        """Evaluate the first stage on the held-out labels, and calibrate the threshold."""
        found = predict_sections(
            self._tuning.network, self._info, self._images, self._scale.settings
        )
        masks = self._held.held_out
        progressed.reason = f"{USUAL}: a stretch of the labelled line cannot tell one for others"
        if self._held.whole:
            progressed.threshold, progressed.reason = calibrate(found, masks)
        after = score(found, masks, progressed.threshold)
        progressed.after = after.to_json()
        self._note(f"Held-out Dice {after.dice:.3f}; threshold {progressed.reason}")
        progressed.stage, progressed.step, progressed.steps = 2, 0, None
        self._tuning.begin_stage()
        self._save(progressed)

    def _begin_third_stage(self, progressed: Progressed) -> None:
        """Pseudo-label the sections without labels."""
        with self._display.show("pseudo-labels") as progress:
            self._pseudo = pseudo_labels(
                self._tuning.network, self._info, self._base, self._scale.settings, self._others
            )
            progress(1, 1)
        known = sum(int((labels != IGNORE).sum()) for labels in self._pseudo)
        salt = sum(int((labels == 1).sum()) for labels in self._pseudo)
        if not known:
            progressed.pseudo = "none, as no prediction without labels is confident"
            self._note(f"Pseudo-labels: {progressed.pseudo}")
            return
        progressed.pseudo = (
            f"{plural(len(self._pseudo), 'section')} without labels, "
            f"{100 * salt / known:.1f} % salt (--no-pseudo-labels)"
        )
        self._note(f"Pseudo-labels: {progressed.pseudo}")
        progressed.stage, progressed.step, progressed.steps = 3, 0, None
        self._tuning.begin_stage()
        self._save(progressed)

    def _note(self, line: str) -> None:
        """Print a line, and keep it in the log."""
        self._say(line)
        self._state.log(f"{line} ({duration(self._pace.elapsed)})")


def window_of(info: BundleInfo) -> int:
    """Side in pixels of the windows that a model is trained on with."""
    return min(RECIPE.window, info.preprocess.side)
