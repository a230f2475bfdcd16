"""`diapir tune`: the threshold and the least area that mark salt best."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from diapir.cli.evaluate import trained_by
from diapir.cli.options import Encoding, SkipBad
from diapir.cli.output import Answer, Injected
from diapir.cli.running import AS_THE_MODEL_SAYS, Running
from diapir.errors import RunError

if TYPE_CHECKING:
    from diapir.evaluation.tuning import Setting, Tuning

app = App(
    name="tune",
    help_epilogue="""Examples:

  diapir tune runs/fold* --data tgs.zip --tta flip --out tuned.json
  diapir tune runs/fold* --data tgs.zip --out tuned.json --into runs/all""",
)


@app.default
def tune(
    runs: Annotated[list[Path], Parameter(name="RUN", negative="")],
    /,
    *,
    data: Path,
    out: Path,
    into: Annotated[list[Path] | None, Parameter(negative="", show_default=False)] = None,
    groups: Annotated[Path | None, Parameter(show_default=False)] = None,
    encoding: Encoding = "auto",
    skip_bad: SkipBad = False,
    running: Running = AS_THE_MODEL_SAYS,
    output: Injected,
) -> Answer:
    """Choose threshold and least area by Kaggle's mAP.

    Each run predicts its own validation part, which it did not learn from; runs
    of one split are averaged.
    What does best is checked on tiles it was not chosen on, and written into the
    models where it gains there; --tta is written as well. The metrics that the
    models carry stay those of their training; a model of --into without any,
    having learnt from all tiles, gets those of the runs, which say so.

    Args:
        runs: run folders, of folds or of one split.
        data: the tiles they were trained on.
        out: file for every setting that was tried, such as tuned.json.
        into: further models that get the setting, such as one trained on all tiles.
        groups: groups.csv of `diapir data mosaic`, instead of the one the runs were trained by.
        encoding: how the masks say salt, where it cannot be found out.
        skip_bad: leave out tiles that cannot be read, instead of stopping.
        running: how the network runs.
        output: where lines and the answer go.
    """
    from diapir import bundle as bundles
    from diapir.evaluation import evaluate
    from diapir.evaluation.held_out import predict_unseen, share_validation
    from diapir.evaluation.tuning import tune_marking
    from diapir.files import replace_file
    from diapir.inference.ensemble import refuse_repeated
    from diapir.tiles import load_tiles
    from diapir.tiles.groups import with_groups

    _refuse_used(out)
    named = [bundles.load(run) for run in [*runs, *(into or [])]]
    refuse_repeated(named)
    unjudged = [bundle for bundle in named[len(runs) :] if not bundle.info.metrics]
    tiles = load_tiles(data, encoding=encoding, skip_bad=skip_bad)
    shares = share_validation(runs, tiles)
    groups = groups or trained_by(runs)
    with output.progress("predicting") as progress:
        unseen = predict_unseen(shares, tiles, running.open, progress)
    chosen_on = unseen.tiles if groups is None else with_groups(unseen.tiles, groups)
    with output.progress("tuning") as progress:
        tuning = tune_marking(
            chosen_on,
            unseen.probabilities,
            threshold=unseen.threshold,
            min_area=unseen.min_area,
            progress=progress,
        )
    content = {
        "data": {"name": chosen_on.name, "hash": chosen_on.hash, "n_images": len(chosen_on)},
        "models": unseen.model,
        **tuning.to_json(),
    }
    replace_file(out, json.dumps(content, indent=2) + "\n")
    fields: dict[str, Any] = {} if running.tta is None else {"tta": running.tta}
    if tuning.gains:
        fields |= {"threshold": tuning.best.threshold, "min_area": tuning.best.min_area}
    metrics: dict[str, Any] = {}
    if unjudged:
        evaluation = evaluate(
            chosen_on,
            unseen.probabilities,
            threshold=tuning.chosen.threshold,
            min_area=tuning.chosen.min_area,
            part=f"out of fold, of {len(runs)} runs for this model",
        )
        metrics = {"metrics": evaluation.metrics | {"data": evaluation.data}}
    for bundle in named:
        if news := fields | (metrics if bundle in unjudged else {}):
            bundles.annotate(bundle, **news)
    output.say(*_lines(tuning, len(chosen_on), len(runs)))
    written = ", ".join(f"{key} {value}" for key, value in fields.items()) or "nothing"
    output.say(f"written into {len(named)} model{'s' if len(named) > 1 else ''}: {written}")
    output.say(*(f"{bundle.path} learnt from all tiles: the runs' metrics" for bundle in unjudged))
    return Answer(content | {"out": out, "written": fields})


def _lines(tuning: Tuning, tiles: int, runs: int) -> Iterator[str]:
    by = (
        "the run, which did not learn from them"
        if runs == 1
        else (f"those of {runs} runs that did not learn from it")
    )
    yield f"{tiles} tiles, {'predicted' if runs == 1 else 'each predicted'} by {by}"
    used, best = tuning.used, tuning.best
    checked = "not checked" if tuning.checked is None else f"{tuning.checked:.4f}"
    yield f"  in use   {_words(used)}: Kaggle's mAP {used.kaggle_map:.4f}"
    yield f"  best     {_words(best)}: {best.kaggle_map:.4f}"
    yield f"  checked  the best of some tiles, on the others: {checked}"
    if not tuning.gains:
        yield "no setting is better on tiles it was not chosen on, so none is changed"


def _words(setting: Setting) -> str:
    return f"threshold {setting.threshold:.2f}, least area {setting.min_area}"


def _refuse_used(out: Path) -> None:
    """Refuse a file that no tuning wrote, and a place that cannot be written, before the work."""
    if out.exists():
        try:
            tuned = out.is_file() and "table" in json.loads(out.read_bytes())
        except (OSError, ValueError, TypeError):
            tuned = False
        if not tuned:
            raise RunError(
                f"{out} is there, and no tuning wrote it",
                expected="a new file, or that of an earlier tuning",
                fix="choose another --out",
            )
    out.parent.mkdir(parents=True, exist_ok=True)
