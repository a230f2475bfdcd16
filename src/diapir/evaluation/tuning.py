"""Post-processing (threshold, minimum component size) tuned for Kaggle's mAP on held-out tiles.

The best of many settings looks better on the tiles it was chosen on than on others. So the gain is
cross-validated: tiles are dealt out to five parts, sections whole, and each part is scored with the
setting that is best on the other four. The setting in use is kept unless this score is higher.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from diapir.bundle import Bundle, Fingerprints, Tta, TunedOn, annotate, load
from diapir.config import MaskEncoding
from diapir.errors import ConfigError, RunError
from diapir.evaluation.evaluate import evaluate
from diapir.evaluation.evaluation_plan import Plan
from diapir.evaluation.held_out import groups_file, plan_validation
from diapir.evaluation.metrics import Floats, kaggle_ap
from diapir.evaluation.min_size import tallies_by_min_size
from diapir.evaluation.nothing import LEAST
from diapir.evaluation.predictions import OpenModels, Predictions, predict_shares
from diapir.files import claim, disk_errors, replace_file
from diapir.inference import open_models as open_by_default
from diapir.inference.ensemble import refuse_repeated
from diapir.json_text import parse_json
from diapir.progress import Progress, ShowProgress, quiet
from diapir.run.folds import expand
from diapir.tiles import load_tiles
from diapir.tiles.groups import with_groups

if TYPE_CHECKING:
    from diapir.tiles import TileSet

THRESHOLDS: Floats = np.arange(20, 81, 2) / 100
"""0.20, 0.22 … 0.80."""
MIN_AREAS = (0, 5, 10, 20, 30, 40, 60, 80, 120, 160, 240, 320, 480, 640)
"""Minimum component sizes in pixels."""
PARTS = 5
"""Parts of the cross-validation."""


@dataclass(frozen=True)
class Setting:
    """A setting of the post-processing, and its score.

    Attributes:
        threshold: a pixel is predicted as salt if its probability is at least this.
        min_area: minimum component size in pixels.
        kaggle_map: Kaggle's mAP over all tiles.
    """

    threshold: float
    min_area: int
    kaggle_map: float


@dataclass(frozen=True)
class Tuning:
    """The settings that were tried, and the choice among them.

    Attributes:
        used: the setting in use.
        best: the best of all settings tried.
        checked: cross-validated Kaggle mAP of choosing the best setting; None if all tiles are of
            one section.
        table: every setting tried.
        nothing: Kaggle's mAP of predicting no salt at all.
    """

    used: Setting
    best: Setting
    checked: float | None
    table: list[Setting]
    nothing: float = 0.0

    @property
    def gains(self) -> bool:
        """Whether choosing the best setting beats the one in use when cross-validated.

        A setting that scores no more than predicting nothing is no gain: it removes all salt.
        """
        return self.checked is not None and self.checked > self.used.kaggle_map and self.finds

    @property
    def finds(self) -> bool:
        """Whether the best setting scores more than predicting nothing."""
        checked = self.best.kaggle_map if self.checked is None else self.checked
        return checked > self.nothing + LEAST

    @property
    def chosen(self) -> Setting:
        """The best setting if it gains, else the one in use."""
        return self.best if self.gains else self.used

    def to_json(self) -> dict[str, Any]:
        """The content of the result file about settings."""
        return asdict(self) | {"chosen": asdict(self.chosen)}


@dataclass(frozen=True)
class Tuned:
    """The result of `tune_runs`; nothing is written before `write` or `save`.

    Attributes:
        tuning: the settings tried and chosen.
        predictions: the out-of-fold predictions they were tried on.
        models: the runs, and further models that get the setting.
        without_metrics: those among `models` that were trained on all tiles, so that they have no
            metrics; they get `metrics`.
        fields: what `write` records in every model: `threshold` and `min_area` if tuning gains,
            with `tuned`, the tiles they were chosen on, and `tta` if one was given.
        metrics: out-of-fold metrics of the runs; empty if no model needs them.
        notes: lines for the user: where scores are optimistic, and how the tiles were read.
    """

    tuning: Tuning
    predictions: Predictions
    models: tuple[Bundle, ...]
    without_metrics: tuple[Bundle, ...]
    fields: dict[str, Any]
    metrics: dict[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def written(self) -> dict[str, Any]:
        """The settings among `fields`."""
        return {key: value for key, value in self.fields.items() if key != "tuned"}

    def to_json(self) -> dict[str, Any]:
        """The content of the result file."""
        return {**_identity(self.predictions), **self.tuning.to_json()}

    def save(self, out: Path) -> None:
        """Write every setting that was tried to a JSON file, and nothing into the models.

        Args:
            out: the file; see `claim_tuning`.

        Raises:
            RunError: the file cannot be written.
        """
        self._save(out, applied=None)

    def write(self, out: Path) -> None:
        """Write every setting that was tried to a JSON file, and the chosen one into the models.

        See `applying`.
        """
        with self.applying(out):
            pass

    @contextlib.contextmanager
    def applying(self, out: Path) -> Iterator[None]:
        """The same as `write`, with a block that runs once the models have the setting.

        The file says (`applied`) whether all models have got it and the block has ended, so that
        `tune_runs` can complete what a kill has interrupted; null where that was not asked for.

        Args:
            out: the file; see `claim_tuning`.

        Raises:
            RunError: the file cannot be written.
            BundleError: a model cannot be written.
        """
        self._save(out, applied=False)
        self._apply()
        yield
        self._save(out, applied=True)

    def _save(self, out: Path, *, applied: bool | None) -> None:
        with disk_errors(out, RunError):
            content = self.to_json() | {"applied": applied}
            replace_file(out, json.dumps(content, indent=2) + "\n")

    def _apply(self) -> None:
        for bundle in self.models:
            metrics = {"metrics": self.metrics} if bundle in self.without_metrics else {}
            if self.fields or metrics:
                annotate(bundle, **self.fields, **metrics)


def refuse_unapplied(*, apply: bool, into: bool, report: bool) -> None:
    """Refuse options that write into models without the one that asks for it.

    Raises:
        ConfigError: one is given.
    """
    if not apply and (into or report):
        raise ConfigError(
            f"{'--into' if into else '--report'} was given without --apply",
            expected="--apply, which writes the setting into the models",
            fix="add --apply, or leave it out",
        )


def tune_runs(
    runs: Sequence[Path],
    data: Path | TileSet,
    *,
    into: Sequence[Path] = (),
    groups: Path | None = None,
    encoding: MaskEncoding | Literal["auto"] = "auto",
    skip_bad: bool = False,
    tta: Tta | None = None,
    open_models: OpenModels = open_by_default,
    show: ShowProgress = quiet,
    earlier: Path | None = None,
) -> Tuned:
    """Tune post-processing on the validation parts that runs held out.

    Args:
        runs: run folders, of folds or of one split.
        data: the tiles they were trained on.
        into: further models that get the setting, such as one trained on all tiles.
        groups: groups.csv with the section groups; None for the one the runs were trained with.
        encoding: encoding of the masks, `auto` to recognise it.
        skip_bad: leave out tiles that cannot be read.
        tta: the test-time augmentation that `open_models` uses, to be recorded in the models; None
            for the models' own.
        open_models: loads models as one.
        show: opens a progress display.
        earlier: the result of an earlier call, which `Tuned.write` may not have written into all
            models; the setting in use is then that from before it.

    Raises:
        DataError: tiles that cannot be read or do not fit the models.
        SplitError: a run without held-out tiles, or validation parts that overlap without being
            equal.
        BundleError: a model cannot be used.
        ConfigError: a model given twice.
    """
    runs = expand(runs)
    models = [load(run) for run in [*runs, *into]]
    refuse_repeated(models)
    tiles = load_tiles(data, encoding=encoding, skip_bad=skip_bad)
    planned = plan_validation(runs, tiles)
    groups = groups or groups_file(runs)
    with show("predicting") as progress:
        predictions = predict_shares(planned.shares, tiles, open_models, progress)
    if groups is not None:
        predictions = replace(predictions, tiles=with_groups(predictions.tiles, groups))
    threshold, min_area = _in_use(predictions, earlier)
    with show("tuning") as progress:
        tuning = tune_post_processing(
            predictions.tiles,
            predictions.probabilities,
            threshold=threshold,
            min_area=min_area,
            progress=progress,
        )
    fields: dict[str, Any] = {} if tta is None else {"tta": tta}
    if tuning.gains:
        fields |= {"threshold": tuning.best.threshold, "min_area": tuning.best.min_area}
        fields["tuned"] = (_tuned_on(predictions.tiles, planned.part, tuning),)
    without_metrics = tuple(bundle for bundle in models[len(runs) :] if not bundle.info.metrics)
    metrics = _metrics(predictions, tuning.chosen, planned, len(runs)) if without_metrics else {}
    notes = (*planned.notes[1:], *tiles.notes)
    return Tuned(tuning, predictions, tuple(models), without_metrics, fields, metrics, notes)


def _tuned_on(tiles: TileSet, part: str, tuning: Tuning) -> TunedOn:
    """What a bundle records of its tuning."""
    return TunedOn(
        data=tiles.name,
        part=part,
        hash=tiles.hash,
        kaggle_map=tuning.best.kaggle_map,
        cross_validated=tuning.checked,
        tiles=Fingerprints.of(tiles.fingerprints),
    )


def _identity(predictions: Predictions) -> dict[str, Any]:
    """What makes two tunings the same: their tiles and their models."""
    tiles = predictions.tiles
    return {
        "data": {"name": tiles.name, "hash": tiles.hash, "n_images": len(tiles)},
        "models": predictions.model,
    }


def _in_use(predictions: Predictions, earlier: Path | None) -> tuple[float, int]:
    """Threshold and minimum size of the models, before an earlier tuning that was interrupted."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        if earlier is not None:
            content = json.loads(earlier.read_bytes())
            asked = json.loads(json.dumps(_identity(predictions)))
            same = all(content[key] == value for key, value in asked.items())
            if same and content["applied"] is False:
                used = content["used"]
                return float(used["threshold"]), int(used["min_area"])
    return predictions.threshold, predictions.min_area


def claim_tuning(out: Path) -> None:
    """Refuse to write the result of a tuning over anything but an earlier one.

    Its folder is created, so that a place that cannot be written is reported before the work.

    Raises:
        RunError: `out` is something else, or its folder cannot be created.
    """
    claim(
        out,
        holds="the result of an earlier tuning",
        ours=lambda path: "table" in parse_json(path.read_bytes()),
        kind=RunError,
        folder=False,
    )
    with disk_errors(out, RunError):
        out.parent.mkdir(parents=True, exist_ok=True)


def tune_post_processing(
    tiles: TileSet,
    probabilities: Sequence[NDArray[np.float32]],
    *,
    threshold: float,
    min_area: int,
    seed: int = 0,
    progress: Progress | None = None,
) -> Tuning:
    """Try settings on predictions of held-out tiles.

    Args:
        tiles: N labelled tiles; the cross-validation keeps their groups together.
        probabilities: of salt, `float32 (H, W)` for each tile, by models not trained on it.
        threshold: the threshold in use.
        min_area: the minimum component size in use, in pixels.
        seed: of the parts of the cross-validation.
        progress: called with the number of thresholds done and of all thresholds.
    """
    settings = [(float(value), area) for value in THRESHOLDS for area in MIN_AREAS]
    scores = _scores(tiles, probabilities, progress)
    (in_use,) = tallies_by_min_size(tiles, probabilities, threshold=threshold, min_sizes=[min_area])
    nothing = float((in_use.tp + in_use.fn == 0).mean())
    used = Setting(threshold, min_area, float(kaggle_ap(in_use).mean()))
    # on a tie, the nearest to the threshold in use, then the smallest minimum size
    order = sorted(
        range(len(settings)),
        key=lambda place: (abs(settings[place][0] - threshold), settings[place][1]),
    )

    def best_on(chosen: NDArray[np.bool_]) -> int:
        means = scores[order][:, chosen].mean(axis=1)
        return order[int(np.argmax(np.round(means, 12)))]

    parts = _deal_out(tiles.groups, seed)
    names = np.unique(parts)
    checked = None
    if len(names) > 1:
        held_out = [scores[best_on(parts != name)][parts == name] for name in names]
        checked = float(np.concatenate(held_out).mean())
    place = best_on(np.ones(len(tiles), np.bool_))
    return Tuning(
        used=used,
        best=Setting(*settings[place], float(scores[place].mean())),
        checked=checked,
        table=[
            Setting(*setting, float(mean))
            for setting, mean in zip(settings, scores.mean(axis=1), strict=True)
        ],
        nothing=nothing,
    )


def _scores(
    tiles: TileSet, probabilities: Sequence[NDArray[np.float32]], progress: Progress | None
) -> Floats:
    """Kaggle's score of each tile with each setting, `(settings, N)`, minimum sizes innermost."""
    rows: list[Floats] = []
    for done, value in enumerate(THRESHOLDS, start=1):
        tallies = tallies_by_min_size(
            tiles, probabilities, threshold=float(value), min_sizes=MIN_AREAS
        )
        rows += [kaggle_ap(tally) for tally in tallies]
        if progress:
            progress(done, len(THRESHOLDS))
    return np.array(rows)


def _metrics(
    predictions: Predictions, setting: Setting, planned: Plan, runs: int
) -> dict[str, Any]:
    """Out-of-fold metrics of runs, as a bundle records them."""
    evaluation = evaluate(
        predictions.tiles,
        predictions.probabilities,
        threshold=setting.threshold,
        min_area=setting.min_area,
        part=f"out of fold, of {runs} runs for this model",
    )
    return evaluation.metrics | {"data": evaluation.data | planned.record}


def _deal_out(groups: Sequence[str], seed: int) -> NDArray[np.int64]:
    """The part of each tile: whole groups, shuffled and dealt out in turn."""
    names = sorted(set(groups))
    order = np.random.default_rng(seed).permutation(len(names))
    part_of = {name: int(place) % PARTS for name, place in zip(names, order, strict=True)}
    return np.array([part_of[group] for group in groups])
