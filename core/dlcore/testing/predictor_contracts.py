"""Contracts of predictors, alone and together with the generator of their targets."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from dlcore.interfaces import Outputs, PoseTask, Predictor, TargetGenerator
from dlcore.testing.assertions import (
    expect,
    expect_instance,
    expect_unchanged,
    names_among,
    same,
)
from dlcore.testing.fakes import fake_labels


def check_predictor(
    predictor: Predictor,
    stride: float,
    outputs: Outputs,
    task: PoseTask,
    *,
    num_keypoints: int | None = None,
    gives_poses: bool = True,
) -> None:
    """Check a predictor on outputs of a head.

    It gives `poses` (B, N, K, 3 or more) with N up to the task's individuals, leaves the outputs
    as they are, repeats itself, decodes each image by itself, and copes with flat outputs.

    Args:
        predictor: What to check.
        stride: Input pixels per output cell.
        outputs: What the head gives for some images, at least two of them.
        task: What the predictor was built for.
        num_keypoints: K; as many as the task has by default.
        gives_poses: Switch it off for predictors of something else, for example of identities.

    Raises:
        AssertionError: If a promise is broken; the message says which.
    """
    what = type(predictor).__name__
    expect_instance(predictor, Predictor, what)
    names = names_among(predictor, outputs, what)
    batch = len(outputs[names[0]])
    outputs = {name: tensor.detach() for name, tensor in outputs.items()}
    k = task.num_keypoints if num_keypoints is None else num_keypoints
    given = [tensor.clone() for tensor in outputs.values()]

    def decode(chosen: Outputs) -> Mapping[str, Tensor]:
        result = predictor(stride, chosen)
        count = len(next(iter(chosen.values())))
        for name, tensor in result.items():
            expect(
                tensor.shape[:1] == (count,),
                f"{what} gives {name!r} of shape {tuple(tensor.shape)} for {count} images",
            )
        if gives_poses:
            _expect_poses(result, count, task.num_individuals, k, what)
        return result

    result = decode(outputs)
    expect_unchanged(given, list(outputs.values()), f"{what} changes the outputs")
    again = decode(outputs)
    alone = decode({name: tensor[-1:] for name, tensor in outputs.items()})
    for name, tensor in result.items():
        expect(same(tensor, again[name]), f"{what} gives different {name!r} for the same outputs")
        expect(
            torch.allclose(tensor[-1:], alone[name], rtol=1e-4, atol=1e-3, equal_nan=True),
            f"{what}: the {name!r} of an image depend on the rest of the batch",
        )
    for flat in (0.0, -20.0):
        decode({name: torch.full_like(tensor, flat) for name, tensor in outputs.items()})
    expect(batch >= 2, f"{what} was checked with {batch} image; give at least two")


def check_round_trip(
    generator: TargetGenerator,
    predictor: Predictor,
    stride: float,
    outputs: Outputs,
    task: PoseTask,
    *,
    size: tuple[int, int] = (64, 64),
    tolerance: float = 0.5,
) -> None:
    """Check that a predictor reads from perfect outputs what the generator wrote into targets.

    Args:
        generator: Makes the targets, which are taken for outputs.
        predictor: Decodes them.
        stride: Input pixels per output cell.
        outputs: What the head gives for images of `size`; only shapes matter.
        task: What both were built for. With several individuals, each labelled point must be
            found in some predicted individual.
        size: (width, height) of the images.
        tolerance: How far a labelled keypoint may be from its prediction, in pixels.

    Raises:
        AssertionError: If a keypoint is not found where it was labelled.
    """
    what = f"{type(generator).__name__} and {type(predictor).__name__}"
    batch = len(next(iter(outputs.values())))
    labels = fake_labels(task, size, batch)
    targets = generator(stride, outputs, labels)
    perfect = dict(outputs) | {name: target.target.float() for name, target in targets.items()}
    poses = predictor(stride, perfect)["poses"][..., :2]
    for image, individual, k in (labels.keypoints[..., 2] > 0).nonzero().tolist():
        x, y, _ = labels.keypoints[image, individual, k].tolist()
        distances = (poses[image, :, k] - torch.tensor([x, y])).norm(dim=-1)
        distance = float(distances.nan_to_num(torch.inf).min())
        expect(
            distance <= tolerance,
            f"{what} disagree: a keypoint labelled at ({x:.1f}, {y:.1f}) is read "
            f"{distance:.2f} pixels away from perfect outputs",
        )


def _expect_poses(
    result: Mapping[str, Tensor], batch: int, num_individuals: int, k: int, what: str
) -> None:
    expect("poses" in result, f"{what} must give 'poses'; it gives {', '.join(result)}")
    poses = result["poses"]
    shape = tuple(poses.shape)
    expect(
        len(shape) == 4 and shape[0] == batch and shape[2] == k and shape[3] >= 3,
        f"{what} gives poses of shape {shape}; they must be ({batch}, N, {k}, 3 or more)",
    )
    expect(
        1 <= shape[1] <= num_individuals,
        f"{what} predicts {shape[1]} individuals; the task has {num_individuals}",
    )
    expect(not torch.isinf(poses).any(), f"{what} gives infinite coordinates or scores")
    found = poses[..., :2].isfinite().all(dim=-1)
    expect(
        poses[..., 2][found].isfinite().all(),
        f"{what} gives keypoints without a score; where there is a place there must be a score",
    )
