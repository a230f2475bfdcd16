"""Loading and saving bundles: every file checked, and written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from diapir.bundle.card import write_card
from diapir.bundle.info import BundleInfo, Export
from diapir.bundle.places import CARD, INFO, find, previous
from diapir.errors import BundleError
from diapir.files import replace_file, sync_folder
from diapir.version import __version__

WEIGHTS = "model.safetensors"
OWN_HASH = "info_sha256"
"""Key of `bundle.json` that holds the SHA-256 of all its other keys."""


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk whose files have been checked against their hashes.

    Attributes:
        path: the bundle's folder.
        info: the content of `bundle.json`.
    """

    path: Path
    info: BundleInfo

    @property
    def network(self) -> Path:
        """The file that holds the network: its weights, or what an engine opens."""
        export = self.info.export
        return self.path / (WEIGHTS if export is None else next(iter(export.files)))

    def tensors(self) -> dict[str, NDArray[Any]]:
        """The weights by name.

        Raises:
            BundleError: the bundle holds an export instead, or they cannot be read.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        if self.info.export is not None:
            raise BundleError(
                f"{self.path} holds no weights for PyTorch, but {self.network.name}",
                expected=f"a bundle with {WEIGHTS}",
                fix="give the run or bundle it was exported from, or leave --engine and --device "
                "out",
            )
        try:
            tensors: dict[str, NDArray[Any]] = load_file(self.path / WEIGHTS)
        except (SafetensorError, OSError) as error:
            raise _unusable(self.path / WEIGHTS, str(error)) from None
        return tensors


def load(model: str | Path | None) -> Bundle:
    """Open a bundle and check it.

    Args:
        model: a run folder, a bundle folder, or the name of the shipped model; None is that model.

    Raises:
        BundleError: none there, an unreadable `bundle.json`, or files that are missing, changed or
            no safetensors.
    """
    folder = find(model)
    try:
        content = json.loads((folder / INFO).read_bytes())
        if not isinstance(content, dict):
            raise ValueError("it is no JSON object")
        own_hash = content.pop(OWN_HASH, None)
        info = BundleInfo.model_validate_json(json.dumps(content))
    except (ValueError, OSError) as error:
        raise _unusable(folder / INFO, _reason(error)) from None
    if own_hash != _own_hash(content):
        raise BundleError(
            f"{folder / INFO} has changed since it was saved: its {OWN_HASH} does not fit it",
            expected="the file as it was saved; another threshold is given with --threshold",
            fix="copy the bundle again from where it was made, or train it again",
        )
    files = {WEIGHTS: info.weights_sha256} if info.export is None else info.export.files
    for name, expected in files.items():
        _check(folder / name, expected)
    return Bundle(folder, info)


def save(
    folder: Path,
    tensors: Mapping[str, NDArray[Any]],
    **info: Any,
) -> Bundle:
    """Write a bundle whole or not at all; a bundle that was there stays until the new one is.

    Args:
        folder: where to; its parent must exist.
        tensors: weights by name.
        info: fields of `BundleInfo` (all but `weights_sha256` and `versions`).

    Raises:
        BundleError: the disk is full or not writable.
    """
    from safetensors.numpy import save_file

    def fill(scratch: Path) -> BundleInfo:
        ordered = {name: np.asarray(value, order="C") for name, value in tensors.items()}
        save_file(ordered, scratch / WEIGHTS)
        return BundleInfo(
            **info,
            versions={"diapir": __version__, "numpy": np.__version__},
            weights_sha256=_sha256(scratch / WEIGHTS),
        )

    return _save(folder, fill, sum(value.nbytes for value in tensors.values()))


def save_export(folder: Path, source: BundleInfo, files: Sequence[Path], **export: Any) -> Bundle:
    """Write a bundle that holds an exported network, as `save` does.

    Args:
        folder: where to; its parent must exist.
        source: what is known of the model that was exported.
        files: the exported network, to be copied; the first is the one that is opened.
        export: fields of `Export` (all but `files`), and `versions` of the libraries used.

    Raises:
        BundleError: the disk is full or not writable.
    """
    versions = source.versions | {"diapir": __version__} | export.pop("versions")

    def fill(scratch: Path) -> BundleInfo:
        for path in files:
            shutil.copyfile(path, scratch / path.name)
        hashes = {path.name: _sha256(scratch / path.name) for path in files}
        made = Export(files=hashes, **export)
        return source.model_copy(update={"export": made, "versions": versions})

    return _save(folder, fill, sum(path.stat().st_size for path in files))


def _save(folder: Path, fill: Callable[[Path], BundleInfo], needed: int) -> Bundle:
    """Write a bundle whose network `fill` puts into a folder; `needed` are its bytes."""
    from safetensors import SafetensorError

    scratch = folder.with_name(f".{folder.name}.writing")
    try:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        content = fill(scratch)
        (scratch / INFO).write_text(_text(content), encoding="utf-8")
        (scratch / CARD).write_text(write_card(content), encoding="utf-8")
        for path in scratch.iterdir():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
        _swap(scratch, folder)
    except (OSError, SafetensorError) as error:  # the latter where writing the weights fails
        shutil.rmtree(scratch, ignore_errors=True)
        raise _not_saved(folder, error, needed) from None
    return Bundle(folder, content)


def annotate(bundle: Bundle, **fields: Any) -> Bundle:
    """Record fields such as `metrics` in a saved bundle and its card; the weights stay as they are.

    Raises:
        BundleError: the disk is full or not writable.
    """
    info = BundleInfo.model_validate(bundle.info.model_dump() | fields)
    texts = {INFO: _text(info), CARD: write_card(info)}
    try:
        for name, text in texts.items():
            replace_file(bundle.path / name, text)
    except OSError as error:
        raise _not_saved(bundle.path, error, 0) from None
    return Bundle(bundle.path, info)


def _text(info: BundleInfo) -> str:
    """The content of `bundle.json`, with its own hash."""
    content = json.loads(info.model_dump_json())
    return json.dumps(content | {OWN_HASH: _own_hash(content)}, indent=2) + "\n"


def _own_hash(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _swap(scratch: Path, folder: Path) -> None:
    """Put `scratch` where `folder` is. `find` knows the state between the two renames."""
    before = previous(folder)
    if folder.exists():
        shutil.rmtree(before, ignore_errors=True)
        os.rename(folder, before)
    try:
        os.rename(scratch, folder)
    except OSError:
        if before.exists():
            os.rename(before, folder)
        raise
    sync_folder(folder.parent)
    shutil.rmtree(before, ignore_errors=True)


def _check(path: Path, expected: str) -> None:
    """Refuse a file of a bundle that is missing, has changed, or is a pickle in disguise."""
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


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _refuse_pickle(path: Path) -> None:
    with path.open("rb") as stream:
        start = stream.read(9)
    # safetensors: the length of a JSON header in 8 bytes, of which the first may be any, then "{"
    if start[8:] == b"{":
        return
    # a pickle's protocol mark, or the zip that torch.save writes
    if start[:1] == b"\x80" or start[:4] == b"PK\x03\x04":
        raise BundleError(
            f"{path} is a pickle, which would run code when loaded",
            expected="safetensors",
            fix="load it where you trust it and save its tensors with safetensors.torch.save_file",
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
    key = ".".join(str(part) for part in first["loc"])
    found = "" if isinstance(first["input"], dict | bytes) else f" = {first['input']!r}"
    return f"{key}{found}: {first['msg']}" if key else first["msg"]


def _not_saved(folder: Path, error: Exception, needed: int) -> BundleError:
    reason = getattr(error, "strerror", None) or error
    return BundleError(
        f"{folder} could not be saved: {reason}; what was there before is kept",
        expected=f"a writable folder with {needed / 1e6:.0f} MB free",
        fix="free space or choose another --out, then continue with --resume",
    )
