import pytest
import torch
from torch import nn

from dlcore.testing import check_weight_initializer
from dlcore_plugins.dekr.adaptive import AdaptBlock, adapt
from dlcore_plugins.dekr.initializer import Dekr


def test_keeps_the_contract():
    check_weight_initializer(Dekr(), nn.Conv2d(2, 3, 3))
    check_weight_initializer(Dekr(std=0.1), AdaptBlock(4, 1))


def test_convolutions_are_spread_by_std_without_bias():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(32, 64, 3))

    Dekr()(module)

    assert module[0].weight.std().item() == pytest.approx(0.001, rel=0.05)
    assert not module[0].bias.any()


def test_norms_begin_neutral():
    module = nn.BatchNorm2d(5)
    nn.init.normal_(module.weight)
    nn.init.normal_(module.bias)

    Dekr()(module)

    assert torch.equal(module.weight, torch.ones(5))
    assert torch.equal(module.bias, torch.zeros(5))


def test_adaptive_blocks_begin_with_all_taps_at_their_own_cell():
    torch.manual_seed(0)
    block = AdaptBlock(3, 1)
    features = torch.randn(1, 3, 6, 7)
    Dekr(std=0.5)(block)
    block.eval()

    with torch.no_grad():
        result = adapt(features, [block])

    weight = block.adapt_conv.weight.sum(dim=(2, 3), keepdim=True)
    expected = (nn.functional.conv2d(features, weight) / (1 + block.bn.eps) ** 0.5) + features
    torch.testing.assert_close(result, expected.relu(), atol=1e-5, rtol=1e-4)


def test_a_negative_spread_is_refused():
    with pytest.raises(ValueError, match="std must not be negative, got -1"):
        Dekr(std=-1)
