"""Losses against values computed by hand and against PyTorch's own."""

import math

import pytest
import torch
from torch.nn import functional

from diapir.config import LossConfig
from diapir.training.loss.losses import auxiliary_loss, segmentation_loss

BASELINE = LossConfig()


def logits_for(probabilities: list[list[float]]) -> torch.Tensor:
    """Logits `(1, 2, H, W)` whose softmax gives these probabilities of salt."""
    salt = torch.tensor(probabilities).logit()
    return torch.stack([torch.zeros_like(salt), salt])[None]


def test_values_worked_out_by_hand() -> None:
    logits = logits_for([[0.8, 0.4], [0.1, 0.9]])
    masks = torch.tensor([[[1, 1], [0, 255]]])

    terms = segmentation_loss(logits, masks, BASELINE)

    ce = -(math.log(0.8) + math.log(0.4) + math.log(0.9)) / 3
    dice = 2 * (0.8 + 0.4) / ((0.8 + 0.4 + 0.1) + 2)
    assert terms.ce.item() == pytest.approx(ce, abs=1e-6)
    assert terms.dice.item() == pytest.approx(dice, abs=1e-6)
    assert terms.total.item() == pytest.approx(0.3 * ce + 2 * (1 - dice), abs=1e-6)


def test_an_untrained_network_starts_where_the_seed_did() -> None:
    """Even odds everywhere on a quarter of salt: CE ln 2, soft Dice 1/3."""
    masks = torch.zeros(1, 8, 8, dtype=torch.int64)
    masks[:, :2] = 1

    terms = segmentation_loss(torch.zeros(1, 2, 8, 8), masks, BASELINE)

    assert terms.ce.item() == pytest.approx(math.log(2), abs=1e-6)
    assert terms.dice.item() == pytest.approx(1 / 3, abs=1e-6)


def test_the_batch_is_pooled_and_ignored_pixels_count_nowhere() -> None:
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(3, 2, 9, 7, generator=generator)
    masks = torch.randint(0, 2, (3, 9, 7), generator=generator)
    masks[:, 4] = 255
    changed = logits.clone()
    changed[:, :, 4] = 50.0

    terms, same = (segmentation_loss(each, masks, BASELINE) for each in (logits, changed))

    assert terms.ce == functional.cross_entropy(logits, masks, ignore_index=255)
    kept = masks != 255
    salt = logits.softmax(dim=1)[:, 1][kept]
    pooled = 2 * salt[masks[kept] == 1].sum() / (salt.sum() + (masks == 1).sum())
    torch.testing.assert_close(terms.dice, pooled)
    torch.testing.assert_close(terms, same)


def test_a_batch_without_salt_is_finite_and_pays_for_false_salt() -> None:
    masks = torch.zeros(2, 4, 4, dtype=torch.int64)
    confident = segmentation_loss(
        logits_for([[0.999] * 4] * 4).expand(2, -1, -1, -1), masks, BASELINE
    )
    assert confident.dice.item() == 0
    assert confident.total.item() > 2


def test_a_batch_of_ignored_pixels_gives_no_gradient() -> None:
    logits = torch.randn(1, 2, 4, 4, requires_grad=True)
    terms = segmentation_loss(logits, torch.full((1, 4, 4), 255), BASELINE)
    terms.total.backward()
    assert math.isfinite(terms.total.item())
    assert logits.grad is not None
    assert torch.count_nonzero(logits.grad) == 0


def test_sums_of_parts_give_the_gradient_of_the_whole() -> None:
    """What two processes do: each adds the other's sums to its own."""
    generator = torch.Generator().manual_seed(5)
    logits = torch.randn(4, 2, 6, 6, generator=generator, requires_grad=True)
    masks = torch.randint(0, 2, (4, 6, 6), generator=generator)
    whole = segmentation_loss(logits, masks, BASELINE)
    (expected,) = torch.autograd.grad(whole.total, logits)

    collected: list[torch.Tensor] = []
    for part in (slice(0, 1), slice(1, 4)):  # unequal shares

        def collect(sums: torch.Tensor) -> torch.Tensor:
            collected.append(sums)
            return sums

        segmentation_loss(logits[part], masks[part], BASELINE, collect)
    pooled = segmentation_loss(logits[:1], masks[:1], BASELINE, lambda sums: sums + collected[1])
    (first,) = torch.autograd.grad(pooled.total, logits, retain_graph=True)

    torch.testing.assert_close(pooled.total, whole.total)
    torch.testing.assert_close(first, expected)


@pytest.mark.parametrize("weights", [LossConfig(ce=1, dice=0), LossConfig(ce=0, dice=1)])
def test_the_weights_weigh(weights: LossConfig) -> None:
    logits = logits_for([[0.7, 0.2]])
    terms = segmentation_loss(logits, torch.tensor([[[1, 0]]]), weights)
    expected = terms.ce if weights.ce else 1 - terms.dice
    torch.testing.assert_close(terms.total, expected)


def test_bfloat16_logits_are_scored_in_float32() -> None:
    logits = torch.randn(2, 2, 32, 32).bfloat16()
    masks = torch.randint(0, 2, (2, 32, 32))
    terms = segmentation_loss(logits, masks, BASELINE)
    assert terms.total.dtype == torch.float32
    torch.testing.assert_close(terms, segmentation_loss(logits.float(), masks, BASELINE))


def random_batch(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, 2, 8, 12, generator=generator, requires_grad=True)
    masks = torch.randint(0, 2, (3, 8, 12), generator=generator)
    masks[0] = 255
    masks[1, 2:5] = 255
    return logits, masks


def test_the_hinge_is_the_mean_of_the_tiles_that_have_a_valid_pixel() -> None:
    logits, masks = random_batch(7)
    alone = LossConfig(ce=0, dice=0, lovasz=1)
    whole = segmentation_loss(logits, masks, alone).total
    each = [segmentation_loss(logits[i : i + 1], masks[i : i + 1], alone).total for i in (1, 2)]
    torch.testing.assert_close(whole, (each[0] + each[1]) / 2)
    assert segmentation_loss(logits[:1], masks[:1], alone).total == 0


def test_weights_given_as_a_pair_move_along_the_ramp() -> None:
    logits, masks = random_batch(8)
    ramped = LossConfig(ce=(1.0, 0.0), dice=0.5, lovasz=(0.0, 2.0), ramp=(0.2, 0.6))
    plain = LossConfig(ce=0, dice=0, lovasz=1)
    hinge = segmentation_loss(logits, masks, plain).total
    for done, ce, lovasz in ((0.0, 1.0, 0.0), (0.25, 0.75, 0.5), (1.0, 0.0, 2.0)):
        terms = segmentation_loss(logits, masks, ramped, lambda sums: sums, done)
        expected = ce * terms.ce + 0.5 * (1 - terms.dice) + lovasz * hinge
        torch.testing.assert_close(terms.total, expected)


def test_the_tile_classifier_is_scored_on_tiles_with_a_valid_pixel() -> None:
    masks = torch.zeros(3, 4, 4, dtype=torch.int64)
    masks[0, 0, 0] = 1
    masks[2] = 255
    guesses = torch.tensor([2.0, -1.0, 50.0], requires_grad=True)
    loss = auxiliary_loss(guesses, (), masks, LossConfig(empty=0.5))
    expected = 0.5 * (math.log1p(math.exp(-2)) + math.log1p(math.exp(-1))) / 2
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    loss.backward()
    assert guesses.grad is not None
    assert guesses.grad[2] == 0


def test_coarse_logits_have_the_loss_of_repeating_them_over_their_pixels() -> None:
    _, masks = random_batch(9)
    deep = tuple(torch.randn(3, 2, 8 // step, 12 // step) for step in (4, 2))
    loss = auxiliary_loss(None, deep, masks, LossConfig(deep=0.3))
    expected = [
        functional.cross_entropy(
            functional.interpolate(each, scale_factor=step), masks, ignore_index=255
        )
        for each, step in zip(deep, (4, 2), strict=True)
    ]
    torch.testing.assert_close(loss, 0.3 * sum(expected) / 2)


def test_a_network_that_says_no_more_than_logits_adds_nothing() -> None:
    masks = torch.zeros(2, 4, 4, dtype=torch.int64)
    assert auxiliary_loss(None, (), masks, LossConfig(empty=1, deep=1)) == 0
