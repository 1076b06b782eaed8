import pytest
import torch
from torch import nn

from dlcore.testing import check_weight_initializer
from dlcore_plugins.heatmap.initializer import Normal


def test_keeps_the_contract():
    check_weight_initializer(Normal(), nn.Conv2d(2, 3, 3))


def test_biases_are_zero_and_weights_are_spread_by_std():
    torch.manual_seed(0)
    module = nn.Sequential(nn.ConvTranspose2d(32, 16, 3), nn.Conv2d(16, 64, 3))

    Normal(std=0.02)(module)

    for layer in module:
        assert torch.equal(layer.bias, torch.zeros_like(layer.bias))
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)
        assert abs(layer.weight.mean().item()) < 0.001


def test_the_default_spread_is_that_of_deeplabcut():
    torch.manual_seed(0)
    module = nn.Conv2d(64, 64, 3)

    Normal()(module)

    assert module.weight.std().item() == pytest.approx(0.001, rel=0.05)


def test_a_negative_spread_is_refused():
    with pytest.raises(ValueError, match="std must not be negative, got -1"):
        Normal(std=-1)
