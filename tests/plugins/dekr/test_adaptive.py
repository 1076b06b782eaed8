"""Adaptive convolutions, against torchvision's operator and the definition."""

import pytest
import torch
import torch.nn.functional as F

from dlcore_plugins.dekr.adaptive import AdaptBlock, adapt, by_operator, by_sampling, grouped


def random_case(groups=2, channels=3, size=(7, 9), seed=0):
    torch.manual_seed(seed)
    features = torch.randn(2, groups * channels, *size)
    shifts = 1.5 * torch.randn(2, groups, 2, 9, *size)
    weight = torch.randn(groups * 4, channels, 3, 3)
    return [tensor.requires_grad_() for tensor in (features, shifts, weight)]


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("size", [(7, 9), (1, 5)])
def test_both_ways_give_the_same_values_and_gradients(dilation, size):
    ours, theirs = random_case(size=size), random_case(size=size)

    result = by_sampling(*ours, dilation)
    expected = by_operator(*theirs, dilation)
    wanted = torch.randn_like(expected)
    (result * wanted).sum().backward()
    (expected * wanted).sum().backward()

    torch.testing.assert_close(result, expected, atol=1e-4, rtol=1e-4)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a.grad, b.grad, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("convolve", [by_operator, by_sampling])
def test_without_shifts_it_is_a_plain_convolution(convolve):
    features, shifts, weight = random_case()

    result = convolve(features, torch.zeros_like(shifts), weight, 1)

    expected = F.conv2d(features, weight, padding=1, groups=2)
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=1e-4)


def test_a_block_moves_its_taps_by_an_affine_map_of_each_cell():
    """Written out for one cell: tap R goes to M R + t around the cell."""
    torch.manual_seed(0)
    block = AdaptBlock(2, 1).eval()
    features = torch.randn(1, 2, 8, 8)
    row, column = 3, 4

    with torch.no_grad():
        result = adapt(features, [block])[0, :, row, column]
        matrix = block.transform_matrix_conv(features)[0, :, row, column].view(2, 2)
        move = block.translation_conv(features)[0, :, row, column]
        places = matrix @ block.regular_matrix + move[:, None] + torch.tensor([[row], [column]])
        grid = torch.stack((places[1], places[0]), dim=1).view(1, 1, 9, 2) * 2 / 7 - 1
        samples = F.grid_sample(features, grid, align_corners=True)[0, :, 0]
        summed = torch.einsum("oct,ct->o", block.adapt_conv.weight.flatten(2), samples)
        normed = block.bn(summed.view(1, 2, 1, 1)).flatten()

    torch.testing.assert_close(result, F.relu(normed + features[0, :, row, column]))


def test_keypoints_do_not_mix():
    torch.manual_seed(0)
    blocks = [AdaptBlock(3, 1).eval() for _ in range(3)]
    features = torch.randn(2, 9, 6, 5)

    with torch.no_grad():
        together = adapt(features, blocks)
        alone = [
            adapt(part, [block]) for part, block in zip(features.chunk(3, 1), blocks, strict=True)
        ]

    torch.testing.assert_close(together, torch.cat(alone, dim=1))


def test_grouped_convolutions_are_each_their_own():
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(4, 2, 3, padding=1) for _ in range(3)]
    features = torch.randn(1, 12, 5, 6)

    result = grouped(features, layers)

    parts = [layer(part) for layer, part in zip(layers, features.chunk(3, dim=1), strict=True)]
    torch.testing.assert_close(result, torch.cat(parts, dim=1))


def test_taps_keep_their_places_in_half_precision():
    """Over a map of hundreds of cells bfloat16 numbers would be cells apart."""
    torch.manual_seed(0)
    block = AdaptBlock(2, 1).eval()
    features = torch.linspace(0, 1, 600).expand(1, 2, 4, 600).contiguous()

    with torch.no_grad():
        exact = adapt(features, [block])
        with torch.autocast("cpu", torch.bfloat16):
            rough = adapt(features, [block])

    assert (rough - exact).abs().max() < 0.02 * exact.abs().max()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_what_the_cpu_gives():
    torch.manual_seed(0)
    blocks = torch.nn.ModuleList(AdaptBlock(3, 1) for _ in range(2)).eval()
    features = torch.randn(2, 6, 9, 8)

    with torch.no_grad():
        expected = adapt(features, list(blocks))
        result = adapt(features.cuda(), list(blocks.cuda()))

    torch.testing.assert_close(result.cpu(), expected, atol=1e-4, rtol=1e-3)
