"""The Lovász hinge against its definition, one pixel after the other."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diapir.training.loss.lovasz import symmetric_lovasz_hinge


def one_minus_iou(wrong: list[int], members: set[int]) -> float:
    """Of a class when the pixels in `wrong` are given to the other class."""
    missed, false = set(wrong) & members, set(wrong) - members
    union = len(members) + len(false)
    return 1 - (len(members) - len(missed)) / union if union else 0.0


def by_definition(margins: list[float], truth: list[bool], valid: list[bool]) -> float:
    """Σ shaped error · rise of 1 − IoU, errors from the largest on; the mean of both classes."""
    pixels = [pixel for pixel, counts in enumerate(valid) if counts]
    errors = {p: 1 - (margins[p] if truth[p] else -margins[p]) for p in pixels}
    pixels.sort(key=lambda pixel: -errors[pixel])
    total = 0.0
    for members in ({p for p in pixels if truth[p]}, {p for p in pixels if not truth[p]}):
        for count, pixel in enumerate(pixels):
            error = errors[pixel]
            shaped = error + 1 if error > 0 else math.exp(error)
            rise = one_minus_iou(pixels[: count + 1], members) - one_minus_iou(
                pixels[:count], members
            )
            total += shaped * rise / 2
    return total


@settings(max_examples=40, deadline=None)
@given(
    margins=st.lists(
        st.floats(-4, 4, width=32), min_size=1, max_size=12, unique_by=lambda each: abs(each)
    ),
    classes=st.lists(st.sampled_from([0, 1, 255]), min_size=12, max_size=12),
)
def test_it_is_its_definition(margins: list[float], classes: list[int]) -> None:
    classes = classes[: len(margins)]
    truth, valid = [each == 1 for each in classes], [each != 255 for each in classes]
    found = symmetric_lovasz_hinge(
        torch.tensor([margins]), torch.tensor([truth]), torch.tensor([valid])
    )
    assert found.item() == pytest.approx(by_definition(margins, truth, valid), rel=1e-4, abs=1e-5)


def test_wrong_pixels_cost_the_iou_that_they_take() -> None:
    """Where all pixels are as sure, the hinge is 1 − IoU, times the error of a wrong pixel."""
    truth = torch.tensor([[1, 1, 1, 0, 0, 0, 0, 0]], dtype=torch.bool)
    told = torch.tensor([[1, 1, 0, 1, 0, 0, 0, 0]], dtype=torch.bool)
    sure = 30.0
    margins = torch.where(told, sure, -sure)
    found = symmetric_lovasz_hinge(margins, truth, torch.ones_like(truth))
    lost = (1 - 2 / 4 + 1 - 4 / 6) / 2
    assert found.item() == pytest.approx((sure + 2) * lost, rel=1e-5)
    right = symmetric_lovasz_hinge(torch.where(truth, sure, -sure), truth, torch.ones_like(truth))
    assert right.item() == pytest.approx(0, abs=1e-6)


def test_following_the_gradient_marks_the_salt() -> None:
    truth = torch.zeros(3, 60, dtype=torch.bool)
    truth[0, :20] = truth[1, 50:] = True  # the third tile is empty
    valid = torch.ones_like(truth)
    margins = torch.randn(3, 60, generator=torch.Generator().manual_seed(1)).requires_grad_()
    for _ in range(150):
        (gradient,) = torch.autograd.grad(
            symmetric_lovasz_hinge(margins, truth, valid).sum(), margins
        )
        margins = (margins - 2 * gradient).detach().requires_grad_()
    assert torch.equal(margins > 0, truth)


def test_an_empty_tile_pays_for_its_surest_false_pixel() -> None:
    margins = torch.tensor([[-2.0, 3.0, 1.0]], requires_grad=True)
    truth = torch.zeros(1, 3, dtype=torch.bool)
    loss = symmetric_lovasz_hinge(margins, truth, torch.ones_like(truth))
    errors = [math.exp(-1.0), 5.0, 3.0]  # shaped
    # of salt, the first false pixel takes all; of background, each takes a third
    assert loss.item() == pytest.approx((5.0 + sum(errors) / 3) / 2, rel=1e-5)


def test_pixels_that_do_not_count_change_nothing_and_get_no_gradient() -> None:
    rng = np.random.default_rng(2)
    margins = torch.tensor(rng.normal(size=(4, 50)), dtype=torch.float32)
    truth = torch.tensor(rng.random((4, 50)) < 0.3)
    valid = torch.tensor(rng.random((4, 50)) < 0.7)
    valid[3] = False
    wild = torch.where(valid, margins, 1e4).requires_grad_()
    loss = symmetric_lovasz_hinge(wild, truth, valid)
    torch.testing.assert_close(loss.detach(), symmetric_lovasz_hinge(margins, truth, valid))
    loss.sum().backward()
    assert wild.grad is not None
    assert loss[3] == 0
    assert bool(wild.grad.isfinite().all())
    assert torch.count_nonzero(wild.grad[~valid]) == 0
    assert torch.count_nonzero(wild.grad[valid]) > 0
