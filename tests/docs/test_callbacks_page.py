"""The callback that the page about callbacks shows is a whole one, and does what it says."""

from __future__ import annotations

import re
from pathlib import Path

from dlcore.plugin_host import PluginHost
from dlcore.testing import FakeRun, check_component

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "callbacks.md"


def test_the_example_is_a_plugin_that_ends_a_run(tmp_path):
    [source] = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    path = tmp_path / "time_limit.py"
    path.write_text(source, encoding="utf-8")
    host = PluginHost()
    host.add_file(path)
    cls = host.find("callbacks", "TimeLimit").component.load()

    check_component("callbacks", cls)
    ended, patient = FakeRun(tmp_path), FakeRun(tmp_path)
    ended.play(cls(hours=0.0))
    patient.play(cls(hours=1.0))
    assert (ended.epoch, ended.stopped) == (1, "0 hours are over")
    assert patient.stopped is None
