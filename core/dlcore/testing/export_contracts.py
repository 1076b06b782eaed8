"""Contracts of exporters and inference backends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from dlcore.errors import ExportError
from dlcore.interfaces import Exporter, ExportInput, InferenceBackend
from dlcore.testing.assertions import expect, expect_instance

MakeBackend = Callable[[Path, torch.device], InferenceBackend]

_METADATA = '{"written": "by a test", "umlaut": "\u00e4"}'
_OUTPUTS = ("head.maps", "head.best")
_TOLERANCE = 1e-4


class _Network(nn.Module):
    """Images (B, 3, H, W) uint8 and points (B, 2) to maps (B, 4, h, w) and the best cell (B, 4)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4))

    def forward(self, images: Tensor, points: Tensor) -> tuple[Tensor, ...]:
        maps = self.layers(images.float() / 255) + points.sum(dim=1)[:, None, None, None]
        return maps, maps.flatten(2).argmax(dim=2)


class _Untraceable(nn.Module):
    """Does this or that, as the values are."""

    def forward(self, images: Tensor, points: Tensor) -> tuple[Tensor, ...]:
        return (images if images.float().sum() > 0 else images[:1], points)


def check_exporter(exporter: Exporter, make_backend: MakeBackend, folder: Path) -> None:
    """Check that an exporter's files compute what the network does, and that it tells what fails.

    Args:
        exporter: To be checked.
        make_backend: Makes the backend that the exporter names, for a file and a device.
        folder: An empty folder.

    Raises:
        AssertionError: If a promise is broken; the message says which.
    """
    what = type(exporter).__name__
    expect_instance(exporter, Exporter, what)
    expect(exporter.suffix.startswith("."), f"{what}.suffix must begin with a dot")
    network = _network()
    path = folder / f"network{exporter.suffix}"
    exporter.export(network, _inputs(), _OUTPUTS, path, _METADATA)
    found = sorted(path.name for path in folder.iterdir())
    expect(found == [path.name], f"{what} must write {path.name} and nothing else, left {found}")
    backend = make_backend(path, torch.device("cpu"))
    expect(backend.format, f"{type(backend).__name__}.format must name its exporter")
    expect(
        backend.suffix == exporter.suffix,
        f"{what} writes {exporter.suffix}, but {type(backend).__name__} reads {backend.suffix}",
    )
    _check_run(network, backend, what)
    try:
        exporter.export(_Untraceable().eval(), _inputs(), _OUTPUTS, path, _METADATA)
    except ExportError:
        pass
    else:
        expect(False, f"{what} must raise ExportError for a network that does this or that")


def check_inference_backend(make_backend: MakeBackend, exporter: Exporter, folder: Path) -> None:
    """Check that a backend computes what was exported, and refuses what is no such file.

    Args:
        make_backend: Makes the backend for a file and a device.
        exporter: The exporter that the backend names.
        folder: An empty folder.

    Raises:
        AssertionError: If a promise is broken; the message says which.
    """
    network = _network()
    path = folder / f"network{exporter.suffix}"
    exporter.export(network, _inputs(), _OUTPUTS, path, _METADATA)
    backend = make_backend(path, torch.device("cpu"))
    what = type(backend).__name__
    expect_instance(backend, InferenceBackend, what)
    _check_run(network, backend, what)
    damaged = folder / f"damaged{exporter.suffix}"
    damaged.write_bytes(path.read_bytes()[:100])
    try:
        make_backend(damaged, torch.device("cpu"))
    except ExportError as error:
        expect(damaged.name in str(error), f"{what}: the error about a damaged file must name it")
    else:
        expect(False, f"{what} must raise ExportError for a damaged file")


def _network() -> nn.Module:
    torch.manual_seed(0)
    return _Network().eval()


def _inputs() -> list[ExportInput]:
    return [
        ExportInput("images", *_example(2, (16, 24)), {0: "batch", 2: "height", 3: "width"}),
        ExportInput("points", torch.ones(2, 2), {0: "batch"}),
    ]


def _example(count: int, size: tuple[int, int]) -> tuple[Tensor]:
    draw = torch.Generator().manual_seed(count)
    return (torch.randint(0, 255, (count, 3, *size), dtype=torch.uint8, generator=draw),)


def _check_run(network: nn.Module, backend: InferenceBackend, what: str) -> None:
    expect(
        backend.metadata == _METADATA,
        f"{what}: the file must keep the metadata as it is, got {backend.metadata!r}",
    )
    shapes = {"images": (None, 3, None, None), "points": (None, 2)}
    expect(
        {name: tuple(shape) for name, shape in backend.shapes.items()} == shapes,
        f"{what}: shapes must be {shapes}, got {dict(backend.shapes)}",
    )
    earlier: list[tuple[Tensor, Tensor]] = []
    for count, size in ((1, (16, 24)), (3, (16, 24)), (2, (31, 40))):
        (images,) = _example(count, size)
        points = torch.rand(count, 2)
        before = images.clone()
        found = backend.run({"images": images, "points": points})
        expect(torch.equal(images, before), f"{what} changes its inputs")
        expect(
            set(found) == set(_OUTPUTS),
            f"{what} must give {_OUTPUTS} by name, got {sorted(found)}",
        )
        with torch.no_grad():
            expected = dict(zip(_OUTPUTS, network(images, points), strict=True))
        for name in _OUTPUTS:
            given = found[name]
            same = given.shape == expected[name].shape and bool(
                (given.double() - expected[name].double()).abs().max() <= _TOLERANCE
            )
            expect(same, f"{what}: {name} of {count} images of {size} is not what torch gives")
        earlier.append((found[_OUTPUTS[0]], found[_OUTPUTS[0]].clone()))
    expect(
        all(torch.equal(one, copy) for one, copy in earlier),
        f"{what}: a later call overwrites what an earlier one gave",
    )
