"""What the schedulers plugin offers. Imports dlcore only, so listing it is free."""

from __future__ import annotations

from dlcore import Component, hookimpl


@hookimpl
def register_schedulers() -> list[Component]:
    return [
        Component(
            "LRListScheduler",
            "dlcore_plugins.schedulers.lr_list:LRListScheduler",
            summary="Sets the learning rates of a list at the epochs of a list.",
        ),
    ]
