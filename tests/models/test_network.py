import pytest
import torch
from torch import nn

from diapir.models.network import PooledBatchNorm2d


def _pair() -> tuple[nn.BatchNorm2d, PooledBatchNorm2d]:
    plain, pooled = nn.BatchNorm2d(3), PooledBatchNorm2d(3)
    torch.manual_seed(0)
    for name, value in plain.state_dict().items():
        if value.is_floating_point():
            value.copy_(torch.rand(3) + 0.5)
        pooled.state_dict()[name].copy_(value)
    return plain, pooled


@pytest.mark.parametrize("shape", [(2, 3, 1, 1), (1, 3, 1, 2), (1, 3, 4, 4)])
@pytest.mark.parametrize("training", [True, False])
def test_with_more_than_one_value_it_is_batch_norm(shape: tuple[int, ...], training: bool) -> None:
    plain, pooled = (norm.train(training) for norm in _pair())
    features = torch.randn(shape)
    assert pooled(features).equal(plain(features))
    for name, value in plain.state_dict().items():
        assert pooled.state_dict()[name].equal(value), name


def test_a_single_value_is_normalised_as_in_evaluation() -> None:
    plain, pooled = _pair()
    features = torch.randn(1, 3, 1, 1)
    with pytest.raises(ValueError, match="more than 1 value"):
        plain.train()(features)
    before = pooled.running_mean.clone()
    assert pooled.train()(features).equal(plain.eval()(features))
    assert pooled.running_mean.equal(before)
