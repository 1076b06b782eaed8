"""Another detector in a new config: `dlcore init --detector NAME`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from dlcore.config.options import OptionsSpec, read_options
from dlcore.errors import DlcoreError
from dlcore.plugin_host import PluginHost

VARIANT = "variant"
"""The option by which one component is several detectors."""


def choose_detector(values: dict[str, Any], name: str, host: PluginHost) -> None:
    """Put a detector into a config that has one, in place of the one that it has.

    Options that both have stay. A batch size is made for one detector, so that another gets 1.

    Args:
        values: The config; changed in place.
        name: A registered detector, or one of its variants; upper and lower case are the same.
        host: Where components are found.

    Raises:
        DlcoreError: If there is no such detector, or the config needs none.
    """
    section = values.get("detector")
    if section is None:
        raise DlcoreError(
            f"net type {values.get('net_type')!r} is not top-down and has no detector; leave out "
            f"--detector"
        )
    found, variant, spec = _find(name, host)
    former = section["model"]
    if found != former["type"]:
        section["train_settings"]["batch_size"] = 1
    kept = {
        option: value
        for option, value in former.items()
        if option not in ("type", VARIANT) and spec.takes(option)
    }
    section["model"] = {"type": found, **kept}
    if variant is not None:
        section["model"][VARIANT] = variant


def _find(name: str, host: PluginHost) -> tuple[str, str | None, OptionsSpec]:
    """The type, the variant if one is meant, and the options of the type."""
    registry = host.registries["detectors"]
    specs = {
        written: read_options(entry.component)
        for written, entry in zip(registry.names(), registry, strict=True)
    }
    for written, spec in specs.items():
        if written.lower() == name.lower():
            return written, None, spec
    for written, spec in specs.items():
        for variant in _variants(spec):
            if variant.lower() == name.lower():
                return written, variant, spec
    choices = "\n".join(
        f"  {written}" + "".join(f"\n    {variant}" for variant in _variants(spec))
        for written, spec in specs.items()
    )
    raise DlcoreError(f"there is no detector {name!r}; there are:\n{choices}")


def _variants(spec: OptionsSpec) -> Iterator[str]:
    option = spec.options.get(VARIANT)
    for value in get_args(option.annotation) if option is not None else ():
        if isinstance(value, str):
            yield value
