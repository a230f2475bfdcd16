"""`diapir predict`: salt in images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from diapir.cli.options import DeviceName
from diapir.cli.output import Answer, Injected

app = App(
    name="predict",
    help_epilogue="""Examples:

  diapir predict runs/first section.png --out salt
  diapir predict runs/first images/ more/line12.tif --out salt --threshold 0.4
  diapir predict runs/first tgs.zip --out salt

The folder then holds probability/ (16-bit PNG, 65535 is certain salt), mask/
(0 and 255), overlay/ and predictions.csv.""",
)


@app.default
def predict(
    model: Path,
    inputs: Annotated[list[Path], Parameter(name="INPUT", negative="")],
    /,
    *,
    out: Path,
    threshold: Annotated[float | None, Parameter(show_default=False)] = None,
    device: DeviceName = "auto",
    output: Injected,
) -> Answer:
    """Mark salt in images of any size: probability, mask and overlay.

    An image that cannot be read is reported and the rest goes on; the exit
    code is then 2.

    Args:
        model: a run folder or a bundle folder.
        inputs: images, folders of images, or tile sets.
        out: folder to write to.
        threshold: probability from which a pixel counts as salt, instead of the model's own.
        device: where the network runs.
        output: where lines and the answer go.
    """
    from diapir.inference import Predictor, predict_images

    predictor = Predictor.load(model, device=device)
    with output.progress("predicting") as progress:
        summary = predict_images(predictor, inputs, out, threshold=threshold, progress=progress)
    for path, reason in summary.failed.items():
        output.say(f"left out {path}: {reason.removeprefix(f'{path} ')}")
    output.say(
        f"{summary.images} image{'s' if summary.images > 1 else ''}, {summary.salt_share:.1%} salt "
        f"from a probability of {summary.threshold:g}, in {summary.out}"
    )
    return Answer(summary.to_json(), exit_code=2 if summary.failed else 0)
