"""A run that was made with a plugin that is not installed says which, and how to get it."""

from __future__ import annotations

import json

import pytest

from dlcore.engine.snapshots import save_snapshot
from tests.core.cli.conftest import CONFIG

PLUGINS = {"acme": {"distribution": "dlcore-acme", "version": "1.2.3"}}
REMEDY = "the run was made with plugin 'acme': pip install dlcore-acme==1.2.3"


@pytest.fixture
def run(tmp_path):
    """The folder of a run with a head of a plugin that is gone."""
    folder = tmp_path / "run"
    folder.mkdir()
    text = CONFIG.replace("HeatmapHead", "acme/AcmeHead")
    (folder / "resolved_config.yaml").write_text(text)
    (folder / "manifest.json").write_text(json.dumps({"plugins": PLUGINS}))
    return folder


def test_evaluating_it(dlcore, run):
    done = dlcore("evaluate", run)

    assert done.code == 1
    assert "no plugin offers a head named 'acme/AcmeHead'" in done.err
    assert REMEDY in done.err


def test_resuming_it_with_the_config_of_the_user(dlcore, run, tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text(CONFIG.replace("HeatmapHead", "AcmeHead"))
    done = dlcore("train", file, "--output", run, "--resume")

    assert done.code == 1
    assert REMEDY in done.err


def test_resuming_a_snapshot_that_lies_elsewhere(dlcore, tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text(CONFIG.replace("HeatmapHead", "AcmeHead"))
    (tmp_path / "copies").mkdir()
    snapshot = tmp_path / "copies" / "snapshot-010.pt"
    save_snapshot(snapshot, {"model": {}, "dlcore": {"plugins": PLUGINS}})
    done = dlcore("train", file, "--output", tmp_path / "new", "--resume", snapshot)

    assert done.code == 1
    assert REMEDY in done.err
