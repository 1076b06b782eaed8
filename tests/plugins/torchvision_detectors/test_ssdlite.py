from __future__ import annotations

import pytest
import torch

from dlcore_plugins.torchvision_detectors.ssdlite import SSDLite

BOX = {"boxes": torch.tensor([[10.0, 10, 50, 40]]), "labels": torch.tensor([1])}
EMPTY = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}


@pytest.fixture
def detector():
    torch.manual_seed(0)
    return SSDLite(freeze_bn_stats=True)


@pytest.fixture
def images():
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_an_image_without_animals_teaches_what_is_background(detector, images):
    losses, _ = detector(images, [EMPTY, EMPTY])
    losses["classification"].backward()

    logits = detector.model.head.classification_head.module_list[0][1]
    animal, background = logits.bias.grad[1::2], logits.bias.grad[0::2]
    assert losses["classification"] > 0
    assert losses["bbox_regression"] == 0
    assert (animal >= 0).all()
    assert animal.sum() > 0
    assert (background <= 0).all()


def test_its_weight_is_that_of_the_background_of_another_image(detector, images):
    """Three times the mean loss of the hardest places, over the images of the batch."""
    with torch.no_grad():
        whole, _ = detector(images, [EMPTY, EMPTY])
        first, _ = detector(images[:1], [EMPTY])
        second, _ = detector(images[1:], [EMPTY])

    both = (first["classification"] + second["classification"]) / 2
    torch.testing.assert_close(whole["classification"], both)


def test_losses_with_animals_in_all_images_are_those_of_torchvision(detector, images):
    reference = super(type(detector.model), detector.model)
    seen = []

    def compute_loss(*args):
        seen.append(reference.compute_loss(*args))
        return seen[0]

    losses, _ = detector(images, [BOX, BOX])
    detector.model.compute_loss = compute_loss
    detector(images, [BOX, BOX])

    assert losses.keys() == seen[0].keys()
    for name, loss in losses.items():
        torch.testing.assert_close(loss, seen[0][name])


def test_a_batch_of_one_image_can_be_trained_on(images):
    detector = SSDLite()
    before = {name: value.clone() for name, value in detector.named_buffers()}

    losses, _ = detector(images[:1], [BOX])

    assert all(loss.isfinite() for loss in losses.values())
    assert all(torch.equal(value, before[name]) for name, value in detector.named_buffers())
    assert all(norm.training for norm in detector.batch_norms())
    detector(images, [BOX, BOX])
    assert any(not torch.equal(value, before[name]) for name, value in detector.named_buffers())


def test_only_score_thresh_leaves_out_detections(images):
    """Scores of random weights are about one half."""

    def count(**options):
        torch.manual_seed(0)
        with torch.no_grad():
            return sum(len(found["scores"]) for found in SSDLite(**options).eval()(images)[1])

    everything = count()

    assert everything > 0
    assert count(box_score_thresh=0.9) == count(box_score_thresh=None) == everything
    assert count(score_thresh=0.9) == 0


def test_at_most_max_detections_are_found(images):
    detector = SSDLite(max_detections=2).eval()
    with torch.no_grad():
        _, found = detector(images)

    assert [len(one["boxes"]) for one in found] == [2, 2]
