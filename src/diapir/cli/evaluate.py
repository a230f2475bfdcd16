"""`diapir evaluate`: how well a model, or several together, find salt in labelled tiles."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from diapir.cli.options import Encoding, Flag, SkipBad
from diapir.cli.output import Answer, Injected, Output
from diapir.cli.running import (
    DEFAULT_POST_PROCESSING,
    DEFAULT_RUNNING,
    Models,
    Opening,
    PostProcessing,
    Running,
)
from diapir.errors import MissingDependencyError, RunError

if TYPE_CHECKING:
    from diapir.evaluation import Evaluated

REPORT_PACKAGES = ("jinja2", "matplotlib")
"""Packages that draw a report; an extra installs them."""

app = App(
    name="evaluate",
    help_epilogue="""Examples:

  diapir evaluate runs/a --data tgs.zip        on its own validation part
  diapir evaluate runs/a --data tgs.zip --split folds.json:fold0 --out scores
  diapir evaluate runs/a/best --data other/ --json
  diapir evaluate runs/seed1 runs/seed2 --data tgs.zip --tta flip
  diapir evaluate runs/fold* --data tgs.zip    out of fold
  diapir evaluate runs/a --data tgs.zip --mosaic mosaic    in sections, too""",
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
    mosaic: Annotated[Path | None, Parameter(show_default=False, metavar="FOLDER")] = None,
    all_tiles: Flag = False,
    encoding: Encoding = "auto",
    skip_bad: SkipBad = False,
    post_processing: PostProcessing = DEFAULT_POST_PROCESSING,
    running: Running = DEFAULT_RUNNING,
    output: Injected,
) -> Answer:
    """Evaluate a model on labelled tiles, with 95% CIs.

    The predictions of several models are averaged. A run is evaluated on the
    validation part of its own split if --data is what it was trained on, else
    on all tiles; --split names another part. Tiles that a model was trained on
    are not scored, as far as it records them (--all-tiles scores them, too).
    Runs of different folds are evaluated out of fold: each tile is predicted
    only by the runs that were not trained on it. Confidence intervals come from
    resampling whole sections.

    With --mosaic, the sections that hold evaluated tiles are predicted as a whole
    as well, and these tiles are scored inside them and alone, side by side. What
    to expect of a survey is the score in sections.

    Args:
        models: run folders and bundle folders; by default the bundled model.
        data: labelled tiles: a folder, or Kaggle's zip.
        split: part of a split to evaluate on, such as split.json:val.
        out: folder for evaluation.json, tiles.csv and report.html; nothing is written by default.
        groups: groups.csv of `diapir data mosaic`, instead of the one the runs were trained with.
        mosaic: folder of `diapir data mosaic`: also score tiles inside their whole sections.
        all_tiles: score all tiles of --data or --split, also those that a model was trained on.
        encoding: mask encoding, if it is not recognised.
        skip_bad: leave out tiles that cannot be read, instead of stopping.
        post_processing: what is predicted as salt.
        running: how the network runs.
        output: where lines and the answer go.
    """
    from diapir.evaluation import claim_evaluation, evaluate_models, save_in_sections
    from diapir.evaluation.summary import summary
    from diapir.files import check_writable
    from diapir.run.folder import REPORT

    models = models or []
    if out is not None:
        claim_evaluation(out, models, data)
        check_writable(out, RunError)
    opening = Opening(running, post_processing)
    done = evaluate_models(
        models,
        data,
        split=split,
        groups=groups,
        mosaic=mosaic,
        all_tiles=all_tiles,
        encoding=encoding,
        skip_bad=skip_bad,
        threshold=post_processing.threshold,
        min_area=post_processing.min_area,
        open_models=opening,
        show=output.progress,
    )
    evaluation = done.evaluation
    output.say(*opening.lines, *done.notes, *summary(evaluation, done.in_sections))
    content: dict[str, Any] = {
        "model": evaluation.model,
        "data": evaluation.data,
        **({"in_sections": done.in_sections.block()} if done.in_sections else {}),
        "metrics": evaluation.metrics,
        "notes": done.notes,
        "models": opening.used,
    }
    if out is not None:
        evaluation.save(out)
        save_in_sections(out, done.in_sections)
        content |= {"out": out} | _report(out / REPORT, done, output)
    return Answer(content)


def _can_report(output: Output) -> bool:
    """Whether the packages that draw a report are installed; says how to install them if not."""
    missing = [package for package in REPORT_PACKAGES if find_spec(package) is None]
    if missing:
        error = MissingDependencyError(missing[0], "report")
        output.say("", f"no report: {error.found}; install it with: {error.fix}")
    return not missing


def _report(path: Path, done: Evaluated, output: Output) -> dict[str, Any]:
    """Write the report, if its libraries are installed."""
    if not _can_report(output):
        return {}
    from diapir.reports import write_evaluation_report

    scored = done.predictions
    report = write_evaluation_report(
        path,
        done.evaluation,
        scored.tiles,
        scored.probabilities,
        *scored.bundles,
        in_sections=done.in_sections,
        notes=done.notes,
    )
    output.say("", f"report  {report}")
    return {"report": report}
