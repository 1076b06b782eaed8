"""The benchmark command: what it measures on a tiny net, and the form of what it writes."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from tests.benchmarks import machine, parts
from tests.benchmarks.__main__ import main
from tests.benchmarks.job import Net, Settings
from tests.benchmarks.processes import ChildError, run, tell
from tests.benchmarks.results import summarise
from tests.benchmarks.table import render

TINY = ["--steps", "2", "--rounds", "1", "--batch-size", "2", "--size", "64", "--threads", "1"]

FAKE_PEER = """
import json, sys
from pathlib import Path

words = sys.argv[1:]
if "env" in words:
    print(json.dumps({"packages": {"deeplabcut": "3.0.2", "torch": "2.0"}}))
elif "--help" not in words:
    assert "dataset" not in json.loads(Path(words[words.index("train") + 2]).read_text())
    out = Path(words[words.index("--out") + 1])
    out.mkdir()
    step = {"data": 1, "total": 4, "images": 2, "width": 64, "height": 64}
    steps = int(words[words.index("--epochs") + 1]) * 2 * [step]
    pose = {"dataloader_workers": 0, "steps": steps}
    (out / "train.json").write_text(json.dumps({"pose": pose}))
"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> dict:
    """One round of training a tiny net, beside something that says it is DeepLabCut.

    A net type that does not exist is asked for, too.
    """
    folder = tmp_path_factory.mktemp("benchmarks")
    script, file = folder / "peer.py", folder / "results.json"
    script.write_text(FAKE_PEER)
    peer = ["--peer", sys.executable, "--peer-script", str(script)]
    nets = ["--net-type", "light_efficientnet", "resnet_5000"]
    more = ["--what", "train", "--precision", "fp32", "--device", "cpu", "--json", str(file)]
    assert main([*nets, *peer, *TINY, *more]) == 1
    return json.loads(file.read_text())


def test_the_file_has_the_speeds_of_the_training_and_their_ratios(measured):
    one = measured["train"]["light_efficientnet"]
    ours, light = one["dlcore_images_per_s"], one["light_images_per_s"]
    assert one["deeplabcut_images_per_s"] == 0.5
    assert one["ratio_to_deeplabcut"] == pytest.approx(ours / 0.5)
    assert one["ratio_to_light"] == pytest.approx(ours / light)
    assert one["values"] == {"dlcore": [ours], "deeplabcut": [0.5], "light": [light]}
    about = one["about"][0]
    assert about["dlcore"]["steps"] == about["light"]["steps"] == 2
    assert about["light"]["size"] == about["deeplabcut"]["size"] == [64, 64]
    assert one["precision"] == about["dlcore"]["precision"] == "fp32"


def test_the_file_says_what_it_was_measured_on(measured):
    assert measured["machine"]["cpu"]
    assert measured["machine"]["packages"]["torch"]
    assert measured["deeplabcut"] == "3.0.2, torch 2.0"
    assert "--net-type light_efficientnet resnet_5000" in measured["command"]
    assert time.strptime(measured["date"], "%Y-%m-%dT%H:%M:%S%z")


def test_tables_show_medians_and_ratios(measured):
    ratio = f"{measured['train']['light_efficientnet']['ratio_to_deeplabcut']:.3g}"
    for markdown in (False, True):
        text = render(measured, markdown=markdown)
        row = next(line for line in text.splitlines() if "light_efficientnet  " in line
                   or line.startswith("| light_efficientnet"))  # fmt: skip
        assert ratio in row
        assert ("| ---" in text) == markdown


def test_what_cannot_be_measured_is_told_and_the_rest_goes_on(measured):
    (problem,) = measured["problems"]
    assert "resnet_5000" in problem
    assert problem in render(measured, markdown=False)
    assert list(measured["train"]) == ["light_efficientnet"]


def test_a_peer_without_script_is_refused(monkeypatch, capsys):
    monkeypatch.delenv("DLCORE_SHARED", raising=False)
    with pytest.raises(SystemExit):
        main(["--peer", sys.executable, *TINY])
    assert "--peer-script" in capsys.readouterr().err


def test_ratios_are_medians_over_rounds():
    slow, fast = {"dlcore": 3.0, "light": 6.0}, {"dlcore": 10.0, "deeplabcut": 2.0, "light": 10.0}
    summary = summarise([slow, fast, fast], "images_per_s")
    assert summary["dlcore_images_per_s"] == 10
    assert summary["ratio_to_light"] == 1  # the slow round was slow for both
    assert summary["ratio_to_deeplabcut"] == 5
    assert summary["spread"]["dlcore"] == pytest.approx(0.7)


def test_of_seconds_less_is_better():
    summary = summarise([{"dlcore": 2.0, "deeplabcut": 8.0}], "s", less_is_better=True)
    assert summary["ratio_to_deeplabcut"] == 4
    assert summary["light_s"] is None


def test_parts_name_what_bounds_the_run():
    seconds = dict.fromkeys(parts.STEP, 0.01) | {"augment": 1.0, "backward": 0.6, "forward": 0.3}
    found = parts.summary(seconds, steps=2)
    assert found["bound_by"] == "data"
    assert found["ms_per_step"]["augment"] == 500
    assert found["target_share"] == pytest.approx(0.01 / sum(seconds.values()))


def test_names_say_how_many_animals():
    assert (Net("resnet_50_paf").net_type, Net("resnet_50_paf").animals) == ("resnet_50", 3)
    assert (Net("resnet_50").net_type, Net("resnet_50").animals) == ("resnet_50", 1)
    assert Net("dekr_w18").animals == 3


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("steps", [1, 2, 5, 6])
def test_at_least_so_many_steps_are_measured_after_the_first_epoch(steps, device):
    settings = Settings(Path(), steps=steps, device=device)
    assert settings.epoch_steps * (settings.epochs - 1) in (steps, steps + 1)


def test_a_process_is_timed_up_to_a_line_of_its_log():
    code = "import sys, time; sys.stderr.write('ready\\n'); sys.stderr.flush(); time.sleep(0.3)"
    ran = run([sys.executable, "-c", f"{code}; print('[1, 2]')"], mark="^ready")
    assert ran.result() == [1, 2]
    assert ran.marked is not None
    assert ran.marked + 0.29 < ran.seconds
    assert ran.peak_mib > 1


def test_the_end_of_what_a_failed_process_wrote_is_shown():
    with pytest.raises(ChildError, match="the reason"):
        run([sys.executable, "-c", "raise SystemExit('the reason')"])


def test_a_process_that_takes_too_long_is_ended():
    start = time.perf_counter()
    with pytest.raises(ChildError, match="was ended"):
        run([sys.executable, "-c", "import time; time.sleep(60)"], timeout=0.2)
    assert time.perf_counter() - start < 30


def test_a_process_that_computes_is_no_neighbour():
    if machine.busy_seconds() is None:
        pytest.skip("the system does not tell how busy it is")
    code = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass"
    before = machine.busy_seconds()
    ran = run([sys.executable, "-c", code])
    all_of_it = machine.busy_seconds() - before
    assert all_of_it - ran.neighbours * ran.seconds > 0.4


def test_children_answer_in_json(capsys):
    tell({"a": 1})
    assert json.loads(capsys.readouterr().out) == {"a": 1}
