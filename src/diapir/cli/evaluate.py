"""`diapir evaluate`: how good a model is on labelled tiles, or several together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from diapir.cli.options import Encoding, SkipBad
from diapir.cli.output import Answer, Injected, Output
from diapir.cli.reporting import can_report
from diapir.cli.running import (
    AS_THE_MODEL_SAYS,
    MARKED_AS_THE_MODEL_SAYS,
    Marking,
    Models,
    Running,
)
from diapir.errors import ConfigError, RunError, SplitError

if TYPE_CHECKING:
    from diapir.evaluation.held_out import Share
    from diapir.tiles import TileSet

app = App(
    name="evaluate",
    help_epilogue="""Examples:

  diapir evaluate runs/a --data tgs.zip        on its own validation part
  diapir evaluate runs/a --data tgs.zip --split folds.json:fold0 --out judged
  diapir evaluate runs/a/best --data other/ --json
  diapir evaluate runs/seed1 runs/seed2 --data tgs.zip --tta flip
  diapir evaluate runs/fold* --data tgs.zip    out of fold""",
)


@app.default
def evaluate(
    models: Models = None,
    /,
    *,
    data: Path,
    split: Annotated[str | None, Parameter(metavar="FILE:PART", show_default=False)] = None,
    out: Annotated[Path | None, Parameter(show_default=False)] = None,
    groups: Annotated[Path | None, Parameter(show_default=False)] = None,
    encoding: Encoding = "auto",
    skip_bad: SkipBad = False,
    marking: Marking = MARKED_AS_THE_MODEL_SAYS,
    running: Running = AS_THE_MODEL_SAYS,
    output: Injected,
) -> Answer:
    """Score a model on labelled tiles, with 95 % intervals.

    Several models are averaged. Without --split, a run folder is judged on the
    validation part of its own split where --data is what it was trained on, and
    else on all tiles. Runs of different folds are judged each on its own part,
    or on what --split names of it: every tile by those that did not learn from
    it. The intervals come from resampling whole sections.

    Args:
        models: run folders and bundle folders; without one, the shipped model.
        data: labelled tiles: a folder, or Kaggle's zip as it is.
        split: the part of a split to judge on, such as split.json:val.
        out: folder for evaluation.json, tiles.csv and report.html; without it nothing is written.
        groups: groups.csv of `diapir data mosaic`, instead of the one the runs were trained by.
        encoding: how the masks say salt, where it cannot be found out.
        skip_bad: leave out tiles that cannot be read, instead of stopping.
        marking: what counts as salt.
        running: how the network runs.
        output: where lines and the answer go.
    """
    from diapir.cli.judging import summary
    from diapir.evaluation import evaluate as score
    from diapir.evaluation.held_out import predict_unseen
    from diapir.tiles import load_tiles
    from diapir.tiles.groups import with_groups

    models = models or []
    if out is not None:
        _refuse_used(out, models, data)
    # what is wrong with these is told before tiles are read and predicted, which may take minutes
    opened = running.open(models)
    marking.check()
    tiles = load_tiles(data, encoding=encoding, skip_bad=skip_bad)
    part, shares = _choose(tiles, models, split, output)
    if groups is None and part != "all" and split is None:
        groups = trained_by(models)
    with output.progress("judging") as progress:
        unseen = predict_unseen(
            shares,
            tiles,
            lambda runs: opened if tuple(runs) == tuple(models) else running.open(runs),
            progress,
        )
    chosen = unseen.tiles if groups is None else with_groups(unseen.tiles, groups)
    evaluation = score(
        chosen,
        unseen.probabilities,
        threshold=unseen.threshold if marking.threshold is None else marking.threshold,
        min_area=unseen.min_area if marking.min_area is None else marking.min_area,
        part=part,
        model=unseen.model,
    )
    output.say(*summary(evaluation))
    content: dict[str, Any] = {
        "model": evaluation.model,
        "data": evaluation.data,
        "metrics": evaluation.metrics,
    }
    if out is not None:
        evaluation.save(out)
        content["out"] = out
        if can_report(output):
            from diapir.reports import write_evaluation_report

            content["report"] = write_evaluation_report(
                out / "report.html", evaluation, chosen, unseen.probabilities, *unseen.bundles
            )
            output.say("", f"report  {content['report']}")
    return Answer(content)


def _refuse_used(out: Path, models: Sequence[Path], data: Path) -> None:
    """Refuse a folder in which this evaluation would replace something else than an earlier one."""
    taken = {data.resolve(): "is the tile set"}
    for model in models:
        taken[model.resolve()] = "is the model"
        taken[(model / "evaluation").resolve()] = "is the run's own evaluation"
    found = taken.get(out.resolve()) if out.exists() else None
    held = [name for name in ("bundle.json", "report.html", "tiles.csv") if (out / name).exists()]
    if out.is_file():
        found = "is a file"
    elif held and not (out / "evaluation.json").exists():
        found = found or f"holds {held[0]}, which no evaluation wrote"
    if found:
        raise RunError(
            f"{out} {found}",
            expected="a folder for evaluations, so that nothing else is overwritten",
            fix="choose another --out",
        )


def _choose(
    tiles: TileSet, models: Sequence[Path], split: str | None, output: Output
) -> tuple[str, list[Share]]:
    """The part's name, and which models judge which of its tiles."""
    from diapir.evaluation.held_out import (
        PART,
        Share,
        learnt_all,
        own_validation,
        share_validation,
    )

    if split is not None:
        part, ids = _part(tiles, split)
        return part, _share_part(ids, tiles, models, output)
    without: dict[Path, SplitError] = {}
    for model in models:
        try:
            own_validation(model, tiles)
        except SplitError as error:
            without[model] = error
    if len(without) == len(models):
        for model in models:
            if learnt_all(model):
                output.say(
                    f"{model} learnt from all of its tiles: where they are judged on here, "
                    "the scores flatter it"
                )
            elif (model / "split.json").is_file():
                output.say(
                    f"{tiles.name} is not what {model} was trained on: judged on all its tiles"
                )
        return "all", [Share(tiles.ids, tuple(models))]
    if without:
        raise next(iter(without.values()))
    shares = share_validation(models, tiles)
    if len(shares) > 1:
        count = sum(len(share.ids) for share in shares)
        output.say(
            f"judged out of fold: each of {count} tiles by those of the {len(models)} runs that "
            "were not trained on it"
        )
        return PART, shares
    if len(models) > 1:
        output.say(
            f"judged on the part `val` that all {len(models)} runs share, on which none was trained"
        )
    else:
        own = models[0] / "split.json"
        output.say(f"judged on the part `val` of {own}, which {models[0]} was not trained on")
    return "val", shares


def _share_part(
    ids: tuple[str, ...], tiles: TileSet, models: Sequence[Path], output: Output
) -> list[Share]:
    """Which models judge which tiles of a part: out of fold where they are runs of its folds."""
    from diapir.evaluation.held_out import Share, learnt_ids, share_validation

    wanted = set(ids)
    learnt = {model: len(learnt_ids(model, tiles) & wanted) for model in models}
    if len(models) > 1 and any(learnt.values()):
        try:
            whole = share_validation(models, tiles)
        except SplitError:
            whole = []
        shares = [
            Share(tuple(tile for tile in one.ids if tile in wanted), one.models) for one in whole
        ]
        if sum(len(share.ids) for share in shares) == len(ids):
            output.say(
                f"judged out of fold: each of {len(ids)} tiles by those of the {len(models)} runs "
                "that were not trained on it"
            )
            return [share for share in shares if share.ids]
    for model, count in learnt.items():
        if count:
            output.say(f"{model} learnt from {count} of these {len(ids)} tiles: they flatter it")
    return [Share(ids, tuple(models))]


def _part(tiles: TileSet, split: str) -> tuple[str, tuple[str, ...]]:
    """The name and the tiles of FILE:PART."""
    from diapir.tiles import Split

    file, colon, part = split.rpartition(":")
    if not (file and colon and part):
        raise ConfigError(
            f"--split {split} has no FILE:part form",
            expected="a split file, a colon and the name of one of its parts",
            fix=f"--split {file or (not colon and part) or 'split.json'}:val",
        )
    chosen = Split.load(Path(file))
    if part not in chosen.parts:
        raise SplitError(
            f"{file} has no part {part!r}",
            expected=f"one of {', '.join(chosen.parts)}",
            fix=f"--split {file}:{next(iter(chosen.parts))}",
        )
    chosen.verify(tiles)
    return part, chosen.part(part)


def trained_by(runs: Sequence[Path]) -> Path | None:
    """The groups.csv that runs were trained by, where it is still there."""
    from diapir.run.folder import saved_config

    for run in runs:
        config = saved_config(run)
        if config and config.data.groups and Path(config.data.groups).is_file():
            return Path(config.data.groups)
    return None
