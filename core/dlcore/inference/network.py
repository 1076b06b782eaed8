"""A pose model with everything that its images go through."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from dlcore.data.chain import TransformChain
from dlcore.data.device import Normalization, to_device
from dlcore.data.samples import collate, finish_sample
from dlcore.data.seeding import sample_generator
from dlcore.engine.evaluation import BODYPART, IDENTITY, UNIQUE_BODYPART, to_original
from dlcore.engine.identities import by_identity, identity_scores
from dlcore.engine.pose_runner import PoseTrainingRunner
from dlcore.engine.precision import Precision
from dlcore.inference.folding import fold_norms
from dlcore.interfaces import Batch, PoseTask, Prediction, Sample
from dlcore.model import ModelOutputs, PoseModel


@dataclass(frozen=True)
class Preparation:
    """What is done to samples before they reach a network; needs no GPU and may run in a thread.

    Attributes:
        chain: The transforms.
        task: The names behind the numbers.
        batch_size: The most samples in one batch.
    """

    chain: TransformChain
    task: PoseTask
    batch_size: int

    def __call__(self, samples: Sequence[Sample]) -> list[Batch]:
        """Batches of samples of one size; `indices` are positions in `samples`."""
        groups: dict[tuple[int, ...], list[tuple[int, Sample]]] = {}
        for index, sample in enumerate(samples):
            done = finish_sample(self.chain(sample, sample_generator(0, 0, index)))
            groups.setdefault(done.image.shape, []).append((index, done))
        return [
            collate([s for _, s in part], [i for i, _ in part], self.task)
            for group in groups.values()
            for part in _parts(group, self.batch_size)
        ]


def _parts(group: list[tuple[int, Sample]], size: int) -> list[list[tuple[int, Sample]]]:
    return [group[start : start + size] for start in range(0, len(group), size)]


@dataclass(frozen=True)
class Computation:
    """Where and how a network computes.

    Attributes:
        device: Where.
        precision: In which arithmetic.
        channels_last: Layout of the images and the weights.
    """

    device: torch.device
    precision: Precision
    channels_last: bool = True

    @property
    def memory_format(self) -> torch.memory_format:
        """The layout as torch calls it."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def place(self, model: nn.Module) -> nn.Module:
        """The model there, ready to predict."""
        return model.to(self.device).to(memory_format=self.memory_format).eval()


Decoded = dict[str, dict[str, Tensor]]
"""By head what its predictor gives."""


class TorchNetwork:
    """A pose model that computes in torch.

    Args:
        model: With its weights.
        task: What it was built for.
        normalization: Bytes to the network's input.
        computation: Where and how.
        fold: Whether batch norms are folded into convolutions, which changes the model.
    """

    def __init__(
        self,
        model: PoseModel,
        task: PoseTask,
        normalization: Normalization,
        computation: Computation,
        *,
        fold: bool = False,
    ) -> None:
        self.model = model
        computation.place(model)
        self.normalization = normalization
        self.computation = computation
        self._fold = fold
        self._runner = PoseTrainingRunner(model, task, computation.precision.autocast)

    def __call__(self, batch: Batch) -> Decoded:
        """What the predictors find in a batch of bytes."""
        return self.both(batch)[1]

    @torch.inference_mode()
    def both(self, batch: Batch) -> tuple[ModelOutputs, Decoded]:
        """What the heads give for a batch of bytes, and what the predictors find in it."""
        where = self.computation
        moved = to_device(batch, where.device, self.normalization, where.memory_format)
        if self._fold:
            self._fold = False
            fold_norms(self.model, partial(self._first_outputs, moved))
        outputs = self._runner.outputs(moved)
        return outputs, self.model.predict(outputs)

    def _first_outputs(self, batch: Batch) -> list[Tensor]:
        """What the heads give for the first image of a batch, in full precision."""
        conditions = None if batch.conditions is None else batch.conditions[:1].clone()
        outputs = self.model(batch.images[:1].clone(), conditions)
        return [tensor for by_name in outputs.values() for tensor in by_name.values()]


class PoseNetwork:
    """Finds poses in samples: of whole images, or of crops.

    Args:
        compute: What the predictors find in a batch of bytes: a `TorchNetwork`, or an exported one.
        task: The names behind the numbers.
        preparation: What samples go through.
    """

    def __init__(
        self, compute: Callable[[Batch], Decoded], task: PoseTask, preparation: Preparation
    ) -> None:
        self.compute = compute
        self.task = task
        self.prepare = preparation

    @torch.inference_mode()
    def run(self, batches: Sequence[Batch]) -> list[Prediction]:
        """What is found, in the order of the samples, in pixels of the original images.

        Args:
            batches: From `prepare`.
        """
        found: dict[int, Prediction] = {}
        for batch in batches:
            predictions = self._predictions(batch, self.compute(batch))
            found |= zip(batch.indices.tolist(), predictions, strict=True)
        return [found[index] for index in sorted(found)]

    def _predictions(self, batch: Batch, decoded: Decoded) -> Iterator[Prediction]:
        # Poses are small: one copy a batch keeps all of them off the device.
        poses = _numbers(decoded[BODYPART]["poses"][..., :3])
        unique = _numbers(decoded[UNIQUE_BODYPART]["poses"]) if UNIQUE_BODYPART in decoded else None
        identity = None
        if IDENTITY in decoded:
            maps = decoded[IDENTITY]["heatmap"]
            identity = _numbers(identity_scores(decoded[BODYPART]["poses"], maps))
        for row, matrix in enumerate(batch.to_network.numpy()):
            found = poses[row, (poses[row, :, :, 2] >= 0).any(axis=1)]
            one = Prediction(to_original(found, matrix))
            if unique is not None:
                one.unique = to_original(unique[row, :1, :, :3], matrix)[0]
            if identity is not None:
                scores = identity[row, (poses[row, :, :, 2] >= 0).any(axis=1)]
                known = by_identity(np.concatenate([one.poses, scores], axis=2), scores)
                one.poses, one.identity = known[..., :3], known[..., 3:]
            yield one


def _numbers(tensor: Tensor) -> npt.NDArray[np.float64]:
    values: npt.NDArray[np.float64] = tensor.double().cpu().numpy()
    return values
