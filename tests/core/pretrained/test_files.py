from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from dlcore.pretrained import explain_misfit, find_file, read_state_dict


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


@pytest.fixture
def make_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def make(name: str, *files: str) -> Path:
        folder = tmp_path / "site" / name
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("raise RuntimeError('the package was imported')")
        for file in files:
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).write_bytes(b"")
        return folder

    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return make


# Finding


def test_a_path_is_found(tmp_path: Path) -> None:
    (tmp_path / "weights.pth").touch()

    assert find_file(str(tmp_path / "weights.pth")) == tmp_path / "weights.pth"


def test_the_home_folder_may_be_abbreviated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "weights.pth").touch()

    assert find_file("~/weights.pth") == tmp_path / "weights.pth"


def test_a_file_of_a_package_is_found_without_importing_it(make_package: Any) -> None:
    folder = make_package("with_weights", "models/a.pth", "models/b.pth")

    assert find_file("package:with_weights/models/b.pth") == folder / "models/b.pth"
    assert "with_weights" not in sys.modules


def test_the_only_weights_of_a_package_need_no_path(make_package: Any) -> None:
    folder = make_package("with_one", "models/a.safetensors", "models/readme.txt")

    assert find_file("package:with_one") == folder / "models/a.safetensors"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere/weights.pth", r"pretrained: there is no file '.*nowhere/weights\.pth'"),
        ("package:not_installed", "needs the package 'not_installed', not installed here"),
        ("package:", "needs the package '', not installed here"),
        ("package:two/models/c.pth", "no file 'models/c.pth' in the package 'two'"),
        ("package:two", r"one file of weights, and the package has: models/a\.pt, models/b\.bin"),
        ("package:empty", "one file of weights, and the package has: none"),
    ],
)
def test_what_is_not_there_is_named(make_package: Any, name: str, message: str) -> None:
    make_package("two", "models/a.pt", "models/b.bin")
    make_package("empty")

    with pytest.raises(ValueError, match=message):
        find_file(name)


# Reading


WRAPPED = {
    "plain": lambda state: state,
    "state_dict": lambda state: {"state_dict": state, "epoch": 3},
    "model": lambda state: {"model": state, "optimizer": {}},
    "parallel": lambda state: {f"module.{key}": value for key, value in state.items()},
}


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED.keys())
def test_a_state_dict_is_read(tmp_path: Path, wrap: Any) -> None:
    state = network().state_dict()
    torch.save(wrap(state), tmp_path / "weights.pt")

    read = read_state_dict(tmp_path / "weights.pt")

    assert list(read) == list(state)
    assert all(torch.equal(read[key], state[key]) for key in read)


def test_safetensors_are_read(tmp_path: Path) -> None:
    save_file({"a": torch.ones(3)}, tmp_path / "weights.safetensors")

    assert torch.equal(read_state_dict(tmp_path / "weights.safetensors")["a"], torch.ones(3))


class Trap:
    def __reduce__(self) -> Any:
        return print, ("code from the file ran",)


def test_code_in_a_file_is_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"a": Trap()}, tmp_path / "trap.pth")

    with pytest.raises(ValueError, match="cannot be read as weights"):
        read_state_dict(tmp_path / "trap.pth")
    assert "code" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["broken.pth", "broken.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04truncated"])
def test_a_damaged_file_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(ValueError, match=f"pretrained: '.*{name}' cannot be read as weights"):
        read_state_dict(tmp_path / name)


@pytest.mark.parametrize("content", [[1, 2], {"a": 1}, torch.ones(2)], ids=type)
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "other.pt")

    with pytest.raises(ValueError, match="holds no state dict"):
        read_state_dict(tmp_path / "other.pt")


# Explaining


def test_a_misfit_is_explained_in_a_line() -> None:
    state = network().state_dict()
    state["0.bias"] = state["0.bias"][:2]
    state["extra"] = state.pop("1.weight")

    assert explain_misfit(state, network()) == (
        "1 tensors are unknown (extra); 1 tensors are missing (1.weight); "
        "1 tensors are of another shape (0.bias)"
    )


def test_counters_of_batch_norm_are_no_misfit() -> None:
    state = network().state_dict()
    del state["1.num_batches_tracked"]

    assert explain_misfit(state, network()) == ""
