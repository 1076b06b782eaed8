"""The fakes are what they say: consistent, deterministic, and readable by others."""

from __future__ import annotations

import json
import sys

import cv2
import numpy as np
import pytest
import torch

from dlcore.interfaces import FeatureSpec
from dlcore.plugin_host import PluginHost
from dlcore.testing import (
    fake_batch,
    fake_features,
    fake_labels,
    fake_sample,
    fake_task,
    plugin_entry_point,
    write_dataset,
    write_plugin,
)

TASK = fake_task(4, num_individuals=2, num_unique=1)


def test_a_task_has_names_that_differ_and_a_pair():
    assert len(set(TASK.keypoints)) == TASK.num_keypoints == 4
    assert TASK.num_individuals == 2
    assert TASK.skeleton == ((0, 1), (1, 2), (2, 3))
    assert TASK.symmetries == ((2, 3),)
    assert fake_task(1).symmetries == ()


def test_labels_hold_the_cases_that_occur():
    labels = fake_labels(TASK, size=(80, 60), batch=3)

    assert labels.keypoints.shape == (3, 2, 4, 3)
    assert labels.unique_keypoints.shape == (3, 1, 3)
    assert set(labels.keypoints[..., 2].unique().tolist()) == {0, 1, 2}
    assert labels.individual_ids.tolist() == [[0, 1], [0, 1], [0, -1]]
    assert not labels.keypoints[-1, -1].any()
    seen = labels.keypoints[labels.keypoints[..., 2] > 0]
    assert ((seen[:, :2] > 0) & (seen[:, :2] < torch.tensor([80, 60]))).all()
    assert (labels.areas >= 1).all()


def test_boxes_hold_their_keypoints():
    labels = fake_labels(TASK)
    for points, box in zip(labels.keypoints.flatten(0, 1), labels.boxes.flatten(0, 1), strict=True):
        seen = points[points[:, 2] > 0, :2]
        assert ((seen >= box[:2]) & (seen <= box[:2] + box[2:])).all()


@pytest.mark.parametrize("make", [fake_labels, fake_batch, fake_sample])
def test_fakes_depend_on_their_seed_only(make):
    def keypoints(seed):
        made = make(TASK, seed=seed)
        return np.asarray(getattr(made, "labels", made).keypoints)

    assert np.array_equal(keypoints(1), keypoints(1))
    assert not np.array_equal(keypoints(1), keypoints(2))


def test_a_batch_shows_a_bright_disc_at_each_labelled_point():
    batch = fake_batch(TASK, size=(80, 60))

    assert batch.images.dtype == torch.uint8
    assert batch.images.shape == (2, 3, 60, 80)
    for image, points in zip(batch.images, batch.labels.keypoints.flatten(1, 2), strict=True):
        for x, y, visibility in points.tolist():
            if visibility > 0:
                assert image[:, int(y), int(x)].max() > 150
    assert fake_batch(TASK, normalised=True).images.dtype == torch.float32


def test_features_have_the_declared_shape():
    assert fake_features(FeatureSpec(5, 8), size=(64, 40)).shape == (2, 5, 5, 8)
    fine, coarse = fake_features((FeatureSpec(5, 4), FeatureSpec(6, 8)), size=(64, 40))
    assert (fine.shape, coarse.shape) == ((2, 5, 10, 16), (2, 6, 5, 8))


def test_a_dataset_on_disk_agrees_with_itself(tmp_path):
    task = fake_task(3, num_individuals=2)

    write_dataset(tmp_path, task=task, train=3, test=2, size=(72, 56))

    names = set()
    for split, number in (("train", 3), ("test", 2)):
        coco = json.loads((tmp_path / "annotations" / f"{split}.json").read_text("utf-8"))
        assert coco["categories"][0]["keypoints"] == list(task.keypoints)
        assert len(coco["images"]) == number
        names |= {image["file_name"] for image in coco["images"]}
        for image in coco["images"]:
            pixels = cv2.imread(str(tmp_path / "images" / image["file_name"]))
            assert pixels.shape == (image["height"], image["width"], 3) == (56, 72, 3)
            own = [a for a in coco["annotations"] if a["image_id"] == image["id"]]
            assert 1 <= len(own) <= 2
            for annotation in own:
                points = np.array(annotation["keypoints"]).reshape(-1, 3)
                assert annotation["num_keypoints"] == (points[:, 2] > 0).sum()
                for x, y, _ in points[points[:, 2] > 0]:
                    assert pixels[int(y), int(x)].max() > 150
    assert len(names) == 5


def test_a_dataset_with_unique_keypoints_cannot_be_written(tmp_path):
    with pytest.raises(ValueError, match="no unique keypoints"):
        write_dataset(tmp_path, task=TASK)


PLUGIN = """
from dlcore import Component, hookimpl

@hookimpl
def register_heads():
    return [Component("{name}", "{module}:Any")]
"""


def test_a_written_plugin_is_found_and_can_be_written_again(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", sys.path.copy())
    for name in ("First", "Other"):
        source = PLUGIN.format(name=name, module="throwaway_plugin")
        host = PluginHost.from_entry_points([write_plugin(tmp_path, "throwaway_plugin", source)])

        assert host.failures == []
        assert host.find("heads", name).qualified_name == f"throwaway_plugin/{name}"


def test_an_entry_point_is_named_after_its_module():
    assert plugin_entry_point("acme.hooks").name == "hooks"
    assert plugin_entry_point("acme.hooks", "acme").name == "acme"
    assert plugin_entry_point(json).value == "json"
