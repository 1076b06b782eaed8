"""Snapshots that DeepLabCut trained give here what they gave there."""

import json

import numpy as np
import pytest
import torch

from dlcore.config.loading import load_config
from dlcore.data.device import Normalization
from dlcore.data.images import read_image
from dlcore.engine.assembly import build_model
from dlcore.engine.snapshots import load_snapshot, load_weights
from dlcore.interfaces import PoseTask

SNAPSHOTS = ["multi_dekr_w18"]
"""Of models that see whole images, at most padded."""


def images_of_reference(folder, names, padding):
    """The images (1, 3, H, W) that the network saw, mirrored where they were made larger."""
    for name in names:
        image = torch.from_numpy(read_image(folder / "images" / name)).permute(2, 0, 1).float()
        height, width = image.shape[1:]
        if padding is not None:
            bottom = -height % padding["pad_height_divisor"]
            right = -width % padding["pad_width_divisor"]
            image = torch.nn.functional.pad(image, (0, right, 0, bottom), mode="reflect")
        yield image.unsqueeze(0)


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_outputs_and_poses_equal_the_reference(name, shared, host):
    folder = shared / "peer" / "snapshots" / name
    with np.load(folder / "predictions.npz") as file:
        arrays = {key: file[key] for key in file.files}
    meta = json.loads(str(arrays["meta"]))
    config = load_config(folder / "pytorch_config.yaml", host).config
    metadata = config.metadata
    task = PoseTask(
        tuple(metadata.bodyparts), tuple(metadata.unique_bodyparts), tuple(metadata.individuals)
    )
    model = build_model(host, config, task, fresh=False).eval()
    path = folder / meta["snapshot"]
    load_weights(model, load_snapshot(path)["model"], path)
    normalization = Normalization.from_config(True, False)
    padding = meta["inference_transforms"]["auto_padding"]
    compared = 0

    for number, images in enumerate(images_of_reference(folder, meta["images"], padding)):
        with torch.no_grad():
            outputs = model(normalization(images))
            poses = model.predict(outputs)

        for head, by_name in outputs.items():
            for output, value in by_name.items():
                expected = arrays[f"model_calls/{number}/output/{head}/{output}"]
                error = np.abs(value.numpy() - expected).max()
                assert error <= 1e-4 * np.abs(expected).max(), (head, output)
                compared += 1
        expected = arrays[f"final/{number}/bodyparts"]
        found = poses["bodypart"]["poses"][0].numpy()
        np.testing.assert_allclose(found, expected, atol=0.01)
    assert compared == len(meta["images"]) * sum(
        len(head.output_names) for head in model.heads.values()
    )
