"""What every variant of every detector does with the options that they share."""

from __future__ import annotations

import typing

import pytest
import torch
from torch import nn
from torchvision.models import get_model_weights
from torchvision.ops import FrozenBatchNorm2d

from dlcore_plugins.torchvision_detectors.dense import FCOS, RetinaNet
from dlcore_plugins.torchvision_detectors.detector import IMAGENET_MEAN, IMAGENET_STD
from dlcore_plugins.torchvision_detectors.faster_rcnn import FasterRCNN
from dlcore_plugins.torchvision_detectors.options import CocoClass
from dlcore_plugins.torchvision_detectors.ssdlite import SSDLite

VARIANTS = {
    "fasterrcnn_mobilenet_v3_large_fpn": FasterRCNN,
    "fasterrcnn_mobilenet_v3_large_320_fpn": FasterRCNN,
    "fasterrcnn_resnet50_fpn": FasterRCNN,
    "fasterrcnn_resnet50_fpn_v2": FasterRCNN,
    "retinanet_resnet50_fpn": RetinaNet,
    "retinanet_resnet50_fpn_v2": RetinaNet,
    "fcos_resnet50_fpn": FCOS,
    "ssdlite320_mobilenet_v3_large": SSDLite,
}
LEARNING = {"fasterrcnn_resnet50_fpn_v2", "retinanet_resnet50_fpn_v2"} | {
    "ssdlite320_mobilenet_v3_large"
}
"""Variants with batch-norm layers that can learn."""

FRESH = "roi_heads.box_predictor."
IMAGES = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
BOX = {"boxes": torch.tensor([[10.0, 10, 50, 40]]), "labels": torch.tensor([1])}


def make(variant, **options):
    cls = VARIANTS[variant]
    if cls in (FasterRCNN, RetinaNet):
        options["variant"] = variant
    if cls is not SSDLite:
        options.setdefault("min_size", 64)
    return cls(**options)


@pytest.mark.parametrize("variant", VARIANTS)
def test_batch_norm_layers_are_frozen_as_asked(variant):
    frozen = make(variant, freeze_bn_stats=True, freeze_bn_weights=True, pretrained=False)
    norms = [m for m in frozen.modules() if isinstance(m, nn.BatchNorm2d)]

    assert bool(norms) == (variant in LEARNING)
    assert frozen.training
    assert not any(norm.training for norm in norms)
    assert not any(p.requires_grad for norm in norms for p in norm.parameters())
    assert frozen.fixed_norms
    others = [m for m in frozen.modules() if isinstance(m, nn.Conv2d)]
    assert all(p.requires_grad for module in others for p in module.parameters())


@pytest.mark.parametrize("variant", VARIANTS)
def test_weights_of_coco_are_taken_with_the_classes_and_without(variant, tmp_path):
    """A file of random weights with the 91 classes of torchvision's."""
    torch.manual_seed(1)
    given = make(variant, classes=["dog", "cat"], box_score_thresh=0.3)
    state = given.model.state_dict()
    torch.save(state, tmp_path / "coco.pth")

    same = make(variant, classes=["bear"], pretrained=str(tmp_path / "coco.pth"))
    two = make(variant, pretrained=str(tmp_path / "coco.pth"))

    assert all(torch.equal(value, state[key]) for key, value in same.model.state_dict().items())
    differing = {k for k, v in two.model.state_dict().items() if v.shape != state[k].shape}
    assert all("cls_" in key or "classification" in key or FRESH in key for key in differing)
    assert len(differing) >= 2
    assert given.fixed_norms == (variant not in LEARNING)
    assert given.fixed_norms == any(isinstance(m, FrozenBatchNorm2d) for m in given.modules())
    threshold = getattr(given.model, "roi_heads", given.model).score_thresh
    assert threshold == (0.001 if variant.startswith("ssd") else 0.3)


@pytest.mark.parametrize("variant", VARIANTS)
def test_images_without_animals_teach_what_is_background(variant):
    torch.manual_seed(0)
    detector = make(variant, pretrained=False)
    empty = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}

    losses, _ = detector(IMAGES, [empty])
    sum(losses.values()).backward()

    gradients = {n: p.grad for n, p in detector.named_parameters() if p.grad is not None}
    assert all(loss.isfinite() for loss in losses.values())
    assert all(gradient.isfinite().all() for gradient in gradients.values())
    classifies = ("cls_score", "cls_logits", "classification_head")
    assert any(g.any() for n, g in gradients.items() if any(word in n for word in classifies))
    assert any(g.any() for n, g in gradients.items() if "backbone" in n)


@pytest.mark.parametrize("variant", ["ssdlite320_mobilenet_v3_large", *list(VARIANTS)[1:2]])
@pytest.mark.parametrize(
    "box",
    [
        [0.0, 0, 64, 64],
        [-20.0, -20, 90, 90],
        [100.0, 100, 130, 120],
        [30.0, 30, 30, 50],
        [torch.nan, 3, 20, 20],
        [3.0, 3, torch.inf, 20],
    ],
)
def test_odd_boxes_leave_the_losses_finite(variant, box):
    detector = make(variant, pretrained=False)
    losses, _ = detector(IMAGES, [{"boxes": torch.tensor([box]), "labels": torch.tensor([1])}])

    assert all(loss.isfinite() for loss in losses.values())


def test_the_names_of_the_classes_are_those_of_every_file_for_coco():
    for variant in VARIANTS:
        names = get_model_weights(variant)["COCO_V1"].meta["categories"]
        assert len(names) == 91
        assert set(typing.get_args(CocoClass)) < set(names)


class Told(nn.Module):
    """Stands for a network: gives what it is told, and what it was trained on."""

    def __init__(self, network, **found):
        super().__init__()
        self.transform = network.transform
        self.found = {name: torch.tensor(values) for name, values in found.items()}
        self.targets = None

    def forward(self, images, targets=None):
        self.targets = targets
        return {"loss": torch.zeros(())} if self.training else [self.found]


CAT, DOG, PERSON = 17, 18, 1
FOUND = {
    "boxes": [[0.0, 0, 9, 9], [0, 0, 9, 10], [20, 20, 30, 30], [1, 0, 9, 9], [40, 40, 50, 50]],
    "scores": [0.9, 0.8, 0.7, 0.6, 0.5],
    "labels": [PERSON, DOG, DOG, CAT, CAT],
}


def with_classes(*classes, **options):
    detector = SSDLite(classes=classes, **options)
    detector.model = Told(detector.model, **FOUND)
    return detector


def scores_of(detector):
    _, (found,) = detector.eval()(IMAGES)
    assert found["labels"].tolist() == [1] * len(found["scores"])
    return found["scores"].tolist()


def test_only_the_classes_asked_for_are_reported_each_animal_once():
    assert scores_of(with_classes("dog")) == pytest.approx([0.8, 0.7])
    assert scores_of(with_classes("cat")) == pytest.approx([0.6, 0.5])
    # the first dog is a cat too, with a lower score
    assert scores_of(with_classes("cat", "dog")) == pytest.approx([0.8, 0.7, 0.5])
    assert scores_of(with_classes("zebra")) == []


def test_the_best_of_the_classes_asked_for_are_kept():
    assert scores_of(with_classes("cat", "dog", max_detections=2)) == pytest.approx([0.8, 0.7])
    assert scores_of(with_classes("cat", max_detections=1)) == pytest.approx([0.6])


def test_individuals_count_as_the_first_class_in_training():
    detector = with_classes("dog", "cat")
    detector(IMAGES, [BOX])

    assert detector.model.targets[0]["labels"].tolist() == [DOG]


def test_a_detector_of_coco_learns():
    torch.manual_seed(0)
    losses, _ = SSDLite(classes=["dog"], pretrained=False)(IMAGES, [BOX])
    sum(losses.values()).backward()

    assert all(loss.isfinite() for loss in losses.values())


def test_images_are_normalised_once_for_weights_of_coco():
    mean, std = (torch.tensor(v)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_STD))
    image = torch.rand(3, 320, 320, generator=torch.Generator().manual_seed(0))
    for cls, options in ((SSDLite, {}), (FCOS, {"min_size": 320})):
        seen = cls(classes=["dog"], **options).model.transform.normalize((image - mean) / std)
        expected = cls(**options).model.transform.normalize(image)
        torch.testing.assert_close(seen, expected)


def test_no_classes_at_all_are_refused():
    with pytest.raises(ValueError, match="classes must name at least one class of COCO"):
        SSDLite(classes=[])
