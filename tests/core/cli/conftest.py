"""Running the command line in this process and in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from dlcore.cli.main import main
from dlcore.hookspecs import ENTRY_POINT_GROUP
from dlcore.plugin_host import DISABLE_VARIABLE

PLUGIN = '''
from dlcore import Component, hookimpl
from dlcore.interfaces import Predictor


@hookimpl
def register_predictors():
    return [Component("MyPredictor", "{name}:MyPredictor", "Knows it all.")]


class MyPredictor(Predictor):
    """Knows it all.

    And says so.

    Args:
        task: What to predict.
        threshold: Least score that counts,
            from 0 to 1.
        names: Of whom; null for all.
    """

    def __init__(self, task, *, threshold: float = 0.5, names: list[str] | None = None):
        self.threshold = threshold

    def __call__(self, stride, outputs):
        return {}
'''


@pytest.fixture
def dlcore(capsys: pytest.CaptureFixture[str]) -> Callable[..., SimpleNamespace]:
    """Run `dlcore ARGUMENTS...` in this process; gives `code`, `out` and `err`."""

    def run(*arguments: object) -> SimpleNamespace:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return SimpleNamespace(code=code, out=captured.out, err=captured.err)

    return run


@pytest.fixture
def dlcore_process() -> Callable[..., SimpleNamespace]:
    """Run `dlcore ARGUMENTS...` in a process of its own; also gives `modules`, what it imported."""

    def run(*arguments: object) -> SimpleNamespace:
        program = (
            "import sys\n"
            "from dlcore.cli.main import main\n"
            f"code = main({[str(argument) for argument in arguments]!r})\n"
            "print('\\n' + ' '.join(sys.modules), file=sys.stderr)\n"
            "sys.exit(code)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=False
        )
        err, _, modules = done.stderr.rstrip("\n").rpartition("\n")
        return SimpleNamespace(
            code=done.returncode, out=done.stdout, err=err, modules=set(modules.split())
        )

    return run


@pytest.fixture
def plugin_file(tmp_path: Path) -> Iterator[Callable[[str, str], Path]]:
    """Write an unpackaged plugin; the module is forgotten after the test."""
    written = []

    def write(name: str = "my_own_plugin", source: str = PLUGIN) -> Path:
        path = tmp_path / f"{name}.py"
        path.write_text(source.replace("{name}", name))
        written.append(name)
        return path

    yield write
    for name in written:
        sys.modules.pop(name, None)


@pytest.fixture
def install_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Install a plugin as `pip` would, for this test and the processes that it starts."""

    def install(name: str, source: str, version: str = "1.2.3") -> None:
        site = tmp_path / "site"
        info = site / f"dlcore_{name}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: dlcore-{name}\nVersion: {version}\n"
        )
        (info / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\n{name} = {name}_module\n")
        (site / f"{name}_module.py").write_text(source.replace("{name}", f"{name}_module"))
        monkeypatch.syspath_prepend(str(site))
        before = os.environ.get("PYTHONPATH")
        monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{before}" if before else str(site))
        monkeypatch.delitem(sys.modules, f"{name}_module", raising=False)

    return install


@pytest.fixture(autouse=True)
def _no_disabled_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DISABLE_VARIABLE, raising=False)


CONFIG = """\
net_type: resnet_50
metadata:
  bodyparts: [nose, tail]
model:
  backbone:
    type: ResNet
    model_name: resnet50_gn
  heads:
    bodypart:
      type: HeatmapHead
      predictor:
        type: HeatmapPredictor
      target_generator:
        type: HeatmapGaussianGenerator
        num_heatmaps: num_bodyparts
        pos_dist_thresh: 17
        generate_locref: false
      criterion:
        heatmap:
          type: WeightedMSECriterion
      heatmap_config:
        channels: [backbone_output_channels, num_bodyparts]
        kernel_size: [3]
        strides: [2]
runner:
  optimizer:
    type: AdamW
    params:
      lr: 1e-4
train_settings:
  batch_size: 4
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config that is right."""
    path = tmp_path / "run.yaml"
    path.write_text(CONFIG)
    return path
