"""Weights from local files: find them, read them safely, and say why they do not fit."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

PACKAGE = "package:"
SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")
_WRAPPERS = ("state_dict", "model")
_COUNTER = "num_batches_tracked"


def find_file(name: str) -> Path:
    """The file that a user names.

    Args:
        name: A path, or "package:NAME/PATH" for a file of an installed Python package, or
            "package:NAME" where the package holds one file of weights.

    Raises:
        ValueError: If there is no such file.
    """
    if name.startswith(PACKAGE):
        return _in_package(name)
    path = Path(name).expanduser()
    if not path.is_file():
        raise ValueError(f"pretrained: there is no file {str(path.absolute())!r}")
    return path


def _in_package(name: str) -> Path:
    package, _, inside = name.removeprefix(PACKAGE).partition("/")
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"pretrained: {name!r} needs the package {package!r}, not installed here")
    folder = Path(spec.submodule_search_locations[0])
    if inside:
        if not (folder / inside).is_file():
            raise ValueError(f"pretrained: there is no file {inside!r} in the package {package!r}")
        return folder / inside
    found = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)
    if len(found) != 1:
        listed = ", ".join(path.relative_to(folder).as_posix() for path in found) or "none"
        raise ValueError(
            f"pretrained: {name!r} must name one file of weights, and the package has: {listed}"
        )
    return found[0]


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a file, without running code that it may hold.

    Raises:
        ValueError: If it cannot be read, or holds something else.
    """
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = (str(error) or type(error).__name__).partition("\n")[0]
        raise ValueError(
            f"pretrained: {str(path)!r} cannot be read as weights ({reason}); "
            f"it must be a .safetensors file or a plain state dict saved by torch"
        ) from error
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not all(map(torch.is_tensor, content.values())):
        raise ValueError(f"pretrained: {str(path)!r} holds no state dict")
    return {key.removeprefix("module."): value for key, value in content.items()}


def explain_misfit(state: Mapping[str, Tensor], model: nn.Module) -> str:
    """In a line, how the tensors of a file differ from those of a model."""
    own, given = shapes(model.state_dict()), shapes(state)
    parts = [
        _some("unknown", [key for key in given if key not in own]),
        _some("missing", [key for key in own if key not in given]),
        _some("of another shape", [key for key in own if key in given and own[key] != given[key]]),
    ]
    return "; ".join(part for part in parts if part)


def _some(what: str, names: list[str]) -> str:
    if not names:
        return ""
    more = ", ..." if len(names) > 3 else ""
    return f"{len(names)} tensors are {what} ({', '.join(names[:3])}{more})"


def shapes(state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """The shapes of a state dict, without the counters of batch norm that old files lack."""
    return {key: tuple(value.shape) for key, value in state.items() if not key.endswith(_COUNTER)}
