"""Optimizers and schedulers of the installed torch, read from its source: torch is not imported."""

from __future__ import annotations

import ast
import functools

from dlcore.config.options import OptionsSpec, options_from
from dlcore.config.signatures import read_signature
from dlcore.config.source import find_class, read_module

_SUPPLIED = {"params", "optimizer"}
"""Parameters that the engine gives."""


@functools.cache
def optimizer_names() -> tuple[str, ...]:
    """The classes of `torch.optim`; empty if torch has no readable source."""
    module = read_module("torch.optim")
    if module is None:
        return ()
    names = {name for name, place in module.imports.items() if place.name and name[0].isupper()}
    return tuple(sorted(names - {"Optimizer"}))


@functools.cache
def scheduler_names() -> tuple[str, ...]:
    """The classes of `torch.optim.lr_scheduler`; empty if torch has no readable source."""
    module = read_module("torch.optim.lr_scheduler")
    if module is None:
        return ()
    listed = module.values.get("__all__")
    names = set(ast.literal_eval(listed)) if listed is not None else set(module.classes)
    return tuple(sorted(names & set(module.classes) - {"LRScheduler"}))


@functools.cache
def optimizer_options(name: str) -> OptionsSpec | None:
    """What an optimizer of torch takes under `params`; None if the source does not tell."""
    return _options("torch.optim", name)


@functools.cache
def scheduler_options(name: str) -> OptionsSpec | None:
    """What a scheduler of torch takes under `params`; None if the source does not tell."""
    return _options("torch.optim.lr_scheduler", name)


def _options(module: str, name: str) -> OptionsSpec | None:
    cls = find_class(module, name)
    signature = read_signature(cls) if cls is not None else None
    if signature is None:
        return None
    parameters = (*signature.positional, *signature.keyword_only)
    return options_from(signature, tuple(p for p in parameters if p.name not in _SUPPLIED))
