from __future__ import annotations

import sys
import textwrap

import pytest

from dlcore import Component
from dlcore.config.loading import load_config
from tests.core.config.example import PARTS


@pytest.fixture(scope="session")
def fakes(tmp_path_factory):
    """A folder on the path with the module of fakes, and what it offers."""
    folder = tmp_path_factory.mktemp("fakes")
    (folder / "fake_parts_for_loading.py").write_text(textwrap.dedent(PARTS))
    sys.path.insert(0, str(folder))

    def component(name: str, cls: str | None = None) -> Component:
        return Component(name, f"fake_parts_for_loading:{cls or name}")

    yield {
        "backbones": [component("Net")],
        "heads": [component("Top")],
        "predictors": [component("Decode")],
        "target_generators": [component("Make"), component("Many")],
        "criteria": [component("MSE")],
        "weight_initializers": [component("Normal")],
        "transforms": [component("affine", "Affine"), component("noise", "Noise")],
        "collates": [component("Collate")],
        "loggers": [component("Log")],
        "callbacks": [component("Watch")],
        "datasets": [component("Data")],
        "schedulers": [component("LRListScheduler")],
        "detectors": [component("Find")],
        "net_types": [component("small", "Architecture")],
        "runners": [component("PoseTrainingRunner", "Net"), component("DetectorTrainingRunner")],
    }
    sys.path.remove(str(folder))


@pytest.fixture
def load(fakes, host_of, tmp_path):
    def run(text, *overrides):
        path = tmp_path / "pytorch_config.yaml"
        path.write_text(text)
        return load_config(path, host_of(**fakes), overrides)

    return run
