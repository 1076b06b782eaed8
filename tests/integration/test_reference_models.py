"""Whole models against DeepLabCut's outputs, for every net type whose parts exist."""

import json
import zlib

import numpy as np
import pytest
import torch

from dlcore.config.loading import load_config
from dlcore.engine.assembly import build_model
from dlcore.interfaces import PoseTask

MODELS = [
    "single_resnet_50",
    "single_resnet_101",
    "single_hrnet_w18",
    "single_hrnet_w32",
    "single_hrnet_w48",
    "single_dekr_w18",
    "single_dekr_w32",
    "single_dekr_w48",
    "multi_dekr_w18",
    "multi_dekr_w32",
    "multi_dekr_w48",
    "multi_identity_unique_dekr_w18",
    "single_cspnext_s",
    "single_cspnext_m",
    "single_cspnext_x",
    "multi_resnet_50",
    "multi_resnet_101",
    "multi_identity_unique_resnet_50",
    "multi_dlcrnet_stride16_ms5",
    "multi_dlcrnet_stride32_ms5",
    "multi_hrnet_w18",
    "multi_hrnet_w32",
    "multi_hrnet_w48",
    "multi_cspnext_s",
    "multi_cspnext_m",
    "multi_cspnext_x",
]
TOLERANCE = 1e-4  # of the output's standard deviation; two CPU kernels agree to about 1e-5


def keyed_weights(model, seed):
    """The weights that the reference was made with: from each key's checksum."""
    state = {}
    for key, value in model.state_dict().items():
        shape = tuple(value.shape)
        rng = np.random.RandomState((zlib.crc32(key.encode()) + seed) % 2**32)
        if not value.is_floating_point():
            array = np.zeros(shape)
        elif key.endswith("running_var"):
            array = rng.uniform(0.5, 1.5, shape)
        elif key.endswith("running_mean"):
            array = 0.1 * rng.standard_normal(shape)
        elif len(shape) >= 2:
            array = rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
        elif key.endswith("bias"):
            array = 0.1 * rng.standard_normal(shape)
        else:
            small = key.endswith(("bn2.weight", "bn3.weight")) or "fuse_layers" in key
            array = rng.uniform(0.5, 1.5, shape) * (0.25 if small else 1.0)
        state[key] = torch.as_tensor(array, dtype=value.dtype).reshape(shape)
    return state


@pytest.fixture
def reference(shared, host):
    """Builds the model of a reference file; gives it with the file's arrays and meta data."""

    def build(name):
        arrays = np.load(shared / "peer" / "reference" / "forward" / f"{name}.npz")
        meta = json.loads(str(arrays["meta"]))
        loaded = load_config(shared / "peer" / "configs" / meta["config"], host)
        metadata = loaded.config.metadata
        task = PoseTask(
            tuple(metadata.bodyparts),
            tuple(metadata.unique_bodyparts),
            tuple(metadata.individuals),
        )
        return build_model(host, loaded.config, task, fresh=False), arrays, meta

    return build


@pytest.mark.parametrize("name", MODELS)
def test_outputs_and_poses_equal_the_reference(reference, name):
    model, arrays, meta = reference(name)
    model.load_state_dict(keyed_weights(model, meta["seed"]))
    model.eval()
    shape = tuple(meta["input_shape"])
    images = np.random.RandomState(meta["seed"]).standard_normal(shape).astype(np.float32)

    with torch.no_grad():
        outputs = model(torch.from_numpy(images))
        poses = model.predict(outputs)

    assert len(model.state_dict()) == meta["state_dict_keys"]
    assert {head: float(stride) for head, stride in model.strides.items()} == meta["strides"]
    compared = 0
    for key in arrays:
        kind, *path = key.split("/")
        if kind == "output":
            expected, output = arrays[key], outputs[path[0]][path[1]].numpy()
            assert np.abs(output - expected).max() <= TOLERANCE * expected.std(), key
            compared += 1
        elif kind == "prediction":
            np.testing.assert_allclose(poses[path[0]][path[1]].numpy(), arrays[key], atol=0.01)
            compared += 1
    assert compared >= 2


@pytest.mark.parametrize("name", MODELS)
def test_names_shapes_and_order_of_weights_equal_the_reference(reference, shared, name):
    """The states of optimizers number the weights, so their order counts too."""
    model, _, meta = reference(name)
    kind, _, net = meta["config"].removesuffix(".yaml").partition("/")
    path = shared / "peer" / "reference" / "state_dicts" / f"{net}.json"
    expected = json.loads(path.read_text())
    wanted = expected["shared"] | expected["heads"][kind]

    found = [(key, list(value.shape)) for key, value in model.state_dict().items()]

    assert found == [(key, shape) for key, (shape, _) in wanted.items()]
