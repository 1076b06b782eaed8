from __future__ import annotations

import json

import pytest

from dlcore.config.schema import RunConfig
from dlcore.engine.former_plugins import expect_plugins_of
from dlcore.engine.manifest import make_manifest
from dlcore.engine.precision import Precision
from dlcore.engine.snapshots import save_snapshot
from dlcore.errors import UnknownComponentError
from dlcore.interfaces import PoseTask
from dlcore.plugin_host import PluginHost, PluginInfo

PLUGINS = {
    "acme": {"distribution": "dlcore-acme", "version": "1.2.3"},
    "other": {"distribution": "dlcore-other", "version": "4.0"},
    "mine": {"distribution": None, "version": None, "file": "/home/me/mine.py"},
    "loggers": {"distribution": "dlcore", "version": "0.1.0"},
}


@pytest.fixture
def host(host_of):
    host = host_of(heads=[])
    host.plugins["loggers"] = PluginInfo("loggers", "dlcore", "0.1.0", "somewhere")
    return host


def told(host, name):
    with pytest.raises(UnknownComponentError) as caught:
        host.find("heads", name)
    return [line.strip() for line in str(caught.value).splitlines() if "the run was" in line]


def write(folder, plugins=PLUGINS):
    (folder / "manifest.json").write_text(json.dumps({"plugins": plugins}))
    return folder


def test_the_manifest_of_a_snapshot_names_plugins_with_versions(host):
    host.plugins["mine"] = PluginInfo("mine", None, None, "/home/me/mine.py")
    config = RunConfig.model_validate({"model": {}})
    manifest = make_manifest(config, host, PoseTask(("nose",)), Precision("fp32", "cpu"), {})

    assert manifest["plugins"]["loggers"] == PLUGINS["loggers"]
    assert manifest["plugins"]["mine"] == PLUGINS["mine"]


def test_a_missing_plugin_is_named_with_the_command_that_installs_it(host, tmp_path):
    expect_plugins_of(host, write(tmp_path))

    assert told(host, "acme/AcmeHead") == [
        "the run was made with plugin 'acme': pip install dlcore-acme==1.2.3"
    ]
    assert told(host, "mine/MyHead") == [
        "the run was made with plugin 'mine' in a file: --plugin /home/me/mine.py"
    ]


def test_for_a_short_name_every_missing_plugin_may_be_the_one(host, tmp_path):
    expect_plugins_of(host, write(tmp_path))
    assert [line.split("'")[1] for line in told(host, "AcmeHead")] == ["acme", "other", "mine"]


def test_a_snapshot_without_its_folder_tells_too(host, tmp_path):
    path = tmp_path / "snapshot-010.pt"
    save_snapshot(path, {"model": {}, "dlcore": {"plugins": PLUGINS}})
    expect_plugins_of(host, path)

    assert "dlcore-acme==1.2.3" in told(host, "acme/AcmeHead")[0]


def test_what_is_no_name_never_gets_into_a_command(host, tmp_path):
    bad = {"acme": {"distribution": "x; rm -rf ~", "version": "1 2"}}
    expect_plugins_of(host, write(tmp_path, bad))
    assert told(host, "acme/AcmeHead") == ["the run was made with plugin 'acme'"]


@pytest.mark.parametrize("text", ["", "[]", '{"plugins": [1]}', '{"plugins": {"a": 1}}'])
def test_a_run_that_says_nothing_is_no_error(tmp_path, text):
    host = PluginHost()
    expect_plugins_of(host, tmp_path)
    (tmp_path / "manifest.json").write_text(text)
    expect_plugins_of(host, tmp_path)
    (tmp_path / "manifest.json").unlink()
    (tmp_path / "snapshot-001.pt").write_text("damaged")
    expect_plugins_of(host, tmp_path / "snapshot-001.pt")

    assert host.expected == {}
