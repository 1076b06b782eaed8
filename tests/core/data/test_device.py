"""Promises about the way to the device: bytes in, normalised floats out, layout kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from dlcore.data.device import Normalization, to_device
from dlcore.data.samples import collate, finish_sample, make_sample
from tests.core.data.pictures import TASK, make_record


@pytest.fixture
def batch():
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    image[0, 0] = 255
    return collate([finish_sample(make_sample(make_record(Path("a")), image, TASK, 5))], [3], TASK)


def test_white_becomes_the_known_values(batch):
    moved = to_device(batch, "cpu", Normalization.from_config(True, False))

    white = moved.images[0, :, 0, 0]
    torch.testing.assert_close(white, torch.tensor([2.249, 2.429, 2.640]), atol=5e-4, rtol=0)


@pytest.mark.parametrize(
    ("normalize", "scale", "expected"),
    [
        (True, False, lambda x, mean, std: (x / 255 - mean) / std),
        (False, True, lambda x, mean, std: x / 255),
        (True, True, lambda x, mean, std: (x / 255 - mean) / std / 255),
        (False, False, lambda x, mean, std: x),
    ],
)
def test_normalisation_follows_the_config(batch, normalize, scale, expected):
    before = batch.images.clone()
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)

    moved = to_device(batch, "cpu", Normalization.from_config(normalize, scale))

    assert moved.images.dtype == torch.float32
    torch.testing.assert_close(
        moved.images, expected(before.float(), mean, std), atol=1e-5, rtol=1e-5
    )
    assert torch.equal(batch.images, before)


def test_the_constants_go_to_a_device_once(batch, monkeypatch):
    normalization = Normalization((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    first = normalization(batch.images)
    monkeypatch.setattr(torch, "tensor", None)

    assert torch.equal(normalization(batch.images), first)


def test_both_layouts_give_the_same_numbers_and_keep_theirs(batch):
    normalization = Normalization.from_config(True, False)
    last, first = batch.images, batch.images.contiguous()
    assert last.is_contiguous(memory_format=torch.channels_last)

    one, other = normalization(last), normalization(first)

    assert torch.equal(one, other)
    assert one.is_contiguous(memory_format=torch.channels_last)
    assert other.is_contiguous()


def test_normalisation_equals_that_of_deeplabcut(shared):
    reference = np.load(shared / "peer" / "reference" / "augmentation" / "augmentation.npz")
    images = torch.from_numpy(reference["image"]).permute(2, 0, 1)[None]

    for name, flags in {"normalize": (True, False), "unit_range": (False, True)}.items():
        ours = Normalization.from_config(*flags)(images)[0].permute(1, 2, 0)
        np.testing.assert_allclose(ours, reference[f"{name}/image"], atol=1e-6)


@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
def test_the_memory_layout_is_the_one_asked_for(batch, memory_format):
    normalization = Normalization.from_config(True, False)

    moved = to_device(batch, "cpu", normalization, memory_format)

    assert moved.images.is_contiguous(memory_format=memory_format)


def test_floats_are_not_changed_in_place():
    images = torch.ones(1, 3, 2, 2)

    Normalization.from_config(True, False)(images)

    assert (images == 1).all()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_images_and_labels_go_to_the_gpu(batch):
    moved = to_device(batch.pin_memory(), "cuda", Normalization.from_config(True, False))

    assert moved.images.is_cuda
    assert moved.images.is_contiguous(memory_format=torch.channels_last)
    assert moved.labels.keypoints.is_cuda
    assert not moved.to_network.is_cuda
