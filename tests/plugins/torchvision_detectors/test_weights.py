from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn
from torchvision.models import get_model_weights
from torchvision.models.detection import ssdlite320_mobilenet_v3_large

from dlcore_plugins.torchvision_detectors import weights
from dlcore_plugins.torchvision_detectors.faster_rcnn import FasterRCNN
from dlcore_plugins.torchvision_detectors.ssdlite import SSDLite

SMALL = "fasterrcnn_mobilenet_v3_large_320_fpn"
LOGITS = "model.head.classification_head.module_list.0.1.weight"


@pytest.fixture(scope="module")
def coco(tmp_path_factory):
    """A file like torchvision's for COCO, of random weights."""
    torch.manual_seed(3)
    state = ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None).state_dict()
    path = tmp_path_factory.mktemp("coco") / "ssdlite.pth"
    torch.save(state, path)
    return path, state


def test_of_coco_background_and_animals_are_taken_for_each_anchor(coco):
    path, state = coco
    own = SSDLite(pretrained=str(path)).state_dict()

    given = state[LOGITS.removeprefix("model.")]
    for anchor in range(6):
        rows = given[91 * anchor : 91 * (anchor + 1)]
        torch.testing.assert_close(own[LOGITS][2 * anchor], rows[0])
        torch.testing.assert_close(own[LOGITS][2 * anchor + 1], rows[16:26].mean(dim=0))
    same = "model.backbone.features.0.0.0.weight"
    assert torch.equal(own[same], state[same.removeprefix("model.")])


def test_the_animals_of_coco_are_where_we_think():
    names = get_model_weights("ssdlite320_mobilenet_v3_large")["COCO_V1"].meta["categories"]

    assert len(names) == weights.COCO_CLASSES
    assert names[weights.COCO_ANIMALS] == (
        ["bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe"]
    )


def test_torchvisions_file_is_fetched_for_the_variant(coco, monkeypatch):
    path, state = coco
    asked = []
    monkeypatch.setattr(weights, "from_url", lambda *args: asked.append(args) or path)

    own = SSDLite(pretrained=True).state_dict()

    name = "ssdlite320_mobilenet_v3_large"
    assert asked == [(name, get_model_weights(name)["COCO_V1"].url)]
    assert torch.equal(
        own["model.head.classification_head.module_list.0.1.bias"][:1],
        state["head.classification_head.module_list.0.1.bias"][:1],
    )


def test_every_variant_has_weights_to_fetch():
    for name in [
        "fasterrcnn_mobilenet_v3_large_fpn",
        "fasterrcnn_mobilenet_v3_large_320_fpn",
        "fasterrcnn_resnet50_fpn",
        "fasterrcnn_resnet50_fpn_v2",
        "retinanet_resnet50_fpn",
        "retinanet_resnet50_fpn_v2",
        "fcos_resnet50_fpn",
    ]:
        assert get_model_weights(name)["COCO_V1"].url.startswith("https://")


def test_a_snapshot_is_taken_as_it_is(tmp_path):
    torch.manual_seed(1)
    trained = SSDLite().state_dict()
    torch.save({"model": trained, "metadata": {"epoch": 1}}, tmp_path / "snapshot-detector-001.pt")

    own = SSDLite(pretrained=str(tmp_path / "snapshot-detector-001.pt")).state_dict()

    assert all(torch.equal(own[key], trained[key]) for key in trained)


def test_faster_rcnn_takes_all_of_coco_but_the_last_layers(tmp_path):
    torch.manual_seed(2)
    coco = getattr(torchvision.models.detection, SMALL)(weights=None, weights_backbone=None)
    torch.save(coco.state_dict(), tmp_path / "coco.pth")

    own = FasterRCNN(variant=SMALL, pretrained=str(tmp_path / "coco.pth")).model.state_dict()

    given = coco.state_dict()
    differ = {key for key in own if own[key].shape != given[key].shape}
    last = "roi_heads.box_predictor."
    assert differ == {
        f"{last}{layer}.{kind}"
        for layer in ("cls_score", "bbox_pred")
        for kind in ("weight", "bias")
    }
    assert all(torch.equal(own[key], given[key]) for key in set(own) - differ)


def test_files_with_torchvisions_older_names_are_taken(tmp_path):
    state = {
        key.replace("inner_blocks.0.0.", "inner_blocks.0."): value
        for key, value in FasterRCNN(variant=SMALL).model.state_dict().items()
    }
    torch.save(state, tmp_path / "old.pth")

    own = FasterRCNN(variant=SMALL, pretrained=str(tmp_path / "old.pth")).model.state_dict()

    key = "backbone.fpn.inner_blocks.0.0.weight"
    assert torch.equal(own[key], state["backbone.fpn.inner_blocks.0.weight"])


def test_weights_of_another_network_are_refused(tmp_path, coco):
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"pretrained: .*other\.pth.* no weights of 'ssdlite"):
        SSDLite(pretrained=str(tmp_path / "other.pth"))
    with pytest.raises(ValueError, match="no weights of 'fasterrcnn_mobilenet"):
        FasterRCNN(variant=SMALL, pretrained=str(coco[0]))


def test_without_a_network_the_answer_comes_soon_with_advice(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    with pytest.raises(ValueError, match="cannot be had") as caught:
        FasterRCNN(variant=SMALL, pretrained=True)

    assert "pretrained: false" in str(caught.value)
    assert f"{tmp_path / 'hub' / 'checkpoints'}) to this machine or name it in TORCH_HOME" in str(
        caught.value
    )


@pytest.mark.parametrize("pretrained", [None, False])
def test_nothing_is_fetched_unless_asked(monkeypatch, pretrained):
    def refuse(*args, **kwargs):
        raise AssertionError("something is downloaded")

    monkeypatch.setattr(weights, "from_url", refuse)
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)

    FasterRCNN(variant=SMALL, pretrained=pretrained)
    SSDLite(pretrained=pretrained)
