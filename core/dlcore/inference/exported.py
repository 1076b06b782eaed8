"""Exported networks at work, and how one tells what it was made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from dlcore.building import build
from dlcore.data.device import Normalization
from dlcore.errors import ComponentError, ExportError
from dlcore.inference.network import Decoded
from dlcore.inference.parts import PoseParts
from dlcore.inference.trained_run import TrainedRun
from dlcore.interfaces import Batch, InferenceBackend
from dlcore.model import PoseModel

TORCH = "torch"
"""The backend that needs no exported network."""

IMAGES, CONDITIONS = "images", "conditions"
"""Names of the inputs of exported networks."""

_ENGINE_PARTS = frozenset({"criterion", "target_generator", "weight_init"})
"""Of a head's block, what an exported network has no part of."""

_CHUNK = 1 << 20


def uses_torch(backend: str | Mapping[str, Any] | None) -> bool:
    """Whether this choice of a backend is torch and its own model."""
    return backend is None or backend == TORCH


def require_fp32(precision: str) -> None:
    """Refuse other arithmetic than that which exported networks have.

    Raises:
        ExportError: If it is another.
    """
    if precision != "fp32":
        raise ExportError(
            f"exported networks compute in fp32, not in {precision}; leave --precision out, or use "
            f"--backend torch"
        )


def open_exported(
    run: TrainedRun,
    parts: PoseParts,
    snapshot: Path,
    backend: str | Mapping[str, Any] | None,
    file: str | Path | None,
    device: torch.device,
) -> ExportedNetwork:
    """The exported network of a snapshot.

    Args:
        run: What was trained.
        parts: Of its pose network.
        snapshot: Whose weights the file must have.
        backend: The name or the block of an inference backend.
        file: What was exported; by default it lies in the folder of the run and is called like the
            snapshot.
        device: Where to compute.

    Raises:
        ExportError: If there is no such file, or it was made from something else.
        ConfigError: If there is no such backend.
    """
    block = {"type": backend} if isinstance(backend, str) else dict(backend or {})
    entry = _entry(run, str(block.get("type")))
    kind: Any = entry.component.load()
    path = default_file(run, snapshot, kind.suffix) if file is None else Path(file)
    if not path.is_file():
        name = "" if file is None else f" --output {path}"
        raise ExportError(
            f"there is no {str(path)!r} for the backend {entry.name!r}; make it with: dlcore "
            f"export {run.folder} --format {kind.format} --snapshot {snapshot.name}{name}"
        )
    opened: InferenceBackend = build(
        run.host, "inference_backends", block, path, device, key="--backend"
    )
    description = read_description(opened, path)
    _require_same(description, run, parts, snapshot, path)
    return ExportedNetwork(opened, description, parts.model)


def _entry(run: TrainedRun, name: str) -> Any:
    try:
        return run.host.find("inference_backends", name)
    except ComponentError as error:
        raise ExportError(f"--backend: {error}\n  torch is always there") from error


def default_file(run: TrainedRun, snapshot: Path, suffix: str) -> Path:
    """Where an exported network goes, and is looked for: in the run, called like the snapshot."""
    return run.folder / f"{snapshot.stem}{suffix}"


def read_description(backend: InferenceBackend, path: Path) -> dict[str, Any]:
    """What the exporter wrote about a network into its file.

    Raises:
        ExportError: If there is nothing.
    """
    try:
        description = json.loads(backend.metadata)
    except ValueError:
        description = None
    if not isinstance(description, dict) or "outputs" not in description:
        raise ExportError(f"{str(path)!r} was not written by dlcore export: it has no description")
    return description


def _require_same(
    description: Mapping[str, Any], run: TrainedRun, parts: PoseParts, snapshot: Path, path: Path
) -> None:
    remedy = "export again with --overwrite"
    if description.get("snapshot_sha256") != hash_of_file(snapshot):
        raise ExportError(
            f"{str(path)!r} was exported from another snapshot than {str(snapshot)!r} as it is now "
            f"(from {description.get('snapshot')!r}); {remedy}, or name the snapshot"
        )
    if description.get("settings_sha256") != hash_of_settings(run, parts.normalization):
        raise ExportError(
            f"{str(path)!r} was exported with other settings of the model or its normalisation "
            f"than the config of the run has now; {remedy}"
        )


def hash_of_file(path: Path) -> str:
    """SHA-256 of what is in a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def hash_of_settings(run: TrainedRun, normalization: Normalization) -> str:
    """SHA-256 of what an exported network contains beside its weights."""
    model = run.loaded.config.model.model_dump(mode="json")
    for block in model.get("heads", {}).values():
        for key in _ENGINE_PARTS & set(block):
            del block[key]
    parts = [model, list(normalization.mean), list(normalization.std)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


class ExportedNetwork:
    """A pose model that an inference backend computes.

    Args:
        backend: Runs the file.
        description: What is in the file; see `read_description`.
        model: Decodes the outputs of heads whose predictors are not in the file.
    """

    def __init__(
        self, backend: InferenceBackend, description: Mapping[str, Any], model: PoseModel
    ) -> None:
        self.backend = backend
        self.description = description
        self._model = model

    @torch.inference_mode()
    def __call__(self, batch: Batch) -> Decoded:
        """What the predictors find in a batch of bytes.

        Raises:
            ExportError: If the images have a size that the network does not take.
        """
        inputs = {IMAGES: batch.images}
        if CONDITIONS in self.backend.shapes:
            assert batch.conditions is not None
            inputs[CONDITIONS] = batch.conditions.float()
        self._require_size(batch)
        return self.decoded(self.backend.run(inputs))

    def decoded(self, found: Mapping[str, torch.Tensor]) -> Decoded:
        """What is found by head, from the outputs of the file by name."""
        heads: Decoded = {}
        ready = {}
        for output in self.description["outputs"]:
            heads.setdefault(output["head"], {})[output["output"]] = found[output["name"]]
            ready[output["head"]] = output["decoded"]
        for name in [name for name, decoded in ready.items() if not decoded]:
            parts = self._model.parts[name]
            heads[name] = parts.predictor(self._model.strides[name], heads[name])
        return heads

    def _require_size(self, batch: Batch) -> None:
        _, _, height, width = self.backend.shapes[IMAGES]
        given = batch.images.shape[2:]
        if height not in (None, given[0]) or width not in (None, given[1]):
            raise ExportError(
                f"the exported network takes images of {width}x{height}, not of "
                f"{given[1]}x{given[0]}; export it for any size or this one (--size), or use "
                f"--backend torch"
            )
