"""The commands as functions: the same arguments and defaults, objects instead of lines."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

from diapir import bundle as bundles
from diapir.api.arguments import Overrides, Paths, options, paths
from diapir.api.loaded_model import LoadedModel
from diapir.bundle import Bundle, Form
from diapir.choices import MaskEncoding
from diapir.errors import ConfigError
from diapir.extras import extras_explained
from diapir.inference import EngineOptions, Ensemble, Predictor, Segmenter
from diapir.inference.ensemble import refuse_repeated
from diapir.progress import ShowProgress, quiet
from diapir.run.folds import expand
from diapir.tiles import TileSet, load_tiles

if TYPE_CHECKING:
    from diapir.adaptation import Adaptation
    from diapir.comparison import Results
    from diapir.evaluation import Evaluated
    from diapir.evaluation.predictions import OpenModels
    from diapir.evaluation.tuning import Tuned
    from diapir.models.custom import Module

SYNTHETIC = 32
"""Tiles of the synthetic survey that an export is measured on without data."""


def create_model(name: str, **settings: Any) -> Module:
    """A newly initialised network, a plain `torch.Module`.

    It maps normalised images `float32 (N, 3, H, W)`, H and W multiples of its `divisor`, to logits
    `(N, 2, H, W)` of background and salt.

    Args:
        name: one of `list_models()`.
        settings: keys of the section `model` of a recipe, such as `base=16`, `encoder="resnet34"`
            or `weights="imagenet"`.

    Raises:
        ConfigError: no such architecture or key, or weights that are unavailable.
        MissingDependencyError: PyTorch is not installed.
    """
    from diapir.config import parse_config

    values = {"model": settings | {"name": name}}
    config = parse_config(values, source=f"create_model({name!r})")
    with extras_explained():
        from diapir.models import build

        return build(config.model, pretrained=True)


def list_models() -> list[str]:
    """Names of all architectures: diapir's, and those of installed packages."""
    from diapir.architectures import ARCHITECTURES, installed_architectures

    return [*ARCHITECTURES, *sorted(installed_architectures())]


def evaluate(
    models: Paths | Sequence[Paths] = (),
    *,
    data: Paths | TileSet,
    split: str | None = None,
    out: Paths | None = None,
    groups: Paths | None = None,
    mosaic: Paths | None = None,
    all_tiles: bool = False,
    encoding: MaskEncoding | Literal["auto"] = "auto",
    skip_bad: bool = False,
    threshold: float | None = None,
    min_area: int | None = None,
    **running: Any,
) -> Evaluated:
    """Evaluate a model, or several together, on labelled tiles, as `diapir evaluate` does.

    Args:
        models: runs, run folders, bundle folders or loaded models; the bundled model if empty.
        data: labelled tiles: a folder, a zip, or a set that was read already.
        split: part of a split to evaluate on, such as `split.json:val`.
        out: folder for `evaluation.json`, `tiles.csv` and `report.html`; None writes nothing.
        groups: a groups.csv instead of the one that the runs were trained with.
        mosaic: folder of a mosaic: also score tiles inside their sections.
        all_tiles: also score tiles that a model was trained on.
        encoding: mask encoding, if it is not recognised.
        skip_bad: leave out tiles that cannot be read.
        threshold: None for the mean of the models'.
        min_area: minimum component size in pixels; None for the mean of the models'.
        running: `tta`, `engine`, `device`, `threads`, `batch`, as in `EngineOptions`.

    Returns:
        The evaluation: `.evaluation.metrics`, `.notes`.

    Raises:
        DiapirError: models, tiles or arguments that cannot be used.
    """
    from diapir.evaluation import claim_evaluation, evaluate_models, save_in_sections

    given = paths(models)
    if out is not None:
        claim_evaluation(Path(out), given, _path_of(data))
    with extras_explained():
        done = evaluate_models(
            given,
            data if isinstance(data, TileSet) else Path(data),
            split=split,
            groups=_optional(groups),
            mosaic=_optional(mosaic),
            all_tiles=all_tiles,
            encoding=encoding,
            skip_bad=skip_bad,
            threshold=threshold,
            min_area=min_area,
            open_models=_opener(models, running),
        )
    if out is not None:
        done.evaluation.save(Path(out))
        save_in_sections(Path(out), done.in_sections)
        _evaluation_report(Path(out), done)
    return done


def _evaluation_report(out: Path, done: Evaluated) -> None:
    """Write the report, where the packages that draw it are installed."""
    from diapir.run.folder import REPORT

    try:
        from diapir.reports import write_evaluation_report
    except ModuleNotFoundError as error:
        if error.name not in {"jinja2", "matplotlib", "markupsafe"}:
            raise
        return
    scored = done.predictions
    write_evaluation_report(
        out / REPORT,
        done.evaluation,
        scored.tiles,
        scored.probabilities,
        *scored.bundles,
        in_sections=done.in_sections,
        notes=done.notes,
    )


def _path_of(data: Paths | TileSet) -> Path:
    return data.path if isinstance(data, TileSet) else Path(data)


def _optional(path: Paths | None) -> Path | None:
    return None if path is None else Path(path)


def _opener(models: Paths | Sequence[Paths], running: dict[str, Any]) -> OpenModels:
    """Opens models by path; those that were loaded already are taken as they are."""
    (engine,) = options(running, EngineOptions)
    given = [models] if isinstance(models, str | os.PathLike) else [*models]
    loaded = {
        path: predictor
        for one in given
        if isinstance(one, LoadedModel)
        for path, predictor in one.members.items()
    }

    def open_models(asked: Sequence[Path]) -> Segmenter:
        named: Sequence[Path | None] = asked or [None]
        members = [
            loaded[path] if path in loaded else Predictor.load(path, engine) for path in named
        ]
        return members[0] if len(members) == 1 else Ensemble(members)

    return open_models


def tune(
    runs: Paths | Sequence[Paths],
    *,
    data: Paths | TileSet,
    out: Paths,
    apply: bool = False,
    report: bool = False,
    into: Paths | Sequence[Paths] = (),
    groups: Paths | None = None,
    encoding: MaskEncoding | Literal["auto"] = "auto",
    skip_bad: bool = False,
    **running: Any,
) -> Tuned:
    """Tune threshold and minimum component size, as `diapir tune` does.

    Args:
        runs: run folders, of folds or of one split.
        data: the tiles they were trained on.
        out: file for every setting tried, such as `tuned.json`.
        apply: write the setting into the models.
        report: with `apply`: evaluate the runs again, and rewrite their reports.
        into: further models that get the setting.
        groups: a groups.csv instead of the one that the runs were trained with.
        encoding: mask encoding, if it is not recognised.
        skip_bad: leave out tiles that cannot be read.
        running: `tta`, `engine`, `device`, `threads`, `batch`, as in `EngineOptions`.

    Raises:
        DiapirError: runs, tiles or arguments that cannot be used.
    """
    from diapir.evaluation.tuning import claim_tuning, refuse_unapplied, tune_runs

    refuse_unapplied(apply=apply, into=bool(into), report=report)
    claim_tuning(Path(out))
    with extras_explained():
        tuned = tune_runs(
            paths(runs),
            data if isinstance(data, TileSet) else Path(data),
            into=paths(into),
            groups=_optional(groups),
            encoding=encoding,
            skip_bad=skip_bad,
            tta=running.get("tta"),
            open_models=_opener(runs, running),
            earlier=Path(out),
        )
    if not apply:
        tuned.save(Path(out))
        return tuned
    with tuned.applying(Path(out)):
        if report:
            from diapir.comparison.evaluate_run import evaluate_again

            tiles = data if isinstance(data, TileSet) else Path(data)
            evaluate_again(expand(paths(runs)), tiles, quiet)
    return tuned


def compare(
    runs: Paths | Sequence[Paths] = (),
    *,
    out: Paths | None = None,
    recipes: str | Sequence[str] | None = None,
    data: Paths | None = None,
    budget_s: float | None = None,
    epochs: int | None = None,
    seeds: int | None = None,
    no_latency: bool = False,
    overrides: Overrides = (),
    vary: Sequence[str] = (),
    baseline: str | None = None,
    sort: Literal["kaggle_map", "dice"] = "kaggle_map",
) -> Results:
    """Compare networks on equal terms, as `diapir compare` does.

    Args:
        runs: runs or run folders; those that differ only in the seed are one model.
        out: folder to write to, with `report.html` and the leaderboard; with `runs` it may be left
            out, and nothing is written.
        recipes: names or YAML files of recipes to train, instead of `runs`.
        data: labelled tiles; with `runs` only needed for overlays.
        budget_s: training time of each in seconds.
        epochs: epochs of each, instead of the recipe's.
        seeds: trainings of each recipe, with consecutive seeds; 1 if not given.
        no_latency: do not measure how long a prediction takes.
        overrides: changes of every recipe.
        vary: variants of each recipe, as `LABEL: key=value`.
        baseline: the model that the others are compared with; the first if not given.
        sort: the metric to rank by.

    Raises:
        DiapirError: recipes, runs, tiles or folder that cannot be used.
        Interrupted: a signal came; the training in progress has saved a checkpoint.
    """
    from diapir.api.arguments import set_words

    with extras_explained():
        from diapir.comparison import compare as compare_models
        from diapir.reports import write_comparison

        names = recipes.split(",") if isinstance(recipes, str) else recipes
        results = compare_models(
            paths(runs),
            recipes=names,
            data=None if data is None else Path(data),
            out=_optional(out),
            budget_s=budget_s,
            epochs=epochs,
            seeds=seeds,
            latency=not no_latency,
            overrides=set_words(overrides),
            vary=vary,
            baseline=baseline,
            sort=sort,
        )
        if out is not None:
            write_comparison(Path(out), results)
    return results


def adapt(
    inputs: Paths | Sequence[Paths],
    labels: Paths | Sequence[Paths],
    out: Paths,
    *,
    model: Paths = bundles.SECTIONS,
    budget_s: float | None = None,
    replay: Paths | None = None,
    **further: Any,
) -> Adaptation:
    """Adapt a model to a survey with labels of a few sections, as `diapir adapt` does.

    Args:
        inputs: a survey, several 2D lines or a folder of them, or pictures.
        labels: labels of some of their sections.
        out: the run folder to make; an interrupted adaptation in it is resumed.
        model: a run, a bundle or a bundled model, with trainable weights.
        budget_s: time for everything in seconds; 60 where `steps` is not given.
        replay: labelled tiles to train on as well.
        further: options of `AdaptOptions`, `LabelOptions` and `SurveyHints`, or these objects as
            `options`, `label_options` and `hints`.

    Raises:
        DiapirError: inputs, labels, model or folder that cannot be used, or a budget too short.
        Interrupted: a signal came, and a checkpoint was saved.
    """
    with extras_explained():
        from diapir.adaptation import AdaptOptions
        from diapir.adaptation import adapt as adapt_model
        from diapir.surveys import LabelOptions, SurveyHints

        whole = {
            name: further.pop(name)
            for name in ("options", "label_options", "hints", "display", "started")
            if name in further
        }
        made = options(further, AdaptOptions, LabelOptions, SurveyHints)
        names = ("options", "label_options", "hints")
        return adapt_model(
            paths(inputs),
            paths(labels),
            Path(out),
            model=os.fspath(model),
            budget_s=budget_s,
            replay=_optional(replay),
            **dict(zip(names, made, strict=True)) | whole,
        )


def export(
    models: Paths | Sequence[Paths] = (),
    *,
    to: Form,
    out: Paths,
    half: bool = False,
    int8: bool = False,
    trainable: bool = False,
    name: str | None = None,
    data: Paths | TileSet | None = None,
    with_preprocessing: Literal["uint8", "float32"] | None = None,
    progress: ShowProgress = quiet,
) -> Bundle:
    """Export a model to ONNX or OpenVINO and measure the differences, as `diapir export` does.

    Args:
        models: runs, bundles or loaded models, several as the mean of their probabilities; the
            bundled model if empty.
        to: `onnx` or `openvino`.
        out: folder of the new bundle.
        half: store the weights as float16.
        int8: convolutions in 8-bit integers, with ranges from `data`, which is needed.
        trainable: keep the weights, to train on from them.
        name: of the exported model; None for that of the model.
        data: tiles to measure on; None for a small synthetic survey.
        with_preprocessing: also write a network from grey levels of this type to probabilities.
        progress: opens a progress display.

    Returns:
        The bundle; `info.export.parity` has the differences.

    Raises:
        DiapirError: models that cannot be exported, or differences that would change results.
    """
    chosen: Sequence[Path | None] = expand(paths(models)) or [None]
    source, *further = map(bundles.load, chosen)
    refuse_repeated([source, *further])
    if int8 and data is None:
        raise ConfigError(
            "--int8 without --data",
            expected="tiles like the training tiles, on which the ranges of 8-bit integers are "
            "measured",
            fix="give --data TILES",
        )
    with extras_explained(), TemporaryDirectory(prefix="diapir-") as folder:
        from diapir.exports import export_bundle

        tiles = _tiles_to_measure_on(data, Path(folder))
        with progress("comparing") as show:
            return export_bundle(
                source,
                to,
                Path(out),
                images=[tiles.image(index) for index in range(len(tiles))],
                data=tiles.name,
                further=further,
                half=half,
                int8=int8,
                trainable=trainable,
                name=name,
                with_preprocessing=with_preprocessing,
                progress=show,
            )


def _tiles_to_measure_on(data: Paths | TileSet | None, folder: Path) -> TileSet:
    if data is not None:
        return data if isinstance(data, TileSet) else load_tiles(Path(data), labelled=False)
    from diapir.tiles import synthesise

    synthesise(folder / "synthetic", tiles=SYNTHETIC, seed=0)
    return load_tiles(folder / "synthetic")
