"""`diapir demo`: train, evaluate and predict on a synthetic survey."""

from __future__ import annotations

import json
import time
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from diapir.cli.output import Answer, Injected
from diapir.errors import RunError
from diapir.files import claim

if TYPE_CHECKING:
    from diapir.tiles import TileSet

RECIPE = "demo"
TILES = 1200
"""From some fifty sections: with fewer, the network hardly generalises to other sections."""
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
    """Train, evaluate and predict on a synthetic survey.

    It makes a survey, splits it by sections, trains a small U-Net, evaluates it
    on held-out sections, predicts the salt in one of them and writes the
    report, in a few minutes on two cores.

    Args:
        out: a new folder; if not given, demo, or demo-2, demo-3 … if that exists.
        output: where lines and the answer go.
    """
    from diapir.bundle import annotate
    from diapir.comparison.evaluate_run import evaluate_run
    from diapir.config import load_recipe
    from diapir.evaluation.summary import summary
    from diapir.inference import Predictor, predict_images
    from diapir.run.folder import SPLIT
    from diapir.tiles import Split, load_tiles, synthesise
    from diapir.training import train

    start = time.monotonic()
    folder = _new_folder(out)
    survey, run, salt = folder / "survey", folder / "run", folder / "salt"

    output.say(f"1. making a survey of {TILES} tiles → {survey}")
    with output.progress("making tiles") as progress:
        synthesise(survey, tiles=TILES, seed=SEED, progress=progress)

    output.say(f"2. training → {run}")
    # windows of its sections as well, so that whole sections can be predicted without padding
    config = load_recipe(RECIPE, [f"data.mosaic={json.dumps(str(survey))}"])
    result = train(config, survey, run, resume=False, budget_s=None, stream=output.stream)

    output.say("3. evaluating on held-out sections")
    with output.progress("evaluating") as progress:
        evaluated = evaluate_run(run, survey, config, progress)
    output.say(*summary(evaluated.evaluation))
    # a plain U-Net does not pool over its window: the larger the window, the fewer seams
    model = annotate(evaluated.bundle, section_window=max(evaluated.bundle.info.windows))

    tiles = load_tiles(survey, encoding=config.data.mask_encoding)
    section = _largest_section(tiles.select(Split.load(run / SPLIT).part("val")))
    output.say(f"4. predicting salt in section {section} → {salt}")
    image = survey / "sections" / f"{section}.png"
    predict_images(Predictor(model), [image], salt)

    overlay = next((salt / "overlay").rglob("*.png"))
    seconds = time.monotonic() - start
    output.say(
        "",
        f"report   {evaluated.report}",
        f"section  {overlay}",
        f"model    {model.path}",
        f"done in {seconds / 60:.1f} minutes; open the report in a browser",
    )
    return Answer(
        {
            "out": folder,
            "survey": survey,
            "run": run,
            "report": evaluated.report,
            "overlay": overlay,
            "model": model.path,
            "epochs": result.epochs,
            "data": evaluated.evaluation.data,
            "metrics": evaluated.evaluation.metrics,
            "seconds": seconds,
        }
    )


def _new_folder(out: Path | None) -> Path:
    """A folder that is new or empty: an earlier demo is kept."""
    if out is None:
        names = chain(["demo"], (f"demo-{number}" for number in count(2)))
        return next(path for path in map(Path, names) if not path.exists())
    claim(out, kind=RunError)
    return out


def _largest_section(tiles: TileSet) -> str:
    """The section group with the most tiles; the first by name of equal ones."""
    return max(sorted(set(tiles.groups)), key=tiles.groups.count)
