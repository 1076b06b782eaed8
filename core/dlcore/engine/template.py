"""New config files: what an architecture says, over the general defaults of the schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel

from dlcore.config.attribute_docs import attribute_docs
from dlcore.config.net_types import lay_over
from dlcore.config.schema import Detector, RunConfig
from dlcore.engine.yaml_writer import write_yaml
from dlcore.interfaces import PoseTask

_ORDER = (
    "config_version",
    "model",
    "net_type",
    "method",
    "device",
    "metadata",
    "dataset",
    "data",
    "runner",
    "train_settings",
    "inference",
    "logger",
    "with_center_keypoints",
    "detector",
    "resume_training_from",
)
"""Sections as DeepLabCut orders them."""

_FROM_SCHEMA: Mapping[str, tuple[str, ...]] = {
    "runner": (
        "type",
        "key_metric",
        "key_metric_asc",
        "eval_interval",
        "optimizer",
        "scheduler",
        "snapshots",
    ),
    "train_settings": (
        "batch_size",
        "dataloader_workers",
        "dataloader_pin_memory",
        "display_iters",
        "epochs",
        "seed",
    ),
}
"""Keys that a new file shows with their defaults; DeepLabCut knows all of them."""

_BOX_MARGIN = 20


def new_config(
    architecture: Mapping[str, Any],
    task: PoseTask,
    *,
    project_path: str,
    config_path: str,
    dataset: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The values of a new config file, in the order in which they are written.

    Args:
        architecture: What a net type gives; it goes before every default.
        task: The names behind the numbers, for `metadata`.
        project_path: Folder of the data, for `metadata`.
        config_path: Where the file will lie, for `metadata`.
        dataset: The `dataset` block; None where the place of the file tells what the data are.
    """
    defaults = RunConfig().model_dump()
    values: dict[str, Any] = {
        "config_version": defaults["config_version"],
        "device": defaults["device"],
        "metadata": {
            "project_path": project_path,
            "pose_config_path": config_path,
            "bodyparts": list(task.keypoints),
            "unique_bodyparts": list(task.unique_keypoints),
            "individuals": list(task.individuals),
            "with_identity": task.with_identity,
        },
        "data": {"bbox_margin": _BOX_MARGIN, **_images(defaults)},
        **_training(defaults),
    }
    if architecture.get("detector"):
        values["detector"] = _detector(architecture["detector"]["model"])
    if dataset is not None:
        values["dataset"] = dict(dataset)
    values = lay_over(values, dict(architecture))
    known = [key for key in _ORDER if key in values]
    return {key: values[key] for key in [*known, *(k for k in values if k not in _ORDER)]}


def _detector(model: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults of a detector's section. The seed is that of the run."""
    defaults = Detector(model=dict(model)).model_dump()
    training = _training(defaults)
    del training["train_settings"]["seed"]
    return {"model": defaults["model"], "data": _images(defaults), **training}


def _images(defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "colormode": defaults["data"]["colormode"],
        "inference": {"normalize_images": True},
        "train": {"normalize_images": True},
    }


def _training(defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {
        section: {key: defaults[section][key] for key in keys}
        for section, keys in _FROM_SCHEMA.items()
    }


def config_text(values: Mapping[str, Any], header: str) -> str:
    """The file: a header, then every section with what its keys mean."""
    first = "".join(f"# {line}\n" if line else "#\n" for line in header.splitlines())
    return f"{first}\n{write_yaml(values, dict(_descriptions(RunConfig, '')))}"


def _descriptions(section: type[BaseModel], place: str) -> Iterator[tuple[str, str]]:
    """Dotted key and description of everything that the schema knows."""
    docs = attribute_docs(section)
    for name, field in section.model_fields.items():
        if name in docs:
            yield place + name, docs[name].rstrip(".")
        for part in (field.annotation, *get_args(field.annotation)):  # X, or X | None
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from _descriptions(part, f"{place}{name}.")
