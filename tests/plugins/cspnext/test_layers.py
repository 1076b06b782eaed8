from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from dlcore_plugins.cspnext.layers import SpatialPyramidPooling, SyncNorm, conv_maker

CONV = conv_maker(nn.BatchNorm2d, nn.SiLU)


def features(channels: int) -> Tensor:
    return torch.randn(2, channels, 20, 24, generator=torch.Generator().manual_seed(0))


def test_pools_over_windows_of_5_9_and_13_cells() -> None:
    pooling = SpatialPyramidPooling(8, CONV).eval()
    seen = []
    pooling.conv2.register_forward_pre_hook(lambda _, given: seen.append(given[0]))

    with torch.no_grad():
        pooling(features(8))
        reduced = pooling.conv1(features(8))

    windows = [max_pool2d(reduced, size, stride=1, padding=size // 2) for size in (5, 9, 13)]
    assert torch.equal(seen[0], torch.cat([reduced, *windows], dim=1))


@pytest.mark.usefixtures("process_group")
def test_the_synced_norm_trains_on_cpus_in_several_processes() -> None:
    synced, plain = SyncNorm(3), nn.BatchNorm2d(3)

    assert torch.equal(synced(features(3)), plain(features(3)))
    assert all(map(torch.equal, synced.state_dict().values(), plain.state_dict().values()))


def test_the_synced_norm_is_one_to_those_who_join_statistics() -> None:
    assert isinstance(SyncNorm(3), nn.SyncBatchNorm)
