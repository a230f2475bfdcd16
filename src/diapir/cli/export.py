"""`diapir export`: a model for ONNX Runtime or OpenVINO."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from diapir.cli.options import Flag, FormName
from diapir.cli.output import Answer, Injected
from diapir.cli.running import Models

if TYPE_CHECKING:
    from diapir.tiles import TileSet

SYNTHETIC = 32
"""Tiles of the synthetic survey that an export is measured on where no others are given."""

app = App(
    name="export",
    help_epilogue="""Examples:

  diapir export runs/a --to onnx --out salt-onnx --data tgs.zip
  diapir export runs/a --to openvino --out salt-openvino --half
  diapir export runs/fold0 runs/fold1 --to onnx --out both
  diapir predict salt-onnx images/ --out salt

The folder then holds model.onnx, or model.xml and model.bin, with bundle.json
and card.md. It needs no PyTorch.""",
)


@app.default
def export(
    models: Models = None,
    /,
    *,
    to: FormName,
    out: Path,
    half: Flag = False,
    data: Annotated[Path | None, Parameter(show_default=False)] = None,
    output: Injected,
) -> Answer:
    """Export a model to ONNX or OpenVINO, and measure what came out.

    Several models of one architecture become one, which gives the mean of their
    probabilities and takes the time of all of them. The export is compared with
    what it was made of on tiles, the differences are recorded in its bundle, and
    it is refused where they would show in a result.

    Args:
        models: run folders and bundle folders; without one, the shipped model.
        to: onnx (for ONNX Runtime, part of every install) or openvino.
        out: folder of the new bundle.
        half: store the weights as float16, in half the space; the arithmetic stays float32.
        data: tiles to measure on; a small synthetic survey where there are none.
        output: where lines and the answer go.
    """
    from diapir import bundle as bundles
    from diapir.export import export_bundle
    from diapir.inference.ensemble import refuse_repeated

    source, *further = map(bundles.load, models or (None,))
    refuse_repeated([source, *further])
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
            progress=progress,
        )
    made = exported.info.export
    assert made is not None  # noqa: S101 - an export is what was made
    size = sum((out / name).stat().st_size for name in made.files)
    parity = made.parity
    made_of = " and ".join(str(one.path) for one in (source, *further))
    output.say(
        f"{out}: {' and '.join(made.files)}, {size / 1e6:.1f} MB, "
        + ("any size" if made.any_size else f"{source.info.preprocess.size} px only"),
        f"differs from {made_of} on {parity.tiles} tiles of {parity.data} by at most "
        f"{parity.probability:.1e} in a probability and {parity.logit:.1e} in a logit; "
        f"{parity.flipped} of {parity.pixels} pixels change sides",
    )
    return Answer({"out": out, "bytes": size} | made.model_dump())


def _tiles(data: Path | None, folder: Path) -> TileSet:
    from diapir.tiles import load_tiles, synthesise

    if data is not None:
        return load_tiles(data, labelled=False)
    synthesise(folder / "synthetic", tiles=SYNTHETIC, seed=0)
    return load_tiles(folder / "synthetic")
