"""Networks, losses and callbacks from Python, trained and resumed."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import diapir
from diapir.config import load_recipe
from diapir.errors import ConfigError, RunError
from diapir.run.folder import CONFIG
from diapir.training import EpochState, Parts, train
from diapir.training.from_python.parts import loss_sums, with_loss
from diapir.training.loss.losses import LossTerms
from tests.helpers.tiny import tiny_recipe, write_bright_salt


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.layers = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 3, padding=1)
        )

    def forward(self, planes: Tensor) -> Tensor:
        found: Tensor = self.layers(planes)
        return found


def entropy(logits: Tensor, masks: Tensor) -> Tensor:
    assert logits.dtype == torch.float32
    assert masks.dtype == torch.int64
    return functional.cross_entropy(logits, masks, ignore_index=255)


class Stopper:
    def __init__(self, epoch: int) -> None:
        self.epoch, self.seen = epoch, list[EpochState]()

    def on_epoch_end(self, state: EpochState) -> None:
        self.seen.append(state)
        if state.epoch == self.epoch:
            state.stop("seen enough")


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    return write_bright_salt(tmp_path / "mini", 12)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "tiny.yaml").write_text(tiny_recipe())
    return tmp_path / "tiny.yaml"


def test_a_run_of_own_parts_stops_resumes_and_is_held_to_them(
    tiles: Path, recipe: Path, tmp_path: Path
) -> None:
    stopper, config, run = Stopper(1), load_recipe(recipe), tmp_path / "run"
    net = Net()
    before = net.layers[0].weight.detach().clone()
    first = train(config, tiles, run, parts=Parts(net, entropy, [stopper]))
    assert (first.stopped, first.epochs) == ("callback", 1)
    assert not torch.equal(net.layers[0].weight, before)
    (state,) = stopper.seen
    assert (state.epoch, state.epochs, state.best, state.run) == (1, 3, True, run)
    assert state.metrics["val_loss"] == pytest.approx(state.metrics["val_ce"])  # the loss is that
    assert state.network is net
    assert "seen enough" in (run / "log.txt").read_text()
    for parts in (Parts(), Parts(Net()), Parts(Net(), functional.cross_entropy)):
        with pytest.raises((RunError, ConfigError), match=r"custom"):
            train(config, tiles, run, resume=True, parts=parts)
    with pytest.raises(ConfigError, match="a Python function"):
        train(load_recipe(run / CONFIG), tiles, run, resume=True)
    last = train(config, tiles, run, resume=True, parts=Parts(Net(), entropy))
    assert (last.stopped, last.epochs) == ("epochs", 3)
    info = diapir.load(run, module=Net()).info
    assert info.model.name == "custom"
    assert info.training["loss"].endswith("test_parts.entropy")


def test_resuming_gives_the_weights_of_an_unbroken_run(
    tiles: Path, recipe: Path, tmp_path: Path
) -> None:
    config = load_recipe(recipe)
    whole, broken = Net(), Net()
    train(config, tiles, tmp_path / "whole", parts=Parts(whole, entropy))
    train(config, tiles, tmp_path / "broken", parts=Parts(Net(), entropy, [Stopper(1)]))
    train(config, tiles, tmp_path / "broken", resume=True, parts=Parts(broken, entropy))
    for one, other in zip(whole.parameters(), broken.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_a_network_of_diapir_keeps_its_name(recipe: Path) -> None:
    config = load_recipe(recipe)
    net = diapir.create_model("unet", base=4, levels=2)
    recorded = Parts(net).recorded(config)
    assert recorded.model == net.settings
    assert Parts(net).network(recorded) is net
    net.get_submodule("head").weight = nn.Parameter(torch.zeros(2, 4, 3, 3))  # not a U-Net's
    assert Parts(net).recorded(config).model.name == "custom"


def test_what_a_callback_raises_comes_after_the_checkpoint(
    tiles: Path, recipe: Path, tmp_path: Path
) -> None:
    class Raises:
        def on_epoch_end(self, state: EpochState) -> None:
            raise ZeroDivisionError

    run, config = tmp_path / "run", load_recipe(recipe)
    with pytest.raises(ZeroDivisionError):
        train(config, tiles, run, parts=Parts(callbacks=[Raises()]))
    assert train(config, tiles, run, resume=True).epochs == 3
    assert (run / "log.txt").read_text().count("Epoch [1/3] - Loss") == 1


def test_a_loss_that_is_no_scalar_is_refused() -> None:
    terms = LossTerms(*torch.ones(3))
    logits, masks = torch.zeros(1, 2, 4, 4), torch.zeros(1, 4, 4, dtype=torch.long)
    assert with_loss(terms, {}) is terms
    assert with_loss(terms, loss_sums(lambda *_: torch.tensor(7.0), logits, masks)).total == 7
    for wrong in (lambda *_: 3.0, lambda scores, _: scores.mean(dim=1)):
        with pytest.raises(ConfigError, match="returned"):
            loss_sums(wrong, logits, masks)
