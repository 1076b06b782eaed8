"""Optimizers and learning-rate schedules from their config blocks.

A block is `{type: NAME, params: {...}}`. Names are classes of `torch.optim` and of
`torch.optim.lr_scheduler`; a scheduler that a plugin registers under a name is found first.
"""

from __future__ import annotations

import difflib
import inspect
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch.optim import Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from dlcore.building import build
from dlcore.errors import (
    AmbiguousComponentError,
    ConfigError,
    Problem,
    UnknownComponentError,
)
from dlcore.hookspecs import singular
from dlcore.plugin_host import PluginHost

T = TypeVar("T")

# torch's own SequentialLR steps its parts in a way that torch deprecates (before torch 2.13)
_EPOCH_DEPRECATED = r"The epoch parameter in `scheduler.step\(\)` was not necessary"
_NO_STEP_YET = r"Detected call of `lr_scheduler.step\(\)` before `optimizer.step\(\)`"


def build_optimizer(
    host: PluginHost,
    block: Mapping[str, Any],
    parameters: Iterable[torch.nn.Parameter],
    key: str,
) -> Optimizer:
    """Make the optimizer that a block describes.

    Args:
        host: Says what a name is that is no optimizer.
        block: `type`, a class of `torch.optim`, and its `params`.
        parameters: What is optimized.
        key: Dotted key of the block, for errors.

    Raises:
        ConfigError: If there is no such optimizer, or it does not take these parameters.
    """
    name, params = _parse(block, key)
    known = _classes(torch.optim, Optimizer)
    if name not in known:
        message = _unknown("optimizer", name, known) + _other_kinds(host, name)
        raise ConfigError([Problem(f"{key}.type", message)])
    cls = known[name]
    if inspect.signature(cls.step).parameters["closure"].default is inspect.Parameter.empty:
        message = f"{name!r} computes the loss several times in a step, which training does not do"
        raise ConfigError([Problem(f"{key}.type", message)])
    _check(cls, ("params",), params, f"{key}.params")
    weights = list(parameters)
    if _can_be_fused(cls, params, weights):
        params = params | {"fused": True}
    return _construct(name, lambda: cls(weights, **params), f"{key}.params")


_FUSED = ("SGD", "Adam", "AdamW")
"""Optimizers of which torch has one kernel for all that a step does to a weight."""


def _can_be_fused(
    cls: type[Optimizer], params: Mapping[str, Any], weights: Sequence[torch.nn.Parameter]
) -> bool:
    """Whether the quickest form of an optimizer fits; one that the config asks for stays."""
    chosen = {"fused", "foreach", "capturable", "differentiable"} & params.keys()
    return (
        cls.__name__ in _FUSED
        and not chosen
        and all(w.device.type in ("cpu", "cuda") and w.is_floating_point() for w in weights)
    )


def build_scheduler(
    host: PluginHost, block: Mapping[str, Any], optimizer: Optimizer, key: str
) -> LRScheduler:
    """Make the learning-rate schedule that a block describes.

    Parameters that are blocks themselves, also in lists, become schedulers of the same optimizer,
    as `SequentialLR` and `ChainedScheduler` need them.

    Args:
        host: Finds registered schedulers.
        block: `type`, a registered scheduler or a class of `torch.optim.lr_scheduler`, and its
            `params`.
        optimizer: Freshly built.
        key: Dotted key of the block, for errors.

    Raises:
        ConfigError: If there is no such scheduler, or it does not take these parameters.
    """
    name, given = _parse(block, key)
    params = {
        option: _nested(host, value, optimizer, f"{key}.params.{option}")
        for option, value in given.items()
    }
    known = _classes(lr_scheduler, LRScheduler)
    try:
        entry = host.find("schedulers", name)
    except AmbiguousComponentError as error:
        raise ConfigError([Problem(f"{key}.type", str(error))]) from error
    except UnknownComponentError as error:
        if name not in known:
            message = f"{error}\n  {_unknown('scheduler of torch', name, known)}"
            raise ConfigError([Problem(f"{key}.type", message)]) from error
        cls: type[LRScheduler] = known[name]
    else:
        if params == given:
            flat = {"type": entry.qualified_name, **given}
            built: LRScheduler = build(host, "schedulers", flat, optimizer, key=f"{key}.params")
            return built
        cls = entry.component.load()
    _check(cls, ("optimizer",), params, f"{key}.params")
    if "optimizer" in inspect.signature(cls).parameters:
        params["optimizer"] = optimizer
    with _without_warnings(_NO_STEP_YET, _EPOCH_DEPRECATED):
        return _construct(name, lambda: cls(**params), f"{key}.params")


def needs_metric(scheduler: LRScheduler) -> bool:
    """Whether stepping needs a number to judge by, as for `ReduceLROnPlateau`."""
    return "metrics" in inspect.signature(scheduler.step).parameters


def scheduler_step(scheduler: LRScheduler, metric: float | None) -> None:
    """Go on to the next epoch.

    A scheduler that judges by a metric waits while there is none: it counts evaluations.

    Args:
        scheduler: Any scheduler.
        metric: What was measured in this epoch; None or NaN if nothing was.
    """
    if needs_metric(scheduler):
        if metric is not None and not math.isnan(metric):
            scheduler.step(metric)  # type: ignore[arg-type]  # ReduceLROnPlateau takes a metric
        return
    with _without_warnings(_EPOCH_DEPRECATED):
        scheduler.step()


def replay(scheduler: LRScheduler, epochs: int) -> None:
    """Bring a freshly built schedule, and its optimizer's rates, to where it is after some epochs.

    The rates are those of a run that was never interrupted. Schedulers that judge by a metric
    start anew, for nobody knows what they saw.
    """
    rates = scheduler.get_last_lr()
    for group, rate in zip(scheduler.optimizer.param_groups, rates, strict=True):
        group["lr"] = rate  # loading an optimizer's state may have changed it
    if needs_metric(scheduler):
        return
    with _without_warnings(_NO_STEP_YET, _EPOCH_DEPRECATED):
        for _ in range(epochs):
            scheduler.step()


def preview(
    host: PluginHost, block: Mapping[str, Any], optimizer: Optimizer, epochs: int, key: str
) -> list[list[float]]:
    """The learning rates of each epoch, one for each parameter group, without training.

    Some schedules fail only when they are half through (`OneCycleLR` after its `total_steps`);
    this finds out before the first epoch.

    Args:
        host: Finds registered schedulers.
        block: As for `build_scheduler`.
        optimizer: The real one, which stays as it is.
        epochs: How many.
        key: Dotted key of the block, for errors.

    Raises:
        ConfigError: If the schedule cannot be built, or fails before the last epoch.
    """
    scheduler = build_scheduler(host, block, _stand_in(optimizer), key)
    rates = []
    for epoch in range(1, epochs + 1):
        rates.append([float(group["lr"]) for group in scheduler.optimizer.param_groups])
        if epoch == epochs or needs_metric(scheduler):
            continue
        try:
            with _without_warnings(_NO_STEP_YET, _EPOCH_DEPRECATED):
                scheduler.step()
        except Exception as error:
            reason = str(error) or type(error).__name__
            message = f"{block['type']} has no learning rate for epoch {epoch + 1}: {reason}"
            raise ConfigError([Problem(key, message)]) from error
    return rates


def state_fits(scheduler: LRScheduler, state: Mapping[str, Any]) -> bool:
    """Whether a saved state is one of this kind of schedule.

    torch loads the state of any scheduler into any other, without an error and without a sense.
    """
    own = scheduler.state_dict()
    if _settings(own) != _settings(state):
        return False
    parts, saved = own.get("_schedulers"), state.get("_schedulers")
    if parts is None or saved is None:
        return parts is saved
    inner = scheduler._schedulers  # type: ignore[attr-defined]
    return len(inner) == len(saved) and all(map(state_fits, inner, saved))


def _settings(state: Mapping[str, Any]) -> set[str]:
    """Names that tell one kind of scheduler from another; the others vary with torch's version."""
    return {name for name in state if not name.startswith("_")} - {"verbose", "base_lrs"}


def _parse(block: Mapping[str, Any], key: str) -> tuple[str, dict[str, Any]]:
    extra = [str(name) for name in block if name not in ("type", "params")]
    problems = [
        Problem(f"{key}.{name}", "unknown key; parameters stand under 'params'") for name in extra
    ]
    name, params = block.get("type"), block.get("params")
    if not isinstance(name, str):
        problems.append(Problem(f"{key}.type", f"must be a name, got {name!r}"))
    if params is not None and not isinstance(params, Mapping):
        problems.append(Problem(f"{key}.params", f"must be a map of parameters, got {params!r}"))
    if problems:
        raise ConfigError(problems)
    return str(name), dict(params or {})


def _nested(host: PluginHost, value: Any, optimizer: Optimizer, key: str) -> Any:
    if isinstance(value, Mapping) and "type" in value:
        return build_scheduler(host, value, optimizer, key)
    if isinstance(value, list):
        return [_nested(host, item, optimizer, f"{key}[{i}]") for i, item in enumerate(value)]
    return value


def _classes(module: Any, base: type[T]) -> dict[str, type[T]]:
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, base)
        and value is not base
        and not name.startswith("_")
    }


def _check(cls: type, supplied: Sequence[str], params: Mapping[str, Any], key: str) -> None:
    """Refuse unknown, missing and plainly wrong parameters, all at once."""
    taken = dict(inspect.signature(cls).parameters)
    for name in supplied:
        taken.pop(name, None)
    problems = []
    for name, value in params.items():
        if name not in taken:
            near = _did_you_mean(name, taken)
            message = f"unknown parameter of {cls.__name__}{near}"
            problems.append(Problem(f"{key}.{name}", message))
        elif wanted := _mismatch(taken[name].default, value):
            problems.append(Problem(f"{key}.{name}", f"must be {wanted}, got {value!r}"))
    problems += [
        Problem(f"{key}.{name}", f"{cls.__name__} needs this parameter")
        for name, parameter in taken.items()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and name not in params
    ]
    if problems:
        raise ConfigError(problems)


def _mismatch(default: object, value: object) -> str | None:
    if isinstance(default, bool):
        return None if isinstance(value, bool) else "true or false"
    if isinstance(default, (int, float)) and isinstance(value, (str, bool, Mapping, type(None))):
        return "a number"
    return None


def _construct(name: str, make: Callable[[], T], key: str) -> T:
    try:
        return make()
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise ConfigError([Problem(key, f"{name} refuses these parameters: {reason}")]) from error


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    known = list(known)
    near = _did_you_mean(name, known) or f"; known are {', '.join(sorted(known))}"
    return f"there is no {what} named {name!r}{near}"


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    by_lower_case = {other.lower(): other for other in known}
    near = difflib.get_close_matches(name.lower(), by_lower_case, n=1, cutoff=0.6)
    return f"; did you mean {by_lower_case[near[0]]!r}?" if near else ""


def _other_kinds(host: PluginHost, name: str) -> str:
    try:
        found = host.find_any(name)
    except UnknownComponentError:
        return ""
    return "".join(f"\n  {name!r} is a {singular(kind)}, not an optimizer" for kind, _ in found)


def _stand_in(optimizer: Optimizer) -> Optimizer:
    """An optimizer of the same kind, groups and rates, of nothing."""
    groups = []
    for group in optimizer.param_groups:
        copied = {name: value for name, value in group.items() if name != "initial_lr"}
        copied["params"] = [torch.nn.Parameter(torch.zeros(1, 1))]
        copied["lr"] = group.get("initial_lr", group["lr"])
        groups.append(copied)
    make: Callable[[list[dict[str, Any]]], Optimizer] = type(optimizer)
    return make(groups)


@contextmanager
def _without_warnings(*messages: str) -> Iterator[None]:
    with warnings.catch_warnings():
        for message in messages:
            warnings.filterwarnings("ignore", message=message, category=UserWarning)
        yield
