"""Export the pose network of a run, check the file, and say beside it what it is."""

from __future__ import annotations

import json
import platform
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from importlib_metadata import PackageNotFoundError, version
from torch import Tensor

from dlcore import __version__
from dlcore.building import build
from dlcore.engine.precision import Precision
from dlcore.engine.run_folder import LOGGER, write_text
from dlcore.engine.snapshots import load_snapshot, load_weights
from dlcore.errors import ExportError
from dlcore.inference.export.description import describe
from dlcore.inference.export.network import ExportableNetwork, Output
from dlcore.inference.export.parity import Parity, compare
from dlcore.inference.export.samples import Tries, inputs_of
from dlcore.inference.exported import CONDITIONS, IMAGES, default_file
from dlcore.inference.network import Computation, TorchNetwork
from dlcore.inference.parts import PoseParts, pose_parts
from dlcore.inference.trained_run import TrainedRun
from dlcore.interfaces import Batch, Exporter, ExportInput, InferenceBackend

EXAMPLE_SIZE = (256, 320)
"""(height, width) of the images with which a network is traced, before they are made ready."""


@dataclass(frozen=True)
class ExportOptions:
    """What is exported, and how.

    Attributes:
        format: The block of an exporter.
        output: The file; by default in the folder of the run, called like the snapshot.
        snapshot: See `TrainedRun.snapshot`.
        decode: Whether predictors become part of it, where they can.
        size: (width, height) of the only images that it takes; None for any where the model takes
            any.
        images: Files and folders of real images to check it with, instead of those of the run.
        tolerance: Largest difference of a place, in pixels.
        overwrite: Whether a file that exists is replaced.
    """

    format: Mapping[str, Any] = field(default_factory=lambda: {"type": "onnx"})
    output: Path | None = None
    snapshot: str | Path | None = None
    decode: bool = True
    size: tuple[int, int] | None = None
    images: Sequence[Path] = ()
    tolerance: float = 0.01
    overwrite: bool = False


@dataclass(frozen=True)
class ExportReport:
    """What came of it.

    Attributes:
        path: The file.
        json_path: What is said about it.
        kept: Whether it was there before and nothing was done.
        parities: How far it is from torch.
        description: What is said about it; empty if it was kept.
    """

    path: Path
    json_path: Path
    kept: bool = False
    parities: Sequence[Parity] = ()
    description: Mapping[str, Any] = field(default_factory=dict)


def export_run(run: TrainedRun, options: ExportOptions) -> ExportReport:
    """Export the pose network of a run.

    Raises:
        ExportError: If it cannot be exported, or computes something else than torch does; no file
            is left then.
        DlcoreError: If there is no such snapshot, exporter or image.
    """
    snapshot = run.snapshot(options.snapshot)
    exporter: Exporter = build(run.host, "exporters", options.format, key="--format")
    path = (options.output or default_file(run, snapshot, exporter.suffix)).expanduser()
    json_path = path.with_name(path.name + ".json")
    if path.exists() and not options.overwrite:
        return ExportReport(path, json_path, kept=True)
    return _Job(run, options, snapshot, exporter).export(path, json_path)


class _Job:
    """One export."""

    def __init__(
        self, run: TrainedRun, options: ExportOptions, snapshot: Path, exporter: Exporter
    ) -> None:
        config = run.loaded.config
        self.run, self.options, self.snapshot, self.exporter = run, options, snapshot, exporter
        self.backend: Any = run.host.find("inference_backends", exporter.backend).component.load()
        self.parts: PoseParts = pose_parts(run, config.train_settings.images_at_once)
        load_weights(self.parts.model, load_snapshot(snapshot)["model"], snapshot)
        cpu = Computation(torch.device("cpu"), Precision("fp32", "cpu"), channels_last=False)
        self.torch = TorchNetwork(self.parts.model, self.parts.task, self.parts.normalization, cpu)
        self.conditional = self.parts.model.backbone.takes_conditions
        self.tries = Tries(self.parts, config.method, config.data.bbox_margin)
        self.any_size = self._takes_any_size()

    def _takes_any_size(self) -> bool:
        if self.parts.crop is not None:
            if self.options.size is not None:
                width, height = self.parts.crop.size
                raise ExportError(f"size: the model takes crops, which are {width}x{height}")
            return False
        return self.options.size is None and len(self.tries.sizes()) > 1

    def export(self, path: Path, json_path: Path) -> ExportReport:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
            made = Path(folder) / path.name
            description = self._write(made)
            backend: InferenceBackend = build(
                self.run.host,
                "inference_backends",
                {"type": self.exporter.backend},
                made,
                torch.device("cpu"),
            )
            self._require_dynamic(backend)
            parities = self._check(backend, description)
            del backend  # it may hold the file
            made.replace(path)
        description["parity"] = [parity.to_json() for parity in parities]
        write_text(json_path, json.dumps(description, indent=2) + "\n")
        return ExportReport(path, json_path, parities=parities, description=description)

    def _write(self, path: Path) -> dict[str, Any]:
        parts = self.parts.model.parts
        decoded = {n for n, p in parts.items() if p.predictor.traceable and self.options.decode}
        for name in sorted(set(parts) - decoded):
            reason = "its predictor cannot be exported" if self.options.decode else "as asked for"
            LOGGER.info("head %r: its outputs are exported, not what they mean: %s", name, reason)
        try:
            return self._write_with(decoded, path)
        except ExportError as error:
            if not decoded:
                raise
            LOGGER.warning("%s; trying to export the outputs of the heads alone", error)
            return self._write_with(set(), path)

    def _write_with(self, decoded: set[str], path: Path) -> dict[str, Any]:
        network = ExportableNetwork(self.parts.model, self.parts.normalization, decoded)
        example = inputs_of(self._random(2), conditional=self.conditional)
        outputs = network.outputs(*example)
        axes = {0: "batch"} | ({2: "height", 3: "width"} if self.any_size else {})
        inputs = [ExportInput(IMAGES, example[0], axes)]
        inputs += [ExportInput(CONDITIONS, tensor, {0: "batch"}) for tensor in example[1:]]
        description = self._describe(inputs, outputs, network(*example))
        LOGGER.info("exporting %s: this takes a minute or so", self.snapshot.name)
        names = [output.name for output in outputs]
        self.exporter.export(network, inputs, names, path, json.dumps(description))
        return description

    def _random(self, count: int, size: tuple[int, int] = EXAMPLE_SIZE, seed: int = 0) -> Batch:
        if self.options.size is not None:
            size = self.options.size[1], self.options.size[0]
        return self.tries.random(count, size, seed)

    def _describe(
        self, inputs: Sequence[ExportInput], outputs: Sequence[Output], found: Sequence[Tensor]
    ) -> dict[str, Any]:
        return describe(
            self.run,
            self.parts,
            self.snapshot,
            inputs,
            list(zip(outputs, found, strict=True)),
            size_multiple=self.tries.size_multiple() if self.any_size else None,
            format=str(self.options.format["type"]),
            versions=self._versions(),
        )

    def _versions(self) -> dict[str, str]:
        found = {"dlcore": __version__, "python": platform.python_version()}
        for name in (*self.exporter.packages, *self.backend.packages):
            try:
                found[name] = version(name)
            except PackageNotFoundError:
                found[name] = "unknown"
        return found

    def _require_dynamic(self, backend: InferenceBackend) -> None:
        batch, _, height, width = backend.shapes[IMAGES]
        if batch is not None:
            raise ExportError(
                f"the exported network takes {batch} images at once and no other number: something "
                f"in the model makes their number a constant"
            )
        if self.any_size and not (height is None and width is None):
            raise ExportError(
                f"the exported network takes images of {width or 'any'}x{height or 'any'} only: "
                f"something in the model makes their size a constant; choose one size with --size"
            )

    def _check(self, backend: InferenceBackend, description: Mapping[str, Any]) -> list[Parity]:
        batches = [("random", self._random(1, (192, 256), 1)), ("random", self._random(3, seed=2))]
        if self.any_size:
            multiple = int(description["size_multiple"])
            side = multiple * (128 // multiple + 1)
            batches.append(("random", self._random(2, (side, side + 2 * multiple), 3)))
        real = self.tries.real(self.run, self.options.images)
        if not real:
            LOGGER.warning(
                "no real images are found to check the exported network with, only random ones; "
                "name some with --images"
            )
        outputs = [Output(o["head"], o["output"], o["decoded"]) for o in description["outputs"]]
        parities = []
        for kind, batch in [*batches, *(("real", batch) for batch in real)]:
            parity = self._compare(backend, outputs, kind, batch)
            LOGGER.info("compared with torch: %s", parity)
            parities.append(parity)
        wrong = [parity for parity in parities if not parity.within(self.options.tolerance)]
        if wrong:
            raise ExportError(
                "the exported network computes something else than torch does, and no file is "
                f"left: {'; '.join(map(str, wrong))}; export another --format, or with --no-decode"
            )
        return parities

    def _compare(
        self, backend: InferenceBackend, outputs: Sequence[Output], kind: str, batch: Batch
    ) -> Parity:
        inputs = inputs_of(batch, conditional=self.conditional)
        names = [IMAGES, CONDITIONS]
        found = backend.run(dict(zip(names, inputs, strict=False)))
        by_head = self.torch.both(batch)
        reference = {o: by_head[o.decoded][o.head][o.output] for o in outputs}
        height, width = batch.images.shape[2:]
        return compare(kind, (width, height), reference, found, self.options.tolerance)
