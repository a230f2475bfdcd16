"""`diapir evaluate`: how good a model is on labelled tiles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from diapir.cli.options import DeviceName, Encoding, SkipBad
from diapir.cli.output import Answer, Injected, Output
from diapir.errors import ConfigError, RunError, SplitError

if TYPE_CHECKING:
    from diapir.tiles import TileSet

app = App(
    name="evaluate",
    help_epilogue="""Examples:

  diapir evaluate runs/a --data tgs.zip        on its own validation part
  diapir evaluate runs/a --data tgs.zip --split folds.json:fold0 --out judged
  diapir evaluate runs/a/best --data other/ --json""",
)


@app.default
def evaluate(
    model: Path,
    /,
    *,
    data: Path,
    split: Annotated[str | None, Parameter(metavar="FILE:PART", show_default=False)] = None,
    out: Annotated[Path | None, Parameter(show_default=False)] = None,
    encoding: Encoding = "auto",
    skip_bad: SkipBad = False,
    device: DeviceName = "auto",
    output: Injected,
) -> Answer:
    """Score a model on labelled tiles, with 95 % intervals.

    Without --split, a run folder is judged on the validation part of its own
    split where --data is what it was trained on, and else on all tiles. The
    intervals come from resampling whole sections.

    Args:
        model: a run folder or a bundle folder.
        data: labelled tiles: a folder, or Kaggle's zip as it is.
        split: the part of a split to judge on, such as split.json:val.
        out: folder for evaluation.json, tiles.csv and report.html; without it nothing is written.
        encoding: how the masks say salt, where it cannot be found out.
        skip_bad: leave out tiles that cannot be read, instead of stopping.
        device: where the network runs.
        output: where lines and the answer go.
    """
    from diapir.cli.judging import summary
    from diapir.evaluation import evaluate_model
    from diapir.inference import Predictor
    from diapir.tiles import load_tiles

    if out is not None:
        _refuse_used(out, model, data)
    predictor = Predictor.load(model, device=device)
    tiles = load_tiles(data, encoding=encoding, skip_bad=skip_bad)
    part, chosen = _choose(tiles, model, split, output)
    with output.progress("judging") as progress:
        evaluation, probabilities = evaluate_model(predictor, chosen, part=part, progress=progress)
    output.say(*summary(evaluation))
    content: dict[str, Any] = {
        "model": evaluation.model,
        "data": evaluation.data,
        "metrics": evaluation.metrics,
    }
    if out is not None:
        from diapir.reports import write_evaluation_report

        evaluation.save(out)
        report = write_evaluation_report(
            out / "report.html", evaluation, chosen, probabilities, predictor.bundle
        )
        output.say("", f"report  {report}")
        content |= {"out": out, "report": report}
    return Answer(content)


def _refuse_used(out: Path, model: Path, data: Path) -> None:
    """Refuse a folder in which this evaluation would replace something else than an earlier one."""
    taken = {
        data.resolve(): "is the tile set",
        model.resolve(): "is the model",
        (model / "evaluation").resolve(): "is the run's own evaluation",
    }
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
            mend="choose another --out",
        )


def _choose(tiles: TileSet, model: Path, split: str | None, output: Output) -> tuple[str, TileSet]:
    """The part's name and its tiles."""
    from diapir.tiles import Split

    if split is not None:
        file, colon, part = split.rpartition(":")
        if not (file and colon and part):
            raise ConfigError(
                f"--split {split} has no FILE:part form",
                expected="a split file, a colon and the name of one of its parts",
                mend=f"--split {file or (not colon and part) or 'split.json'}:val",
            )
        chosen = Split.load(Path(file))
        if part not in chosen.parts:
            raise SplitError(
                f"{file} has no part {part!r}",
                expected=f"one of {', '.join(chosen.parts)}",
                mend=f"--split {file}:{next(iter(chosen.parts))}",
            )
        chosen.verify(tiles)
        return part, tiles.select(chosen.part(part))
    own = model / "split.json"
    if own.is_file():
        chosen = Split.load(own)
        try:
            chosen.verify(tiles)
        except SplitError:
            output.say(f"{tiles.name} is not what {model} was trained on: judged on all its tiles")
        else:
            output.say(f"judged on the part `val` of {own}, which {model} was not trained on")
            return "val", tiles.select(chosen.part("val"))
    return "all", tiles
