from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.models import mobilenet_v3_large, resnet18
from torchvision.models.detection import backbone_utils
from torchvision.ops import FrozenBatchNorm2d

from dlcore_plugins.torchvision_detectors.layers import fix_norms, freeze_stages


def trained(body):
    return {name for name, parameter in body.named_parameters() if parameter.requires_grad}


@pytest.mark.parametrize("stages", range(6))
def test_stages_of_a_resnet_are_those_of_torchvision(stages):
    expected = backbone_utils.resnet_fpn_backbone(
        backbone_name="resnet18",
        weights=None,
        norm_layer=nn.BatchNorm2d,
        trainable_layers=stages,
    ).body
    body = backbone_utils.resnet_fpn_backbone(
        backbone_name="resnet18", weights=None, norm_layer=nn.BatchNorm2d, trainable_layers=5
    ).body
    freeze_stages(body, stages, from_scratch=False)

    assert trained(body) == trained(expected)


@pytest.mark.parametrize("stages", range(7))
def test_stages_of_a_mobilenet_are_those_of_torchvision(stages):
    def make(trainable):
        return backbone_utils.mobilenet_backbone(
            backbone_name="mobilenet_v3_large",
            weights=None,
            fpn=True,
            norm_layer=nn.BatchNorm2d,
            trainable_layers=trainable,
        ).body

    body = make(6)
    freeze_stages(body, stages, from_scratch=False)

    assert trained(body) == trained(make(stages))


def test_by_default_all_stages_are_trained_from_scratch_and_three_otherwise():
    scratch, other = mobilenet_v3_large().features, mobilenet_v3_large().features
    freeze_stages(scratch, None, from_scratch=True)
    freeze_stages(other, None, from_scratch=False)

    assert trained(scratch) == {name for name, _ in scratch.named_parameters()}
    assert {int(name.partition(".")[0]) for name in trained(other)} == set(range(7, 17))


@pytest.mark.parametrize("stages", [-1, 7])
def test_a_wrong_number_of_stages_is_refused(stages):
    with pytest.raises(ValueError, match=f"trainable_backbone_layers .* 0 to 6 .* {stages}"):
        freeze_stages(mobilenet_v3_large().features, stages, from_scratch=True)


def test_fixed_norms_compute_the_same_from_the_same_statistics():
    network = resnet18().eval()
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    state = network.state_dict()
    fixed = resnet18()
    fix_norms(fixed)
    fixed.load_state_dict(state)
    images = torch.randn(2, 3, 32, 32)

    assert not any(isinstance(module, nn.BatchNorm2d) for module in fixed.modules())
    assert any(isinstance(module, FrozenBatchNorm2d) for module in fixed.modules())
    with torch.no_grad():
        torch.testing.assert_close(fixed.train()(images), network(images), rtol=1e-4, atol=1e-4)
