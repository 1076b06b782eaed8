"""What only the log of a run tells: learning rates, speed, and the advice of a profile."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from dlcore.runs.record import TRAIN_LOSS, StageRecord

_LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (.*)")
_EPOCH = re.compile(r"epoch (\d+)/\d+ \(lr=([^)]+)\), train loss ([^,]+)")
_SPEED = re.compile(r", ([\d.]+) images/s")
_DATA = re.compile(r"data: (.+)")
_ADVICE = re.compile(r"profile: (.+)")
_MODEL = re.compile(r"training (\S+ million weights on \S+ in \S+) until epoch")
_TOLERANCE = 1e-5
"""The log has five digits of a loss behind the point."""


@dataclass
class StageLog:
    """What the log says of one stage.

    Attributes:
        rates: Learning rate of the first step, by epoch.
        speeds: Images per second in training, by epoch.
        times: When the epoch was over.
        model: How large the model is and where it was trained.
        advice: What a profile came to.
    """

    rates: dict[int, float] = field(default_factory=dict)
    speeds: dict[int, float] = field(default_factory=dict)
    times: dict[int, datetime] = field(default_factory=dict)
    model: str = ""
    advice: str = ""


@dataclass
class RunLog:
    """What the log says of a run.

    Attributes:
        data: How many images and bodyparts there are.
        stages: By name.
    """

    data: str = ""
    stages: dict[str, StageLog] = field(default_factory=dict)


def read_log(path: Path, stages: Sequence[StageRecord]) -> RunLog:
    """Read `train.txt`.

    The log may hold several runs and stages. A line about an epoch belongs to the stage whose table
    has its loss; those of former runs belong to none.

    Args:
        path: The log; what cannot be read is empty.
        stages: With their tables.
    """
    found = RunLog(stages={stage.name: StageLog() for stage in stages})
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return found
    losses = {
        stage.name: dict(zip(*stage.curves.get(TRAIN_LOSS, ([], [])), strict=True))
        for stage in stages
    }
    logs = found.stages
    model, current = "", ""
    for line in lines:
        stamped = _LINE.fullmatch(line)
        if stamped is None:
            continue
        when, text = stamped.groups()
        if match := _DATA.match(text):
            found.data = match[1]
        elif match := _MODEL.match(text):
            model = match[1]
        elif match := _ADVICE.match(text):
            if current:
                logs[current].advice = match[1]
        elif match := _EPOCH.match(text):
            number, rate, loss = int(match[1]), _float(match[2]), _float(match[3])
            current = _stage_of(number, loss, losses)
            if current and rate is not None:
                log = logs[current]
                log.model = model
                log.rates[number] = rate
                log.times[number] = datetime.strptime(when, "%Y-%m-%d %H:%M:%S")
                speed = _SPEED.search(text)
                log.speeds.pop(number, None)
                if speed is not None:
                    log.speeds[number] = float(speed[1])
    return found


def _stage_of(epoch: int, loss: float | None, losses: dict[str, dict[int, float]]) -> str:
    if loss is None:
        return ""
    near = {
        name: abs(table[epoch] - loss)
        for name, table in losses.items()
        if epoch in table and abs(table[epoch] - loss) < _TOLERANCE
    }
    return min(near, key=lambda name: near[name]) if near else ""


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
