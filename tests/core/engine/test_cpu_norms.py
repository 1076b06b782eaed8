"""Norms on a CPU: torch's results by faster ways, and torch's own ways where those do not fit."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlcore.engine import cpu_norms
from dlcore.engine.cpu_norms import FastNorms, batch_norm, group_norm

TOLERANCES = {torch.float32: 1e-5, torch.bfloat16: 1e-2}

precisions = pytest.mark.parametrize("dtype", TOLERANCES, ids=str)


def images(channels, dtype, size=(8, 8), batch=4):
    generator = torch.Generator().manual_seed(channels)
    some = 3 + 2 * torch.randn(batch, channels, *size, generator=generator)
    return some.to(dtype).to(memory_format=torch.channels_last).requires_grad_()


def affine(channels):
    generator = torch.Generator().manual_seed(1)
    return [torch.rand(channels, generator=generator).requires_grad_() for _ in range(2)]


def results(norm, some, weight, bias):
    """The output and the gradients of a norm."""
    for tensor in (some, weight, bias):
        tensor.grad = None
    normed = norm(some, weight, bias)
    grad = torch.randn(normed.shape, generator=torch.Generator().manual_seed(2))
    F.relu(normed, inplace=True).backward(grad.to(normed))
    return [t.detach().float() for t in (normed, some.grad, weight.grad, bias.grad)]


def assert_close(found, expected, dtype):
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        assert (one - other).abs().max() <= TOLERANCES[dtype] * other.abs().max()


def calls(monkeypatch, name):
    """How often one of the faster ways is gone."""
    count = []
    function = getattr(cpu_norms, name)
    apply = function.apply
    monkeypatch.setattr(function, "apply", lambda *args: count.append(1) or apply(*args))
    return count


@precisions
def test_group_norm_is_that_of_torch(dtype, monkeypatch):
    count = calls(monkeypatch, "_GroupNorm")
    some, (weight, bias) = images(16, dtype), affine(16)

    found = results(lambda x, w, b: group_norm(x, 4, w, b, 1e-5), some, weight, bias)

    expected = results(lambda x, w, b: F.group_norm(x, 4, w, b, 1e-5), some, weight, bias)
    assert_close(found, expected, dtype)
    assert count == [1]


@precisions
@pytest.mark.parametrize("channels", [3, 17, 18, 36, 48])
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_of_few_channels_is_that_of_torch(dtype, channels, training, monkeypatch):
    count = calls(monkeypatch, "_BatchNorm" if training else "_GivenBatchNorm")
    some, (weight, bias) = images(channels, dtype), affine(channels)
    found, expected = [
        [torch.full((channels,), 2.5), torch.full((channels,), 5.0)] for _ in range(2)
    ]

    mine = results(
        lambda x, w, b: batch_norm(x, *found, w, b, training, 0.3, 1e-5), some, weight, bias
    )
    theirs = results(
        lambda x, w, b: F.batch_norm(x, *expected, w, b, training, 0.3, 1e-5), some, weight, bias
    )

    assert_close(mine, theirs, dtype)
    assert_close(found, expected, torch.float32)
    assert count == [1]


def test_the_gradients_are_the_right_ones():
    some, (weight, bias) = images(6, torch.float32, (4, 4), 2), affine(6)

    def by_hand(x, w, b):
        parts = x.reshape(2, 3, -1)
        parts = (parts - parts.mean(2, True)) / (parts.var(2, False, keepdim=True) + 1e-5).sqrt()
        return parts.reshape(x.shape) * w[:, None, None] + b[:, None, None]

    found = results(lambda x, w, b: group_norm(x, 3, w, b), some, weight, bias)
    assert_close(found, results(by_hand, some, weight, bias), torch.float32)


@pytest.mark.parametrize(
    "some",
    [
        images(18, torch.float32).detach().contiguous().requires_grad_(),
        images(64, torch.float32),
        images(18, torch.float64),
        images(17, torch.float32, (3, 5), 1),  # 15 pixels do not stand side by side in rows
    ],
    ids=["contiguous", "many channels", "float64", "odd"],
)
def test_what_does_not_fit_goes_torchs_own_way(some, monkeypatch):
    count = calls(monkeypatch, "_BatchNorm")
    channels = some.shape[1]
    given = torch.zeros(channels, dtype=some.dtype), torch.ones(channels, dtype=some.dtype)
    weight, bias = (t.detach().to(some.dtype) for t in affine(channels))

    normed = batch_norm(some, *given, weight, bias, True)

    assert normed.shape == some.shape
    assert count == []


def test_norms_without_weights_go_torchs_own_way():
    some = images(18, torch.float32)
    assert torch.equal(group_norm(some, 6), F.group_norm(some, 6))
    assert torch.equal(
        batch_norm(some, None, None, training=True), F.batch_norm(some, None, None, training=True)
    )


def test_predicting_is_left_alone(monkeypatch):
    count = calls(monkeypatch, "_GroupNorm")
    with torch.no_grad(), FastNorms():
        nn.GroupNorm(4, 16)(images(16, torch.float32))
    assert count == []


def test_modules_of_anybody_are_served(monkeypatch):
    groups, batches = calls(monkeypatch, "_GroupNorm"), calls(monkeypatch, "_BatchNorm")
    net = nn.Sequential(
        nn.Conv2d(16, 18, 1), nn.BatchNorm2d(18), nn.ReLU(True), nn.GroupNorm(6, 18)
    )
    net = net.to(memory_format=torch.channels_last)
    some = images(16, torch.float32)

    net(some)
    assert (groups, batches) == ([], [])
    with FastNorms():
        net(some).mean().backward()

    assert (groups, batches) == ([1], [1])
    assert net[1].num_batches_tracked == 2
    assert all(parameter.grad is not None for parameter in net.parameters())
