from __future__ import annotations

import click
import pytest

from tests.core.runs.conftest import make_run

__all__ = ["make_run"]


def test_a_page_is_written_into_each_run(dlcore, make_run):
    runs = [make_run("a"), make_run("b")]
    done = dlcore("report", *runs)

    assert (done.code, done.err) == (0, "")
    for run in runs:
        assert f"written: {run / 'report.html'}" in done.out
        assert (run / "report.html").read_text().startswith("<!DOCTYPE html>")


def test_output_and_open(dlcore, make_run, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(click, "launch", opened.append)
    run, output = make_run("a"), tmp_path / "page.html"
    done = dlcore("report", run, "--output", output, "--open")

    assert done.code == 0
    assert opened == [output.as_uri()]
    assert not (run / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["{a}", "{b}", "--output", "x.html"], 2, "--output is for one RUN"),
        ([], 2, "Missing argument 'RUN...'"),
        (["{a}/nothing"], 1, "is not the folder of a run"),
        (["{a}", "--output", "{a}/train.txt"], 1, "is no report; choose another with --output"),
        (["{a}", "--output", "{a}/none/x.html"], 1, "cannot write"),
    ],
)
def test_what_cannot_be_done_is_told(dlcore, make_run, arguments, code, message):
    folders = {name: make_run(name) for name in "ab"}
    (folders["a"] / "train.txt").write_text("a log")
    done = dlcore("report", *(text.format(**folders) for text in arguments))

    assert done.code == code
    assert message in done.err
    assert (folders["a"] / "train.txt").read_text() == "a log"


def test_no_torch_is_needed(dlcore_process, make_run):
    done = dlcore_process("report", make_run("a"))

    assert done.code == 0
    assert not done.modules & {"torch", "pandas", "matplotlib", "cv2"}
