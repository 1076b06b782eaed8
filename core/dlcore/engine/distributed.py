"""Several processes that train one model together, each with its part of every batch.

Processes are started by torch's elastic launcher: by `dlcore train --nproc`, or by `torchrun` on
several machines. They find each other through the variables that it sets.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from dlcore.errors import TrainingError

T = TypeVar("T")


@dataclass(frozen=True)
class World:
    """The processes of a run, seen from one of them.

    Attributes:
        rank: Number of this process in the run, from 0. Process 0 writes the files.
        size: How many there are.
        local_rank: Number of this process on its machine, which is that of its GPU.
        local_size: How many there are on this machine.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files and talks to the user."""
        return self.rank == 0

    def gather(self, value: T) -> list[T]:
        """What every process has, by rank; the same list in each. All must call it."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values

    def of_first(self, value: T) -> T:
        """What process 0 has. All must call it."""
        if self.size == 1:
            return value
        values: list[Any] = [value]
        dist.broadcast_object_list(values, src=0)
        found: T = values[0]
        return found

    def any(self, here: bool) -> bool:
        """Whether something is so in any process. All must call it; no GPU is waited for."""
        if self.size == 1:
            return here
        flag = torch.tensor([int(here)])
        dist.all_reduce(flag, op=dist.ReduceOp.MAX)
        return bool(flag.item())

    def mean(self, values: dict[str, float]) -> dict[str, float]:
        """The mean of each value over the processes, by name. All must call it."""
        gathered = self.gather(values)
        return {name: sum(some[name] for some in gathered) / self.size for name in values}

    def vary_randomness(self, seed: int, epoch: int, step: int) -> None:
        """Let the other processes draw other numbers than the first one, which has the run's."""
        if not self.is_first:
            place = np.random.SeedSequence((seed % 2**64, epoch, step, self.rank))
            torch.manual_seed(int(place.generate_state(1, np.uint64)[0]))

    def wait(self) -> None:
        """Until all processes are here."""
        if self.size > 1:
            self.any(False)

    def join_gradients(
        self, forward: Callable[..., Any], device: torch.device, *, unused: bool
    ) -> Callable[..., Any]:
        """A forward pass after whose backward pass all processes have the mean gradients.

        Args:
            forward: The model, or the model compiled.
            device: Of the model.
            unused: Whether some weights may have no part in a loss.
        """
        if self.size == 1:
            return forward
        assert isinstance(forward, nn.Module)
        on_gpu = device.type == "cuda"
        wrapper = DistributedDataParallel if on_gpu else _DistributedOnCPU
        return wrapper(
            forward,
            device_ids=[device] if on_gpu else None,
            find_unused_parameters=unused,
            gradient_as_bucket_view=True,
        )


class _DistributedOnCPU(DistributedDataParallel):
    """Takes synced batch norms that know what to do on a CPU; torch's own say so when they run."""

    def _passing_sync_batchnorm_handle(self, module: nn.Module) -> None:
        pass


ALONE = World()
"""A run of one process."""


def world_here() -> World:
    """The processes that this one was started with; itself alone without a launcher."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return ALONE
    numbers = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    return World(*(int(os.environ[name]) for name in numbers))


@contextmanager
def joined(world: World) -> Iterator[None]:
    """Connected with the other processes while it lasts.

    Raises:
        TrainingError: If one of them is gone.
    """
    if world.size == 1:
        yield
        return
    try:
        if torch.cuda.is_available():
            torch.cuda.set_device(world.local_rank % torch.cuda.device_count())
            dist.init_process_group("cpu:gloo,cuda:nccl")
        else:
            dist.init_process_group("gloo")
        yield
    except RuntimeError as error:
        if not any(word in str(error) for word in _LOST):
            raise
        reason = str(error).strip().splitlines()[0]
        raise TrainingError(
            f"the connection to another process is lost, most likely because that one has failed: "
            f"see what it says ({reason})"
        ) from error
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


_LOST = ("closed by peer", "connectFullMesh", "Connection reset", "NCCL", "Broken pipe")
"""What torch says when another process is gone."""
