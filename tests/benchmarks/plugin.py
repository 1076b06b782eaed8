"""A plugin of one file, for `dlcore train --plugin`: what the benchmarks need within a run."""

from __future__ import annotations

from dlcore import Component, hookimpl

_HERE = "tests.benchmarks"


@hookimpl
def register_callbacks() -> list[Component]:
    """The clock."""
    return [Component("StepTimes", f"{_HERE}.step_times:StepTimes")]


@hookimpl
def register_datasets() -> list[Component]:
    """A data set of any size."""
    return [Component("RepeatedImages", f"{_HERE}.repeated_images:RepeatedImages")]
