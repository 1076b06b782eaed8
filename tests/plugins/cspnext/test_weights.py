from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from dlcore_plugins.cspnext import weights
from dlcore_plugins.cspnext.backbone import CSPNeXt

TINY: dict[str, Any] = {"deepen_factor": 0.1, "widen_factor": 0.125}


@pytest.fixture
def trained() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return CSPNeXt(**TINY).state_dict()


def same(backbone: CSPNeXt, state: dict[str, torch.Tensor]) -> bool:
    own = backbone.state_dict()
    return all(torch.equal(value, state[key]) for key, value in own.items())


def test_a_file_as_deeplabcut_offers_it_is_loaded(tmp_path: Path, trained: Any) -> None:
    torch.save({"state_dict": trained}, tmp_path / "weights.pt")

    assert same(CSPNeXt(**TINY, pretrained=str(tmp_path / "weights.pt")), trained)


def test_the_backbone_of_a_snapshot_is_loaded(tmp_path: Path, trained: Any) -> None:
    model = {f"backbone.{key}": value for key, value in trained.items()}
    model["heads.bodypart.final.weight"] = torch.zeros(2)
    torch.save({"model": model, "metadata": {"epoch": 3}}, tmp_path / "snapshot-003.pt")

    assert same(CSPNeXt(**TINY, pretrained=str(tmp_path / "snapshot-003.pt")), trained)


def test_stages_that_are_left_out_may_be_in_the_file(tmp_path: Path, trained: Any) -> None:
    torch.save(trained, tmp_path / "weights.pt")

    backbone = CSPNeXt(**TINY, out_indices=2, pretrained=str(tmp_path / "weights.pt"))

    assert same(backbone, trained)


def test_a_folder_is_searched_before_the_hub(tmp_path: Path, trained: Any) -> None:
    torch.save({"state_dict": trained}, tmp_path / "cspnext_m.pt")

    backbone = CSPNeXt(**TINY, pretrained=True, backbone_weight_folder=str(tmp_path))

    assert same(backbone, trained)


def test_deeplabcuts_file_is_fetched_from_the_hub(
    tmp_path: Path, trained: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def from_hub(model_name: str, repository: str, files: list[str]) -> Path:
        asked.append((model_name, repository, files))
        torch.save({"state_dict": trained}, tmp_path / files[0])
        return tmp_path / files[0]

    monkeypatch.setattr(weights, "from_hub", from_hub)

    backbone = CSPNeXt(**TINY, model_name="cspnext_s", pretrained=True)

    assert same(backbone, trained)
    assert asked == [("cspnext_s", "DeepLabCut/DeepLabCut-Backbones", ["cspnext_s.pt"])]


def test_weights_that_cannot_be_had_are_an_error_with_advice() -> None:
    with pytest.raises(ValueError, match=r"(?s)'cspnext_m' cannot be had.*pretrained: false"):
        CSPNeXt(pretrained=True)


def test_weights_of_another_size_are_refused(tmp_path: Path) -> None:
    other = CSPNeXt(deepen_factor=0.4, widen_factor=0.125).state_dict()
    torch.save(other, tmp_path / "weights.pt")

    with pytest.raises(ValueError, match=r"pretrained: .*deepen_factor.* tensors are unknown"):
        CSPNeXt(**TINY, pretrained=str(tmp_path / "weights.pt"))


def test_a_missing_file_is_an_error() -> None:
    with pytest.raises(ValueError, match="pretrained: there is no file"):
        CSPNeXt(**TINY, pretrained="nowhere.pt")
