"""The examples of DeepLabCut's page about the configuration file do what the page says.

Each stands in a config as it is printed, comments and all. Only three things are put in its place:
what the page leaves out (`...`), one of the two words of `true/false`, and the folder, on somebody
else's disk, of the snapshots to resume from, for which real ones are made under the same names.
"""

from __future__ import annotations

import csv
import re
import textwrap
from collections import defaultdict

import pytest
import torch
import yaml

from dlcore.cli.main import main
from dlcore.config.loading import load_config
from dlcore.engine.devices import number_of_processes, resolve_device
from dlcore.engine.optim import preview
from dlcore.engine.snapshots import list_snapshots, load_snapshot
from dlcore.engine.trainer import Trainer
from dlcore.testing.animals import write_animals
from tests.integration.conftest import small_config
from tests.plugins.loggers import wandb_files

EXAMPLES = {
    "runner": ("Runner", "type: PoseTrainingRunner"),
    "SGD": ("Runner", "type: SGD"),
    "AdamW": ("Runner", "type: AdamW"),
    "list": ("Runner", "type: LRListScheduler"),
    "steps": ("Runner", "type: StepLR\n    params:\n      step_size: 100"),
    "warm-up": ("Runner", "type: SequentialLR"),
    "logger": ("Logger", "type: WandbLogger"),
    "resume": ("Restarting Training at a Specific Checkpoint", "resume_training_from"),
    "resume detector": (
        "Restarting Training of an Object Detector at a Specific Checkpoint",
        "resume_training_from",
    ),
}
OUTLINES = ["The PyTorch Configuration file", "Detector Configuration"]
"""Where the page names the keys and leaves their values out; only loading them says something."""

KEYS = re.compile(
    r"^ *(logger|scheduler|optimizer|snapshots|resume_training_from|gpus):", re.MULTILINE
)
PLACEHOLDER = re.compile(r"^( *)\.\.\..*$", re.MULTILINE)
SNAPSHOT = re.compile(r"resume_training_from: (\S+)/(snapshot\S+)")

PLUGIN = '''
import torch
from torch import nn

from dlcore import Component, hookimpl
from dlcore.interfaces import Detector


@hookimpl
def register_detectors():
    return [Component("OneBox", f"{__name__}:OneBox")]


class OneBox(Detector):
    """Learns one box for all images."""

    def __init__(self, *, pretrained: bool | str | None = None):
        super().__init__()
        self.box = nn.Parameter(torch.tensor([10.0, 10.0, 50.0, 50.0]))

    def forward(self, images, targets=None):
        if self.training:
            return {"box": sum((t["boxes"] - self.box).abs().mean() for t in targets)}, []
        found = {"boxes": self.box[None], "scores": torch.ones(1), "labels": torch.ones(1).long()}
        return {}, [found for _ in images]
'''


@pytest.fixture(scope="module")
def page(shared):
    """The examples by their heading. A blank line or the end of the code ends one."""
    found = defaultdict(list)
    heading, code = "", None
    for line in (shared / "interop" / "pytorch_config.md").read_text("utf-8").splitlines():
        if line.startswith("```"):
            if code is not None:
                found[heading] += re.split(r"\n\s*\n", "\n".join(code))
            code = [] if code is None else None
        elif code is not None:
            code.append(line)
        elif line.startswith("#"):
            heading = line.strip("# ")
    return found


@pytest.fixture(scope="module")
def example(page):
    """Gives an example as it is printed."""

    def find(name):
        heading, words = EXAMPLES[name]
        [text] = [text for text in page[heading] if words in text]
        return text

    return find


def filled(text, *values):
    """An example with what it leaves out, in order."""
    left = [value if isinstance(value, str) else dump(value) for value in values]
    text = PLACEHOLDER.sub(lambda match: textwrap.indent(left.pop(0), match[1]), text)
    assert not left
    return text + "\n"


def dump(values):
    return yaml.safe_dump(values, sort_keys=False)


def in_runner(config, text):
    """A config with an example that belongs into `runner`."""
    assert text.startswith("  ")
    [key] = yaml.safe_load(text)
    rest = {name: value for name, value in config.items() if name != "runner"}
    runner = {name: value for name, value in config["runner"].items() if name != key}
    return dump(rest | {"runner": runner}) + text + "\n"


def at_top(config, text):
    """A config with an example that stands beside the other sections."""
    [key] = yaml.safe_load(text)
    return dump({name: value for name, value in config.items() if name != key}) + text + "\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    write_animals(folder / "animals", num_train=2, num_test=2, size=64)
    (folder / "one_box.py").write_text(PLUGIN)
    return folder


@pytest.fixture
def config(folder):
    """A config with one batch in an epoch, and one epoch."""
    config = small_config(folder / "animals")
    config["runner"] |= {
        "eval_interval": 100,
        "scheduler": None,
        "snapshots": {"max_snapshots": 5, "save_epochs": 10},
    }
    config["train_settings"] = {"batch_size": 2, "epochs": 1, "seed": 7}
    return config


@pytest.fixture
def top_down(config):
    """A config of two stages, both with one batch in an epoch."""
    for section in config["data"].values():
        section["top_down_crop"] = {"width": 64, "height": 64}
    detector = {
        "model": {"type": "OneBox"},
        "data": {"train": {"normalize_images": True}},
        "runner": {
            "precision": "fp32",
            "eval_interval": 100,
            "optimizer": {"type": "AdamW", "params": {"lr": 1e-3}},
            "snapshots": {"max_snapshots": 5, "save_epochs": 20},
        },
        "train_settings": {"batch_size": 2, "epochs": 21},
    }
    return config | {"method": "td", "plugins": ["one_box.py"], "detector": detector}


@pytest.fixture
def train(folder, tmp_path, capsys):
    """Checks a config and trains what it describes; gives the folder of the run."""

    def run(text, output="run", *more):
        path = folder / "config.yaml"
        path.write_text(text)
        assert main(["check", str(path)]) == 0
        printed = capsys.readouterr()
        assert ": ok: " in printed.out
        assert "has no effect" not in printed.err
        assert main(["train", str(path), "--output", str(tmp_path / output), *more]) == 0
        return tmp_path / output

    return run


def loaded(folder, host):
    """The config that was trained last."""
    return load_config(folder / "config.yaml", host).config


def table(run, name="learning_stats.csv"):
    with (run / name).open() as file:
        return list(csv.DictReader(file))


def rates(run):
    """The learning rates of the epochs, by their number."""
    log = (run / "train.txt").read_text()
    return {int(n): float(lr) for n, lr in re.findall(r"epoch (\d+)/\d+ \(lr=([^)]+)\)", log)}


def test_no_example_of_the_page_is_left_out(page, example):
    with_keys = [(h, text) for h, texts in page.items() for text in texts if KEYS.search(text)]
    of_sections = [(h, text) for h, text in with_keys if h not in OUTLINES]

    assert sorted(of_sections) == sorted((EXAMPLES[name][0], example(name)) for name in EXAMPLES)
    assert len(of_sections) == 9
    assert sorted(h for h, _ in with_keys if h in OUTLINES) == sorted(OUTLINES)
    parts = [set(match) for match in map(KEYS.findall, (text for _, text in of_sections))]
    assert set().union(*parts) == {
        "logger",
        "scheduler",
        "optimizer",
        "snapshots",
        "resume_training_from",
        "gpus",
    }


@pytest.fixture
def runner(example):
    """The example of a runner; the page prints `load_scheduler_state_dict: true/false`."""

    def write(optimizer, scheduler, load_schedule=True):
        text = example("runner")
        assert text.count("true/false") == 1
        text = text.replace("true/false", "true" if load_schedule else "false")
        return filled(text, optimizer, scheduler)

    return write


ADAMW = {"type": "AdamW", "params": {"lr": 1e-3}}
HALVES = {"type": "StepLR", "params": {"step_size": 10, "gamma": 0.5}}


def test_snapshots_and_the_key_metric(runner, config, train, monkeypatch):
    """The metric is made up, for so short a run has none; without CUDA no process is started."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    planned = [5.0, 20.0, 80.0, *[60.0] * 24]
    left = iter(planned)
    measure = Trainer.evaluate

    def made_up(trainer):
        return measure(trainer) | {"metrics/test.mAP": next(left)}

    monkeypatch.setattr(Trainer, "evaluate", made_up)
    config["device"] = "auto"
    config["train_settings"]["epochs"] = 27

    run = train(at_top(config, runner(ADAMW, HALVES)))

    assert [float(row["metrics/test.mAP"]) for row in table(run)] == planned, "eval_interval: 1"
    names = {snapshot.path.name for snapshot in list_snapshots(run)}
    assert names == {"snapshot-best-003.pt", "snapshot-025.pt", "snapshot-027.pt"}
    assert all("optimizer" not in load_snapshot(s.path) for s in list_snapshots(run))
    assert "processes train together" not in (run / "train.txt").read_text()


def test_gpus_ask_for_a_process_on_each(runner, config, folder, host, monkeypatch, capsys):
    """No GPU is needed to see what would be started where there are two."""
    path = folder / "config.yaml"
    path.write_text(at_top(config | {"device": "auto"}, runner(ADAMW, HALVES)))
    assert main(["check", str(path)]) == 0
    assert ": ok: " in capsys.readouterr().out
    section = loaded(folder, host).runner
    assert section.gpus == [0, 1]

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert number_of_processes("auto", section) == 2
    assert [str(resolve_device("auto", section.gpus, rank)) for rank in (0, 1)] == [
        "cuda:0",
        "cuda:1",
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("SGD", {"lr": 1e-3, "momentum": 0.9}), ("AdamW", {"lr": 1e-4})],
)
def test_optimizers(example, config, train, name, expected):
    run = train(in_runner(config, example(name)))

    content = load_snapshot(run / "resume.pt")
    [group] = content["optimizer"]["param_groups"]
    assert {key: group[key] for key in expected} == expected
    [state, *_] = content["optimizer"]["state"].values()
    assert ("momentum_buffer" if name == "SGD" else "exp_avg_sq") in state


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("list", {0: 1e-3, 159: 1e-3, 160: 1e-5, 189: 1e-5, 190: 1e-6, 199: 1e-6}),
        ("steps", {0: 1e-3, 99: 1e-3, 100: 1e-4, 199: 1e-4}),
    ],
)
def test_schedulers(example, config, train, folder, host, name, expected):
    """Epochs count from 0, as in the page; of the 200 that it speaks of one is trained."""
    run = train(in_runner(config, example(name)))

    assert rates(run) == {1: 1e-3}
    block = loaded(folder, host).runner.scheduler.model_dump()
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1e-3)
    planned = preview(host, block, optimizer, 200, "runner.scheduler")
    assert {epoch: planned[epoch] for epoch in expected} == {
        epoch: [pytest.approx(rate)] for epoch, rate in expected.items()
    }


def test_a_scheduler_of_schedulers(example, config, train):
    """The comments of the example tell the rates of nine epochs that start from a rate of 1."""
    text = example("warm-up")
    told = {int(n): float(rate) for n, rate in re.findall(r"# +epoch (\d): ([\d.]+)", text)}
    assert len(told) == 9
    config["train_settings"]["epochs"] = 9

    run = train(in_runner(config, text))

    assert rates(run) == pytest.approx({epoch + 1: 1e-3 * rate for epoch, rate in told.items()})


def test_a_logger_as_it_is_printed(example, config, train):
    run = train(at_top(config, filled(example("logger"), "")))

    [kept] = wandb_files.runs(run)
    about = wandb_files.about(kept)
    assert (about.project, about.display_name) == ("my-dlc3-project", "dekr-w32-shuffle0")
    [row] = wandb_files.history(kept)
    assert row["losses/train.total_loss"] == float(table(run)[0]["losses/train.total_loss"])


def test_a_logger_with_arguments_of_wandb_and_pictures(example, config, train):
    """The page proposes the tags in the comment, and `image_log_interval` in the text below it."""
    text = example("logger")
    [tags] = re.findall(r"\.\.\. .*such as `(.+)`", text)

    run = train(at_top(config, filled(text, f"{tags}\nimage_log_interval: 1")))

    [kept] = wandb_files.runs(run)
    assert list(wandb_files.about(kept).tags) == ["dekr", "split=0"]
    [names] = [set(row) for row in wandb_files.history(kept) if any("images/" in n for n in row)]
    shown = {name.removesuffix(".path") for name in names if name.endswith(".path")}
    for split in ("train", "test"):
        assert {f"images/{split}.pose", f"images/{split}.bodypart_heatmap"} <= shown


@pytest.fixture
def resuming(example):
    """An example that resumes, with the folder of a snapshot that is there."""

    def write(name, run):
        text = example(name)
        [(printed, snapshot)] = SNAPSHOT.findall(text)
        assert (run / snapshot).is_file()
        return text.replace(printed, str(run))

    return write


def test_restarting_at_a_snapshot(resuming, config, train):
    config["train_settings"]["epochs"] = 11
    first = train(dump(config))
    config["train_settings"]["epochs"] = 12

    second = train(filled(resuming("resume", first), config), "second")

    assert sorted(rates(second)) == [11, 12]
    assert "snapshot-010.pt: 10 epochs and 0 steps are done" in (second / "train.txt").read_text()
    assert max(snapshot.epoch for snapshot in list_snapshots(second)) == 12


@pytest.mark.parametrize(("load_schedule", "expected"), [(True, 1e-3), (False, 5e-4)])
def test_an_edited_schedule_is_taken_where_the_saved_one_is_not_loaded(
    example, runner, resuming, config, train, monkeypatch, load_schedule, expected
):
    """The run starts with the page's StepLR and goes on with one that halves after ten epochs."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    config["train_settings"]["epochs"] = 11
    first = train(in_runner(config, example("steps")))
    config["train_settings"]["epochs"] = 12
    edited = at_top(config, runner(ADAMW, HALVES, load_schedule))

    second = train(filled(resuming("resume", first), edited), "second")

    assert rates(second) == {11: pytest.approx(expected), 12: pytest.approx(expected)}


def test_restarting_a_detector_at_a_snapshot(resuming, top_down, train):
    first = train(dump(top_down), "run", "--stage", "detector")
    top_down["detector"]["train_settings"]["epochs"] = 22

    text = filled(resuming("resume detector", first), top_down["detector"])
    second = train(at_top(top_down, text), "second")

    log = (second / "train.txt").read_text()
    assert "snapshot-detector-020.pt: 20 epochs and 0 steps are done" in log
    rows = table(second, "learning_stats_detector.csv")
    assert [row["step"] for row in rows] == ["21", "22"]
    assert len(table(second)) == 1, "the pose model is trained after it"
