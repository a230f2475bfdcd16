"""Networks of somebody else: given from Python, or by an entry point of an installed package."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import diapir
from diapir import bundle as bundles
from diapir.architectures import OtherConfig, installed_architectures
from diapir.config import load_recipe
from diapir.errors import BundleError, ConfigError
from diapir.exports import export_bundle
from diapir.models import build
from diapir.models.custom import CustomNetwork, module_name, wrap
from tests.helpers.exports import images
from tests.helpers.tiny import small_bundle


class Net(nn.Module):
    """A convolution, with so many classes and, where asked, halvings."""

    def __init__(self, classes: int = 2, halvings: int = 0, whole: bool = True) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, classes, 3, padding=1)
        self.halvings, self.whole = halvings, whole

    def forward(self, planes: Tensor) -> Tensor:
        found = self.layer(planes)
        for _ in range(self.halvings):
            found = nn.functional.avg_pool2d(found, 2)
        return nn.functional.interpolate(found, planes.shape[-2:]) if self.whole else found


class Torchvision(Net):
    def forward(self, planes: Tensor) -> Tensor:
        return {"out": super().forward(planes), "aux": None}  # type: ignore[return-value]


class OneSize(Net):
    def forward(self, planes: Tensor) -> Tensor:
        assert planes.shape[-1] == 48
        return super().forward(planes)


IMAGES = torch.randn(2, 3, 48, 48)


@pytest.mark.parametrize("module", [Net(), Net(halvings=2), Torchvision()])
def test_two_classes_are_taken_as_they_are(module: nn.Module) -> None:
    network = wrap(module, 48)
    found = module(IMAGES)
    expected = found["out"] if isinstance(found, dict) else found
    torch.testing.assert_close(network(IMAGES), expected)


def test_one_class_is_that_of_salt() -> None:
    module = Net(classes=1)
    probability = wrap(module, 48)(IMAGES).softmax(dim=1)[:, 1]
    torch.testing.assert_close(probability, module(IMAGES)[:, 0].sigmoid())


def test_the_divisor_is_the_modules_or_tried() -> None:
    assert wrap(Net(), 48).divisor == 16
    assert wrap(Net(), 128).divisor == 32
    assert wrap(OneSize(), 48).divisor == 48
    own = Net()
    own.divisor = 8
    assert wrap(own, 48).divisor == 8
    assert wrap(Net(), 48, divisor=4).divisor == 4


def test_a_trial_leaves_the_module_as_it_was() -> None:
    module = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2), nn.Dropout(0.5))
    module[1].eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    wrap(module, 32)
    assert [part.training for part in module] == [True, False, True]
    for name, value in module.state_dict().items():
        torch.testing.assert_close(value, before[name])


@pytest.mark.parametrize(
    ("module", "complaint"),
    [
        (Net, "the class Net is not a module"),
        (3, "is not a module"),
        (Net(classes=3), r"returns a tensor of shape \(1, 3, 48, 48\)"),
        (Net(halvings=1, whole=False), r"makes logits of \(24, 24\)"),
        (nn.Conv2d(1, 2, 3), "cannot run images of shape"),
        (nn.LSTM(48, 2), "cannot run images|returns a tuple"),
    ],
)
def test_what_is_no_network_is_refused(module: nn.Module, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        wrap(module, 48)


@pytest.fixture
def bundle(tmp_path: Path) -> bundles.Bundle:
    """A bundle of a custom module."""
    torch.manual_seed(1)
    config = OtherConfig.model_validate({"name": "custom", "module": "mine.Net", "divisor": 16})
    return small_bundle(tmp_path / "best", config, network=CustomNetwork(Net(), 16))


def test_a_bundle_gets_its_module_from_the_caller(bundle: bundles.Bundle) -> None:
    with pytest.raises(ConfigError) as caught:
        diapir.load(bundle.path)
    assert "mine.Net" in caught.value.found
    assert "module=net" in caught.value.fix
    result = diapir.load(bundle.path, module=Net()).predict(images(1)[0])
    torch.manual_seed(1)
    expected = diapir.load(bundle.path, module=Net()).predict(images(1)[0])
    assert (result.probability == expected.probability).all()
    with pytest.raises(BundleError, match="does not fit its architecture"):
        diapir.load(bundle.path, module=Net(classes=1))


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An installed package that adds the architectures `halved` and `broken`."""
    (tmp_path / "salt_nets.py").write_text(
        "from tests.models.test_custom import Net\n"
        "def halved(halvings=1):\n    return Net(halvings=halvings)\n"
    )
    info = tmp_path / "salt_nets-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: salt-nets\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[diapir.architectures]\nhalved = salt_nets:halved\nbroken = salt_nets:absent\n"
        "unet = salt_nets:halved\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return "halved"


def test_an_installed_architecture_is_built_by_its_name(installed: str) -> None:
    assert set(installed_architectures()) == {"halved", "broken"}  # diapir's own names stay
    assert diapir.list_models()[-1] == "halved"
    config = load_recipe("baseline", [f"model={{name: {installed}, halvings: 2}}"])
    assert isinstance(config.model, OtherConfig)
    network = build(config.model, size=48)
    assert network(IMAGES).shape == (2, 2, 48, 48)
    assert diapir.create_model(installed, halvings=3)(torch.zeros(1, 3, 64, 64)).ndim == 4


@pytest.mark.parametrize(
    ("name", "settings", "complaint"),
    [
        ("halved", {"deep": 3}, r"cannot be built: TypeError: .*'deep'"),
        ("broken", {}, "cannot be built: AttributeError"),
        ("halvd", {}, r"no architecture of this name"),
    ],
)
def test_what_an_installed_package_cannot_build(
    installed: str, name: str, settings: dict[str, int], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        diapir.create_model(name, **settings)


def test_a_bundle_of_an_architecture_that_is_not_installed(
    tmp_path: Path, installed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = OtherConfig.model_validate({"name": installed, "halvings": 2, "divisor": 16})
    bundle = small_bundle(tmp_path / "best", config)
    assert bundle.info.input_step == 16
    expected = diapir.load(bundle.path).predict(images(1)[0]).probability
    monkeypatch.undo()  # the package is removed
    with pytest.raises(ConfigError, match="'halved' is not installed"):
        diapir.load(bundle.path)
    with_module = diapir.load(bundle.path, module=Net(halvings=2)).predict(images(1)[0])
    assert (with_module.probability == expected).all()


@pytest.mark.slow
def test_an_export_needs_no_package(
    tmp_path: Path, installed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = OtherConfig.model_validate({"name": installed, "divisor": 16})
    bundle = small_bundle(tmp_path / "best", config)
    expected = diapir.load(bundle.path).predict(images(1)[0]).probability
    exported = export_bundle(bundle, "onnx", tmp_path / "onnx", images=images(), data="noise")
    monkeypatch.undo()  # the package is removed
    found = diapir.load(exported.path).predict(images(1)[0]).probability
    assert abs(found - expected).max() < 1e-5


def test_names_of_functions_classes_and_instances() -> None:
    assert module_name(wrap) == "diapir.models.custom.wrap"
    assert module_name(Net()) == "tests.models.test_custom.Net"
