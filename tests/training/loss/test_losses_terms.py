"""Focal, Tversky and boundary loss and class weights, against libraries and by hand."""

from typing import Any

import pytest
import segmentation_models_pytorch as smp
import torch
from torch import Tensor
from torch.nn import functional

from diapir.config import LossConfig
from diapir.training.loss.losses import LossTerms, segmentation_loss

TERMS = ("focal", "tversky", "boundary", "lovasz")


def only(**weights: Any) -> LossConfig:
    """A loss of these terms alone."""
    return LossConfig(**{"ce": 0.0, "dice": 0.0} | weights)


def batch(seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    masks = torch.randint(0, 2, (3, 14, 11), generator=generator)
    masks[0, :4] = 255
    masks[2] = 0
    return torch.randn(3, 2, 14, 11, generator=generator) * 3, masks


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0, 3.5])
def test_focal_loss_is_the_librarys(gamma: float) -> None:
    logits, masks = batch()
    found = segmentation_loss(logits, masks, only(focal=1.0, focal_gamma=gamma)).total
    # binary, on the margin: the library's loss of two classes counts each pixel twice
    known = masks != 255
    margins, truth = (logits[:, 1] - logits[:, 0])[known], masks[known].float()
    expected = smp.losses.FocalLoss("binary", gamma=gamma)(margins, truth)
    torch.testing.assert_close(found, expected)


def test_focal_loss_of_exponent_0_is_cross_entropy() -> None:
    logits, masks = batch()
    terms = segmentation_loss(logits, masks, only(focal=1.0, focal_gamma=0.0))
    torch.testing.assert_close(terms.total, terms.ce)


@pytest.mark.parametrize(("alpha", "beta"), [(0.3, 0.7), (0.5, 0.5), (1.0, 2.0)])
def test_tversky_is_the_librarys(alpha: float, beta: float) -> None:
    logits, masks = batch()
    config = only(tversky=1.0, tversky_alpha=alpha, tversky_beta=beta)
    found = segmentation_loss(logits, masks, config).total
    known = masks != 255
    margins, truth = (logits[:, 1] - logits[:, 0])[known], masks[known].float()
    expected = smp.losses.TverskyLoss("binary", alpha=alpha, beta=beta)(
        margins[None, None], truth[None, None]
    )
    torch.testing.assert_close(found, expected)


def test_tversky_with_even_weights_is_dice() -> None:
    logits, masks = batch()
    terms = segmentation_loss(logits, masks, only(tversky=1.0, tversky_alpha=0.5, tversky_beta=0.5))
    torch.testing.assert_close(terms.total, 1 - terms.dice)


@pytest.mark.parametrize("weights", [(1.0, 3.0), (0.5, 1.0), (0.0, 1.0)])
def test_class_weights_are_pytorchs(weights: tuple[float, float]) -> None:
    logits, masks = batch()
    found = segmentation_loss(logits, masks, only(ce=1.0, class_weights=weights))
    expected = functional.cross_entropy(
        logits, masks, weight=torch.tensor(weights), ignore_index=255
    )
    torch.testing.assert_close(found.total, expected)
    torch.testing.assert_close(found.ce, expected)


def test_equal_class_weights_change_nothing() -> None:
    logits, masks = batch()
    twice = LossConfig(class_weights=(2, 2))
    torch.testing.assert_close(
        segmentation_loss(logits, masks, LossConfig()), segmentation_loss(logits, masks, twice)
    )


def test_boundary_loss_by_hand() -> None:
    masks = torch.tensor([[[0, 0, 1, 1, 1, 255, 0]]])
    salt = torch.tensor([[[0.1, 0.9, 0.5, 0.8, 0.6, 0.7, 0.2]]])
    logits = torch.stack([torch.zeros_like(salt), salt.logit()], dim=1)
    with_it = segmentation_loss(logits, masks, LossConfig(boundary=2.0)).total
    without = segmentation_loss(logits, masks, LossConfig()).total
    expected = (2 * 0.1 + 1 * 0.9 + 0 * 0.5 - 0.8 - 0.6 + 2 * 0.2) / 6
    torch.testing.assert_close(with_it - without, torch.tensor(2 * expected))


@pytest.mark.parametrize("value", [0, 1, 255])
@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_masks_of_one_value_have_finite_losses_and_gradients(
    term: str, value: int, kind: torch.dtype
) -> None:
    generator = torch.Generator().manual_seed(2)
    for scale in (1.0, 100.0):  # as sure as networks get
        logits = (torch.randn(2, 2, 8, 8, generator=generator) * scale).to(kind).requires_grad_()
        config = LossConfig.model_validate({"ce": 0.1, term: 1.0, "class_weights": (1, 2)})
        terms = segmentation_loss(logits, torch.full((2, 8, 8), value), config)
        terms.total.backward()
        assert all(torch.isfinite(each) for each in terms)
        assert logits.grad is not None
        assert torch.isfinite(logits.grad).all()
        if value == 255:
            assert not logits.grad.any()


@pytest.mark.parametrize("term", TERMS)
def test_ignored_pixels_count_nowhere(term: str) -> None:
    logits, masks = batch()
    changed = logits.clone()
    changed[:, 1][masks == 255] = 40.0
    config = LossConfig.model_validate({term: 1.0})
    one, other = (segmentation_loss(each, masks, config) for each in (logits, changed))
    torch.testing.assert_close(one, other)


@pytest.mark.parametrize("term", TERMS)
def test_a_better_prediction_costs_less(term: str) -> None:
    _, masks = batch()
    right = torch.stack([(masks == 0).float(), (masks == 1).float()], dim=1) * 4

    def total(logits: Tensor) -> float:
        terms: LossTerms = segmentation_loss(logits, masks, only(ce=1e-6, **{term: 1.0}))
        return float(terms.total)

    assert total(right) < total(right * 0) < total(-right)


def test_new_terms_can_be_ramped() -> None:
    logits, masks = batch()
    config = LossConfig(boundary=(0.0, 0.02), tversky=(1.0, 0.0), ramp=(0.2, 0.6))
    start = segmentation_loss(logits, masks, config, ramped=0.0).total
    end = segmentation_loss(logits, masks, config, ramped=1.0).total
    torch.testing.assert_close(
        start, segmentation_loss(logits, masks, LossConfig(tversky=1.0)).total
    )
    torch.testing.assert_close(
        end, segmentation_loss(logits, masks, LossConfig(boundary=0.02)).total
    )
    assert config.ramped
    assert not LossConfig(boundary=0.02).ramped
