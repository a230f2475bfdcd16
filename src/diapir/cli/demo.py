"""`diapir demo`: the whole program on a synthetic survey."""

from __future__ import annotations

import time
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from diapir.cli.output import Answer, Injected
from diapir.errors import RunError

if TYPE_CHECKING:
    from diapir.tiles import TileSet

RECIPE = "demo"
TILES = 1200
"""Of some fifty sections: with fewer, a network hardly learns what other sections look like."""
SEED = 1

app = App(
    name="demo",
    help_epilogue="""Examples:

  diapir demo
  diapir demo --out elsewhere""",
)


@app.default
def demo(
    *,
    out: Annotated[Path | None, Parameter(show_default=False)] = None,
    output: Injected,
) -> Answer:
    """Train, judge and predict on a synthetic survey.

    It makes a survey, splits it by sections, trains a small U-Net, judges it on
    sections it has not seen, marks the salt in one of them and writes the
    report, in a few minutes on two cores.

    Args:
        out: a new folder; without it demo, or demo-2, demo-3 … where that exists.
        output: where lines and the answer go.
    """
    from diapir.comparison.evaluate_run import judge_run, summary
    from diapir.config import load_recipe
    from diapir.inference import Predictor, predict_images
    from diapir.tiles import Split, load_tiles, synthesise
    from diapir.training import train

    start = time.monotonic()
    folder = _new_folder(out)
    survey, run, salt = folder / "survey", folder / "run", folder / "salt"

    output.say(f"1. a survey of {TILES} tiles → {survey}")
    with output.progress("making tiles") as progress:
        synthesise(survey, tiles=TILES, seed=SEED, progress=progress)

    output.say(f"2. training → {run}")
    config = load_recipe(RECIPE)
    result = train(config, survey, run, resume=False, budget_s=None, stream=output.stream)

    output.say("3. judging on sections it has not seen")
    judged = judge_run(run, survey, config, output)
    output.say(*summary(judged.evaluation))

    tiles = load_tiles(survey, encoding=config.data.mask_encoding)
    section = _largest_section(tiles.select(Split.load(run / "split.json").part("val")))
    output.say(f"4. marking salt in section {section} → {salt}")
    image = survey / "sections" / f"{section}.png"
    predict_images(Predictor(judged.bundle), [image], salt)

    overlay = next((salt / "overlay").rglob("*.png"))
    seconds = time.monotonic() - start
    output.say(
        "",
        f"report   {judged.report}",
        f"section  {overlay}",
        f"model    {judged.bundle.path}",
        f"done in {seconds / 60:.1f} minutes; open the report in a browser",
    )
    return Answer(
        {
            "out": folder,
            "survey": survey,
            "run": run,
            "report": judged.report,
            "overlay": overlay,
            "model": judged.bundle.path,
            "epochs": result.epochs,
            "data": judged.evaluation.data,
            "metrics": judged.evaluation.metrics,
            "seconds": seconds,
        }
    )


def _new_folder(out: Path | None) -> Path:
    """A folder that holds nothing yet: what an earlier demonstration made is kept."""
    if out is None:
        names = chain(["demo"], (f"demo-{number}" for number in count(2)))
        return next(path for path in map(Path, names) if not path.exists())
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError(
            f"{out} exists and is not an empty folder",
            expected="a new or an empty folder, so that nothing is overwritten",
            fix="give another --out, or leave it out for a new folder",
        )
    return out


def _largest_section(tiles: TileSet) -> str:
    """The section group with most tiles; of equals the first by name."""
    return max(sorted(set(tiles.groups)), key=tiles.groups.count)
