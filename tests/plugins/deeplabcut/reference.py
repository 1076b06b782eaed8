"""The configs that DeepLabCut wrote, in a form that can be compared with those of net types."""

import re
from dataclasses import replace

import yaml

from dlcore.interfaces import PoseTask

TASK = PoseTask(("snout", "leftear", "rightear", "shoulder", "spine", "tailbase"))
TASKS = {
    "single": TASK,
    "multi": replace(TASK, individuals=("mouse1", "mouse2", "mouse3")),
}
TASKS["multi_identity"] = replace(TASKS["multi"], with_identity=True)
TASKS["multi_unique"] = replace(TASKS["multi"], unique_keypoints=("lamp", "door"))
TASKS["multi_identity_unique"] = replace(TASKS["multi_unique"], with_identity=True)


def reference_config(shared, kind, name):
    """What DeepLabCut wrote for a kind of project, without what is not set or off."""
    path = shared / "peer" / "configs" / kind / f"{name}.yaml"
    text = re.sub(r"\b(\d)e-", r"\1.0e-", path.read_text(encoding="utf-8"))  # as in YAML 1.2
    return without_null(yaml.safe_load(text))


def without_null(value):
    """The same without what is not set or off."""
    if isinstance(value, dict):
        return {k: without_null(v) for k, v in value.items() if v is not None and v is not False}
    if isinstance(value, list):
        return [without_null(item) for item in value]
    return value
