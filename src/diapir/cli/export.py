"""`diapir export`: convert a model to ONNX or OpenVINO."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from diapir.cli.options import Flag, FormName
from diapir.cli.output import Answer, Injected
from diapir.cli.running import Models
from diapir.text import plural, size

app = App(
    name="export",
    help_epilogue="""Examples:

  diapir export runs/a --to onnx --out salt-onnx --data tgs.zip
  diapir export runs/a --to openvino --out salt-openvino --half
  diapir export runs/a --to onnx --out salt-int8 --int8 --data tgs.zip
  diapir export runs/fold0 runs/fold1 --to onnx --out both
  diapir export runs/a --to onnx --out mine --half --trainable
  diapir export runs/a --to onnx --out mine --with-preprocessing uint8
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
    int8: Flag = False,
    trainable: Flag = False,
    name: Annotated[str | None, Parameter(show_default=False)] = None,
    data: Annotated[Path | None, Parameter(show_default=False)] = None,
    with_preprocessing: Annotated[
        Literal["uint8", "float32"] | None, Parameter(show_default=False)
    ] = None,
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
        int8: convolutions in 8-bit integers, calibrated on --data: faster on CPUs with VNNI, at a
            small change in results, which is measured.
        trainable: keep the weights too, so that `diapir train --init` can train on from the folder.
        name: name of the exported model; by default that of the model.
        data: tiles to measure on; by default a small synthetic survey.
        with_preprocessing: also write grey_to_probability.onnx (or .xml and .bin) for other
            programs: from grey levels 0 to 255 of this type, (N, H, W), to probabilities.
        output: where lines and the answer go.
    """
    from diapir import bundle as bundles
    from diapir.api.functions import export as export_models
    from diapir.bundle import WEIGHTS
    from diapir.exports import GREY_NETWORK
    from diapir.inference.engines.agreement import agrees
    from diapir.run.folds import expand
    from diapir.tiles import load_tiles

    named: list[Path | None] = [*expand(models or [])]
    sources = [bundles.load(model) for model in named or [None]]
    output.say("model: " + ", ".join(f"{one.info.name} ({one.path})" for one in sources))
    tiles = None if data is None else load_tiles(data, labelled=False)
    notes = () if tiles is None else tiles.notes
    output.note(*notes)
    exported = export_models(
        models or (),
        to=to,
        out=out,
        half=half,
        int8=int8,
        trainable=trainable,
        name=name,
        data=tiles,
        with_preprocessing=with_preprocessing,
        progress=output.progress,
    )
    made = exported.info.export
    assert made is not None  # noqa: S101 - the bundle is an export
    files = [*made.files, *([WEIGHTS] if exported.info.weights else [])]
    count = sum((out / file).stat().st_size for file in files)
    parity = made.parity
    sizes = "any image size" if made.any_size else f"{exported.info.preprocess.side} px images only"
    originals = " and ".join(str(one.path) for one in sources)
    output.say(
        f"{out}: {' and '.join(files)}, {size(count)}, {sizes}",
        f"differs from {originals} by at most {parity.probability:.1e} in probability and "
        f"{parity.logit:.1e} in logits on {plural(parity.tiles, 'tile')} of {parity.data}; "
        f"{parity.flipped} of {parity.pixels} pixels change class",
    )
    if made.bf16 is not None:
        used = "" if agrees(made.bf16) else ", so it is used only with --engine openvino-bf16"
        output.say(
            f"in bfloat16 {made.bf16.flipped} of {made.bf16.pixels} pixels change class, and "
            f"probabilities differ by {made.bf16.mean or 0:.1e} on average{used}"
        )
    whole = sorted(path.name for path in out.glob(f"{GREY_NETWORK}.*"))
    if whole:
        output.say(
            f"{' and '.join(whole)}: grey levels ({with_preprocessing}, 0 to 255) in, probability "
            "out; checked on the same tiles"
        )
    weights = exported.info.weights
    return Answer(
        {"out": out, "bytes": count}
        | made.model_dump()
        | {"weights": None if weights is None else weights.model_dump()}
        | {"with_preprocessing": whole, "notes": notes}
        | {"models": [{"name": one.info.name, "path": one.path} for one in sources]}
    )
