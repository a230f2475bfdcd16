"""An adaptation whose inputs are read and checked: training, evaluation, bundle and report.

Two stages. The first trains without the held-out labels; it is evaluated on them, and the threshold
is calibrated. The second trains the same network on, on all labels, so that none are wasted; the
held-out score is that of the first stage.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from diapir import bundle as bundles
from diapir.adaptation.adapt_display import Display
from diapir.adaptation.adapt_options import AdaptOptions
from diapir.adaptation.adapt_report import Predictions, write_adapt_report
from diapir.adaptation.adapted import Adaptation
from diapir.adaptation.crops import Bytes, Crops, resample_mask
from diapir.adaptation.fine_tuning import FineTuning, Recipe, Stage
from diapir.adaptation.held_out_score import USUAL, HeldOutScore, calibrate, score
from diapir.adaptation.hold_out import HoldOut
from diapir.adaptation.network_engine import predict_sections
from diapir.adaptation.pace import Pace
from diapir.adaptation.replay import Replay
from diapir.adaptation.run_state import Progressed, RunState
from diapir.adaptation.scale import ChosenScale
from diapir.adaptation.survey_sections import LabelledSections
from diapir.bundle import Bundle, BundleInfo
from diapir.errors import Interrupted
from diapir.inference.sections.presentation import present
from diapir.models.trained import load_trained
from diapir.run.folder import BEST, REPORT
from diapir.text import duration, plural
from diapir.training.checkpoint import Checkpoints
from diapir.training.saved_state import restore_values
from diapir.training.stopping import Stopping

FIRST = 0.45
"""Share of the steps that the first stage has."""
RECIPE = Recipe()
"""How networks are trained on; windows are smaller where the model's input is."""
MOST_STEPS = 120
"""Steps in all within a time budget, and half as many more for each further section: beyond them
the network learns its few lines by heart, and finds less on others."""
SECOND = 0.5
"""Highest learning rate of a second stage, as a share of that of the first."""
LEAST = 5
"""Least steps of the second stage, even if the first took longer than planned."""
SAVE_S = 20.0
"""Seconds between checkpoints."""


class AdaptJob:
    """An adaptation whose inputs are all read and checked."""

    def __init__(
        self,
        *,
        base: Bundle,
        labelled: LabelledSections,
        scale: ChosenScale,
        held: HoldOut,
        replay: Replay | None,
        options: AdaptOptions,
        state: RunState,
        stopping: Stopping,
        pace: Pace,
        display: Display,
    ) -> None:
        self._base, self._labelled, self._scale, self._held = base, labelled, scale, held
        self._options, self._state, self._stopping = options, state, stopping
        self._pace, self._display, self._say = pace, display, display.say
        self._recipe = replace(RECIPE, window=window_of(base.info))
        self._info = _adapted_info(base.info, scale, self._recipe)
        self._images = [section.image for section in labelled.sections]
        self._shown = [present(image, scale.settings) for image in self._images]
        self._tuning = FineTuning(
            load_trained(base).network, base.info.preprocess, self._recipe, options.seed, replay
        )
        self._checkpoints = Checkpoints(state.folder, display.say)
        self._replay = replay
        self._saved = time.monotonic()

    def run(self) -> Adaptation:
        """Train from where it stands, evaluate, save and report."""
        progressed = self._restore()
        self._introduce(progressed)
        if progressed is None:
            progressed = self._before()
        if progressed.stage == 1:
            self._train(progressed, self._held.training)
            self._end_first_stage(progressed)
        self._train(progressed, [section.mask for section in self._labelled.sections])
        return self._save_all(progressed)

    def _restore(self) -> Progressed | None:
        saved = self._checkpoints.load()
        if saved is None:
            return None
        with self._checkpoints.fitting():
            self._tuning.restore(saved["tuning"])
            return restore_values(Progressed, saved["progressed"])

    def _introduce(self, progressed: Progressed | None) -> None:
        if progressed is not None:
            self._note(
                f"Resumed in stage {progressed.stage} of 2 at step {progressed.step}"
                + (f"/{progressed.steps}" if progressed.steps else "")
            )
            return
        for note in self._labelled.notes:
            self._say(note)
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
        return progressed

    def _train(self, progressed: Progressed, masks: Sequence[Bytes]) -> None:
        """Train the rest of the current stage."""
        shown = [
            resample_mask(mask, image.shape) for mask, image in zip(masks, self._shown, strict=True)
        ]
        crops = Crops(self._shown, shown)
        name = "without the held-out labels" if progressed.stage == 1 else "on all labels"
        if progressed.steps is None and self._options.steps is not None:
            progressed.steps = self._given_steps(progressed)
        with self._display.show(f"training {name}") as progress:
            while progressed.steps is None or progressed.step < progressed.steps:
                begun = time.monotonic()
                share = 1.0 if self._held.problem or progressed.stage == 1 else SECOND
                stage = Stage(progressed.stage, progressed.steps, share)
                loss = self._tuning.step(crops, stage, progressed.step)
                self._pace.add(time.monotonic() - begun)
                progressed.step += 1
                progressed.total += 1
                progressed.losses.append(loss)
                if progressed.steps is None and self._pace.known:
                    self._plan(progressed)
                progress(progressed.step, progressed.steps or progressed.step + 1)
                self._obey(progressed)
        recent = [loss for loss in progressed.losses[-20:] if math.isfinite(loss)]
        self._note(
            f"Stage {progressed.stage} of 2, {name}: {plural(progressed.step, 'step')} of "
            f"{plural(self._recipe.batch, 'window')}, "
            f"loss {sum(recent) / max(1, len(recent)):.3f}"
        )

    def _given_steps(self, progressed: Progressed) -> int:
        total = self._options.steps or 0
        if self._held.problem:
            return total
        first = min(total - 1, max(1, round(total * FIRST)))
        return first if progressed.stage == 1 else total - first

    def _plan(self, progressed: Progressed) -> None:
        """Decide the number of steps of the stage from the time left and the time of a step."""
        share = FIRST if progressed.stage == 1 else 1.0
        windows = sum(math.prod(image.shape) for image in self._shown) / self._recipe.window**2
        most = round(MOST_STEPS * (1 + (len(self._images) - 1) / 2))
        fitting = self._pace.steps(
            done=progressed.step,
            share=share,
            passes=3 * windows / self._recipe.batch,
            least=LEAST if self._state.marked else 0,
        )
        before = progressed.total - progressed.step
        progressed.steps = max(
            progressed.step, min(fitting, max(LEAST, round(share * most) - before))
        )
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
                f"interrupted in stage {progressed.stage} of 2, step {progressed.step}; "
                f"checkpoint saved; resume with: {self._display.resume_with}",
            )

    def _save(self, progressed: Progressed) -> None:
        self._state.mark()
        progressed.seconds += self._pace.lap()
        self._checkpoints.save({"tuning": self._tuning.state(), "progressed": asdict(progressed)})
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

    def _save_all(self, progressed: Progressed) -> Adaptation:
        """Save bundle, record and report."""
        folder = self._state.folder
        notes = (
            *self._labelled.notes,
            *([self._held.problem] if self._held.problem else []),
        )
        if self._held.problem:
            progressed.reason = f"{USUAL}: nothing is held out, so nothing calibrates it"
        scores = {
            name: None if found is None else HeldOutScore.from_json(found)
            for name, found in (("before", progressed.before), ("after", progressed.after))
        }
        seconds = progressed.seconds + self._pace.lap()
        found = predict_sections(
            self._tuning.network, self._info, self._images, self._scale.settings
        )
        original = predict_sections(
            load_trained(self._base).network, self._base.info, self._images, self._base.info.survey
        )
        bundle = bundles.save(
            folder / BEST,
            {
                name: value.detach().cpu().numpy()
                for name, value in self._tuning.network.state_dict().items()
            },
            **self._info.model_dump(
                exclude={"weights_sha256", "versions", "threshold", "training", "metrics"}
            ),
            threshold=progressed.threshold,
            training=self._training(progressed),
            metrics=self._metrics(scores["after"]),
        )
        result = Adaptation(
            run=folder,
            model=bundle.path,
            report=folder / REPORT,
            labelled=self._labelled.describe(),
            places={section.name: section.place for section in self._labelled.sections},
            held_out=self._held.words,
            before=scores["before"],
            after=scores["after"],
            threshold=progressed.threshold,
            settings=self._scale.settings.model_dump(),
            steps=progressed.total,
            seconds=seconds,
            notes=notes,
        )
        try:
            write_adapt_report(
                result,
                self._labelled,
                self._held,
                before=Predictions(original, self._base.info.threshold),
                after=Predictions(found, progressed.threshold),
                reasons=[("Scale", self._scale.reason), ("Threshold", progressed.reason)],
                losses=progressed.losses,
            )
        except ModuleNotFoundError as error:
            if error.name not in {"matplotlib", "jinja2", "markupsafe"}:
                raise
            result = replace(result, report=None)
        self._state.finish(result.to_json())
        return result

    def _training(self, progressed: Progressed) -> dict[str, Any]:
        """What the bundle says about its training."""
        return {
            "adapted from": self._base.info.name,
            "weights before": self._base.info.weights_sha256[:12],
            "survey": self._labelled.name,
            "sections": len(self._labelled.sections),
            "labels hash": self._labelled.hash,
            "steps": progressed.total,
            "seed": self._options.seed,
        } | ({} if self._replay is None else {"replay": self._replay.name})

    def _metrics(self, after: HeldOutScore | None) -> dict[str, Any]:
        """What the bundle says about its evaluation."""
        if after is None:
            return {}
        interval = {} if after.ci95 is None else {"ci95": {"dice": list(after.ci95)}}
        return {
            "dice": after.dice,
            "threshold": after.threshold,
            "data": {
                "name": self._labelled.name,
                "part": f"held out: {self._held.words}",
                "traces": after.traces,
            },
        } | interval

    def _note(self, line: str) -> None:
        """Print a line, and keep it in the log."""
        self._say(line)
        self._state.log(f"{line} ({duration(self._pace.elapsed)})")


def window_of(info: BundleInfo) -> int:
    """Side in pixels of the windows that a model is trained on with."""
    return min(RECIPE.window, info.preprocess.side)


def _adapted_info(info: BundleInfo, scale: ChosenScale, recipe: Recipe) -> BundleInfo:
    """The description of the adapted model, before it is trained."""
    return info.model_copy(
        update={
            "name": f"{info.name}, adapted",
            "survey": scale.settings,
            "tile": recipe.window,
            "preprocess": info.preprocess.model_copy(update={"size": recipe.window}),
            "min_area": 0,
            "format": 1,
            "export": None,
            "weights": None,
        }
    )
