"""`diapir compare`: which network for these tiles?"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter
from cyclopts.types import PositiveInt

from diapir.cli.options import Duration
from diapir.cli.output import Answer, Injected, Output
from diapir.errors import ConfigError, RunError

if TYPE_CHECKING:
    from diapir.comparison.plan import Contest
    from diapir.comparison.state import Ledger
    from diapir.reports import Results

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

Interrupted, the same command continues: what is done is kept, what is half done
goes on with what is left of its budget, what failed is tried again. A training
that fails does not stop the rest and is listed at the end; the exit code is 2
where fewer than two models are left to compare.""",
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
    overrides: Annotated[
        tuple[str, ...],
        Parameter(name="--set", negative="", show_default=False, metavar="KEY=VALUE"),
    ] = (),
    vary: Annotated[
        tuple[str, ...],
        Parameter(name="--vary", negative="", show_default=False, metavar="LABEL:KEY=VALUE…"),
    ] = (),
    baseline: Annotated[str | None, Parameter(show_default=False)] = None,
    sort: Ranking = "kaggle_map",
    output: Injected,
) -> Answer:
    """Compare networks on equal terms: recipes or finished runs.

    With --recipes each is trained by the same split, seeds and budget, one
    after the other, each in a process of its own. Trackers are off unless
    --set turns them on. Runs on other data or another split are refused.

    Args:
        runs: run folders of `diapir train`; those that differ in the seed alone are one model.
        out: folder to write to.
        recipes: recipes to train, joined by commas; names or YAML files.
        data: labelled tiles; with RUN only the overlays need them.
        budget: training time of each: 90s, 12m or 1.5h.
        epochs: epochs of each, instead of the recipe's.
        seeds: trainings of each recipe: with its own seed, the next, and so on; 1 if not given.
        overrides: change one key of every recipe, as in preprocess.size=128; may be given often.
        vary: train each recipe once more with these keys changed, as in "no flip:
            augment.flip=none"; the label may be left out. May be given often.
        baseline: the model that the others are compared with; the first if not given.
        sort: the metric that ranks.
        output: where lines and the answer go.
    """
    words = _words(locals())
    if recipes is None:
        given: dict[str, object] = {"--budget": budget, "--epochs": epochs, "--seeds": seeds}
        given |= {"--set": overrides, "--vary": vary}
        _refuse([name for name, value in given.items() if value], "say how to train")
        return _compare_runs(runs, out, data, baseline, sort, words, output)
    _refuse([str(run) for run in runs], "are trained already")
    if data is None:
        raise ConfigError(
            "--recipes was given without --data",
            expected="labelled tiles to train on",
            fix="--data PATH, a folder or Kaggle's zip",
        )
    from diapir.comparison.plan import Contest

    contest = Contest(
        [name.strip() for name in recipes.split(",") if name.strip()],
        variations=vary,
        data=data,
        out=out,
        budget_s=budget,
        epochs=epochs,
        seeds=seeds or 1,
        overrides=overrides,
    )
    return _train_and_compare(contest, baseline, sort, words, output)


def _train_and_compare(
    contest: Contest, baseline: str | None, sort: Ranking, words: str, output: Output
) -> Answer:
    from diapir.comparison.candidates import compare_models, name_of

    reference = name_of(baseline, contest.names) if baseline else contest.names[0]
    with contest.held():
        contest.train(output.stream)
        models, failures = contest.models(), contest.failures()
        if len(models) < 2:
            raise RunError(
                f"only {len(models)} of {len(contest.names)} models could be trained: "
                + "; ".join(f"{failure.name}: {failure.reason}" for failure in failures),
                expected="at least two models to compare",
                fix="fix what is listed, then run the same command again",
            )
        terms = contest.terms()
        if reference not in {model.name for model in models}:
            terms.append(("Baseline", f"{models[0].name}, as {reference} failed"))
            reference = models[0].name
        results = compare_models(
            models,
            baseline=reference,
            by=sort,
            tiles=contest.tiles,
            terms=terms,
            failures=failures,
            command=words,
            output=output,
        )
        return _answer(results, contest.ledger, output)


def _compare_runs(
    runs: Sequence[Path],
    out: Path,
    data: Path | None,
    baseline: str | None,
    sort: Ranking,
    words: str,
    output: Output,
) -> Answer:
    from diapir.comparison.candidates import compare_models, group_runs, judged_tiles, name_of
    from diapir.comparison.state import LEDGER, Ledger, open_ledger, refuse_change

    models = group_runs(runs)
    if len(models) < 2:
        raise ConfigError(
            f"{len(models)} runs were given to compare",
            expected="at least two RUN, or --recipes A,B --data PATH",
            fix="name run folders of `diapir train`, or recipes to train",
        )
    names = [model.name for model in models]
    reference = names[0]
    if baseline:
        of_run = {str(run): model.name for model in models for run in model.runs}
        reference = name_of(of_run.get(str(Path(baseline)), baseline), names)
    command = {"RUN": [str(run.resolve()) for run in runs]}
    ledger = open_ledger(out)
    if ledger and ledger.command != command:
        refuse_change(ledger, {"RUN": (ledger.command.get("RUN"), command["RUN"])})
    results = compare_models(
        models,
        baseline=reference,
        by=sort,
        tiles=judged_tiles(models, data) if data else None,
        terms=[],
        failures=[],
        command=words,
        output=output,
    )
    out.mkdir(parents=True, exist_ok=True)
    return _answer(results, ledger or Ledger(out / LEDGER, command), output)


def _answer(results: Results, ledger: Ledger, output: Output) -> Answer:
    """Write the page and its tables, say what they say, and remember it."""
    from diapir.reports import rows, write_comparison
    from diapir.reports.compare.comparison_page import CSV, MARKDOWN
    from diapir.reports.compare.comparison_words import findings

    out = ledger.path.parent
    report = write_comparison(out, results)
    output.say("", *_table(results), "", *findings(results), "")
    for failure in results.failures:
        output.say(f"FAILED {failure.name}: {failure.reason}")
        if failure.fix:
            output.say(f"  fix: {failure.fix}")
    if results.tiles is None:
        output.say("--data PATH, the tiles these runs were trained on, adds their overlays")
    output.say(f"report       {report}", f"leaderboard  {out / CSV}, {out / MARKDOWN}")
    content = {
        "out": out,
        "report": report,
        "csv": out / CSV,
        "markdown": out / MARKDOWN,
        "sort": results.by,
        "baseline": results.baseline,
        "leaderboard": rows(results),
        "findings": findings(results),
        "failures": [
            {"name": one.name, "reason": one.reason, "mend": one.fix} for one in results.failures
        ],
        "terms": dict(results.terms),
        "data": results.evaluation.data,
    }
    ledger.result = content
    ledger.save()
    return Answer(content)


def _table(results: Results) -> Iterator[str]:
    """The leaderboard, as lines for people."""
    from diapir.reports.compare.leaderboard import interval, verdict_words
    from diapir.reports.run.facts import DEFINITIONS
    from diapir.text import decimal, significant

    width = max(len(contender.name) for contender in results.ranked)
    yield f"{'':{width + 4}}  {DEFINITIONS[results.by][0]}, 95 %, ms a tile, against the baseline"
    for rank, contender in enumerate(results.ranked, 1):
        score = results.comparison.score(contender.name, results.by)
        found = results.difference(contender.name, results.by)
        shown = decimal(score.value) + interval(score.low, score.high)
        latency = significant(contender.latency.tile_ms if contender.latency else None)
        verdict = verdict_words(found) if found else "baseline"
        yield f"{rank:>2}. {contender.name:<{width}}  {shown:<21}  {latency:>6}  {verdict}"


def _words(given: Mapping[str, Any]) -> str:
    """The command line that was given, from the verb's arguments."""
    words = ["diapir", "compare", *map(str, given["runs"])]
    options = {
        "--recipes": given["recipes"],
        "--data": given["data"],
        "--out": given["out"],
        "--budget": f"{given['budget']:g}s" if given["budget"] else None,
        "--epochs": given["epochs"],
        "--seeds": given["seeds"],
        "--baseline": given["baseline"],
        "--sort": given["sort"] if given["sort"] != "kaggle_map" else None,
    }
    for option, value in options.items():
        words += [option, str(value)] if value is not None else []
    for option, name in (("--set", "overrides"), ("--vary", "vary")):
        words += [word for value in given[name] for word in (option, value)]
    return shlex.join(words)


def _refuse(given: Sequence[str], reason: str) -> None:
    if given:
        raise ConfigError(
            f"{', '.join(given)} {reason}, which does not go with the rest of the command",
            expected="either RUN…, which are trained, or --recipes to train",
            fix="`diapir compare --help` shows both",
        )
