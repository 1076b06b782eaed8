from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from timm.models import get_pretrained_cfg

from dlcore_plugins.timm_backbones import hub
from dlcore_plugins.timm_backbones.hub import fetch


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was asked for; nothing is looked up or downloaded."""
    calls: list[Any] = []

    def ask(*what: Any) -> Path:
        calls.append(what)
        return Path("weights")

    monkeypatch.setattr(hub, "from_hub", ask)
    monkeypatch.setattr(hub, "from_url", ask)
    return calls


def recommend(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    config = get_pretrained_cfg("resnet18")
    assert config is not None
    for name, value in changes.items():
        setattr(config, name, value)
    monkeypatch.setattr(hub, "get_pretrained_cfg", lambda _: config)


def test_the_weights_are_those_that_timm_recommends(asked: list[Any]) -> None:
    assert fetch("resnet18") == Path("weights")

    files = ("model.safetensors", "pytorch_model.bin")
    assert asked == [("resnet18", "timm/resnet18.a1_in1k", files, None)]


def test_a_file_and_a_revision_may_be_fixed(
    asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    recommend(monkeypatch, hf_hub_id="acme/nets@v2", hf_hub_filename="r.bin")

    fetch("resnet18")

    assert asked == [("resnet18", "acme/nets", ("r.bin",), "v2")]


def test_weights_that_are_not_on_the_hub_have_an_address(
    asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    recommend(monkeypatch, hf_hub_id=None, url="https://example.invalid/r.pth")

    fetch("resnet18")

    assert asked == [("resnet18", "https://example.invalid/r.pth")]


def test_a_model_without_weights_is_explained() -> None:
    with pytest.raises(ValueError, match="timm has no weights for 'resnet8000'"):
        fetch("resnet8000")
