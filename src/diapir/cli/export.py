"""`diapir export`: convert a model to ONNX or OpenVINO."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from diapir.cli.options import Flag, FormName
from diapir.cli.output import Answer, Injected
from diapir.cli.running import Models
from diapir.text import plural, size

if TYPE_CHECKING:
    from diapir.tiles import TileSet

SYNTHETIC = 32
"""Tiles of the synthetic survey that an export is measured on without --data."""

app = App(
    name="export",
    help_epilogue="""Examples:

  diapir export runs/a --to onnx --out salt-onnx --data tgs.zip
  diapir export runs/a --to openvino --out salt-openvino --half
  diapir export runs/fold0 runs/fold1 --to onnx --out both
  diapir export runs/a --to onnx --out mine --half --trainable
  diapir predict salt-onnx images/ --out salt

The folder contains model.onnx, or model.xml and model.bin, with bundle.json and
card.md. The export runs without PyTorch.""",
)


@app.default
def export(
    models: Models = None,
    /,
    *,
    to: FormName,
    out: Path,
    half: Flag = False,
    trainable: Flag = False,
    name: Annotated[str | None, Parameter(show_default=False)] = None,
    data: Annotated[Path | None, Parameter(show_default=False)] = None,
    output: Injected,
) -> Answer:
    """Export a model to ONNX or OpenVINO, and measure the differences.

    Several models of the same architecture are exported as one that returns the
    mean of their probabilities and takes the time of all of them. The export is
    compared with the original on tiles, and the differences are recorded in its
    bundle. An export whose differences would change results is an error.

    Args:
        models: run folders and bundle folders; by default the bundled model.
        to: format: onnx (for ONNX Runtime, part of every install) or openvino.
        out: folder of the new bundle.
        half: store the weights as float16, in half the space; the arithmetic stays float32.
        trainable: keep the weights too, so that `train.start` can train on from the folder.
        name: name of the exported model; by default that of the model.
        data: tiles to measure on; by default a small synthetic survey.
        output: where lines and the answer go.
    """
    from diapir import bundle as bundles
    from diapir.bundle import WEIGHTS
    from diapir.export import export_bundle
    from diapir.inference.ensemble import refuse_repeated

    source, *further = map(bundles.load, models or (None,))
    refuse_repeated([source, *further])
    output.say("model: " + ", ".join(f"{one.info.name} ({one.path})" for one in (source, *further)))
    with TemporaryDirectory(prefix="diapir-") as folder:
        tiles = _tiles(data, Path(folder))
    with output.progress("comparing") as progress:
        exported = export_bundle(
            source,
            to,
            out,
            images=[tiles.image(index) for index in range(len(tiles))],
            data=tiles.name,
            further=further,
            half=half,
            trainable=trainable,
            name=name,
            progress=progress,
        )
    made = exported.info.export
    assert made is not None  # noqa: S101 - the bundle is an export
    files = [*made.files, *([WEIGHTS] if exported.info.weights else [])]
    count = sum((out / file).stat().st_size for file in files)
    parity = made.parity
    originals = " and ".join(str(one.path) for one in (source, *further))
    output.say(
        f"{out}: {' and '.join(files)}, {size(count)}, "
        + ("any image size" if made.any_size else f"{source.info.preprocess.size} px images only"),
        f"differs from {originals} by at most {parity.probability:.1e} in probability and "
        f"{parity.logit:.1e} in logits on {plural(parity.tiles, 'tile')} of {parity.data}; "
        f"{parity.flipped} of {parity.pixels} pixels change class",
    )
    weights = exported.info.weights
    return Answer(
        {"out": out, "bytes": count}
        | made.model_dump()
        | {"weights": None if weights is None else weights.model_dump()}
        | {"models": [{"name": one.info.name, "path": one.path} for one in (source, *further)]}
    )


def _tiles(data: Path | None, folder: Path) -> TileSet:
    from diapir.tiles import load_tiles, synthesise

    if data is not None:
        return load_tiles(data, labelled=False)
    synthesise(folder / "synthetic", tiles=SYNTHETIC, seed=0)
    return load_tiles(folder / "synthetic")
