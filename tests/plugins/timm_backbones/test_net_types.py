from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

from dlcore import DlcoreError
from dlcore.config.loading import load_config
from dlcore.engine.assembly import build_model
from dlcore.interfaces import PoseTask
from dlcore.plugin_host import PluginHost
from dlcore.testing import check_net_type
from dlcore_plugins.timm_backbones.net_types import LightEfficientNet

TASK = PoseTask(keypoints=("nose", "neck", "tail"), unique_keypoints=("corner", "cup"))


def test_keeps_the_net_type_contract() -> None:
    check_net_type(LightEfficientNet(), TASK)


def test_its_config_is_valid_and_builds_what_it_declares(host: PluginHost, tmp_path: Path) -> None:
    path = tmp_path / "pytorch_config.yaml"
    path.write_text(yaml.safe_dump(LightEfficientNet().config(TASK)))

    model = build_model(host, load_config(path, host).config, TASK, fresh=False).eval()

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.backbone(torch.zeros(1, 3, 256, 256))
    with torch.no_grad():
        outputs = model(torch.zeros(1, 3, 128, 128))
    size = sum(parameter.numel() for parameter in model.backbone.parameters())
    assert model.strides["bodypart"] == LightEfficientNet.stride
    assert size / 1e6 == pytest.approx(LightEfficientNet.parameters, abs=0.05)
    assert counter.get_total_flops() / 2e9 == pytest.approx(LightEfficientNet.gflops, abs=0.005)
    assert outputs["bodypart"]["heatmap"].shape == (1, 3, 17, 17)
    assert outputs["unique_bodypart"]["locref"].shape == (1, 4, 17, 17)


def test_several_individuals_are_refused() -> None:
    with pytest.raises(DlcoreError, match="finds one individual per image, not 2"):
        LightEfficientNet().config(PoseTask(keypoints=("nose",), individuals=("a", "b")))
