"""Resuming when something is not as it was: nothing is lost, and nothing happens in silence."""

import textwrap

import pytest
import torch
import yaml

from dlcore.cli.main import main
from dlcore.engine.snapshots import list_snapshots, load_snapshot, save_snapshot
from dlcore.inference import load_model


@pytest.fixture
def train(config_file, tmp_path, capsys):
    """Runs `dlcore train` into a folder and gives exit code and stderr."""

    def run(*more, output="run", **changes):
        path = config_file(f"config{len(list(tmp_path.glob('*.yaml')))}.yaml", **changes)
        code = main(["train", str(path), "--output", str(tmp_path / output), *more])
        stderr = capsys.readouterr().err
        assert "Traceback" not in stderr
        return code, stderr

    return run


def names(folder):
    return sorted(path.name for path in folder.glob("*.pt"))


def test_another_optimizer_starts_anew_and_says_so(train):
    train()

    code, stderr = train(
        "--resume", **{"train_settings.epochs": 3, "runner.optimizer": {"type": "Adamax"}}
    )

    assert code == 0
    assert "runner.optimizer is another than before (AdamW): it starts anew" in stderr


def test_edited_options_of_the_optimizer_are_taken_and_told(train, tmp_path):
    train()

    code, stderr = train(
        "--resume",
        **{
            "train_settings.epochs": 3,
            "runner.optimizer.params": {"lr": 1e-3, "weight_decay": 0.7},
        },
    )

    assert code == 0
    assert "runner.optimizer.params was edited: from now on weight_decay=0.7" in stderr
    saved = load_snapshot(tmp_path / "run" / "resume.pt")["optimizer"]
    assert saved["param_groups"][0]["weight_decay"] == 0.7


def test_an_optimizer_that_refuses_the_model_is_told_before_the_first_epoch(train, tmp_path):
    code, stderr = train(**{"runner.optimizer": {"type": "SparseAdam"}})

    assert code == 1
    assert "runner.optimizer.type" in stderr
    assert not names(tmp_path / "run")


def in_mid_epoch(folder, step):
    """Makes a resume file look as if it had been written in the middle of an epoch."""
    content = load_snapshot(folder / "resume.pt")
    sums = {name: torch.tensor(1.0) for name in ("total_loss",)}
    save_snapshot(folder / "resume.pt", content | {"step": step, "loss_sums": sums})


def test_the_middle_of_an_epoch_is_not_taken_for_that_of_other_batches(train, tmp_path):
    train()
    in_mid_epoch(tmp_path / "run", step=2)

    code, stderr = train("--resume", **{"train_settings.epochs": 3, "train_settings.batch_size": 5})

    assert code == 0
    assert "epoch 3 starts anew" in stderr


def test_going_back_moves_what_is_later_aside(train, tmp_path):
    train(**{"train_settings.epochs": 4})
    run = tmp_path / "run"
    before = {name: (run / name).read_bytes() for name in names(run)}
    table = (run / "learning_stats.csv").read_text()

    code, stderr = train("--resume", str(run / "snapshot-001.pt"), **{"train_settings.epochs": 3})

    assert code == 0
    assert "files of a former run" in stderr
    [aside] = run.glob("replaced-*")
    later = {name for name in before if name != "snapshot-001.pt"}
    assert {p.name for p in aside.glob("*.pt")} == later
    assert all((aside / name).read_bytes() == before[name] for name in later)
    assert (aside / "learning_stats.csv").read_text() == table
    assert max(s.epoch for s in list_snapshots(run)) == 3


def test_going_back_by_the_config_asks_first(train, tmp_path):
    train(**{"train_settings.epochs": 3})
    run = tmp_path / "run"
    before = names(run)
    changes = {
        "train_settings.epochs": 4,
        "resume_training_from": str(run / "snapshot-001.pt"),
    }

    code, stderr = train(**changes)

    assert code == 1
    assert "has gone beyond snapshot-001.pt" in stderr
    assert names(run) == before
    assert train("--overwrite", **changes)[0] == 0


def test_another_runs_folder_is_left_alone(train, tmp_path):
    train(output="one")
    train(output="other")
    before = names(tmp_path / "other")

    source = str(tmp_path / "one" / "snapshot-001.pt")
    code, stderr = train("--resume", source, output="other", **{"train_settings.epochs": 3})

    assert code == 1
    assert "holds another run" in stderr
    assert names(tmp_path / "other") == before


def test_a_run_that_replaces_another_does_not_go_on_in_its_table(train, tmp_path):
    train(output="first")
    train(**{"train_settings.seed": 8})
    table = (tmp_path / "run" / "learning_stats.csv").read_text()

    snapshot = str(tmp_path / "first" / "snapshot-001.pt")
    code, _ = train("--resume", snapshot, "--overwrite")

    assert code == 0
    [moved] = (tmp_path / "run").glob("replaced-*")
    assert (moved / "learning_stats.csv").read_text() == table
    _, *rows = (tmp_path / "run" / "learning_stats.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["2"]


def test_a_damaged_resume_file_does_not_block_the_snapshots(train, tmp_path):
    train()
    run = tmp_path / "run"
    whole = (run / "resume.pt").read_bytes()
    (run / "resume.pt").write_bytes(whole[: len(whole) // 2])
    [best] = [s.path for s in list_snapshots(run) if s.epoch == 2]

    code, stderr = train("--resume", str(best), **{"train_settings.epochs": 3})

    assert code == 0
    assert "going on from the snapshot alone" in stderr


def test_a_folder_can_be_named(train, tmp_path):
    train(output="one")

    code, _ = train("--resume", str(tmp_path / "one"), output="two", **{"train_settings.epochs": 3})

    assert code == 0
    assert max(s.epoch for s in list_snapshots(tmp_path / "two")) == 3


def test_resuming_and_starting_from_weights_at_once_is_refused(train, tmp_path):
    train()
    snapshot = str(tmp_path / "run" / "snapshot-001.pt")

    code, stderr = train("--init-from", snapshot, resume_training_from=snapshot)

    assert code == 1
    assert "--init-from starts a new one" in stderr


def test_a_new_run_from_weights_in_the_folder_that_it_overwrites(train, tmp_path):
    train()

    code, _ = train("--overwrite", "--init-from", str(tmp_path / "run" / "snapshot-001.pt"))

    assert code == 0


def test_nothing_is_moved_when_the_new_run_cannot_start(train, tmp_path):
    train()
    before = names(tmp_path / "run")

    code, _ = train("--overwrite", **{"runner.key_metric": "test.nothing"})

    assert code == 1
    assert names(tmp_path / "run") == before


def test_a_best_snapshot_is_compared_by_its_own_metric(train, tmp_path):
    train(**{"runner.key_metric": "test.rmse", "runner.key_metric_asc": False})

    code, _ = train("--resume", **{"train_settings.epochs": 4, "runner.key_metric": "test.mAP"})

    assert code == 0
    [best] = [s for s in list_snapshots(tmp_path / "run") if s.best]
    metrics = load_snapshot(best.path)["metadata"]["metrics"]
    assert metrics["metrics/test.mAP"] >= 0


def test_a_logger_that_cannot_be_made_does_not_stop_the_run(train, tmp_path):
    plugin = tmp_path / "acme_log.py"
    plugin.write_text(
        textwrap.dedent('''
            from dlcore import Component, hookimpl
            from dlcore.interfaces import Logger


            class Broken(Logger):
                """Fails."""

                def __init__(self, run):
                    raise RuntimeError("no server")

                def log(self, metrics, step):
                    pass


            @hookimpl
            def register_loggers():
                return [Component("Broken", "acme_log:Broken", summary="Fails.")]
            ''')
    )

    code, stderr = train("--plugin", str(plugin), logger={"type": "Broken"})

    assert code == 0
    assert "logger Broken cannot be used: RuntimeError: no server" in stderr
    assert (tmp_path / "run" / "learning_stats.csv").is_file()


def test_a_new_run_starts_from_the_weights_of_a_snapshot(train, tmp_path):
    train()
    snapshot = tmp_path / "run" / "snapshot-001.pt"
    still = {"runner.optimizer.params": {"lr": 0.0}, "runner.scheduler": None}

    code, stderr = train(
        "--init-from", str(snapshot), output="new", **still, **{"train_settings.epochs": 1}
    )

    assert code == 0
    assert "0 start anew, 0 not used" in stderr
    [made] = [s.path for s in list_snapshots(tmp_path / "new")]
    old, new = load_snapshot(snapshot)["model"], load_snapshot(made)["model"]
    weights = [key for key in old if "running" not in key and "num_batches" not in key]
    assert all(torch.equal(old[key], new[key]) for key in weights)


def test_the_precision_of_a_run_stays_what_it_was(train, tmp_path, monkeypatch):
    train(**{"runner.precision": "bf16"})

    def refuse(*_):
        raise AssertionError("the precision was chosen before")

    monkeypatch.setattr("dlcore.engine.prepare.choose_precision", refuse)
    code, stderr = train("--resume", **{"runner.precision": "auto", "train_settings.epochs": 3})

    assert code == 0
    assert "precision: bf16 (as before)" in stderr


def test_epochs_are_evaluated_at_their_interval_and_at_the_end(train, tmp_path):
    train(**{"train_settings.epochs": 5, "runner.eval_interval": 3})

    log = (tmp_path / "run" / "train.txt").read_text()
    lines = [line for line in log.splitlines() if " epoch " in line and "/5 " in line]
    assert ["valid loss" in line for line in lines] == [False, False, True, False, True]


def test_a_batch_size_that_was_found_by_trying_stays_when_a_run_goes_on(train, tmp_path):
    code, stderr = train(**{"train_settings.batch_size": "auto"})

    assert code == 0
    assert "train_settings.batch_size: 1 (images/s by size" in stderr  # ten images, eight steps
    resolved = yaml.safe_load((tmp_path / "run" / "resolved_config.yaml").read_text())
    assert resolved["train_settings"]["batch_size"] == 1

    code, stderr = train(
        "--resume", **{"train_settings.batch_size": "auto", "train_settings.epochs": 3}
    )

    assert code == 0
    assert "train_settings.batch_size: 1 (as before)" in stderr


def test_training_and_predicting_on_a_cpu_keep_the_memory_that_they_free(
    train, tmp_path, monkeypatch
):
    asked = []
    for module in ("dlcore.engine.run", "dlcore.inference.loading"):
        monkeypatch.setattr(
            f"{module}.keep_freed_memory", lambda module=module: asked.append(module)
        )

    train()
    assert asked == ["dlcore.engine.run"]
    load_model(tmp_path / "run")
    assert asked == ["dlcore.engine.run", "dlcore.inference.loading"]
