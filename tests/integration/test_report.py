"""The page that a training leaves, and what the training records for it."""

import json
import os
import signal

import pytest
import yaml

from dlcore.cli.main import main
from dlcore.engine.run_folder import MANIFEST, REPORT
from dlcore.engine.trainer import Trainer
from dlcore.runs.report.contents import gather
from dlcore.runs.report.writing import refresh_report
from tests.integration.conftest import small_config


def interrupting(trainer, values, step, tell=Trainer._tell_loggers):
    tell(trainer, values, step)
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def runs(tmp_path_factory, animals):
    """One run that is interrupted after its first epoch, looked at, and carried on."""
    folder = tmp_path_factory.mktemp("report")
    file = folder / "run.yaml"
    file.write_text(yaml.safe_dump(small_config(animals)))
    command = ["train", str(file), "--output", str(folder / "run"), "--profile"]
    command += ["--set", "train_settings.batch_size=2"]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Trainer, "_tell_loggers", interrupting)
        assert main(command) == 130
    interrupted = (folder / "run" / REPORT).read_text()
    assert main([*command, "--resume"]) == 0
    return folder, interrupted


def test_there_is_a_page_after_an_interruption_and_at_the_end(runs):
    folder, interrupted = runs
    complete = (folder / "run" / REPORT).read_text()

    assert '<span class="state interrupted">' in interrupted
    assert "1 of 2 epochs" in interrupted
    assert '<span class="state complete">' in complete
    assert "2 of 2 epochs" in complete


def test_what_only_the_log_says_is_found(runs):
    page = gather(runs[0] / "run")
    [stage] = page.stages

    assert list(stage.log.rates) == list(stage.log.speeds) == [1, 2]
    assert "Learning rate" in [chart.title for chart in stage.charts]
    assert "million weights on cpu" in stage.log.model
    assert page.data.startswith("10 training and 4 test images")
    assert {part.name for part in stage.profile} >= {"forward", "backward"}
    assert sum(part.share for part in stage.profile) == pytest.approx(100)
    assert stage.log.advice


def test_the_manifest_says_where_values_come_from_and_on_what_the_run_was_made(runs):
    folder, _ = runs
    manifest = json.loads((folder / "run" / MANIFEST).read_text())
    found = manifest["provenance"]
    lines = (folder / "run.yaml").read_text().splitlines()

    assert found["train_settings.batch_size"] == "--set"
    line = found["model.backbone.model_name"]
    assert "model_name: resnet10t" in lines[int(line.removeprefix("line ")) - 1]
    assert found["metadata.bodyparts"] == "dataset"
    assert found["model.backbone.out_indices"].startswith("line ")
    assert not {"model.backbone", "model.backbone.out_indices[0]", "runner.gpus"} & {*found}
    assert manifest["environment"]["device"].startswith("cpu (")
    assert "numpy" in manifest["environment"]


def test_a_new_run_in_the_folder_does_not_keep_what_was_said_of_the_former_one(runs):
    folder = runs[0] / "run"
    (folder / "evaluation_test.json").write_text('{"metrics": {"rmse": 0.125}}')
    (folder / "evaluation_test").mkdir()
    assert "0.125" in refresh_report(folder).read_text()

    settings = ["--overwrite", "--set", "train_settings.epochs=1"]
    assert main(["train", str(runs[0] / "run.yaml"), "--output", str(folder), *settings]) == 0
    [aside] = folder.glob("replaced-*")
    assert {"evaluation_test.json", "evaluation_test", REPORT} <= {p.name for p in aside.iterdir()}
    assert "0.125" not in (folder / REPORT).read_text()
