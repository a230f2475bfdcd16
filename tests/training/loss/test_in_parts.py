"""A batch in parts has the loss and the gradient of the whole batch."""

import pytest
import torch
from torch import Tensor, nn

from diapir.config import LossConfig
from diapir.training.loss.in_parts import backward_in_parts
from diapir.training.loss.losses import Sums, loss_terms, segmentation_sums

EVERY = LossConfig(
    ce=0.3, dice=2.0, lovasz=0.5, focal=1.0, tversky=1.0, boundary=0.01, class_weights=(1, 3)
)


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    masks = torch.randint(0, 2, (6, 12, 10), generator=generator)
    masks[:4, :5] = 255
    masks[5] = 0
    return torch.randn(6, 3, 12, 10, generator=generator), masks


def network(*between: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), *between, nn.ReLU(), nn.Conv2d(4, 2, 1))


@pytest.mark.parametrize("config", [LossConfig(), EVERY])
@pytest.mark.parametrize("parts", [[6], [3, 3], [1, 2, 3]])
def test_loss_and_gradient_are_those_of_the_whole(config: LossConfig, parts: list[int]) -> None:
    images, masks = batch()
    whole, divided = network(), network()
    terms = loss_terms(segmentation_sums(whole(images), masks, config), config)
    terms.total.backward()
    pieces = list(zip(images.split(parts), masks.split(parts), strict=True))

    def sums(number: int) -> Sums:
        return segmentation_sums(divided(pieces[number][0]), pieces[number][1], config)

    found = backward_in_parts(
        len(parts), sums, lambda sums: loss_terms(sums, config), Tensor.backward, divided
    )
    torch.testing.assert_close(found, type(found)(*(term.detach() for term in terms)))
    for one, other in zip(whole.parameters(), divided.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-6)


def test_the_mean_of_the_parts_is_another_loss() -> None:
    """Why the sums of the whole batch are needed."""
    images, masks = batch()
    logits = network()(images).detach()
    each = [
        loss_terms(segmentation_sums(*pair, LossConfig()), LossConfig()).total
        for pair in zip(logits.split(3), masks.split(3), strict=True)
    ]
    whole = loss_terms(segmentation_sums(logits, masks, LossConfig()), LossConfig()).total
    assert abs(float(sum(each) / 2 - whole)) > 0.005


def test_each_part_changes_the_statistics_of_batch_norms_once() -> None:
    images, masks = batch()
    norm = nn.BatchNorm2d(4)
    model = network(norm)
    reference = nn.BatchNorm2d(4)
    for part in images.split(3):
        reference(model[0](part))  # type: ignore[index]
    backward_in_parts(
        2,
        lambda number: segmentation_sums(
            model(images.split(3)[number]), masks.split(3)[number], LossConfig()
        ),
        lambda sums: loss_terms(sums, LossConfig()),
        Tensor.backward,
        model,
    )
    assert norm.momentum == 0.1
    torch.testing.assert_close(norm.running_mean, reference.running_mean)
    torch.testing.assert_close(norm.running_var, reference.running_var)
