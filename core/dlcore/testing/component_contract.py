"""The contract that every component class keeps, whatever its kind. No instance is needed."""

from __future__ import annotations

import inspect
from inspect import Parameter

from torch import nn

from dlcore.building import SUPPLIED
from dlcore.config.signatures import describe_arguments
from dlcore.hookspecs import KINDS, singular
from dlcore.interfaces import INTERFACES
from dlcore.testing.assertions import expect


def check_component(kind: str, cls: type) -> None:
    """Check what can be seen without making an instance.

    The class subclasses the interface of its kind and leaves nothing abstract, has a docstring of
    its own, takes by position what the engine supplies and nothing else, and takes every option by
    keyword, with an annotation. `**options` must be described in the docstring, for only the class
    can tell a misspelt one then.

    Args:
        kind: One of `dlcore.hookspecs.KINDS`, for example "heads".
        cls: The class that `Component.target` names.

    Raises:
        AssertionError: If a promise is broken; the message says which.
    """
    expect(kind in KINDS, f"there is no kind {kind!r}; choose from {', '.join(KINDS)}")
    interface = INTERFACES[kind]
    name = cls.__name__
    expect(
        issubclass(cls, interface),
        f"{name} is offered as a {singular(kind)}; it must subclass {interface.__name__}",
    )
    abstract = sorted(
        attribute
        for attribute in dir(cls)
        if getattr(getattr(cls, attribute, None), "__isabstractmethod__", False)
    )
    expect(not abstract, f"{name} must implement {', '.join(abstract)}")
    expect((cls.__dict__.get("__doc__") or "").strip(), f"{name} must have a docstring")
    _check_signature(kind, cls)


def _check_signature(kind: str, cls: type) -> None:
    name = cls.__name__
    parameters = list(inspect.signature(cls).parameters.values())
    if cls.__init__ in (object.__init__, nn.Module.__init__):  # type: ignore[misc]
        parameters = []  # no constructor of its own; torch's swallows anything
    positional = [
        p.name
        for p in parameters
        if p.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    ]
    described = describe_arguments(cls.__doc__ or "")
    supplied = SUPPLIED.get(kind, ())
    expect(
        len(positional) == len(supplied),
        f"{name} takes ({', '.join(positional)}) by position; a {singular(kind)} is given "
        f"({', '.join(supplied)}), and every option must stand after '*'",
    )
    for parameter in parameters:
        expect(
            parameter.kind is not Parameter.VAR_POSITIONAL
            and (parameter.kind is not Parameter.VAR_KEYWORD or parameter.name in described),
            f"{name} takes {parameter}; name every option, so that a misspelt one is found, or say "
            f"under 'Args:' what else is taken and refuse the rest",
        )
        if parameter.kind is Parameter.KEYWORD_ONLY:
            expect(
                parameter.annotation is not Parameter.empty,
                f"{name}: option {parameter.name!r} must have an annotation",
            )
