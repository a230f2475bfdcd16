"""The export of a model: trace, convert, measure, and write a bundle or nothing."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from diapir import bundle as bundles
from diapir.bundle import WEIGHTS, Bundle, BundleInfo, Form
from diapir.errors import BundleError, ExportError
from diapir.export import parity
from diapir.inference.engine import Engine
from diapir.inference.engine_options import EngineOptions
from diapir.inference.open_engine import open_engine, open_network

_LIBRARIES: dict[Form, tuple[str, ...]] = {
    "onnx": ("onnx", "onnxruntime"),
    "openvino": ("onnx", "openvino"),
}
"""Packages whose versions a bundle records."""

MOST_TILES = 256
"""Tiles that an export is measured on; of more, as many are taken at even distances."""


def export_bundle(
    source: Bundle,
    form: Form,
    out: Path,
    *,
    images: Sequence[NDArray[np.uint8]],
    data: str,
    further: Sequence[Bundle] = (),
    half: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Bundle:
    """Export a model, or several as one, and measure how closely the export follows.

    The result takes any number of tiles at once, and tiles of any height and width that are
    multiples of the network's divisor where the network allows; batch norms are folded into
    convolutions.

    Args:
        source: a model with its weights, or one exported to ONNX.
        form: what to make.
        out: folder of the new bundle; an exported bundle that is there is replaced.
        images: grey tiles `uint8 (H, W)` to measure on.
        data: name of these tiles.
        further: models of the same architecture and preprocessing; what is exported is then the
            mean of the probabilities of all.
        half: store the weights as float16; the arithmetic stays float32.
        progress: called with the tiles measured and all tiles.

    Raises:
        ExportError: it would give other results than `source`, or `out` holds something else.
        BundleError: a source that does not fit its architecture or cannot be exported, or a disk
            that is full or read-only.
        MissingDependencyError: a library is not installed.
    """
    sources = (source, *further)
    for one in sources:
        _refuse_used(one, out)
        _refuse_unfit(source, one)
    half = half or any(one.info.export and one.info.export.half for one in sources)
    references = [open_engine(one, EngineOptions(device="cpu")) for one in sources]
    with TemporaryDirectory(prefix="diapir-export-") as name:
        networks = [Path(name) / f"{place}.onnx" for place in range(len(sources))]
        # all are written, also behind one of a single size
        sizes = [_write(*member) for member in zip(sources, networks, references, strict=True)]
        network, reference, info = Path(name) / "model.onnx", references[0], source.info
        if further:
            from diapir.export.mean import MeanEngine, write_mean

            write_mean(networks, network)
            reference, info = MeanEngine(references), _mean_info(sources)
        else:
            networks[0].rename(network)
        files = _convert(network, form, half=half)
        found = parity.measure(
            reference,
            open_network(form, files[0]),
            images[:: -(-len(images) // MOST_TILES)],
            info,
            data=data,
            half=half,
            progress=progress,
        )
        parity.refuse_beyond_tolerance(found, half=half)
        out.parent.mkdir(parents=True, exist_ok=True)
        return bundles.save_export(
            out,
            info,
            files,
            form=form,
            half=half,
            any_size=all(sizes),
            parity=found,
            versions={name: version(name) for name in _LIBRARIES[form]},
        )


def _write(source: Bundle, network: Path, reference: Engine) -> bool:
    """Write the ONNX file of a model, and tell whether it takes any size."""
    before = source.info.export
    if before is None:
        return _trace(source, network, reference)
    shutil.copyfile(source.network, network)
    return before.any_size


def _mean_info(sources: Sequence[Bundle]) -> BundleInfo:
    """What is known of several models as one: it has been judged on nothing yet."""
    infos = [source.info for source in sources]
    members = [{"name": info.name, "weights_sha256": info.weights_sha256} for info in infos]
    hashes = "".join(info.weights_sha256 for info in infos)
    return infos[0].model_copy(
        update={
            "threshold": sum(info.threshold for info in infos) / len(infos),
            "min_area": round(sum(info.min_area for info in infos) / len(infos)),
            "metrics": {},
            "training": {
                "mean of": [
                    member | info.training for member, info in zip(members, infos, strict=True)
                ]
            },
            "weights_sha256": hashlib.sha256(hashes.encode()).hexdigest(),
        }
    )


def _refuse_unfit(first: Bundle, source: Bundle) -> None:
    """Refuse a model that nothing can be exported from, or not together with the first."""
    before = source.info.export
    if before is not None and before.form == "openvino":
        raise BundleError(
            f"{source.path} holds {source.network.name}, which nothing is exported from",
            expected=f"a bundle with {WEIGHTS} or model.onnx",
            fix="give the run or bundle that it was exported from",
        )
    for name in ("model", "preprocess", "tile", "classes"):
        mine, theirs = getattr(first.info, name), getattr(source.info, name)
        if mine != theirs:
            raise ExportError(
                f"{first.path} and {source.path} differ in {name}: {mine} and {theirs}",
                expected="models of one architecture that take the same input, to be one model",
                fix="export each by itself, and name both where they are used",
            )


def _trace(source: Bundle, network: Path, reference: Engine) -> bool:
    """Write the ONNX file of a model's weights, and tell whether it takes any size."""
    from diapir.export import graph

    step, size = graph.divisor(source), source.info.preprocess.size
    others = ((size + step, size + 2 * step), (size + 2 * step, size + step))
    reason = ""
    for any_size in (True, False):
        try:
            graph.trace(source, network, any_size=any_size)
            exported = open_network("onnx", network)
        except Exception as error:  # networks of others refuse in as many ways as they have authors
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            continue
        if not any_size or parity.holds_at(others, reference, exported):
            return any_size
    raise ExportError(
        f"the network of {source.path} cannot be written as ONNX: {reason}",
        expected="a network of operations that ONNX has",
        fix="use it with PyTorch, or train another architecture",
    )


def _convert(network: Path, form: Form, *, half: bool) -> tuple[Path, ...]:
    """The files of a network in the form wanted, out of its ONNX file."""
    if half:
        from diapir.export.graph import store_half

        store_half(network)
    if form == "onnx":
        return (network,)
    from diapir.export.openvino_files import write_openvino

    return write_openvino(network)


def _refuse_used(source: Bundle, out: Path) -> None:
    """Refuse a folder that holds something else than an earlier export."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    with suppress(BundleError):
        if bundles.find(out) == out and bundles.load(out).info.export is not None:
            if out.resolve() == source.path.resolve():
                raise _used(out, "is the model that is to be exported")
            return
    raise _used(out, "holds something else than an exported model")


def _used(out: Path, found: str) -> ExportError:
    return ExportError(
        f"{out} {found}",
        expected="a new folder, or that of an earlier export, which is replaced",
        fix="choose another --out",
    )
