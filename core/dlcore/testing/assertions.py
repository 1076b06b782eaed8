"""What all contract checks share: plain messages, guards on randomness, checks of modules."""

from __future__ import annotations

import copy
import io
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


def expect(condition: object, message: str) -> None:
    """Raise `AssertionError` with `message` unless `condition` holds.

    Not an `assert` statement: checks must also work under `python -O`.
    """
    if not condition:
        raise AssertionError(message)


def expect_instance(value: object, interface: type, what: str) -> None:
    """The value must be an instance of the interface."""
    expect(
        isinstance(value, interface),
        f"{what} is a {type(value).__name__}; it must subclass {interface.__name__}",
    )


def expect_unchanged(before: Sequence[Tensor], after: Sequence[Tensor], what: str) -> None:
    """Tensors that were handed out must come back as they were."""
    expect(all(map(same, before, after)), f"{what}, which it may only read")


def same(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors are equal, NaN counting as equal to NaN."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if not a.dtype.is_floating_point:
        return torch.equal(a, b)
    return bool(torch.equal(a.isnan(), b.isnan()) and torch.equal(a.nan_to_num(), b.nan_to_num()))


def expect_tensor(value: object, what: str) -> Tensor:
    """The value must be a tensor of finite floating-point numbers."""
    expect(isinstance(value, Tensor), f"{what} is a {type(value).__name__}, not a tensor")
    assert isinstance(value, Tensor)  # for the type checker
    expect(value.is_floating_point(), f"{what} has type {value.dtype}, not floating point")
    expect(torch.isfinite(value).all(), f"{what} holds values that are not finite")
    return value


def through_file(state: dict[str, Any], what: str) -> dict[str, Any]:
    """A state dict after it was saved and loaded as in a snapshot."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    try:
        loaded: dict[str, Any] = torch.load(file, weights_only=True)
    except Exception as error:
        raise AssertionError(
            f"{what}: its state dict must hold tensors and plain types only: {error}"
        ) from error
    return loaded


def output_names(component: object, what: str) -> tuple[str, ...]:
    """The declared `output_names`, which must be different non-empty strings."""
    names = getattr(component, "output_names", None)
    expect(names is not None, f"{what} must declare output_names")
    expect(
        isinstance(names, tuple) and names and all(isinstance(n, str) and n for n in names),
        f"{what}: output_names is {names!r}; it must be a tuple of names",
    )
    assert isinstance(names, tuple)  # for the type checker
    expect(len(set(names)) == len(names), f"{what}: output_names {names!r} has a name twice")
    return names


def names_among(component: object, outputs: Mapping[str, Tensor], what: str) -> tuple[str, ...]:
    """The declared `output_names`, all of which the head must give."""
    names = output_names(component, what)
    missing = [name for name in names if name not in outputs]
    expect(
        not missing,
        f"{what} declares the outputs {', '.join(names)}; the head gives {', '.join(outputs)}",
    )
    return names


@contextmanager
def private_torch_randomness(seed: int = 0) -> Iterator[None]:
    """Seed torch inside, and leave its global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@contextmanager
def global_randomness_guard(what: str) -> Iterator[None]:
    """Whoever runs inside may not draw from the global generators of python, numpy and torch."""

    def states() -> dict[str, object]:
        _, keys, position, *_ = np.random.get_state()
        return {
            "python's random": random.getstate(),
            "numpy's": (bytes(np.asarray(keys)), position),
            "torch's": torch.get_rng_state().numpy().tobytes(),
        }

    before = states()
    yield
    after = states()
    for name, state in before.items():
        expect(
            after[name] == state,
            f"{what} draws from {name} global generator; it may draw only from the one it is given",
        )


def check_module(what: str, module: nn.Module, run: Callable[[nn.Module], list[Tensor]]) -> None:
    """What every network promises: repeatable, trainable, storable.

    Args:
        what: Its name in messages.
        module: The network; it is not changed.
        run: Puts fixed inputs through a network and returns its outputs.
    """
    with private_torch_randomness():
        evaluated = copy.deepcopy(module).eval()
        with torch.no_grad():
            first, second = run(evaluated), run(evaluated)
        expect(
            all(map(same, first, second)),
            f"{what} gives different outputs for the same input in evaluation mode",
        )
        _check_gradients(what, copy.deepcopy(module), run)
        _check_state(what, evaluated, run, first)


def _check_gradients(
    what: str, module: nn.Module, run: Callable[[nn.Module], list[Tensor]]
) -> None:
    expect(module.train() is module, f"{what}: train() must return the module itself")
    module.zero_grad(set_to_none=True)
    trainable = {n: p for n, p in module.named_parameters() if p.requires_grad}
    if not trainable:
        return
    loss = torch.stack([(out * torch.randn_like(out)).sum() for out in run(module)]).sum()
    expect(loss.requires_grad, f"{what}: its outputs are cut off from its parameters")
    loss.backward()
    for name, parameter in trainable.items():
        expect(
            parameter.grad is not None,
            f"{what}: no gradient reaches parameter {name!r}; use it in forward or drop it",
        )
        assert parameter.grad is not None  # for the type checker
        expect(
            torch.isfinite(parameter.grad).all(),
            f"{what}: the gradient of parameter {name!r} is not finite",
        )


def _check_state(
    what: str,
    module: nn.Module,
    run: Callable[[nn.Module], list[Tensor]],
    expected: list[Tensor],
) -> None:
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    try:
        state = torch.load(file, weights_only=True)
    except Exception as error:
        raise AssertionError(
            f"{what}: its state dict must hold tensors and plain types only: {error}"
        ) from error
    other = copy.deepcopy(module)
    with torch.no_grad():
        for value in other.state_dict().values():
            if isinstance(value, Tensor) and value.is_floating_point():
                value.add_(1.0)
    other.load_state_dict(state)
    with torch.no_grad():
        expect(
            all(map(same, expected, run(other))),
            f"{what} gives other outputs after its state dict was saved and loaded",
        )
