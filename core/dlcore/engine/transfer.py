"""Start a new run from the weights of another: what fits is taken, the rest is reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from dlcore.config import yaml
from dlcore.engine.run_folder import LOGGER
from dlcore.engine.snapshots import load_snapshot
from dlcore.errors import ConfigError, SnapshotError
from dlcore.interfaces import PoseTask

CONFIG_FILE = "pytorch_config.yaml"
"""What DeepLabCut calls the config in the folder of its snapshots."""


@dataclass(frozen=True)
class TransferReport:
    """What became of each tensor of the new model, by state-dict key.

    Attributes:
        loaded: Taken from the snapshot.
        reordered: Taken, with channels moved to where their keypoint is now.
        initialised: Left as they were: the snapshot has none, or one of another shape or keypoint.
        unused: Only in the snapshot.
    """

    loaded: tuple[str, ...]
    reordered: tuple[str, ...]
    initialised: tuple[str, ...]
    unused: tuple[str, ...]


def transfer_weights(model: nn.Module, path: Path, task: PoseTask) -> TransferReport:
    """Load what fits from a snapshot, heads by the names of their keypoints.

    Args:
        model: Has `heads`; a head with a method `convert_keypoints(state, old_indices)` can have
            the channels of its weights reordered (-1: the old head does not know the keypoint).
        path: A snapshot of dlcore or DeepLabCut. DeepLabCut's name no keypoints: the names are
            those of the `pytorch_config.yaml` in the same folder. Without that, heads are taken
            where the shapes are equal.
        task: The keypoints of the new run.

    Raises:
        SnapshotError: If the snapshot cannot be read, or nothing in it fits.
    """
    content = load_snapshot(path)
    state: dict[str, Tensor] = dict(content["model"])
    own = model.state_dict()
    former = content.get("dlcore") or _names_beside(path)
    reordered = _reorder_heads(model, state, former, task)
    fitting = {
        key: state[key] for key in own if key in state and state[key].shape == own[key].shape
    }
    if not fitting:
        raise SnapshotError(f"nothing in {str(path)!r} fits this model: no name and shape is equal")
    model.load_state_dict(fitting, strict=False)
    report = TransferReport(
        loaded=tuple(key for key in fitting if key not in reordered),
        reordered=tuple(key for key in fitting if key in reordered),
        initialised=tuple(key for key in own if key not in fitting),
        unused=tuple(key for key in state if key not in fitting),
    )
    _log(report, path)
    return report


def apply_weight_init(model: nn.Module, block: Mapping[str, Any], config_path: Path) -> None:
    """Do what `train_settings.weight_init`, DeepLabCut's way to start from weights, asks for.

    The backbone must fit whole; a neck is taken if the snapshot has one; heads are taken with
    `with_decoder`, reordered by `conversion_array` unless `memory_replay` keeps the old keypoints.

    Args:
        model: As for `transfer_weights`.
        block: The section, validated.
        config_path: Relative paths are relative to the folder of this file.

    Raises:
        SnapshotError: If the snapshot is missing or does not fit.
    """
    if not block.get("snapshot_path"):
        raise SnapshotError(
            f"train_settings.weight_init names no snapshot_path; the SuperAnimal weights of "
            f"{block.get('dataset')!r} are not downloaded: fetch them and name the file there"
        )
    path = config_path.parent / Path(str(block["snapshot_path"])).expanduser()
    state = dict(load_snapshot(path)["model"])
    own = model.state_dict()
    wanted = [key for key in own if key.startswith("backbone.")]
    if any(key.startswith("neck.") for key in state):
        wanted += [key for key in own if key.startswith("neck.")]
    if block.get("with_decoder"):
        if not block.get("memory_replay"):
            _convert_head(model, state, block["conversion_array"])
        wanted += [key for key in own if key.startswith("heads.")]
    unfit = [key for key in wanted if key not in state or state[key].shape != own[key].shape]
    if unfit:
        raise SnapshotError(
            f"train_settings.weight_init: {str(path)!r} does not fit this model: {unfit[0]} and "
            f"{len(unfit) - 1} more are missing there or of another shape"
        )
    model.load_state_dict({key: state[key] for key in wanted}, strict=False)
    LOGGER.info("weight_init %s: %d tensors loaded", path, len(wanted))


def _convert_head(model: nn.Module, state: dict[str, Tensor], old_indices: Sequence[int]) -> None:
    prefix = "heads.bodypart."
    head = getattr(model, "heads", {})["bodypart"]
    convert = getattr(head, "convert_keypoints", None)
    if convert is None:
        raise SnapshotError(
            f"train_settings.weight_init.conversion_array: a {type(head).__name__} cannot be "
            f"reordered; set with_decoder: false"
        )
    relative = {
        key.removeprefix(prefix): state.pop(key) for key in list(state) if key.startswith(prefix)
    }
    try:
        converted = convert(relative, old_indices)
    except ValueError as error:
        raise SnapshotError(f"train_settings.weight_init.conversion_array: {error}") from error
    state.update({prefix + key: value for key, value in converted.items()})


def _names_beside(snapshot: Path) -> Mapping[str, object]:
    """What a manifest would say of keypoints, from the config in the folder of a snapshot."""
    config = snapshot.parent / CONFIG_FILE
    if not config.is_file():
        return {}
    try:
        metadata = yaml.read(config).values.get("metadata")
    except ConfigError as error:
        LOGGER.warning("init_from: the names of keypoints are not known: %s", error)
        return {}
    if not isinstance(metadata, Mapping) or not isinstance(metadata.get("bodyparts"), list):
        return {}
    LOGGER.info("init_from: the keypoints of %s are those of the config beside it", snapshot.name)
    return {
        "keypoints": metadata["bodyparts"],
        "unique_keypoints": metadata.get("unique_bodyparts") or [],
    }


def _reorder_heads(
    model: nn.Module, state: dict[str, Tensor], former_names: Mapping[str, object], task: PoseTask
) -> set[str]:
    """Reorder head weights in `state` where the keypoints of a head have changed.

    The weights of a head that cannot be reordered, or that shares no keypoint, are removed.
    """
    reordered: set[str] = set()
    for head, names_key, names in (
        ("bodypart", "keypoints", task.keypoints),
        ("unique_bodypart", "unique_keypoints", task.unique_keypoints),
    ):
        former = former_names.get(names_key)
        if not isinstance(former, Sequence) or list(former) == list(names):
            continue
        prefix = f"heads.{head}."
        keys = [key for key in state if key.startswith(prefix)]
        relative = {key.removeprefix(prefix): state.pop(key) for key in keys}
        modules = getattr(model, "heads", {})
        convert = getattr(modules[head], "convert_keypoints", None) if head in modules else None
        old_indices = [former.index(name) if name in former else -1 for name in names]
        if convert is None or max(old_indices, default=-1) < 0:
            LOGGER.info("init_from: head %r starts anew: its keypoints are others", head)
            continue
        new = [name for name in names if name not in former]
        if new:
            LOGGER.info("init_from: new keypoints of head %r start anew: %s", head, ", ".join(new))
        try:
            converted = convert(relative, old_indices)
        except ValueError as error:
            LOGGER.info("init_from: head %r starts anew: %s", head, error)
            continue
        for key, value in converted.items():
            state[prefix + key] = value
            reordered.add(prefix + key)
    return reordered


def _log(report: TransferReport, path: Path) -> None:
    LOGGER.info(
        "init_from %s: %d tensors loaded, %d reordered by keypoint, %d start anew, %d not used",
        path,
        len(report.loaded),
        len(report.reordered),
        len(report.initialised),
        len(report.unused),
    )
    for what, keys in (("starts anew", report.initialised), ("not used", report.unused)):
        for key in keys[:20]:
            LOGGER.info("  %s: %s", what, key)
        if len(keys) > 20:
            LOGGER.info("  ... and %d more", len(keys) - 20)
