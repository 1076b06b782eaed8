"""What signals do to a run."""

import os
import signal
import subprocess
import sys
import time

import pytest


@pytest.mark.skipif(sys.platform == "win32", reason="there are no process groups")
def test_a_sigterm_to_the_whole_process_group_stops_the_run_with_its_state_saved(config_file):
    path = config_file(
        **{
            "train_settings.epochs": 1000,
            "train_settings.dataloader_workers": 2,
            "runner.eval_interval": 1000,
            "runner.snapshots.save_epochs": 1000,
        }
    )
    command = [sys.executable, "-m", "dlcore", "train", str(path)]
    run = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        log = path.parent / "learning_stats.csv"
        deadline = time.monotonic() + 60
        while not log.exists() and run.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(run.pid, signal.SIGTERM)
        output, _ = run.communicate(timeout=30)
    finally:
        run.kill()
    assert "Traceback" not in output
    assert run.returncode == 130, output
    assert (path.parent / "resume.pt").is_file()
