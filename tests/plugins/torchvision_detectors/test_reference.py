"""DeepLabCut's detectors: the names of their weights, and what they find."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from dlcore.data.device import Normalization
from dlcore.data.images import read_image
from dlcore_plugins.torchvision_detectors.faster_rcnn import FasterRCNN
from dlcore_plugins.torchvision_detectors.ssdlite import SSDLite
from tests.integration.test_reference_models import keyed_weights

V2 = "fasterrcnn_resnet50_fpn_v2"
MOBILE = "fasterrcnn_mobilenet_v3_large_fpn"
DETECTORS = {
    "ssdlite": lambda: SSDLite(),
    MOBILE: lambda: FasterRCNN(variant=MOBILE),
    V2: lambda: FasterRCNN(variant=V2),
}


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("when", ["", "_training"])
def test_weights_are_named_as_deeplabcuts(shared, name, when):
    path = shared / f"peer/reference/state_dicts/detector_{name}{when}.json"
    expected = json.loads(path.read_text())["state_dict"]

    own = {
        key: [list(value.shape), str(value.dtype).removeprefix("torch.")]
        for key, value in DETECTORS[name]().state_dict().items()
    }

    assert own == expected


@pytest.mark.parametrize("name", ["ssdlite", MOBILE, pytest.param(V2, marks=pytest.mark.slow)])
def test_boxes_and_scores_are_deeplabcuts(shared, name):
    suffix = "" if name == "ssdlite" else f"__{name}"
    path = shared / f"peer/reference/forward/detector_rtmpose_s{suffix}.npz"
    with np.load(path) as stored:
        expected = {key: stored[f"detection/0/{key}"] for key in ("boxes", "scores", "labels")}
        meta = json.loads(str(stored["meta"]))
    detector = DETECTORS[name]()
    detector.load_state_dict(keyed_weights(detector, meta["seed"]))
    noise = np.random.RandomState(meta["seed"]).standard_normal(meta["input_shape"])
    images = torch.sigmoid(torch.from_numpy(noise.astype(np.float32)))

    with torch.no_grad():
        losses, (found,) = detector.eval()(images)

    assert losses == {}
    assert found["labels"].tolist() == expected["labels"].tolist()
    assert found["scores"].numpy() == pytest.approx(expected["scores"], abs=1e-5)
    assert found["boxes"].numpy() == pytest.approx(expected["boxes"], abs=1e-3)


def test_a_snapshot_of_deeplabcut_finds_what_it_found_there(shared):
    folder = shared / "peer/snapshots/multi_rtmpose_s"
    content = torch.load(folder / "snapshot-detector-best-040.pt", weights_only=True)
    detector = SSDLite(freeze_bn_stats=True, box_score_thresh=0.01)
    detector.load_state_dict(content["model"])
    detector.eval()
    normalization = Normalization.from_config(normalize_images=True, scale_to_unit_range=False)

    with np.load(folder / "predictions.npz") as stored:
        for index, name in enumerate(json.loads(str(stored["meta"]))["images"]):
            image = torch.from_numpy(read_image(folder / "images" / name)).permute(2, 0, 1)
            with torch.no_grad():
                _, (found,) = detector(normalization(image[None]))
            boxes, scores = (
                stored[f"context/{index}/bboxes"],
                stored[f"context/{index}/bbox_scores"],
            )
            own = found["boxes"][: len(boxes)].numpy()
            own[:, 2:] -= own[:, :2]
            assert own == pytest.approx(boxes, abs=1e-3)
            assert found["scores"][: len(boxes)].numpy() == pytest.approx(scores, abs=1e-5)
