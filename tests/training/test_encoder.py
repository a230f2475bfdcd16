"""Frozen stages stay as they are, and an encoder's own learning rate is kept through everything."""

import io
import itertools
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from diapir.config import RunConfig
from diapir.errors import ConfigError
from diapir.models import build
from diapir.tiles import TileSet, load_tiles
from diapir.training import loop, session, train
from diapir.training.device import Device, close_device, open_device
from diapir.training.encoder import freeze, parameter_groups
from diapir.training.session import Session
from diapir.training.validation import Validation
from tests.training.test_loop import Recipe, assert_same_end, curves, last_weights

ON_RESNET = (
    "model={name: resnet_unet, encoder: test_resnet}",
    "preprocess.size=64",
    "optimizer.lr=1e-3",
)
OWN_RATE = (*ON_RESNET, "optimizer.encoder_lr=2e-5")
FROZEN = (*OWN_RATE, "model.freeze=2")


@pytest.fixture
def tiles(bright_salt: Path) -> TileSet:
    return load_tiles(bright_salt)


@pytest.fixture
def device(tiny: Recipe) -> Iterator[Device]:
    opened = open_device(tiny().device)
    yield opened
    close_device(opened)


def steps(running: Session, tiles: TileSet, count: int) -> None:
    for _ in range(count):
        start = running.cursor.step
        terms = running.step(tiles, np.arange(4 * start, 4 * start + 4) % len(tiles))
        running.cursor.count(terms, 4, 0.0)


def copied(running: Session) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in running.network.state_dict().items()}


def rates(running: Session) -> list[float]:
    return [group["lr"] for group in running._optimizer.param_groups]


def test_frozen_stages_keep_every_value_and_statistic(
    tiny: Recipe, tiles: TileSet, device: Device
) -> None:
    running = Session(tiny(*FROZEN), device)
    frozen = {
        id(tensor)
        for part in running.network.encoder_parts[:2]
        for tensor in itertools.chain(part.parameters(), part.buffers())
    }
    names = {
        name
        for name, value in itertools.chain(
            running.network.named_parameters(), running.network.named_buffers()
        )
        if id(value) in frozen
    }
    assert any(name.endswith("running_mean") for name in names)
    before = copied(running)
    steps(running, tiles, 2)
    after = running.network.state_dict()
    assert {name for name in before if after[name].equal(before[name])} == names


def test_freezing_survives_a_validation_between_steps(
    tiny: Recipe, tiles: TileSet, device: Device
) -> None:
    running = Session(tiny(*FROZEN), device)
    running.network.eval()
    steps(running, tiles, 1)
    modes = [
        {module.training for module in part.modules()} for part in running.network.encoder_parts
    ]
    # the part itself is a list made for this look at it
    assert [False in mode for mode in modes] == [True, True, False, False, False]
    assert running.network.training


def test_nothing_is_frozen_unless_asked(tiny: Recipe, tiles: TileSet, device: Device) -> None:
    running = Session(tiny(*ON_RESNET), device)
    before = copied(running)
    steps(running, tiles, 2)
    after = running.network.state_dict()
    assert not [name for name in before if after[name].equal(before[name])]


def test_the_encoder_is_trained_at_its_own_rate(tiny: Recipe) -> None:
    config = tiny(*OWN_RATE)
    network = build(config.model)
    others, encoder = parameter_groups(network, config.optimizer)
    assert (others["lr"], encoder["lr"]) == (1e-3, 2e-5)
    inside = {id(value) for value in network.encoder.parameters()}  # type: ignore[union-attr]
    assert {id(value) for value in encoder["params"]} == inside
    everything = {id(value) for value in network.parameters()}
    assert {id(value) for value in others["params"]} == everything - inside


def test_a_first_step_moves_each_value_by_its_groups_rate(
    tiny: Recipe, tiles: TileSet, device: Device
) -> None:
    running = Session(tiny(*OWN_RATE, "optimizer.weight_decay=0"), device)
    before = copied(running)
    steps(running, tiles, 1)
    for name, value in running.network.named_parameters():
        # Adam's first step is the learning rate, whatever the gradient
        moved = float((value.detach() - before[name]).abs().max())
        if moved:
            expected = 2e-5 if name.startswith("features.") else 1e-3
            assert moved == pytest.approx(expected, rel=0.05), name


def test_what_is_frozen_is_in_no_group(tiny: Recipe) -> None:
    config = tiny(*FROZEN)
    network = build(config.model)
    frozen = freeze(network, 2)
    groups = parameter_groups(network, config.optimizer)
    held = {id(value) for part in frozen for value in part.parameters()}
    assert held
    trained = {id(value) for group in groups for value in group["params"]}
    assert trained == {id(value) for value in network.parameters()} - held


def test_without_a_rate_of_its_own_there_is_one_group(tiny: Recipe, device: Device) -> None:
    running = Session(tiny(*ON_RESNET), device)
    assert rates(running) == [1e-3]


def test_halving_and_the_schedule_move_both_rates(tiny: Recipe, device: Device) -> None:
    running = Session(tiny(*OWN_RATE, "schedule.patience=0"), device)
    running.schedule.halve()
    assert rates(running) == pytest.approx([5e-4, 1e-5])
    for _ in range(2):
        running.schedule.after_epoch(1.0)
    assert rates(running) == pytest.approx([3.5e-4, 7e-6])
    assert running.lr == pytest.approx(3.5e-4)


@pytest.mark.parametrize("overrides", [OWN_RATE, FROZEN])
def test_a_restored_session_continues_to_the_same_bits(
    tiny: Recipe, tiles: TileSet, device: Device, overrides: tuple[str, ...]
) -> None:
    whole = Session(tiny(*overrides), device)
    steps(whole, tiles, 1)
    whole.schedule.halve()
    buffer = io.BytesIO()
    torch.save(whole.state(), buffer)
    steps(whole, tiles, 2)

    other = Session(tiny(*overrides), device)
    buffer.seek(0)
    other.restore(torch.load(buffer, weights_only=True))
    assert rates(other) == [5e-4, 1e-5]
    steps(other, tiles, 2)
    end = whole.network.state_dict()
    assert all(value.equal(end[name]) for name, value in other.network.state_dict().items())


@pytest.mark.parametrize(
    ("overrides", "message", "mend"),
    [
        ((*ON_RESNET, "model.freeze=6"), "an encoder of 5 stages", "model.freeze=5"),
        (("optimizer.encoder_lr=1e-5",), "encoder_lr = 1e-05, .* no encoder", "encoder_lr=null"),
    ],
)
def test_what_has_no_encoder_to_act_on_is_refused(
    tiny: Recipe, device: Device, overrides: tuple[str, ...], message: str, mend: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        Session(tiny(*overrides), device)
    assert mend in caught.value.fix


def test_a_network_without_an_encoder_has_no_stages_to_freeze(tiny: Recipe) -> None:
    network = build(tiny().model)
    with pytest.raises(ConfigError, match="the network has no encoder"):
        freeze(network, 1)
    assert freeze(network, 0) == []


# Whole runs


def quietly(config: RunConfig, tiles_path: Path, run: Path, **options: bool) -> str:
    stream = io.StringIO()
    train(config, tiles_path, run, stream=stream, **options)  # type: ignore[arg-type]
    return stream.getvalue()


def test_curves_hold_the_main_rate(
    bright_salt: Path, tmp_path: Path, tiny: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "validate", lambda *args: Validation(1.0, 0.1, 0.5, 0.5, 0.4, 0.3))
    config = tiny(*OWN_RATE, "train.epochs=3", "schedule.patience=0", "track.examples=0")
    quietly(config, bright_salt, tmp_path / "run")
    found = [float(row["lr"]) for row in curves(tmp_path / "run")]
    assert found == pytest.approx([1e-3, 1e-3, 7e-4])


def test_a_rollback_halves_both_rates(
    bright_salt: Path, tmp_path: Path, tiny: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, bad = session.loss_terms, itertools.chain([True] * 3, itertools.repeat(False))

    def spoilt(*args: object) -> object:
        terms = whole(*args)  # type: ignore[arg-type]
        return terms._replace(total=terms.total * math.nan) if next(bad) else terms

    monkeypatch.setattr(session, "loss_terms", spoilt)
    config = tiny(*OWN_RATE, "train.epochs=1", "track.examples=0")
    quietly(config, bright_salt, tmp_path / "run")
    newest = max((tmp_path / "run/last").glob("state-*.pt"))
    groups = torch.load(newest, weights_only=True)["optimizer"]["param_groups"]
    assert [group["lr"] for group in groups] == [5e-4, 1e-5]


@pytest.fixture
def pretrained(tmp_path: Path) -> Path:
    path = tmp_path / "pretrained.safetensors"
    tensors = timm.create_model("test_resnet").state_dict()
    save_file({name: (1.1 * value).to(value.dtype) for name, value in tensors.items()}, path)
    return path


def test_a_run_starts_from_pretrained_weights_and_resumes_without_them(
    bright_salt: Path, tmp_path: Path, tiny: Recipe, pretrained: Path
) -> None:
    def config(epochs: int) -> RunConfig:
        return tiny(*FROZEN, f"model.weights={pretrained}", f"train.epochs={epochs}")

    log = quietly(config(2), bright_salt, tmp_path / "whole")
    assert f"encoder weights from {pretrained}" in log
    assert "2 stages frozen" in log

    stem = load_file(pretrained)["bn1.weight"]
    quietly(config(1), bright_salt, tmp_path / "parts")
    pretrained.rename(tmp_path / "elsewhere")
    quietly(config(2), bright_salt, tmp_path / "parts", resume=True)
    assert_same_end(tmp_path / "whole", tmp_path / "parts")
    assert last_weights(tmp_path / "parts")["features.model.bn1.weight"].equal(stem)


def test_weights_that_are_not_there_leave_no_run_behind(
    bright_salt: Path, tmp_path: Path, tiny: Recipe
) -> None:
    config = (*ON_RESNET, "train.epochs=1")
    with pytest.raises(ConfigError, match="no such file"):
        quietly(tiny(*config, "model.weights=none.safetensors"), bright_salt, tmp_path / "run")
    quietly(tiny(*config), bright_salt, tmp_path / "run")  # the same folder
    assert len(curves(tmp_path / "run")) == 1
