"""`diapir tune`: the best threshold and minimum component size for trained models."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from diapir.cli.options import Encoding, Flag, SkipBad
from diapir.cli.output import Answer, Injected, Output
from diapir.cli.running import DEFAULT_RUNNING, Opening, Running
from diapir.text import plural

if TYPE_CHECKING:
    from diapir.evaluation.tuning import Setting, Tuned

app = App(
    name="tune",
    help_epilogue="""Examples:

  diapir tune runs/fold* --data tgs.zip --out tuned.json
  diapir tune runs/fold* --data tgs.zip --out tuned.json --apply --report
  diapir tune runs/fold* --data tgs.zip --out tuned.json --apply --into runs/all""",
)


@app.default
def tune(
    runs: Annotated[list[Path], Parameter(name="RUN", negative="")],
    /,
    *,
    data: Path,
    out: Path,
    apply: Flag = False,
    report: Flag = False,
    into: Annotated[list[Path] | None, Parameter(negative="", show_default=False)] = None,
    groups: Annotated[Path | None, Parameter(show_default=False)] = None,
    encoding: Encoding = "auto",
    skip_bad: SkipBad = False,
    running: Running = DEFAULT_RUNNING,
    output: Injected,
) -> Answer:
    """Tune threshold and minimum component size for Kaggle's mAP.

    Each run predicts the validation part it held out; runs of one split are
    averaged. The gain of the best setting is cross-validated. No model is changed
    unless --apply is given: then the setting is written into the models if it
    beats the one in use when cross-validated, with --tta and a record of the
    tiles it was tuned on, which `diapir evaluate` names. The metrics in the
    models stay those of their training, unless --report evaluates the runs
    again; models of --into that were trained on all tiles have none and get the
    out-of-fold metrics of the runs, marked as such. If the command is
    interrupted, the same command completes it.

    Args:
        runs: run folders, of folds or of one split.
        data: the tiles they were trained on.
        out: file for every setting tried, such as tuned.json.
        apply: write the setting into the models.
        report: with --apply: evaluate the runs again and rewrite their evaluation/ and report.html.
        into: further models that get the setting, such as one trained on all tiles.
        groups: groups.csv of `diapir data mosaic`, instead of the one the runs were trained with.
        encoding: mask encoding, if it is not recognised.
        skip_bad: leave out tiles that cannot be read, instead of stopping.
        running: how the network runs.
        output: where lines and the answer go.
    """
    from diapir.evaluation.tuning import claim_tuning, refuse_unapplied, tune_runs
    from diapir.run.folds import expand

    refuse_unapplied(apply=apply, into=bool(into), report=report)
    claim_tuning(out)
    opening = Opening(running)
    tuned = tune_runs(
        runs,
        data,
        into=into or [],
        groups=groups,
        encoding=encoding,
        skip_bad=skip_bad,
        tta=running.tta,
        open_models=opening,
        show=output.progress,
        earlier=out,
    )
    if not apply:
        tuned.save(out)
    answer = tuned.to_json() | {
        "out": out,
        "written": tuned.written if apply else {},
        "models": opening.used,
        "notes": tuned.notes,
    }
    runs = expand(runs)
    with tuned.applying(out) if apply else contextlib.nullcontext():
        output.say(*opening.lines, *_lines(tuned, len(runs)))
        output.note(*tuned.notes)
        output.say(*_written(tuned, applied=apply))
        if report:
            answer["reports"] = _reports(runs, data, output)
        elif apply and tuned.fields:
            output.say(
                f"report.html and evaluation/ of {plural(len(runs), 'run')} are those of before: "
                "--report rewrites them"
            )
    return Answer(answer)


def _reports(runs: list[Path], data: Path, output: Output) -> list[Path]:
    """Evaluate runs again with their new setting; returns their reports."""
    from diapir.comparison.evaluate_run import evaluate_again

    reports = [done.report for done in evaluate_again(runs, data, output.progress)]
    output.say(*(f"report  {report}" for report in reports))
    return reports


def _lines(tuned: Tuned, runs: int) -> Iterator[str]:
    tuning, tiles = tuned.tuning, plural(len(tuned.predictions.tiles), "tile")
    if runs == 1:
        yield f"{tiles} that the run held out"
    else:
        yield f"{tiles}, each predicted by those of {runs} runs that held it out"
    used, best = tuning.used, tuning.best
    checked = "–" if tuning.checked is None else f"{tuning.checked:.4f}"
    yield f"  in use           {_words(used)}: Kaggle mAP {used.kaggle_map:.4f}"
    yield f"  best             {_words(best)}: {best.kaggle_map:.4f}"
    yield f"  cross-validated  {checked}"
    yield f"  predicts nothing {tuning.nothing:.4f}"
    if not tuning.finds:
        yield "the best setting scores no more than predicting nothing: it is not used"
    elif not tuning.gains:
        yield "no gain when cross-validated: the setting in use is kept"


def _written(tuned: Tuned, *, applied: bool) -> Iterator[str]:
    """What was written into the models, or would be."""
    written = ", ".join(f"{key} {value}" for key, value in tuned.written.items()) or "nothing"
    models = plural(len(tuned.models), "model")
    if not applied:
        yield f"not written into the models: {written}; --apply writes it into {models}"
        return
    yield f"written into {models}: {written}"
    for bundle in tuned.without_metrics:
        yield f"{bundle.path} was trained on all tiles: it gets the out-of-fold metrics of the runs"


def _words(setting: Setting) -> str:
    return f"threshold {setting.threshold:.2f}, minimum size {setting.min_area} px"
