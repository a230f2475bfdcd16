"""Training from Python, and the run folder that it leaves."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO

from diapir import bundle as bundles
from diapir.api.arguments import Overrides, Paths, recipe_of, set_words
from diapir.config import RunConfig
from diapir.errors import ConfigError
from diapir.evaluation import Evaluation
from diapir.extras import extras_explained
from diapir.progress import is_main_process, quiet
from diapir.run.folder import BEST, EVALUATION, METRICS, REPORT, run_config
from diapir.run.folds import expand
from diapir.run.history import History, read_history
from diapir.tiles import TileSet

if TYPE_CHECKING:
    from diapir.models.custom import Module
    from diapir.training import Callback
    from diapir.training.from_python.parts import LossFunction


class Run:
    """A run folder; it stands for its path wherever one is expected, as in `diapir.load(run)`.

    Args:
        path: the folder.
        stopped: why the training ended: after all epochs (`epochs`), by early stopping (`early`),
            by the time budget (`budget`) or by a callback (`callback`); empty if it is not known.

    Raises:
        RunError: it is not a run folder.
    """

    def __init__(self, path: Paths, stopped: str = "") -> None:
        self.path, self.stopped = Path(path), stopped
        self.config: RunConfig = run_config(self.path)

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        history, metrics = self.history, self.metrics
        best = f", best {history.best_epoch}" if history.best_epoch else ""
        dice = f", Dice {metrics['dice']:.3f}" if "dice" in metrics else ""
        return f"Run({str(self.path)!r}, epoch {len(history)}{best}{dice})"

    @property
    def best(self) -> Path:
        """The best model, a bundle: `diapir.load(run.best)`, or `diapir.load(run)`."""
        return self.path / BEST

    @property
    def report(self) -> Path:
        """The report, `report.html`."""
        return self.path / REPORT

    @property
    def metrics(self) -> dict[str, Any]:
        """Metrics of the best model on the validation part by key; empty if it has none."""
        return dict(bundles.read_info(self.best).metrics) if self.best.exists() else {}

    @property
    def history(self) -> History:
        """The metrics of each epoch: `history.column("val_loss")`."""
        return read_history(self.path / METRICS)


class Folds:
    """A folder of folds; it stands for its path, and so for the mean of its models.

    Args:
        path: the folder.

    Raises:
        RunError: it holds no folds, or some that are not trained yet.
    """

    def __init__(self, path: Paths) -> None:
        self.path = Path(path)
        self.runs = tuple(Run(run) for run in expand([self.path]))

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"Folds({str(self.path)!r}, {len(self.runs)} runs, Dice {self.metrics['dice']:.3f})"

    @property
    def report(self) -> Path:
        """The report, `report.html`."""
        return self.path / REPORT

    @property
    def metrics(self) -> dict[str, Any]:
        """Out-of-fold metrics by key: each tile was predicted by the run that held it out."""
        return dict(Evaluation.load(self.path / EVALUATION).metrics)


def train(
    recipe: Paths | RunConfig,
    data: Paths | TileSet,
    out: Paths,
    *,
    epochs: int | None = None,
    batch: int | None = None,
    lr: float | None = None,
    overrides: Overrides = (),
    init: Paths | None = None,
    init_head: Literal["keep", "fresh"] | None = None,
    folds: int | None = None,
    resume: bool = False,
    budget_s: float | None = None,
    model: Module | None = None,
    loss: LossFunction | None = None,
    callbacks: Sequence[Callback] = (),
    stream: TextIO | None = None,
) -> Run | Folds:
    """Train a network on labelled tiles, evaluate it and report, as `diapir train` does.

    Args:
        recipe: the name of a built-in recipe, a YAML file, or a recipe that was loaded.
        data: labelled tiles: a folder, a zip, or a set that was read already.
        out: the run folder to make.
        epochs: passes over the training tiles, instead of the recipe's.
        batch: tiles per step, instead of the recipe's.
        lr: learning rate, instead of the recipe's.
        overrides: changes of any keys of the recipe, such as `{"augment.flip": "random"}`.
        init: a run, bundle or bundled model whose weights the training starts from.
        init_head: `fresh` initialises the last layers newly.
        folds: train this many networks, each without one fold, and evaluate out of fold.
        resume: resume the run in `out`, if there is one.
        budget_s: time budget in seconds.
        model: a module to train instead of the recipe's network: `float32 (N, 3, H, W)` to logits
            `(N, 2, H, W)` of background and salt, or `(N, 1, H, W)` of salt. It is trained in
            place.
        loss: a function of logits `float32 (N, 2, H, W)` and masks `int64 (N, H, W)` of {0, 1, 255
            ignore}, instead of the recipe's loss.
        callbacks: objects with a method `on_epoch_end(state)`; see `EpochState`.
        stream: where lines go, such as `sys.stdout`; None for silence. `log.txt` has them anyway.

    Returns:
        The run, or the folder of all folds.

    Raises:
        DiapirError: recipe, tiles, folder, device or parts that cannot be used.
        Interrupted: a signal came, and a checkpoint was saved.
        MissingDependencyError: PyTorch is not installed.
    """
    given = {
        **{"train.epochs": epochs, "train.batch": batch, "optimizer.lr": lr},
        "train.start_head": init_head,
    }
    changes = set_words({key: value for key, value in given.items() if value is not None})
    config = recipe_of(recipe, [*changes, *set_words(overrides)])
    data = Path(data) if isinstance(data, str | os.PathLike) else data
    with extras_explained(), open(os.devnull, "w", encoding="utf-8") as silence:  # noqa: PTH123
        with warnings.catch_warnings():
            # what a library of a library says in notebooks, of progress bars that are not shown
            warnings.filterwarnings("ignore", message="IProgress not found")
            from diapir.comparison.evaluate_run import evaluate_run
            from diapir.training import Parts
            from diapir.training import train as train_run

        parts = Parts(model, loss, tuple(callbacks))
        start = None if init is None else os.fspath(init)
        if folds is not None:
            from diapir.comparison.evaluate_folds import train_and_evaluate

            train_and_evaluate(
                *(config, _path_for_folds(data, given=parts != Parts()), Path(out), folds),
                init=start,
                resume=resume,
                budget_s=budget_s,
                stream=stream or silence,
                show=quiet,
            )
            return Folds(out)
        result = train_run(
            config,
            data,
            Path(out),
            init=start,
            resume=resume,
            budget_s=budget_s,
            stream=stream or silence,
            parts=parts,
        )
        if is_main_process() and not config.data.use_all:
            evaluate_run(result.run, data, run_config(result.run), module=model)
    return Run(result.run, result.stopped)


def _path_for_folds(data: Path | TileSet, *, given: bool) -> Path:
    """The tiles of folds, which are trained without parts from Python and read by each fold."""
    if given:
        raise ConfigError(
            "folds are trained with a network, loss or callbacks from Python",
            expected="folds of a recipe alone",
            fix="train them one by one: overrides={'data.folds': 5, 'data.fold': 0}, and so on",
        )
    if isinstance(data, TileSet):
        raise ConfigError(
            f"folds of {data!r}, which was read already",
            expected="the path of the tiles, which each fold reads",
            fix=f"data={str(data.path)!r}",
        )
    return data
