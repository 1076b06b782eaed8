"""Models in several processes, of which there is one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dlcore.engine.distributed import World


class NormOfCPUs(nn.SyncBatchNorm):
    """A synced norm that does without the others on a CPU."""

    def forward(self, input: Tensor) -> Tensor:
        return super(nn.SyncBatchNorm, self).forward(input)


@pytest.mark.usefixtures("process_group")
def test_a_synced_norm_that_works_on_cpus_is_trained_there() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), NormOfCPUs(4))
    forward = World(size=2).join_gradients(model, torch.device("cpu"), unused=False)

    forward(torch.randn(2, 3, 8, 8)).square().mean().backward()

    assert all(weights.grad is not None for weights in model.parameters())


@pytest.mark.usefixtures("process_group")
def test_torchs_synced_norm_is_refused_on_cpus_when_it_runs() -> None:
    model = nn.Sequential(nn.SyncBatchNorm(3))
    forward = World(size=2).join_gradients(model, torch.device("cpu"), unused=False)

    with pytest.raises(ValueError, match="on GPU"):
        forward(torch.randn(2, 3, 8, 8))
