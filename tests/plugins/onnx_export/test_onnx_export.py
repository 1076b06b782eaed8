"""ONNX files: run without dlcore, refused devices, what is missing."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
import torch
import yaml

from dlcore.engine.assembly import build_model
from dlcore.errors import ComponentImportError, ExportError
from dlcore.inference import load_model
from dlcore.inference.export.job import ExportOptions, export_run
from dlcore.inference.trained_run import TrainedRun
from dlcore_plugins.onnx_export.backend import OnnxRuntimeBackend
from tests.integration.conftest import small_config

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "export.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory, host):
    """A run whose network is as it was made, exported, with a frame."""
    folder = tmp_path_factory.mktemp("first")
    config = small_config(folder)
    del config["dataset"]
    config["metadata"] = {"bodyparts": ["snout", "tail"], "individuals": ["individual_1"]}
    (folder / "pytorch_config.yaml").write_text(yaml.safe_dump(config))
    run = TrainedRun.open(folder, host)
    torch.manual_seed(0)
    model = build_model(host, run.loaded.config, run.task, fresh=True)
    content = {"metadata": {"epoch": 100}, "model": model.state_dict()}
    torch.save(content, folder / "snapshot-best-100.pt")
    pixels = np.random.default_rng(0).integers(0, 255, (70, 90, 3), dtype=np.uint8)
    cv2.imwrite(str(folder / "frame.png"), pixels)
    export_run(run, ExportOptions({"type": "onnx"}, images=[folder / "frame.png"]))
    return folder


def test_predictions_equal_those_of_torch(folder):
    frames = [np.full((64, 96, 3), 90, np.uint8), *[folder / "frame.png"] * 2]
    with_torch = load_model(folder).predict(frames)

    with_onnx = load_model(folder, backend="onnxruntime", batch_size=2).predict(frames)

    for one, other in zip(with_torch, with_onnx, strict=True):
        np.testing.assert_allclose(one.poses, other.poses, atol=0.01)


def test_the_example_of_the_page_needs_no_dlcore(folder, monkeypatch, capsys):
    (example,) = re.findall(r"```python\n(import json.*?)```", PAGE.read_text("utf-8"), re.S)
    imported = set(re.findall(r"^(?:import|from) (\w+)", example, re.M))
    monkeypatch.chdir(folder)

    exec(compile(example, str(PAGE), "exec"), {})

    assert imported == {"json", "pathlib", "cv2", "numpy", "onnxruntime"}
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["snout", "tail"]
    (expected,) = load_model(folder).predict([folder / "frame.png"])
    shown = np.array([[float(number) for number in line.split()[1:]] for line in lines])
    np.testing.assert_allclose(shown, expected.poses[0], atol=0.06)


def test_threads_are_those_of_torch(folder, monkeypatch):
    seen = []
    make = onnxruntime.InferenceSession
    monkeypatch.setattr(
        onnxruntime,
        "InferenceSession",
        lambda path, options, **more: (
            seen.append(options.intra_op_num_threads) or make(path, options, **more)
        ),
    )

    OnnxRuntimeBackend(folder / "snapshot-best-100.onnx", torch.device("cpu"))

    assert seen == [torch.get_num_threads()]


def test_a_device_that_it_does_not_know_is_refused(folder):
    with pytest.raises(ExportError, match="cannot use the device 'mps'; use --device cpu"):
        OnnxRuntimeBackend(folder / "snapshot-best-100.onnx", torch.device("mps"))


@pytest.mark.parametrize(
    ("kind", "name", "module"),
    [
        ("exporters", "onnx", "onnxscript"),
        ("inference_backends", "onnxruntime", "onnxruntime"),
    ],
)
def test_what_must_be_installed_is_told(host, monkeypatch, kind, name, module):
    component = host.find(kind, name).component
    loaded = importlib.import_module(component.module_name)
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, component.module_name)

    with pytest.raises(ComponentImportError, match=re.escape("pip install 'dlcore[export]'")):
        component.load()

    monkeypatch.setitem(sys.modules, component.module_name, loaded)
