from __future__ import annotations

import pytest

from tests.core.cli.conftest import CONFIG
from tests.core.runs.conftest import DETECTOR, TWO_STAGES, make_run

__all__ = ["make_run"]


@pytest.fixture
def runs(make_run):
    lr = {"runner.optimizer.params.lr": 5e-4}
    return [make_run("a"), make_run("b", detector=DETECTOR, **lr, **TWO_STAGES)]


def rows(text):
    return {line.split("  ")[0]: line.split()[-2:] for line in text.splitlines() if line}


def test_what_differs_and_what_came_of_it_stand_side_by_side(dlcore, runs, tmp_path):
    done = dlcore("compare", *runs, "--output", tmp_path / "curves.png")

    assert (done.code, done.err) == (0, "")
    found = rows(done.out)
    assert found["config"] == ["a", "b"]
    assert found["runner.optimizer.params.lr"] == ["0.001", "0.0005"]
    assert found["method"] == ["bu", "td"]
    assert found["test.mAP"] == ["40.00", "40.00"]
    assert found["detector"] == ["a", "b"]
    assert "model.backbone.type" not in found
    assert "train_settings.epochs" not in found
    assert "use `dlcore evaluate`" in " ".join(done.out.split())  # for the methods are different
    assert (tmp_path / "curves.png").stat().st_size > 5000


def test_long_values_are_cut_where_they_differ(dlcore, make_run):
    names = [f"bodypart_{number}" for number in range(40)]
    one = make_run("a", **{"metadata.bodyparts": names})
    other = make_run("b", **{"metadata.bodyparts": [*names[:-1], "tail"]})
    found = [line for line in dlcore("compare", one, other).out.splitlines() if "metadata" in line]

    [line] = found
    assert len(line) < 150
    assert 'bodypart_39"]' in line
    assert 'tail"]' in line


def test_the_configs_may_be_the_same(dlcore, make_run):
    done = dlcore("compare", make_run("a"), make_run("b"))
    assert "The configs are the same." in done.out
    assert "dlcore evaluate" not in done.out


def test_a_config_of_deeplabcut_is_compared_with_its_defaults(dlcore, runs):
    (runs[0] / "resolved_config.yaml").unlink()
    (runs[0] / "pytorch_config.yaml").write_text(CONFIG)
    found = rows(dlcore("compare", *runs).out)

    assert found["model.heads"][-1] == "-"
    assert found["runner.optimizer.params.lr"] == ["0.0001", "0.0005"]
    assert found["train_settings.batch_size"] == ["4", "-"]
    assert found["train_settings.seed"] == ["42", "-"]  # a default


def test_a_config_whose_defaults_cannot_be_had_is_compared_as_it_is(dlcore, runs):
    (runs[0] / "resolved_config.yaml").unlink()
    (runs[0] / "pytorch_config.yaml").write_text(CONFIG.replace("ResNet", "GoneNet"))
    done = dlcore("compare", *runs)

    assert done.code == 0
    assert "warning: compared without its defaults" in done.err
    assert "GoneNet" in done.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{a}"], "name at least two runs"),
        (["{a}", "{a}"], "name at least two runs"),
        (["{a}", "{b}", "--metric", "test.rmse"], "say where with --output"),
        (["{a}", "{b}", "--output", "x.jpg"], "must end with .png, .pdf, .svg"),
    ],
)
def test_wrong_usage_is_told(dlcore, runs, arguments, message):
    done = dlcore("compare", *(text.format(a=runs[0], b=runs[1]) for text in arguments))

    assert done.code == 2
    assert message in done.err


def test_comparing_needs_nothing_heavy_until_something_is_drawn(dlcore_process, runs):
    done = dlcore_process("compare", *runs)

    assert done.code == 0
    assert not done.modules & {"torch", "matplotlib", "pandas"}


def test_what_is_no_run_is_told(dlcore, runs, tmp_path):
    done = dlcore("compare", runs[0], tmp_path)
    assert done.code == 1
    assert "is not the folder of a run" in done.err
