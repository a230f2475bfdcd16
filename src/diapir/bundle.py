"""A model that travels: weights, what they need, and a card. Loading one runs nobody's code.

    bundle/  model.safetensors   bundle.json   card.md

`bundle.json` names the architecture and its arguments (resolved only in our registry), the
preprocessing, classes, threshold, metrics with the hash of their data, versions, the SHA-256 of the
weights and its own, which are checked at every load.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from diapir import __version__
from diapir.architectures import ModelConfig, Section
from diapir.config import PreprocessConfig
from diapir.errors import BundleError
from diapir.files import replace_file, sync_folder

WEIGHTS = "model.safetensors"
INFO = "bundle.json"
OWN_HASH = "info_sha256"
"""Key of `bundle.json` that holds the SHA-256 of all its other keys."""
CARD = "card.md"

Tta = Literal["none", "flip"]
"""Test-time augmentation: what of an image is predicted and averaged."""


class BundleInfo(Section):
    """The content of `bundle.json`."""

    format: Literal[1] = 1
    name: str
    model: ModelConfig
    preprocess: PreprocessConfig
    tile: int | None = Field(default=None, ge=1)
    """Longest side in pixels of the tiles it learnt from. Larger images are cut into windows of
    this size, padded as those tiles were; None cuts windows of the network's input size."""
    classes: tuple[str, ...] = ("background", "salt")
    threshold: float = Field(default=0.5, gt=0, lt=1)
    """Probability of salt from which a pixel counts as salt."""
    tta: Tta = "none"
    """`flip` averages the probabilities of an image and of its mirror image."""
    min_area: int = Field(default=0, ge=0)
    """Pixels: connected salt of fewer than this is taken for background."""
    metrics: dict[str, Any] = Field(default_factory=dict)
    """Metrics of the design with `data`, the name, part and hash of what they were measured on."""
    training: dict[str, Any] = Field(default_factory=dict)
    """Recipe name, seed, epoch, data hash and split hash of the training."""
    versions: dict[str, str] = Field(default_factory=dict)
    weights_sha256: str

    @property
    def window(self) -> int:
        """Side in pixels of the windows that larger images are cut into."""
        return min(self.tile or self.preprocess.size, self.preprocess.size)


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk whose weights have been checked against their hash.

    Attributes:
        path: the bundle's folder.
        info: the content of `bundle.json`.
    """

    path: Path
    info: BundleInfo

    def tensors(self) -> dict[str, NDArray[Any]]:
        """The weights by name."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            tensors: dict[str, NDArray[Any]] = load_file(self.path / WEIGHTS)
        except (SafetensorError, OSError) as error:
            raise _unusable(self.path / WEIGHTS, str(error)) from None
        return tensors


def find(model: str | Path) -> Path:
    """The bundle folder that MODEL (a run folder or a bundle folder) stands for.

    Raises:
        BundleError: there is none.
    """
    path = Path(model)
    for folder in (path, path / "best"):
        if not folder.exists() and _previous(folder).is_dir():
            folder = _previous(folder)  # a save was killed between its two renames
        if (folder / INFO).is_file():
            return folder
    if path.is_file():
        found = f"{path} is a file" + (
            " of pickled data, which would run code when loaded"
            if path.suffix in {".pt", ".pth", ".pkl", ".ckpt", ".bin"}
            else ""
        )
    elif path.is_dir():
        found = f"{path} holds neither {INFO} nor best/{INFO}"
    else:
        found = f"no such model: {path}"
    raise BundleError(
        found,
        expected="a run folder with a best/ bundle, or a bundle folder "
        f"({WEIGHTS}, {INFO}, {CARD})",
        mend="give the folder that `diapir train --out` wrote",
    )


def load(model: str | Path) -> Bundle:
    """Open a bundle and check it.

    Args:
        model: a run folder or a bundle folder.

    Raises:
        BundleError: none there, an unreadable `bundle.json`, or weights that are missing, changed
            or no safetensors.
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
            mend="copy the bundle again from where it was made, or train it again",
        )
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise _unusable(weights, "it is missing")
    try:
        _refuse_pickle(weights)
        found = _sha256(weights)
    except OSError as error:
        raise _unusable(weights, str(error)) from None
    if found != info.weights_sha256:
        raise BundleError(
            f"{weights} has changed since it was saved: SHA-256 {found[:12]}…",
            expected=f"SHA-256 {info.weights_sha256[:12]}…, as {INFO} says",
            mend="copy the bundle again from where it was made, or train it again",
        )
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
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    scratch = folder.with_name(f".{folder.name}.writing")
    try:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        ordered = {name: np.asarray(value, order="C") for name, value in tensors.items()}
        save_file(ordered, scratch / WEIGHTS)
        content = BundleInfo(
            **info,
            versions={"diapir": __version__, "numpy": np.__version__},
            weights_sha256=_sha256(scratch / WEIGHTS),
        )
        (scratch / INFO).write_text(_text(content), encoding="utf-8")
        (scratch / CARD).write_text(_card(content), encoding="utf-8")
        for path in scratch.iterdir():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
        _swap(scratch, folder)
    except (OSError, SafetensorError) as error:  # the latter where writing the weights fails
        shutil.rmtree(scratch, ignore_errors=True)
        raise _not_saved(folder, error, sum(value.nbytes for value in tensors.values())) from None
    return Bundle(folder, content)


def annotate(bundle: Bundle, **fields: Any) -> Bundle:
    """Record fields such as `metrics` in a saved bundle and its card; the weights stay as they are.

    Raises:
        BundleError: the disk is full or not writable.
    """
    info = BundleInfo.model_validate(bundle.info.model_dump() | fields)
    texts = {INFO: _text(info), CARD: _card(info)}
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


def _card(info: BundleInfo) -> str:
    """The card in Markdown: what the model is, what it was trained on, how good it is."""
    metrics = {key: value for key, value in info.metrics.items() if isinstance(value, int | float)}
    intervals = info.metrics.get("ci95", {})
    lines = [
        f"# {info.name}",
        "",
        "Marks salt in seismic images. Input: grey tiles; output: the probability of salt of each "
        "pixel.",
        "",
        f"- Architecture: {_listing(info.model.model_dump())}",
        f"- Input: {info.preprocess.size} × {info.preprocess.size} pixels, padded by "
        f"`{info.preprocess.pad}`; images of more than {info.window} pixels are cut into "
        "overlapping windows",
        f"- A pixel counts as salt from a probability of {info.threshold:g}{_judging(info)}",
        f"- Training: {_listing(info.training) or 'not recorded'}",
        f"- Made with: {_listing(info.versions)}",
        "",
        "## How good it is",
        "",
    ]
    if metrics:
        lines += [
            f"Measured on: {_listing(info.metrics.get('data', {})) or 'not recorded'}",
            "",
            "| metric | value | 95 % interval |",
            "|---|---|---|",
        ]
        for key, value in metrics.items():
            low_high = intervals.get(key)
            interval = f"{low_high[0]:.4f} to {low_high[1]:.4f}" if low_high else ""
            shown = f"{value:.4f}" if isinstance(value, float) else str(value)
            lines.append(f"| {key} | {shown} | {interval} |")
    else:
        lines.append("Not measured yet: run `diapir evaluate` on tiles it has not seen.")
    lines += [
        "",
        "## What to keep in mind",
        "",
        "It knows only what its training tiles show: another survey, sampling or processing may "
        "need training on some labelled sections of it.",
        "",
    ]
    return "\n".join(lines)


def _judging(info: BundleInfo) -> str:
    area = f", in areas of at least {info.min_area} pixels" if info.min_area else ""
    mirrored = "; probabilities are the mean of an image's and its mirror's"
    return area + (mirrored if info.tta == "flip" else "")


def _listing(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())


def _swap(scratch: Path, folder: Path) -> None:
    """Put `scratch` where `folder` is. `find` knows the state between the two renames."""
    previous = _previous(folder)
    if folder.exists():
        shutil.rmtree(previous, ignore_errors=True)
        os.rename(folder, previous)
    try:
        os.rename(scratch, folder)
    except OSError:
        if previous.exists():
            os.rename(previous, folder)
        raise
    sync_folder(folder.parent)
    shutil.rmtree(previous, ignore_errors=True)


def _previous(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.previous")


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
            mend="load it where you trust it and save its tensors with safetensors.torch.save_file",
        )


def _unusable(path: Path, reason: str) -> BundleError:
    return BundleError(
        f"{path} cannot be used: {reason}",
        expected="a bundle as `diapir train` or `diapir export` writes it",
        mend="copy the bundle again from where it was made, or train it again",
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
        mend="free space or choose another --out, then continue with --resume",
    )
