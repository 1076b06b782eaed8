"""Contracts of what compares outputs with labels: target generators and criteria."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from dlcore.interfaces import (
    Criterion,
    Labels,
    Outputs,
    PoseTask,
    Target,
    TargetGenerator,
)
from dlcore.testing.assertions import (
    expect,
    expect_instance,
    expect_tensor,
    expect_unchanged,
    names_among,
)
from dlcore.testing.fakes import fake_labels


def check_target_generator(
    generator: TargetGenerator,
    stride: float,
    outputs: Outputs,
    task: PoseTask,
    *,
    size: tuple[int, int] = (64, 64),
) -> None:
    """Check a target generator on fake labels.

    Its targets have the shape and the device of the outputs; weights broadcast to them. It changes
    nothing that it is given, handles each image by itself, never reads the coordinates of
    unlabelled keypoints or of padding, masks what is not defined, copies nothing to the CPU and
    does not loop over pixels.

    Args:
        generator: What to check.
        stride: Input pixels per output cell.
        outputs: What the head gives for images of `size`, at least two of them.
        task: What the generator was built for.
        size: (width, height) of the images.

    Raises:
        AssertionError: If a promise is broken; the message says which.
    """
    what = type(generator).__name__
    expect_instance(generator, TargetGenerator, what)
    names = names_among(generator, outputs, what)
    batch = len(outputs[names[0]])
    outputs = {name: tensor.detach() for name, tensor in outputs.items()}
    labels = fake_labels(task, size, batch)
    given = [t.clone() for t in (*outputs.values(), *_tensors(labels))]

    targets = _targets(generator, stride, outputs, labels, what)
    for name in names:
        _expect_target(targets[name], outputs[name], f"{what}: the target of {name!r}")
    expect_unchanged(
        given, [*outputs.values(), *_tensors(labels)], f"{what} changes outputs or labels"
    )

    again = _targets(generator, stride, outputs, labels, what)
    expect(_same_targets(targets, again), f"{what} gives different targets for the same labels")
    alone = _targets(
        generator, stride, {n: t[-1:] for n, t in outputs.items()}, _images(labels, -1), what
    )
    expect(
        _same_targets({n: _last(t, outputs[n]) for n, t in targets.items()}, alone),
        f"{what}: the targets of an image depend on the rest of the batch",
    )
    _check_unlabelled(generator, stride, outputs, labels, targets, what)
    _check_undefined(generator, stride, outputs, labels, what)
    if task.num_individuals > 1:
        cut = replace(
            _images(labels, -1),
            **{n: getattr(labels, n)[-1:, :-1] for n in _PER_INDIVIDUAL},
        )
        fewer = _targets(generator, stride, {n: t[-1:] for n, t in outputs.items()}, cut, what)
        expect(
            _same_targets(alone, fewer),
            f"{what}: padding changes the targets; skip individuals whose individual_ids are -1",
        )
    _check_stays_on_device(generator, stride, outputs, labels, what)


def check_criterion(
    criterion: Criterion, shape: tuple[int, ...] = (2, 3, 8, 8), *, seed: int = 0
) -> None:
    """Check a criterion on random outputs and targets in [0, 1].

    It gives a finite scalar with a gradient, zero where all weights are zero, and takes no notice
    of what has weight zero. Weights broadcast.

    Args:
        criterion: What to check.
        shape: Shape of output and target, two axes at least.
        seed: Chooses the numbers.

    Raises:
        AssertionError: If a promise is broken; the message says which.
    """
    what = type(criterion).__name__
    expect_instance(criterion, Criterion, what)
    generator = torch.Generator().manual_seed(seed)
    output = 3 * torch.randn(shape, generator=generator)
    target = torch.rand(shape, generator=generator)
    given = [output.clone(), target.clone()]

    leaf = output.clone().requires_grad_()
    loss = _scalar(criterion(leaf, target), what)
    loss.backward()
    expect(
        leaf.grad is not None and bool((leaf.grad != 0).any()),
        f"{what} gives no gradient to the output",
    )
    _scalar(criterion(100 * output, target), f"{what} at large outputs")
    ones = criterion(output, target, torch.ones(shape))
    expect(
        torch.allclose(ones, loss.detach(), rtol=1e-5),
        f"{what}: weights of one differ from no weights",
    )
    for zero in (0.0, torch.zeros(shape), torch.zeros(shape[:2] + (1,) * (len(shape) - 2))):
        leaf = output.clone().requires_grad_()
        nothing = _scalar(criterion(leaf, target, zero), what)
        value = float(nothing.detach())
        expect(value == 0, f"{what} is {value} where all weights are zero")
        if nothing.requires_grad:
            nothing.backward()
            expect(
                leaf.grad is None or not leaf.grad.any(),
                f"{what} has a gradient where all weights are zero",
            )

    weights = torch.zeros(shape[:2] + (1,) * (len(shape) - 2))
    weights[:, 0] = 0.5
    masked = criterion(output, target, weights)
    expect(
        torch.allclose(masked, criterion(output, target, weights.expand(shape)), rtol=1e-5),
        f"{what}: weights that broadcast count otherwise than the same weights written out",
    )
    other = output.clone()
    other[:, 1:] += 5
    expect(
        torch.allclose(masked, criterion(other, target, weights), rtol=1e-5),
        f"{what} depends on outputs whose weight is zero",
    )
    expect_unchanged(given, [output, target], f"{what} changes output or target")


_PER_INDIVIDUAL = ("keypoints", "individual_ids", "boxes", "areas")


def _targets(
    generator: TargetGenerator, stride: float, outputs: Outputs, labels: Labels, what: str
) -> dict[str, Target]:
    targets = generator(stride, outputs, labels)
    expect(
        isinstance(targets, dict) and set(targets) == set(generator.output_names),
        f"{what} declares the outputs {', '.join(generator.output_names)}, but makes targets for "
        f"{', '.join(targets)}",
    )
    for name, target in targets.items():
        expect(isinstance(target, Target), f"{what}: the target of {name!r} must be a Target(...)")
    return targets


def _expect_target(target: Target, output: Tensor, what: str) -> None:
    value = expect_tensor(target.target, what)
    expect(
        value.shape == output.shape,
        f"{what} has shape {tuple(value.shape)}; the output has {tuple(output.shape)}",
    )
    expect(not value.requires_grad, f"{what} carries a gradient")
    if not isinstance(target.weights, Tensor):
        return
    weights = target.weights
    try:
        fits = torch.broadcast_shapes(weights.shape, output.shape) == output.shape
    except RuntimeError:
        fits = False
    expect(
        fits,
        f"{what} has weights of shape {tuple(weights.shape)}, which do not broadcast to "
        f"{tuple(output.shape)}",
    )
    expect(
        torch.isfinite(weights).all() and (weights >= 0).all(),
        f"{what} has weights that are negative or not finite",
    )


def _check_unlabelled(
    generator: TargetGenerator,
    stride: float,
    outputs: Outputs,
    labels: Labels,
    targets: Mapping[str, Target],
    what: str,
) -> None:
    hidden = labels.keypoints[..., 2] <= 0
    moved = labels.keypoints.clone()
    moved[hidden] += torch.tensor([9.0, 11.0, 0.0])
    other = _targets(generator, stride, outputs, replace(labels, keypoints=moved), what)
    expect(
        _same_targets(targets, other),
        f"{what} reads the coordinates of keypoints that are not labelled",
    )
    nobody = replace(
        labels,
        keypoints=torch.zeros_like(labels.keypoints),
        unique_keypoints=torch.zeros_like(labels.unique_keypoints),
        individual_ids=torch.full_like(labels.individual_ids, -1),
    )
    for name, target in _targets(generator, stride, outputs, nobody, what).items():
        _expect_target(target, outputs[name], f"{what}: without individuals the target of {name!r}")


def _check_undefined(
    generator: TargetGenerator, stride: float, outputs: Outputs, labels: Labels, what: str
) -> None:
    keypoints, unique = labels.keypoints.clone(), labels.unique_keypoints.clone()
    keypoints[..., 2] = unique[..., 2] = -1
    undefined = replace(labels, keypoints=keypoints, unique_keypoints=unique)
    for name, target in _targets(generator, stride, outputs, undefined, what).items():
        expect(
            not torch.as_tensor(target.weights).any(),
            f"{what}: keypoints of visibility -1 must have weight 0 in output {name!r}",
        )


def _check_stays_on_device(
    generator: TargetGenerator, stride: float, outputs: Outputs, labels: Labels, what: str
) -> None:
    """Run on torch's meta device, which has shapes but no data to copy, and count operations."""
    meta = {name: tensor.to("meta") for name, tensor in outputs.items()}
    counted = []
    larger = {n: t.repeat(1, 1, 2, 2) if t.ndim == 4 else t for n, t in meta.items()}
    for shapes in (meta, larger):
        counter = _OperationCounter()
        try:
            with counter:
                targets = generator(stride, shapes, labels.to("meta"))
        except Exception as error:
            raise AssertionError(
                f"{what} must work on the device of the labels and copy nothing to the CPU; on "
                f"torch's meta device: {type(error).__name__}: {error}"
            ) from error
        for name, target in targets.items():
            for value in target:
                expect(
                    not isinstance(value, Tensor) or value.device.type == "meta",
                    f"{what}: the target of {name!r} is not on the device of the outputs",
                )
        counted.append(counter.operations)
    expect(
        counted[0] == counted[-1],
        f"{what} takes {counted[-1]} operations for a map of four times the size instead of "
        f"{counted[0]}; it must not loop over pixels",
    )


class _OperationCounter(TorchDispatchMode):
    """Counts the tensor operations that run inside it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.operations += 1
        return func(*args, **(kwargs or {}))


def _scalar(loss: Tensor, what: str) -> Tensor:
    expect_tensor(loss, f"{what}: the loss")
    expect(loss.ndim == 0, f"{what} gives a tensor of shape {tuple(loss.shape)}, not a scalar")
    return loss


def _tensors(labels: Labels) -> list[Tensor]:
    return [getattr(labels, field.name) for field in fields(labels)]


def _images(labels: Labels, index: int) -> Labels:
    """The labels of one image, as a batch of one."""
    chosen = slice(index, index + 1 or None)
    return replace(labels, **{f.name: getattr(labels, f.name)[chosen] for f in fields(labels)})


def _last(target: Target, output: Tensor) -> Target:
    """The target of the last image, weights written out."""
    weights = torch.as_tensor(target.weights).expand(output.shape)
    return Target(target.target[-1:], weights[-1:])


def _same_targets(a: Mapping[str, Target], b: Mapping[str, Target]) -> bool:
    def weights(target: Target) -> Tensor:
        return torch.as_tensor(target.weights, dtype=torch.float64).expand(target.target.shape)

    return all(
        torch.allclose(a[n].target, b[n].target, rtol=1e-4, atol=1e-5)
        and torch.allclose(weights(a[n]), weights(b[n]), rtol=1e-4, atol=1e-5)
        for n in a
    )
