"""Loading and saving bundles: every file is checked, and written whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from diapir.bundle.card import write_card
from diapir.bundle.external_data import external_files
from diapir.bundle.info import FORMATS, BundleInfo, Export, Weights
from diapir.bundle.places import BUNDLED, CARD, INFO, find
from diapir.bundle.weights_file import WEIGHTS, read_weights, write_weights
from diapir.errors import BundleError
from diapir.files import disk_errors, replace_file, unwritable, writing_folder
from diapir.json_text import parse_json
from diapir.text import listing
from diapir.version import __version__

OWN_HASH = "info_sha256"
"""Key of `bundle.json` that holds the SHA-256 of all its other keys."""


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk whose files match their hashes.

    Attributes:
        path: the bundle's folder.
        info: the content of `bundle.json`.
    """

    path: Path
    info: BundleInfo

    @property
    def network(self) -> Path:
        """The file that an engine opens: the exported network, or else the weights."""
        export = self.info.export
        return self.path / (WEIGHTS if export is None else next(iter(export.files)))

    def tensors(self) -> dict[str, NDArray[Any]]:
        """The weights by name; those stored as float16 are returned as float32.

        Raises:
            BundleError: the bundle is an export without weights, or they cannot be read.
        """
        from safetensors import SafetensorError

        if not self.info.trainable:
            raise BundleError(
                f"{self.path} holds {self.network.name}, which PyTorch cannot run or train",
                expected=f"a bundle with {WEIGHTS}" + _trainable_ones(),
                fix="give the run or bundle it was exported from, export that with --trainable, or "
                "leave out --engine and --device",
            )
        try:
            return read_weights(self.path / WEIGHTS)
        except (SafetensorError, OSError) as error:
            raise _unusable(self.path / WEIGHTS, str(error)) from None


def _trainable_ones() -> str:
    """The bundled models with weights, as part of a message."""
    found = []
    for name in BUNDLED:
        with contextlib.suppress(BundleError):
            if read_info(name).trainable:
                found.append(name)
    return f"; of the bundled models: {' and '.join(found)}" if found else ""


def load(model: str | Path | None) -> Bundle:
    """Open a bundle and check it.

    Args:
        model: a run folder, a bundle folder, or the name of the bundled model; None for that model.

    Raises:
        BundleError: no such model, an unreadable `bundle.json`, or files that are missing, changed
            or not safetensors.
    """
    folder = find(model)
    info = _read_info(folder)
    hashes = _hashes(info)
    for name, expected in hashes.items():
        _check(folder / name, expected)
    for name in hashes:
        if name.endswith(".onnx"):
            _refuse_unchecked(folder / name, hashes)
    return Bundle(folder, info)


def read_info(model: str | Path | None) -> BundleInfo:
    """The content of a model's `bundle.json`, without its network being read or checked.

    Args:
        model: as for `load`.

    Raises:
        BundleError: no such model, or an unreadable `bundle.json`.
    """
    return _read_info(find(model))


def _read_info(folder: Path) -> BundleInfo:
    try:
        content = parse_json((folder / INFO).read_bytes())
        if not isinstance(content, dict):
            raise ValueError("it is not a JSON object")
        _refuse_newer(folder / INFO, content.get("format"))
        own_hash = content.pop(OWN_HASH, None)
        info = BundleInfo.model_validate_json(json.dumps(content))
    except (ValueError, OSError) as error:
        raise _unusable(folder / INFO, _reason(error)) from None
    if own_hash != _own_hash(content):
        raise BundleError(
            f"{folder / INFO} has changed since it was saved: its {OWN_HASH} does not match",
            expected="the file as it was saved (--threshold sets another threshold)",
            fix="copy the bundle again from where it was made, or train it again",
        )
    return info


def _refuse_newer(path: Path, found: object) -> None:
    if isinstance(found, int) and found > max(FORMATS):
        raise BundleError(
            f"{path} has format = {found}, which a newer diapir wrote",
            expected=f"format {' or '.join(map(str, FORMATS))}, which diapir {__version__} reads",
            fix="update diapir",
        )


def _hashes(info: BundleInfo) -> dict[str, str]:
    """The SHA-256 of each file of a bundle's network by its name."""
    if info.export is None:
        return {WEIGHTS: info.weights_sha256}
    weights = {} if info.weights is None else {WEIGHTS: info.weights.sha256}
    return info.export.files | weights


def save(
    folder: Path,
    tensors: Mapping[str, NDArray[Any]],
    **info: Any,
) -> Bundle:
    """Write a bundle whole or not at all; an earlier one stays until the new one is complete.

    Args:
        folder: the new bundle; its parent must exist.
        tensors: weights by name.
        info: fields of `BundleInfo` (all but `weights_sha256` and `versions`).

    Raises:
        BundleError: the disk is full or not writable.
    """

    def fill(scratch: Path) -> BundleInfo:
        write_weights(scratch / WEIGHTS, tensors)
        return BundleInfo(
            **info,
            versions=_versions(),
            weights_sha256=_sha256(scratch / WEIGHTS),
        )

    return _save(folder, fill)


def _versions() -> dict[str, str]:
    """Versions of diapir and of the packages that a network is built and trained with."""
    found = {"diapir": __version__, "numpy": np.__version__}
    for package in ("torch", "timm"):
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def save_export(
    folder: Path,
    source: BundleInfo,
    files: Sequence[Path],
    *,
    weights: Path | None = None,
    beside: Sequence[Path] = (),
    **export: Any,
) -> Bundle:
    """Write a bundle that holds an exported network, as `save` does.

    Args:
        folder: the new bundle; its parent must exist.
        source: description of the exported model.
        files: the exported network, to be copied; engines open the first.
        weights: its trainable weights, a file that `write_weights` wrote, to be copied; None for an
            exported network alone.
        beside: files for other programs, to be copied; diapir does not read them.
        export: fields of `Export` (all but `files`), and `versions` of the libraries used. Weights
            are stored as float16 where the exported network's are.

    Raises:
        BundleError: the disk is full or not writable.
    """
    versions = source.versions | {"diapir": __version__} | export.pop("versions")

    def fill(scratch: Path) -> BundleInfo:
        for path in (*files, *([weights] if weights else []), *beside):
            shutil.copyfile(path, scratch / path.name)
        hashes = {path.name: _sha256(scratch / path.name) for path in files}
        made = Export(files=hashes, **export)
        kept = weights and Weights(sha256=_sha256(scratch / WEIGHTS), half=made.half)
        held = {"export": made, "weights": kept, "format": 2 if kept else 1}
        return source.model_copy(update=held | {"versions": versions})

    return _save(folder, fill)


def _save(folder: Path, fill: Callable[[Path], BundleInfo]) -> Bundle:
    """Write a bundle whose network `fill` puts into a folder."""
    from safetensors import SafetensorError

    try:
        folder.parent.stat()  # a run folder that was removed must not come back
        with writing_folder(folder) as scratch:
            info = fill(scratch)
            (scratch / INFO).write_text(_text(info), encoding="utf-8")
            (scratch / CARD).write_text(write_card(info), encoding="utf-8")
    except OSError as error:
        raise unwritable(folder, error, BundleError) from None
    except SafetensorError as error:  # where writing the weights fails
        raise unwritable(folder, OSError(str(error)), BundleError) from None
    return Bundle(folder, info)


def annotate(bundle: Bundle, **fields: Any) -> Bundle:
    """Record fields such as `metrics` in a saved bundle and its card; its weights do not change.

    Raises:
        BundleError: the disk is full or not writable.
    """
    info = BundleInfo.model_validate(bundle.info.model_dump() | fields)
    texts = {INFO: _text(info), CARD: write_card(info)}
    with disk_errors(bundle.path, BundleError):
        for name, text in texts.items():
            replace_file(bundle.path / name, text)
    return Bundle(bundle.path, info)


def _text(info: BundleInfo) -> str:
    """The content of `bundle.json`, with its own hash."""
    content = json.loads(info.model_dump_json())
    for key in ("weights", "survey", "training_tiles", "tuned"):
        if not content[key]:
            del content[key]  # a diapir from before the key would refuse it
    return json.dumps(content | {OWN_HASH: _own_hash(content)}, indent=2) + "\n"


def _own_hash(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _check(path: Path, expected: str) -> None:
    """Refuse a file of a bundle that is missing, has changed or is a renamed pickle."""
    if not path.is_file():
        raise _unusable(path, "it is missing")
    try:
        if path.name == WEIGHTS:
            _refuse_pickle(path)
        found = _sha256(path)
    except OSError as error:
        raise _unusable(path, str(error)) from None
    if found != expected:
        raise BundleError(
            f"{path} has changed since it was saved: SHA-256 {found[:12]}…",
            expected=f"SHA-256 {expected[:12]}…, as {INFO} says",
            fix="copy the bundle again from where it was made, or train it again",
        )


def _refuse_unchecked(network: Path, checked: Mapping[str, str]) -> None:
    """Refuse a network that reads tensors from a file whose hash is not checked."""
    try:
        further = external_files(network.read_bytes()) - checked.keys()
    except (ValueError, OSError) as error:
        raise _unusable(network, f"it is not an ONNX file: {error}") from None
    if further:
        raise _unusable(network, f"it reads {listing(sorted(further))}, which {INFO} does not list")


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _refuse_pickle(path: Path) -> None:
    with path.open("rb") as stream:
        start = stream.read(9)
    # safetensors: the length of a JSON header in 8 bytes (the first may be any), then "{"
    if start[8:] == b"{":
        return
    # the protocol byte of a pickle, or the zip that torch.save writes
    if start[:1] == b"\x80" or start[:4] == b"PK\x03\x04":
        raise BundleError(
            f"{path} is a pickle, which would execute code when loaded",
            expected="safetensors",
            fix="if you trust it, load it and save its tensors with safetensors.torch.save_file",
        )


def _unusable(path: Path, reason: str) -> BundleError:
    return BundleError(
        f"{path} cannot be used: {reason}",
        expected="a bundle as `diapir train` or `diapir export` writes it",
        fix="copy the bundle again from where it was made, or train it again",
    )


def _reason(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    # pydantic puts the choices of a union into the path
    parts = [str(part) for part in first["loc"]]
    key = ".".join(part for part in parts if not part.startswith(("constrained-", "literal[")))
    found = "" if isinstance(first["input"], dict | bytes) else f" = {first['input']!r}"
    return f"{key}{found}: {first['msg']}" if key else first["msg"]
