"""Weights of DeepLabV3 and FCN that torchvision published, trained on COCO: encoder and decoder.

`model.weights` is `coco`, or the path of the published file (`.pth`) or of a safetensors file with
torchvision's names. `coco` is torchvision's `COCO_WITH_VOC_LABELS_V1`, searched for in this order:

1. `NAME_coco.safetensors`, such as `fcn_resnet50_coco.safetensors`, in the weights folder
   (`pretrained.weights_folder`);
2. the published file there, or in the folder of `torch.hub`;
3. torchvision's server; the file is then kept in the weights folder.

All is taken but the last layer, which tells COCO's classes apart, and the auxiliary classifier. The
published file is a pickle: it is unpickled, as tensors only, after a check of its SHA-256.
"""

from __future__ import annotations

import hashlib
import io
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

import torch
from torch import Tensor
from torchvision.models import get_model_weights

from diapir.errors import ConfigError
from diapir.files import replace_file
from diapir.models.network import Network
from diapir.models.pretrained import FROM_SCRATCH, read_tensors, weights_folder
from diapir.text import listing

COCO = "coco"
_PARTS = {"backbone": "encoder", "classifier": "decoder"}
"""torchvision's names of the parts, and ours."""
_TIMEOUT_S = 20.0
"""Seconds that the server may be silent."""


def load_coco(network: Network, weights: str) -> bool:
    """Load published weights into encoder and decoder.

    Args:
        network: one with a `torchvision_name`.
        weights: `coco`, or the path of a file.

    Returns:
        Whether they are weights of a whole network; others are not loaded.

    Raises:
        ConfigError: the weights are unavailable, are damaged, or do not fit.
    """
    file = _published_name(network)
    path = _find(network, file) if weights == COCO else Path(weights)
    if path.suffix == ".pth" and path.is_file():
        tensors = _unpickle(path.read_bytes(), path, file)
    else:
        tensors = dict(read_tensors(path)[1])
    if not any(name.startswith("backbone.") for name in tensors):
        return False
    _fill(network, tensors, path)
    network.weights_found = str(path)
    network.weights_parts = f"encoder and decoder (all but {network.head_name})"
    return True


def _url(network: Network) -> str:
    published = get_model_weights(str(network.torchvision_name))
    url: str = published.COCO_WITH_VOC_LABELS_V1.url
    return url


def _published_name(network: Network) -> str:
    """Name of the published file, `NAME_coco-XXXXXXXX.pth`, which ends in its SHA-256's start."""
    return _url(network).rpartition("/")[2]


def _find(network: Network, file: str) -> Path:
    """The published weights: on this machine, or downloaded."""
    folder = weights_folder()
    safe = folder / f"{network.torchvision_name}_coco.safetensors"
    for path in (safe, folder / file, Path(torch.hub.get_dir()) / "checkpoints" / file):
        if path.is_file():
            return path
    kept = folder / file
    try:
        with urlopen(_url(network), timeout=_TIMEOUT_S) as answer:  # noqa: S310 - torchvision's URL
            content = answer.read()
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise ConfigError(
            f"the COCO weights of {network.torchvision_name} are not on this machine and cannot "
            f"be downloaded: {reason}",
            expected=_url(network),
            fix=f"save it as {kept}, or {FROM_SCRATCH}",
        ) from None
    _check(content, _url(network), file)
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(kept, content)
    return kept


def _unpickle(content: bytes, path: Path, file: str) -> dict[str, Tensor]:
    _check(content, str(path), file)
    tensors: dict[str, Tensor] = torch.load(
        io.BytesIO(content), map_location="cpu", weights_only=True
    )
    return tensors


def _check(content: bytes, source: str, file: str) -> None:
    """Refuse any other file than the published one."""
    expected = Path(file).stem.rpartition("-")[2]
    digest = hashlib.sha256(content).hexdigest()
    if not digest.startswith(expected):
        raise ConfigError(
            f"{source} is damaged or is not the published file: SHA-256 {digest[:12]}…",
            expected=f"{file}, SHA-256 {expected}…, or a safetensors file (another pickle could "
            "execute code)",
            fix=f"download it again, or {FROM_SCRATCH}",
        )


def _fill(network: Network, tensors: dict[str, Tensor], path: Path) -> None:
    """Put all tensors but those of the last layer into a network."""
    own = network.state_dict()
    parts = {name.partition(".")[0] for name in tensors} - _PARTS.keys() - {"aux_classifier"}
    placed = {
        ".".join([_PARTS[part], rest]): tensor
        for name, tensor in tensors.items()
        for part, _, rest in [name.partition(".")]
        if part in _PARTS
    }
    needed = {name for name in own if not name.startswith(f"{network.head_name}.")}
    placed = {name: tensor for name, tensor in placed.items() if name in needed or name not in own}
    faults = [f"{name} is missing" for name in sorted(needed - placed.keys()) if not _counts(name)]
    faults += [f"{part} is unknown" for part in sorted(parts)]
    faults += [f"{name} is unknown" for name in placed if name not in own]
    faults += [
        f"{name} is {tuple(tensor.shape)} instead of {tuple(own[name].shape)}"
        for name, tensor in placed.items()
        if name in own and tensor.shape != own[name].shape
    ]
    if faults:
        raise ConfigError(
            f"{path} does not fit {network.torchvision_name}: " + listing(faults, separator="; "),
            expected="torchvision's tensors of encoder and decoder",
            fix=f"give the weights of {network.torchvision_name}, or {FROM_SCRATCH}",
        )
    network.load_state_dict(placed, strict=False)


def _counts(name: str) -> bool:
    """Whether a tensor is a counter of a batch norm, which older files lack."""
    return name.endswith("num_batches_tracked")
