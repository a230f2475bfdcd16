"""`diapir compare`: train recipes, or take finished runs, and rank them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter
from cyclopts.types import PositiveInt

from diapir.cli.options import Duration, Flag, Settings
from diapir.cli.output import Answer, Injected

if TYPE_CHECKING:
    from diapir.comparison import Results
    from diapir.reports import ComparisonReport

app = App(
    name="compare",
    help_epilogue="""Examples:

  diapir compare --recipes linknet,deeplabv3plus,lite0/unet --data tgs.zip \\
    --out runs/zoo --budget 12m --seeds 2
  diapir compare --recipes ablation/plain,ablation/all --data tgs.zip \\
    --out runs/study --epochs 30 --set preprocess.size=128
  diapir compare --recipes flagship --vary "no flip: augment.flip=none" \\
    --vary model.scse=false --data tgs.zip --out runs/parts --epochs 6
  diapir compare runs/a runs/b --data tgs.zip --out runs/a-and-b

The folder then holds report.html, leaderboard.csv, leaderboard.md and
compare.json, and with --recipes the run folders in runs/.

After an interruption, run the same command again to resume: finished trainings
are kept, an interrupted one gets the rest of its budget, failed ones are tried
again. A failed training does not stop the others and is listed at the end. The
exit code is 2 if fewer than two models are left to compare.""",
)

Ranking = Literal["kaggle_map", "dice"]


@app.default
def compare(
    runs: Annotated[tuple[Path, ...], Parameter(name="RUN", negative="", show_default=False)] = (),
    /,
    *,
    out: Path,
    recipes: Annotated[str | None, Parameter(metavar="A,B,C", show_default=False)] = None,
    data: Annotated[Path | None, Parameter(show_default=False)] = None,
    budget: Annotated[Duration | None, Parameter(metavar="TIME", show_default=False)] = None,
    epochs: Annotated[PositiveInt | None, Parameter(show_default=False)] = None,
    seeds: Annotated[PositiveInt | None, Parameter(show_default=False)] = None,
    overrides: Settings = (),
    vary: Annotated[
        tuple[str, ...],
        Parameter(name="--vary", negative="", show_default=False, metavar="LABEL:KEY=VALUE…"),
    ] = (),
    baseline: Annotated[str | None, Parameter(show_default=False)] = None,
    sort: Ranking = "kaggle_map",
    no_latency: Flag = False,
    output: Injected,
) -> Answer:
    """Compare networks on equal terms: recipes or finished runs.

    Recipes are trained with the same split, seeds and budget, one after the
    other, each in a process of its own. Trackers are off unless --set turns
    them on. Runs on different data or splits are refused. The leaderboard has a
    row of predicting nothing; there is no verdict on a model that does not beat
    it, completed no epoch, or was trained on evaluated tiles.

    Args:
        runs: run folders of `diapir train`; runs that differ only in the seed are one model.
        out: folder to write to.
        recipes: recipes to train, separated by commas; names or YAML files.
        data: labelled tiles; with RUN only needed for the overlays.
        budget: training time of each: 90s, 12m or 1.5h.
        epochs: epochs of each, instead of the recipe's.
        seeds: trainings of each recipe, with consecutive seeds; 1 if not given.
        overrides: change one key of every recipe, as in preprocess.size=128; repeatable.
        vary: also train a variant of each recipe with these keys changed, as in "no flip:
            augment.flip=none"; the label is optional. Repeatable.
        baseline: the model that the others are compared with; the first if not given.
        sort: the metric to rank by.
        no_latency: do not measure how long a prediction takes.
        output: where lines and the answer go.
    """
    from diapir.comparison import compare as compare_models
    from diapir.comparison.state import save_result
    from diapir.reports import as_text, write_comparison

    results = compare_models(
        runs,
        recipes=None if recipes is None else _names(recipes),
        data=data,
        out=out,
        budget_s=budget,
        epochs=epochs,
        seeds=seeds,
        overrides=overrides,
        vary=vary,
        baseline=baseline,
        sort=sort,
        latency=not no_latency,
        command=output.command,
        stream=output.stream,
    )
    report = write_comparison(out, results)
    content = _content(out, results, report)
    save_result(out, content)
    output.say("", *as_text(results), "", *report.findings, "")
    for failure in results.failures:
        output.say(f"FAILED {failure.name}: {failure.reason}")
        if failure.fix:
            output.say(f"  fix: {failure.fix}")
    if results.tiles is None:
        output.say("add --data PATH, the tiles of these runs, for overlays in the report")
    output.say(f"report       {report.page}", f"leaderboard  {report.csv}, {report.markdown}")
    return Answer(content)


def _names(recipes: str) -> list[str]:
    return [name.strip() for name in recipes.split(",") if name.strip()]


def _content(out: Path, results: Results, report: ComparisonReport) -> dict[str, Any]:
    """The JSON object of the answer."""
    failures = [
        {"name": one.name, "reason": one.reason, "mend": one.fix} for one in results.failures
    ]
    return {
        "out": out,
        "report": report.page,
        "csv": report.csv,
        "markdown": report.markdown,
        "sort": results.by,
        "baseline": results.baseline,
        "leaderboard": report.rows,
        "predicts_nothing": results.nothing,
        "findings": report.findings,
        "failures": failures,
        "terms": dict(results.terms),
        "data": results.evaluation.data,
    }
