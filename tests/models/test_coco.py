"""Weights of DeepLabV3 and FCN as torchvision publishes them, made in the test."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from diapir import models
from diapir.architectures import FCNConfig, ResNetUNetConfig
from diapir.errors import ConfigError
from diapir.models import coco
from diapir.models.network import Network

URL = "https://models.example/fcn_resnet50_coco-{digest}.pth"


@pytest.fixture(autouse=True)
def empty_caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test may reach a server, or find what others left in this user's caches."""

    def offline(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(coco, "urlopen", offline)
    monkeypatch.setenv("DIAPIR_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))


@pytest.fixture(scope="module")
def published() -> dict[str, Tensor]:
    """Weights of torchvision's FCN with its 21 classes and the auxiliary classifier."""
    from torchvision.models.segmentation import fcn_resnet50

    torch.manual_seed(3)
    network = fcn_resnet50(weights=None, weights_backbone=None, num_classes=21, aux_loss=True)
    return {name: value.half() * 1 for name, value in network.state_dict().items()}


@pytest.fixture(scope="module")
def network() -> Network:
    return models.build(FCNConfig())


def place(path: Path, tensors: dict[str, Tensor]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)
    return path


def holds(network: Network, tensors: dict[str, Tensor]) -> bool:
    """Whether a network has all published tensors but those of the last layer."""
    state = network.state_dict()
    names = {"backbone": "encoder", "classifier": "decoder"}
    pairs = {
        f"{names[part]}.{rest}": value
        for name, value in tensors.items()
        for part, _, rest in [name.partition(".")]
        if part in names
    }
    return all(
        torch.equal(state[name].float(), pairs[name].float())
        for name in state
        if not name.startswith("decoder.4.")
    )


def test_encoder_and_decoder_come_from_the_weights_folder(
    published: dict[str, Tensor], tmp_path: Path
) -> None:
    path = place(tmp_path / "weights" / "fcn_resnet50_coco.safetensors", published)
    torch.manual_seed(0)
    fresh = models.build(FCNConfig()).state_dict()["decoder.4.weight"]
    torch.manual_seed(0)
    network = models.build(FCNConfig(weights="coco"), pretrained=True)
    assert holds(network, published)
    assert torch.equal(network.state_dict()["decoder.4.weight"], fresh)
    assert network.weights_found == str(path)
    assert network.weights_parts == "encoder and decoder (all but decoder.4)"


def test_a_file_of_the_whole_network_may_be_named(
    published: dict[str, Tensor], network: Network, tmp_path: Path
) -> None:
    older = {name: value for name, value in published.items() if "num_batches" not in name}
    path = place(tmp_path / "mine.safetensors", older)
    assert coco.load_coco(network, str(path))
    assert network.weights_found == str(path)


def test_a_file_of_an_encoder_is_left_to_the_encoder(network: Network, tmp_path: Path) -> None:
    path = place(tmp_path / "resnet50.safetensors", {"conv1.weight": torch.zeros(64, 3, 7, 7)})
    assert not coco.load_coco(network, str(path))


def test_what_does_not_fit_is_named(
    published: dict[str, Tensor], network: Network, tmp_path: Path
) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    wrong = published | {
        "classifier.0.weight": torch.zeros(4, 2048, 3, 3),
        "classifier.9.weight": torch.zeros(1),
        "other.weight": torch.zeros(1),
    }
    del wrong["backbone.conv1.weight"]
    path = place(tmp_path / "wrong.safetensors", wrong)
    with pytest.raises(ConfigError, match="does not fit fcn_resnet50") as caught:
        coco.load_coco(network, str(path))
    for part in ("encoder.conv1.weight is missing", "other is unknown", "and 1 more"):
        assert part in caught.value.found
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def pickled(tensors: dict[str, Tensor]) -> bytes:
    buffer = io.BytesIO()
    torch.save(tensors, buffer)
    return buffer.getvalue()


@pytest.fixture
def file(published: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch) -> tuple[str, bytes]:
    """The published file, name and content, where its name has the hash of these weights."""
    content = pickled(published)
    url = URL.format(digest=hashlib.sha256(content).hexdigest()[:8])
    monkeypatch.setattr(coco, "_url", lambda network: url)
    return url.rpartition("/")[2], content


@pytest.mark.parametrize("folder", ["weights", "hub/checkpoints"])
def test_the_published_file_is_found(
    file: tuple[str, bytes],
    published: dict[str, Tensor],
    network: Network,
    tmp_path: Path,
    folder: str,
) -> None:
    name, content = file
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / name).write_bytes(content)
    assert coco.load_coco(network, "coco")
    assert holds(network, published)


def test_the_published_file_is_downloaded_once(
    file: tuple[str, bytes], network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, content = file
    asked = []

    def serve(url: str, **_: object) -> io.BytesIO:
        asked.append(url)
        return io.BytesIO(content)

    monkeypatch.setattr(coco, "urlopen", serve)
    for _ in range(2):
        assert coco.load_coco(network, "coco")
    assert len(asked) == 1
    assert (tmp_path / "weights" / name).read_bytes() == content

    # another file than the published one is not kept
    (tmp_path / "weights" / name).unlink()
    content = b"a page of the hotel's network"
    with pytest.raises(ConfigError, match="is damaged or is not the published file"):
        coco.load_coco(network, "coco")
    assert list((tmp_path / "weights").iterdir()) == []


def test_another_pickle_is_never_opened(
    file: tuple[str, bytes], network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(*_: object, **__: object) -> None:
        raise AssertionError("it was unpickled")

    monkeypatch.setattr(torch, "load", opened)
    path = tmp_path / file[0]
    path.write_bytes(file[1] + b"!")
    with pytest.raises(ConfigError, match="not the published file") as caught:
        coco.load_coco(network, str(path))
    assert "another pickle could execute code" in caught.value.expected


def test_offline_the_error_says_what_to_put_where(network: Network, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be downloaded: no route to host") as caught:
        coco.load_coco(network, "coco")
    name = "fcn_resnet50_coco-1167a1af.pth"
    assert caught.value.expected == f"https://download.pytorch.org/models/{name}"
    assert f"save it as {tmp_path / 'weights' / name}" in caught.value.fix
    assert not (tmp_path / "weights").exists()


def test_other_networks_have_no_coco_weights() -> None:
    config = ResNetUNetConfig(encoder="test_resnet", weights="coco")
    with pytest.raises(ConfigError, match=r"model\.weights = 'coco': no such file") as caught:
        models.build(config, pretrained=True)
    assert "for deeplabv3 and fcn also coco" in caught.value.expected
