import torch
from torch import nn

from dlcore_plugins.simcc.initializer import Rtmpose


def test_layers_begin_small_and_norms_begin_neutral():
    layers = nn.ModuleList([nn.Conv2d(64, 64, 3), nn.Linear(256, 256), nn.BatchNorm2d(8)])
    with torch.no_grad():
        for parameter in layers.parameters():
            parameter.fill_(7)

    Rtmpose()(layers)

    convolution, linear, norm = layers
    assert 0.0009 < float(convolution.weight.detach().std()) < 0.0011
    assert 0.009 < float(linear.weight.detach().std()) < 0.011
    assert torch.equal(norm.weight, torch.ones(8))
    assert not any(layer.bias.any() for layer in layers)


def test_layers_without_bias_and_parameters_of_their_own_are_no_problem():
    linear = nn.Linear(4, 4, bias=False)
    linear.extra = nn.Parameter(torch.full((3,), 7.0))

    Rtmpose()(linear)

    assert linear.extra.tolist() == [7, 7, 7]
