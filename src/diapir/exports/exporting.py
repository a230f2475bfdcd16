"""Exporting a model: trace, convert, measure, then write a bundle or nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diapir import bundle as bundles
from diapir.bundle import WEIGHTS, Bundle, BundleInfo, Fingerprints, Form, all_tuned
from diapir.errors import BundleError, ExportError
from diapir.exports import parity
from diapir.exports.metadata import grey_facts, network_facts, write_facts
from diapir.files import claim, disk_errors
from diapir.inference.engines.engine import Engine
from diapir.inference.engines.engine_options import EngineOptions
from diapir.inference.engines.open_engine import open_engine, open_network
from diapir.progress import Progress

if TYPE_CHECKING:
    from diapir.exports.grey_network import GreyType

_LIBRARIES: dict[Form, tuple[str, ...]] = {
    "onnx": ("onnx", "onnxruntime"),
    "openvino": ("onnx", "openvino"),
}
"""Packages whose versions are recorded in the bundle."""

FEWEST_INT8 = 64
"""Minimum number of tiles for an export in int8."""

MAX_TILES = 256
"""Maximum number of tiles that an export is measured on; of more, evenly spaced ones are used."""


def export_bundle(
    source: Bundle,
    form: Form,
    out: Path,
    *,
    images: Sequence[NDArray[np.uint8]],
    data: str,
    further: Sequence[Bundle] = (),
    half: bool = False,
    int8: bool = False,
    trainable: bool = False,
    name: str | None = None,
    with_preprocessing: GreyType | None = None,
    progress: Progress | None = None,
) -> Bundle:
    """Export a model, or an ensemble as one network, and measure the differences.

    The result accepts any number of tiles at once and, where the network allows it, any height and
    width that are multiples of its divisor. Batch norms are folded into convolutions.

    Args:
        source: a model with its weights, or one exported to ONNX.
        form: the format to export to.
        out: folder of the new bundle; an earlier export in it is replaced.
        images: grey tiles `uint8 (H, W)` to measure on.
        data: name of these tiles.
        further: models of the same architecture and preprocessing; the export is then the mean of
            all their probabilities.
        half: store the weights as float16; the arithmetic stays float32.
        int8: convolutions in 8-bit integers, with ranges from `images`; half of them, as the
            differences are measured on the other half. Not together with `half`, `trainable` or
            `with_preprocessing`.
        trainable: keep the weights in the bundle, with all that only training uses. An ONNX file
            reads its large tensors from them, so that the bundle is hardly larger.
        name: name of the exported model; None for that of `source`.
        with_preprocessing: write a second file beside the network, for other programs: from grey
            levels of this type to probabilities; see `grey_network`. None for no such file.
        progress: called with the tiles measured and all tiles.

    Raises:
        ExportError: the results would differ from those of `source`, `out` is neither empty nor
            an exported model, or a mean of several models is to be trainable.
        BundleError: a source that does not fit its architecture, cannot be exported or has no
            weights to keep, or a disk that is full or read-only.
        MissingDependencyError: a library is not installed.
    """
    sources = (source, *further)
    if with_preprocessing is not None:
        from diapir.exports.grey_network import check_grey_type

        check_grey_type(with_preprocessing)
    for one in sources:
        _claim(out, one)
        _refuse_unfit(source, one)
    if trainable and further:
        raise ExportError(
            f"the mean of {len(sources)} models has no weights of its own to train on",
            expected="one model with --trainable",
            fix="leave --trainable out, or average the weights of trainings of one recipe with "
            "`diapir average` first",
        )
    if int8:
        _refuse_with_int8(sources, images, half=half, trainable=trainable, whole=with_preprocessing)
    tensors = source.tensors() if trainable else None
    half = half or any(one.info.export and one.info.export.half for one in sources)
    half = half and not int8
    references = [open_engine(one, EngineOptions(device="cpu")) for one in sources]
    with TemporaryDirectory(prefix="diapir-export-") as folder:
        networks = [Path(folder) / f"{place}.onnx" for place in range(len(sources))]
        # a list, so that all are written, even after one of fixed size
        sizes = [
            _write(*member, anew=trainable)
            for member in zip(sources, networks, references, strict=True)
        ]
        network, reference, info = Path(folder) / "model.onnx", references[0], source.info
        if further:
            from diapir.exports.mean import MeanEngine, write_mean

            write_mean(networks, network)
            reference, info = MeanEngine(references), _mean_info(sources)
        else:
            networks[0].rename(network)
        weights = None if tensors is None else _keep_weights(tensors, network, form, half=half)
        info = info if name is None else info.model_copy(update={"name": name})
        if half:
            from diapir.exports.graph import store_half

            store_half(network)
        if int8:
            from diapir.exports.int8 import store_int8

            store_int8(network, images[1::2], info)
            images = images[::2]
        write_facts(network, network_facts(info, any_size=all(sizes)))
        measured = images[:: -(-len(images) // MAX_TILES)]
        beside: tuple[Path, ...] = ()
        if with_preprocessing is not None:
            whole = _with_preprocessing(network, info, with_preprocessing, any_size=all(sizes))
            beside = _convert(whole, form)
            _check_whole(beside[0], form, with_preprocessing, reference, measured, info, half=half)
        files = _convert(network, form)
        found = parity.measure(
            reference,
            open_network(form, files[0]),
            measured,
            info,
            data=data,
            half=half,
            progress=progress,
        )
        parity.refuse_beyond_tolerance(found, half=half, int8=int8)
        bf16 = parity.of_bf16(form, files[0], measured, info, data=data)
        with disk_errors(out, ExportError):
            out.parent.mkdir(parents=True, exist_ok=True)
        return bundles.save_export(
            out,
            info,
            files,
            weights=weights,
            beside=beside,
            form=form,
            half=half,
            int8=int8,
            any_size=all(sizes),
            parity=found,
            bf16=bf16,
            versions={library: version(library) for library in _LIBRARIES[form]},
        )


def _refuse_with_int8(
    sources: Sequence[Bundle],
    images: Sequence[NDArray[np.uint8]],
    *,
    half: bool,
    trainable: bool,
    whole: str | None,
) -> None:
    """Refuse models and options that int8 does not go with, and too few tiles."""
    for source in sources:
        if source.info.export is not None and source.info.export.int8:
            raise ExportError(
                f"{source.path} is in int8 already",
                expected="a model in float32 with --int8",
                fix="give the run or bundle that it was exported from",
            )
    options = {"--half": half, "--trainable": trainable, "--with-preprocessing": whole}
    given = [name for name, value in options.items() if value]
    if given:
        raise ExportError(
            f"--int8 and {' and '.join(given)} are both given",
            expected="--int8 alone: the kernels are stored in 8 bits and cannot be trained",
            fix=f"leave --int8 or {' and '.join(given)} out",
        )
    if len(images) < FEWEST_INT8:
        raise ExportError(
            f"--int8 with {len(images)} tiles",
            expected=f"at least {FEWEST_INT8} tiles: ranges are measured on half of them, and "
            "differences on the other half",
            fix="give --data with more tiles like the training tiles",
        )


def _write(source: Bundle, network: Path, reference: Engine, *, anew: bool) -> bool:
    """Write the ONNX file of a model, whole; returns whether it accepts any size.

    Args:
        source: the model.
        network: the new file.
        reference: an engine with the model.
        anew: write it from the model's weights, even if the model is an ONNX file already.
    """
    before = source.info.export
    if before is None or before.form != "onnx" or anew:
        return _trace(source, network, reference)
    from diapir.exports.graph import copy_whole

    copy_whole(source.network, network)
    return before.any_size


def _keep_weights(
    tensors: Mapping[str, NDArray[Any]], network: Path, form: Form, *, half: bool
) -> Path:
    """Write the weights of a model beside its ONNX file, which may then read them from there."""
    from diapir.exports.shared_weights import share_weights

    weights = network.with_name(WEIGHTS)
    bundles.write_weights(weights, tensors, half=half)
    if form == "onnx":
        share_weights(network, weights, tensors)
    return weights


def _mean_info(sources: Sequence[Bundle]) -> BundleInfo:
    """The description of the mean of several models, which has not been evaluated yet."""
    infos = [source.info for source in sources]
    members = [{"name": info.name, "weights_sha256": info.weights_sha256} for info in infos]
    hashes = "".join(info.weights_sha256 for info in infos)
    return infos[0].model_copy(
        update={
            "threshold": sum(info.threshold for info in infos) / len(infos),
            "min_area": round(sum(info.min_area for info in infos) / len(infos)),
            "metrics": {},
            # windows that suit all members
            "windows": infos[0].windows if all(info.windows for info in infos) else (),
            "section_window": None,
            "training": {
                "mean of": [
                    member | info.training for member, info in zip(members, infos, strict=True)
                ]
            },
            "training_tiles": Fingerprints.union(info.training_tiles for info in infos),
            "tuned": all_tuned(infos),
            "weights_sha256": hashlib.sha256(hashes.encode()).hexdigest(),
        }
    )


def _refuse_unfit(first: Bundle, source: Bundle) -> None:
    """Refuse a model that cannot be exported, or not together with the first."""
    before = source.info.export
    if before is not None and before.form == "openvino" and source.info.weights is None:
        raise BundleError(
            f"{source.path} contains {source.network.name}, which cannot be exported again",
            expected=f"a bundle with {WEIGHTS} or model.onnx",
            fix="give the run or bundle it was exported from",
        )
    for name in ("model", "preprocess", "tile", "classes"):
        mine, theirs = getattr(first.info, name), getattr(source.info, name)
        if mine != theirs:
            raise ExportError(
                f"{first.path} and {source.path} differ in {name}: {mine} and {theirs}",
                expected="models of the same architecture and preprocessing, to export their mean",
                fix="export each one separately, and give both to `diapir predict`",
            )


def _trace(source: Bundle, network: Path, reference: Engine) -> bool:
    """Write the ONNX file of a model's weights; returns whether it accepts any size."""
    from diapir.exports import graph

    step, size = graph.divisor(source), source.info.preprocess.side
    others = ((size + step, size + 2 * step), (size + 2 * step, size + step))
    reason = ""
    for any_size in (True, False):
        try:
            graph.trace(source, network, any_size=any_size)
            exported = open_network("onnx", network)
        except Exception as error:  # third-party networks fail in many ways
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            continue
        if not any_size or parity.holds_at(others, reference, exported):
            return any_size
    raise ExportError(
        f"the network of {source.path} cannot be exported to ONNX: {reason}",
        expected="a network of operations that ONNX supports",
        fix="use it with PyTorch, or train another architecture",
    )


def _with_preprocessing(network: Path, info: BundleInfo, kind: GreyType, *, any_size: bool) -> Path:
    """Write the network with its preprocessing beside the network; returns the ONNX file."""
    from diapir.exports.grey_network import GREY_NETWORK, write_grey_network

    whole = network.with_name(f"{GREY_NETWORK}.onnx")
    write_grey_network(network, whole, info, kind, any_size=any_size)
    write_facts(whole, grey_facts(info, kind, any_size=any_size))
    return whole


def _check_whole(
    file: Path,
    form: Form,
    kind: GreyType,
    reference: Engine,
    images: Sequence[NDArray[np.uint8]],
    info: BundleInfo,
    *,
    half: bool,
) -> None:
    from diapir.exports.grey_network import check_grey_network, compile_grey_network

    compiled = compile_grey_network(file, form)
    check_grey_network(compiled, kind, reference, images, info, half=half)


def _convert(network: Path, form: Form) -> tuple[Path, ...]:
    """Convert an ONNX file to the requested format; returns the files."""
    if form == "onnx":
        return (network,)
    from diapir.exports.openvino_files import write_openvino

    return write_openvino(network)


def _claim(out: Path, source: Bundle) -> None:
    """Refuse a folder of anything but an earlier export, and that of the model itself."""
    claim(out, holds="an exported model", ours=_is_export, kind=ExportError)
    if out.resolve() == source.path.resolve():
        raise ExportError(
            f"{out} is the model to be exported",
            expected="a new folder, or an exported model, which is replaced",
            fix="choose another --out",
        )


def _is_export(folder: Path) -> bool:
    return bundles.find(folder) == folder and bundles.load(folder).info.export is not None
