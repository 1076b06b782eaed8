"""Contracts of what has weights: backbones, necks, heads, detectors, and weight initializers."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from dlcore.interfaces import (
    Backbone,
    Detector,
    Features,
    FeatureSpec,
    Head,
    Neck,
    PoseTask,
    WeightInitializer,
)
from dlcore.testing.assertions import (
    check_module,
    expect,
    expect_instance,
    expect_tensor,
    expect_unchanged,
    output_names,
    private_torch_randomness,
    same,
)
from dlcore.testing.fakes import fake_features

BATCH = 2
ODD = (7, 5)
"""Pixels or cells added to a size to make it no multiple of anything."""


def check_backbone(
    backbone: Backbone, size: tuple[int, int] = (64, 64), *, odd_size: bool = True
) -> None:
    """Check a backbone on random images.

    Its maps have the declared channels and strides, for odd sizes too; it leaves its input alone,
    repeats itself in evaluation mode, treats each image by itself there, lets gradients reach all
    parameters, and survives saving and loading.

    Args:
        backbone: What to check; it is not changed.
        size: (width, height) of the images, multiples of its coarsest stride.
        odd_size: Whether to check sizes that are no multiple of the stride. Switch it off for
            networks that only take certain sizes, and say so in their docstring.

    Raises:
        AssertionError: If a promise is broken; the message says which.
    """
    what = type(backbone).__name__
    expect_instance(backbone, Backbone, what)
    expect(
        hasattr(backbone, "freeze_bn_stats"),
        f"{what} must call super().__init__() in its constructor",
    )
    features = _declared(backbone, what)
    sizes = [size, (size[0] + ODD[0], size[1] + ODD[1])] if odd_size else [size]
    for tried in sizes:
        images = _images(tried)
        with torch.no_grad():
            maps = _evaluated(backbone)(images)
        expect_unchanged([_images(tried)], [images], f"{what} changes its images")
        _expect_maps(maps, features, tried, what)
    images = _images(size)
    check_module(what, backbone, lambda module: _flat(module(images)))
    _expect_images_apart(what, _evaluated(backbone), images)
    _check_frozen_batch_norm(what, copy.deepcopy(backbone))


def check_neck(
    neck: Neck, features: Features, size: tuple[int, int] = (64, 64), *, odd_size: bool = True
) -> None:
    """Check a neck on random feature maps: the promises of `check_backbone`.

    Args:
        neck: What to check; it is not changed.
        features: What it was built for.
        size: (width, height) of the images that the maps belong to.
        odd_size: Whether to check maps of odd size too.

    Raises:
        AssertionError: If a promise is broken; the message says which.
    """
    what = type(neck).__name__
    expect_instance(neck, Neck, what)
    declared = _declared(neck, what)
    for tried in _sizes_for_maps(features, size, odd_size):
        given = fake_features(features, tried, BATCH)
        with torch.no_grad():
            maps = _evaluated(neck)(given)
        _expect_features_unchanged(given, features, tried, what)
        _expect_maps(maps, declared, tried, what)
    given = fake_features(features, size, BATCH)
    check_module(what, neck, lambda module: _flat(module(given)))


def check_head(
    head: Head,
    features: Features,
    task: PoseTask | None = None,
    *,
    size: tuple[int, int] = (64, 64),
    odd_size: bool = True,
) -> None:
    """Check a head on random feature maps.

    It gives exactly the outputs that it declares, at the resolution that `upsampling` says, for
    odd sizes too, and otherwise keeps the promises of `check_backbone`. If it has a method
    `convert_keypoints`, that reorders its weights.

    Args:
        head: What to check; it is not changed.
        features: What it was built for.
        task: Its keypoints, to check `convert_keypoints`.
        size: (width, height) of the images that the maps belong to.
        odd_size: Whether to check maps of odd size too; switch it off for heads that only take
            one size, and say so in their docstring.

    Raises:
        AssertionError: If a promise is broken; the message says which.
    """
    what = type(head).__name__
    expect_instance(head, Head, what)
    names = output_names(head, what)
    expect(head.upsampling > 0, f"{what}: upsampling is {head.upsampling}; it must be above 0")
    several = not isinstance(features, FeatureSpec) and len(features) > 1
    expect(
        head.takes_several_maps or not several,
        f"{what} is checked with {features}; a head that takes several maps must declare "
        f"takes_several_maps",
    )
    for tried in _sizes_for_maps(features, size, odd_size):
        given = fake_features(features, tried, BATCH)
        with torch.no_grad():
            outputs = _evaluated(head)(given)
        _expect_features_unchanged(given, features, tried, what)
        _expect_outputs(outputs, names, head, given, what)
    given = fake_features(features, size, BATCH)
    check_module(what, head, lambda module: [module(given)[name] for name in names])
    if task is not None and hasattr(head, "convert_keypoints"):
        _check_conversion(what, head, task.num_keypoints)


def check_weight_initializer(initializer: WeightInitializer, module: nn.Module) -> None:
    """Check that an initializer sets weights in place, to finite values, and repeatably.

    Args:
        initializer: What to check.
        module: A module of the sort that it is for; it is not changed.

    Raises:
        AssertionError: If a promise is broken; the message says which.
    """
    what = type(initializer).__name__
    expect_instance(initializer, WeightInitializer, what)
    first, second = copy.deepcopy(module), copy.deepcopy(module)
    with torch.no_grad():
        for parameter in [*first.parameters(), *second.parameters()]:
            parameter.fill_(7.0)
    before = dict(first.named_parameters())
    for target in (first, second):
        with private_torch_randomness(seed=1):
            expect(initializer(target) is None, f"{what} must work in place and return None")
    after = dict(first.named_parameters())
    expect(
        before.keys() == after.keys() and all(before[n] is after[n] for n in before),
        f"{what} replaces parameters; it must set them in place",
    )
    for name, parameter in after.items():
        expect_tensor(parameter, f"{what}: parameter {name!r}")
    expect(
        any(bool((p != 7.0).any()) for p in after.values()), f"{what} leaves every weight as it was"
    )
    for name, parameter in second.named_parameters():
        expect(
            torch.equal(parameter, after[name]),
            f"{what} draws from a generator that torch.manual_seed does not set",
        )


def check_detector(detector: Detector, size: tuple[int, int] = (64, 64)) -> None:
    """Check the least a detector does: finite losses in training, sound boxes in evaluation.

    Args:
        detector: What to check; it is not changed.
        size: (width, height) of the images.

    Raises:
        AssertionError: If a promise is broken; the message says which.
    """
    what = type(detector).__name__
    expect_instance(detector, Detector, what)
    width, height = size
    box = torch.tensor([[0.1 * width, 0.2 * height, 0.7 * width, 0.9 * height]])
    targets = [
        {"boxes": box, "labels": torch.ones(1, dtype=torch.int64)},
        {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)},
    ]
    images = _images(size)
    untouched = images.clone()
    with private_torch_randomness():
        training = copy.deepcopy(detector).train()
        losses, _ = training(images, targets)
        expect(losses, f"{what} gives no losses while training")
        for name, loss in losses.items():
            expect_tensor(loss, f"{what}: loss {name!r}")
            expect(loss.ndim == 0, f"{what}: loss {name!r} is not a scalar")
        torch.stack(list(losses.values())).sum().backward()
        with torch.no_grad():
            losses, detections = copy.deepcopy(detector).eval()(images)
    expect_unchanged([untouched], [images], f"{what} changes its images")
    expect(not losses, f"{what} gives losses in evaluation mode")
    expect(len(detections) == BATCH, f"{what} must give one dict for each image")
    for found in detections:
        _expect_detections(found, what)


def _expect_detections(found: dict[str, Tensor], what: str) -> None:
    boxes = expect_tensor(found["boxes"], f"{what}: boxes")
    scores = expect_tensor(found["scores"], f"{what}: scores")
    expect(
        boxes.shape == (len(scores), 4) and found["labels"].shape == scores.shape,
        f"{what}: boxes {tuple(boxes.shape)}, scores {tuple(scores.shape)} and labels "
        f"{tuple(found['labels'].shape)} do not belong together",
    )
    expect((boxes[:, 2:] >= boxes[:, :2]).all(), f"{what}: boxes must be x1, y1, x2, y2")
    expect((scores[1:] <= scores[:-1]).all(), f"{what}: scores must be in descending order")


def _declared(module: Backbone | Neck, what: str) -> Features:
    features: Features | None = getattr(module, "features", None)
    expect(features is not None, f"{what} must set features in its constructor")
    specs = features if isinstance(features, tuple) else (features,)
    for spec in specs:
        expect(isinstance(spec, FeatureSpec), f"{what}: features holds {spec!r}, not a FeatureSpec")
        assert isinstance(spec, FeatureSpec)  # for the type checker
        expect(
            spec.channels >= 1 and spec.stride >= 1,
            f"{what} declares {spec}; channels and stride must be at least 1",
        )
    strides = [spec.stride for spec in specs if spec is not None]
    expect(
        strides and strides == sorted(strides),
        f"{what} declares the strides {strides}; the finest map must come first",
    )
    assert features is not None  # for the type checker
    return features


def _expect_maps(maps: object, features: Features, size: tuple[int, int], what: str) -> None:
    if isinstance(features, FeatureSpec):
        features, maps = (features,), (maps,)
    expect(
        isinstance(maps, tuple) and len(maps) == len(features),
        f"{what} declares {len(features)} maps; forward must give a tuple of as many",
    )
    assert isinstance(maps, tuple)  # for the type checker
    for spec, given in zip(features, maps, strict=True):
        tensor = expect_tensor(given, f"{what}: a map")
        shape = tuple(tensor.shape)
        if spec.tokens is not None:
            expect(
                shape == (BATCH, spec.tokens, spec.channels),
                f"{what} declares {spec}, but gives tokens of shape {shape}",
            )
            continue
        expect(
            len(shape) == 4 and shape[:2] == (BATCH, spec.channels),
            f"{what} declares {spec.channels} channels, but gives a map of shape {shape}",
        )
        for cells, pixels in zip(shape[:1:-1], size, strict=True):
            expect(
                pixels // spec.stride <= cells <= -(-pixels // spec.stride),
                f"{what} declares stride {spec.stride}, but gives a map of shape {shape} for "
                f"images of {size[0]}x{size[1]} pixels",
            )


def _expect_outputs(
    outputs: object,
    names: tuple[str, ...],
    head: Head,
    given: Tensor | tuple[Tensor, ...],
    what: str,
) -> None:
    expect(isinstance(outputs, dict), f"{what} must give a dict of outputs")
    assert isinstance(outputs, dict)  # for the type checker
    expect(
        set(outputs) == set(names),
        f"{what} declares the outputs {', '.join(names)}, but gives {', '.join(outputs)}",
    )
    cells = (given if isinstance(given, Tensor) else given[0]).shape[2:]
    for name in names:
        tensor = expect_tensor(outputs[name], f"{what}: output {name!r}")
        shape = tuple(tensor.shape)
        expect(
            shape[:1] == (BATCH,),
            f"{what}: output {name!r} has shape {shape} for a batch of {BATCH}",
        )
        if len(shape) != 4 or len(cells) != 2:
            continue  # not from map to map: one vector for each keypoint, or made from tokens
        for got, before in zip(shape[2:], cells, strict=True):
            # a transposed convolution without padding adds up to twice its stride
            expect(
                abs(got - before * head.upsampling) <= 2 * max(head.upsampling, 1),
                f"{what} declares upsampling {head.upsampling}, but turns a map of "
                f"{tuple(cells)} cells into output {name!r} of shape {shape}",
            )


def _check_conversion(what: str, head: Any, num_keypoints: int) -> None:
    """Of the weights of a head for other keypoints: reordering twice gives the same again."""
    state = {name: tensor.clone() for name, tensor in head.state_dict().items()}
    straight = list(range(num_keypoints))
    kept = head.convert_keypoints(state, straight)
    expect(
        _same_states(kept, state),
        f"{what}: convert_keypoints changes weights although the keypoints are the same",
    )
    reverse = straight[::-1]
    reordered = head.convert_keypoints(state, reverse)
    expect(
        num_keypoints < 2 or not _same_states(reordered, state),
        f"{what}: convert_keypoints does not reorder anything",
    )
    expect(
        _same_states(head.convert_keypoints(reordered, reverse), state),
        f"{what}: convert_keypoints, reversed twice, does not give the first weights again",
    )


def _same_states(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)


def _expect_features_unchanged(
    given: Tensor | tuple[Tensor, ...], features: Features, size: tuple[int, int], what: str
) -> None:
    untouched = _flat(fake_features(features, size, BATCH))
    expect_unchanged(untouched, _flat(given), f"{what} changes its features")


def _check_frozen_batch_norm(what: str, backbone: Backbone) -> None:
    backbone.freeze_bn_stats = backbone.freeze_bn_weights = True
    backbone.train()
    for name, module in backbone.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            expect(
                not module.training and not any(p.requires_grad for p in module.parameters()),
                f"{what}: freeze_bn_stats and freeze_bn_weights do not reach {name!r}; "
                f"train() must call super().train()",
            )


def _expect_images_apart(what: str, module: nn.Module, images: Tensor) -> None:
    with torch.no_grad():
        together, alone = _flat(module(images)), _flat(module(images[:1]))
    for a, b in zip(together, alone, strict=True):
        expect(
            torch.allclose(a[:1], b, rtol=1e-3, atol=1e-4),
            f"{what}: in evaluation mode an image's features depend on the rest of the batch",
        )


def _evaluated(module: nn.Module) -> nn.Module:
    return copy.deepcopy(module).eval()


def _images(size: tuple[int, int]) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(BATCH, 3, size[1], size[0], generator=generator)


def _sizes_for_maps(
    features: Features, size: tuple[int, int], odd_size: bool
) -> list[tuple[int, int]]:
    if not odd_size:
        return [size]
    stride = (features if isinstance(features, FeatureSpec) else features[-1]).stride
    return [size, (size[0] + ODD[0] * stride, size[1] + ODD[1] * stride)]


def _flat(maps: Tensor | tuple[Tensor, ...]) -> list[Tensor]:
    return [maps] if isinstance(maps, Tensor) else list(maps)
