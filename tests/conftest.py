"""What every test may use. Shared data is found only through the variable DLCORE_SHARED."""

from __future__ import annotations

import itertools
import os
import sys
import textwrap
import types

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # before any library reads them
os.environ.setdefault("OMP_NUM_THREADS", "1")  # for models this small, threads only wait
os.environ.setdefault("WANDB_MODE", "offline")
os.environ.setdefault("WANDB_SILENT", "true")
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from importlib_metadata import entry_points

from dlcore import Component, hookimpl
from dlcore.hookspecs import ENTRY_POINT_GROUP, hook_name
from dlcore.plugin_host import PluginHost


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared reference data; the test is skipped where there is none."""
    folder = os.environ.get("DLCORE_SHARED")
    if not folder:
        pytest.skip("set DLCORE_SHARED to the folder with the reference data to run this test")
    if not Path(folder).is_dir():
        pytest.fail(f"DLCORE_SHARED names {folder!r}, which is not a folder")
    return Path(folder)


@pytest.fixture(scope="session")
def host() -> PluginHost:
    """The plugins that come with dlcore, and no others that happen to be installed."""
    bundled = [
        entry_point
        for entry_point in entry_points(group=ENTRY_POINT_GROUP)
        if entry_point.dist is not None and entry_point.dist.name == "dlcore"
    ]
    return PluginHost.from_entry_points(bundled)


_NUMBERS = itertools.count()


@pytest.fixture
def make_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Writes files of a package that can be imported, and returns its unique name.

    In the text of the files, PACKAGE stands for that name.
    """
    made = []

    def make(**files: str) -> str:
        name = f"written_for_test_{next(_NUMBERS)}"
        folder = tmp_path / name
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        for module, text in files.items():
            code = textwrap.dedent(text).replace("PACKAGE", name)
            (folder / f"{module}.py").write_text(code)
        monkeypatch.syspath_prepend(tmp_path)
        made.append(name)
        return name

    yield make
    for module in list(sys.modules):
        if module.partition(".")[0] in made:
            del sys.modules[module]


@pytest.fixture(scope="session")
def host_of() -> Callable[..., PluginHost]:
    """Makes a host with one plugin named "fake" that offers components by kind."""

    def make(**offers: list[Component]) -> PluginHost:
        plugin = types.ModuleType("fake")
        for kind, components in offers.items():

            def hook(components: list[Component] = components) -> list[Component]:
                return components

            setattr(plugin, hook_name(kind), hookimpl(hook, specname=hook_name(kind)))
        host = PluginHost()
        host.add(plugin, name="fake")
        return host

    return make


@pytest.fixture
def process_group(tmp_path: Path) -> Iterator[None]:
    """Training on several CPU processes, of which there is one."""
    from torch import distributed

    store = f"file://{tmp_path / 'store'}"
    distributed.init_process_group("gloo", init_method=store, rank=0, world_size=1)
    yield
    distributed.destroy_process_group()
