"""How far a prediction is: frames per second and the time that is left."""

from __future__ import annotations

import io
import re

import pytest

from dlcore.cli import progress
from dlcore.cli.progress import PredictionBar
from dlcore.inference.predicting import PredictionReport


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_lines_from_time_to_time_where_there_is_no_terminal(capsys, clock):
    with PredictionBar("clip.mp4") as bar:
        clock[0] = 10
        bar(PredictionReport(frames=20, seconds=10), 400)
        clock[0] = 40
        bar(PredictionReport(frames=120, resumed=40, seconds=40), 400)

    assert capsys.readouterr().err == ("clip.mp4: 120 of 400 frames, 2.0 frames/s, 140 s left\n")


def test_nothing_is_promised_where_the_number_of_frames_is_unknown(capsys, clock):
    with PredictionBar("clip.mp4") as bar:
        clock[0] = 40
        bar(PredictionReport(frames=80, seconds=40), None)

    assert capsys.readouterr().err == "clip.mp4: 80 frames, 2.0 frames/s\n"


def test_a_bar_on_a_terminal_has_the_speed_and_the_time_left(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(progress.sys, "stderr", terminal)
    with PredictionBar("clip.mp4") as bar:
        for frames in (100, 200):
            bar._bar.start_t -= 10  # ten seconds ago
            bar._bar.last_print_t -= 10
            bar(PredictionReport(frames=frames, seconds=1), 400)

    shown = terminal.getvalue()
    assert "clip.mp4" in shown
    assert "200/400" in shown
    assert re.search(r"<00:\d\d, +\d+\.\d+ frames/s", shown)
