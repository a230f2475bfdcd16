"""Recipes in words: everything that is on, and nothing that is off."""

from pathlib import Path

import pytest

from diapir.config import (
    AugmentConfig,
    LossConfig,
    OptimizerConfig,
    RunConfig,
    ScheduleConfig,
    TrainConfig,
    load_recipe,
    recipe_names,
)
from diapir.reports.run.facts import training_facts
from diapir.reports.run.recipe_words import (
    augment_words,
    keeping_words,
    loss_words,
    optimizer_words,
)
from diapir.run.history import read_history


def test_a_loss_names_its_terms_and_their_ramps() -> None:
    assert loss_words(LossConfig()) == "0.3 × cross entropy + 2 × (1 − soft Dice)"
    assert loss_words(LossConfig(ce=0, dice=0, lovasz=1)) == "1 × Lovász hinge"
    ramped = LossConfig(ce=(1, 0), dice=0, lovasz=(0, 1), ramp=(0.2, 0.5), empty=0.1)
    assert loss_words(ramped) == (
        "(1 → 0) × cross entropy + (0 → 1) × Lovász hinge + 0.1 × cross entropy of salt "
        "presence, ramped from 20 % to 50 % of the steps"
    )


def test_an_optimiser_is_named_with_its_rates_and_schedule() -> None:
    assert optimizer_words(OptimizerConfig(), ScheduleConfig()) == (
        "AdamW, learning rate 0.0005, weight decay 0.0001, gradient clipped at 1"
    )
    strong = OptimizerConfig(name="muon", encoder_lr=1e-4, clip_norm=None)
    assert optimizer_words(strong, ScheduleConfig(name="cosine")) == (
        "Muon and AdamW, learning rate 0.0005 (0.0001 in the encoder) with cosine decay, "
        "weight decay 0.0001"
    )


def test_augmentation_is_listed_where_there_is_any() -> None:
    assert augment_words(AugmentConfig()) == ""
    assert augment_words(AugmentConfig(flip="alternate", scale=0.2, rotate=8, cutout=0.3)) == (
        "horizontal flip every second epoch, scale ±20 %, rotation ±8°, cutout in 30 %"
    )
    assert augment_words(AugmentConfig(rescale=0.3, gamma=0.5, phase=60, noise=0.1, mute=0.2)) == (
        "gamma 0.67 to 1.5, phase rotation ±60°, rescaling in 30 % (height × 0.25 to 1.5, "
        "width × 0.5 to 1.5), noise up to 10 %, mute in 20 %"
    )


def test_the_weights_kept_are_named_where_they_are_not_the_usual() -> None:
    assert keeping_words(TrainConfig()) == ""
    assert keeping_words(TrainConfig(select="last", ema=0.998)) == (
        "last epoch, EMA of the weights, decay 0.998"
    )


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_can_be_described(name: str, tmp_path: Path) -> None:
    config = load_recipe(name)
    facts = dict(training_facts(config, read_history(tmp_path / "none.csv"), None))
    assert facts["Loss"] == loss_words(config.loss)
    assert ("Augmentation" in facts) == (config.augment != RunConfig().augment)
