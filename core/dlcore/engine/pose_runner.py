"""The runner for pose models: what a training step and an evaluation are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from dlcore.engine.evaluation import (
    BODYPART,
    UNIQUE_BODYPART,
    Predictions,
    collect_predictions,
    evaluate_predictions,
    joined,
)
from dlcore.engine.pictures import Image, Points, draw_maps, draw_points
from dlcore.engine.run_folder import LOGGER
from dlcore.errors import ConfigError, Problem
from dlcore.interfaces import Batch, PoseTask, Record, Runner, Target
from dlcore.interfaces.runner import Gather, alone
from dlcore.model import ModelOutputs, ModelTargets, PoseModel


class PoseTrainingRunner(Runner):
    """Trains and evaluates a `PoseModel`.

    Args:
        model: What to train.
        task: The names behind the numbers.
        autocast: Gives the context in which the forward pass runs.
    """

    def __init__(
        self,
        model: PoseModel,
        task: PoseTask,
        autocast: Callable[[], AbstractContextManager[object]],
    ) -> None:
        self.model: PoseModel = model
        self.task = task
        self.autocast = autocast
        self.forward: Callable[[Tensor, Tensor | None], ModelOutputs] = model

    def outputs(self, batch: Batch) -> ModelOutputs:
        """What the heads give for the normalised images of a batch, in float32.

        Not through `forward`, which may be compiled for the sizes of the training, or wait for
        other processes.
        """
        with self.autocast():
            outputs = self.model(batch.images, batch.conditions)
        return _as_float32(outputs)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Losses of one batch by name; see `PoseModel.losses`."""
        with self.autocast():
            outputs = self.forward(batch.images, batch.conditions)
        outputs = _as_float32(outputs)
        with torch.no_grad():
            targets = self.model.targets(outputs, batch.labels)
        return self.model.losses(outputs, targets)

    def check_targets(self, batch: Batch) -> None:
        """Compare the shapes of outputs and targets; warn of individuals that are never predicted.

        Raises:
            ConfigError: If they differ, naming the head, the output and the number of channels.
        """
        with torch.no_grad():
            outputs = self.outputs(batch)
            targets = self.model.targets(outputs, batch.labels)
        problems = list(_shape_problems(outputs, targets))
        if problems:
            raise ConfigError(problems)
        self._warn_of_one_pose(outputs, batch.labels.keypoints.shape[1])

    @torch.no_grad()
    def _warn_of_one_pose(self, outputs: ModelOutputs, individuals: int) -> None:
        if individuals < 2 or BODYPART not in outputs:
            return
        predictor = self.model.parts[BODYPART].predictor
        poses = predictor(self.model.strides[BODYPART], outputs[BODYPART])["poses"]
        if poses.shape[1] == 1:
            LOGGER.warning(
                "model.heads.%s.predictor gives one individual per image, but there may be %d: "
                "the others are never predicted; choose a network for several animals, such as "
                "one with part affinity fields, or method: td",
                BODYPART,
                individuals,
            )

    @torch.no_grad()
    def evaluate(
        self, batches: Iterable[Batch], records: Sequence[Record], gather: Gather = alone
    ) -> dict[str, float]:
        """Mean losses over batches, and pose metrics over all records."""
        sums: dict[str, Tensor] = {}
        num_batches = 0
        predictions = Predictions(len(records))
        was_training = self.model.training
        self.model.eval()
        try:
            for batch in batches:
                outputs = self.outputs(batch)
                losses = self.model.losses(outputs, self.model.targets(outputs, batch.labels))
                for name, value in losses.items():
                    sums[name] = sums[name] + value if name in sums else value
                num_batches += 1
                collect_predictions(predictions, batch, self.model.predict(outputs))
        finally:
            self.model.train(was_training)
        parts = gather((num_batches, {n: float(s) for n, s in sums.items()}, predictions))
        total = max(sum(count for count, _, _ in parts), 1)
        names = dict.fromkeys(name for _, some, _ in parts for name in some)
        results = {
            f"losses/eval.{name}": sum(some.get(name, 0.0) for _, some, _ in parts) / total
            for name in names
        }
        metrics = evaluate_predictions(joined([found for _, _, found in parts]), records)
        return results | {f"metrics/test.{name}": value for name, value in metrics.items()}

    def pictures(self, batch: Batch, image: Image) -> dict[str, Image]:
        """The keypoints of one image, true and predicted, and each output that is a map."""
        outputs = self.outputs(batch)
        targets = self.model.targets(outputs, batch.labels)
        pictures = {"pose": draw_points(image, *self._points(outputs, batch))}
        for head, named in targets.items():
            for name, (target, weights) in named.items():
                output = outputs[head][name]
                if output.ndim != 4:
                    continue
                if isinstance(weights, Tensor):
                    weights = weights.broadcast_to(target.shape)[0]
                criterion = self.model.parts[head].losses[name].criterion
                pictures[f"{head}_{name}"] = draw_maps(
                    image,
                    self.model.strides[head],
                    criterion.on_target_scale(output[0]),
                    Target(target[0], weights),
                )
        return pictures

    def _points(self, outputs: ModelOutputs, batch: Batch) -> Iterable[Points]:
        decoded = self.model.predict(outputs)
        labels, skeleton = batch.labels, self.task.skeleton
        for head, truth, joints in (
            (BODYPART, labels.keypoints[0], skeleton),
            (UNIQUE_BODYPART, labels.unique_keypoints[:1], ()),
        ):
            if head in decoded:
                found = decoded[head]["poses"][0]
                yield Points(truth.cpu().double().numpy(), found.cpu().double().numpy(), joints)


def _as_float32(outputs: ModelOutputs) -> ModelOutputs:
    return {
        head: {name: tensor.float() for name, tensor in named.items()}
        for head, named in outputs.items()
    }


def _shape_problems(outputs: ModelOutputs, targets: ModelTargets) -> Iterable[Problem]:
    for head, named in targets.items():
        for name, target in named.items():
            output = outputs[head][name]
            if output.shape != target.target.shape:
                yield Problem(
                    f"model.heads.{head}",
                    f"output {name!r} has shape {tuple(output.shape)} but its target has "
                    f"{tuple(target.target.shape)}; make the number of channels of the head and "
                    f"of its target generator equal",
                )
