from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from dlcore.engine.curves import draw_learning_curves
from dlcore.engine.profile_report import Circumstances, advice, draw_profile, epoch_line
from dlcore.engine.profiling import PARTS

ON_CPU = Circumstances(workers=0, cores=4, accelerated=False)
ON_GPU = Circumstances(workers=0, cores=4, accelerated=True)


def seconds(**parts: float) -> dict[str, float]:
    return dict.fromkeys(PARTS, 0.0) | parts


def test_the_line_names_the_largest_parts_first_and_no_trifles() -> None:
    line = epoch_line(3, seconds(forward=1.5, backward=2.4, loss=0.01, wait=0.09))
    assert line == "profile of epoch 3: 4.00 s: backward 60%, forward 38%, wait 2%"


@pytest.mark.parametrize(
    ("parts", "where", "sentence"),
    [
        ({"wait": 43}, ON_GPU, "for data takes 43% of the time: set train_settings.dataloader_wor"),
        ({"wait": 43}, Circumstances(2, 8, True), "raise train_settings.dataloader_workers above"),
        ({"wait": 43}, Circumstances(7, 8, True), "waiting for data takes 43%.* cheaper transfor"),
        ({"wait": 43}, Circumstances(0, 8, True, "detector."), "set detector.train_settings.data"),
        ({"decode": 30, "augment": 5}, ON_CPU, "reading images takes 30% .* train_settings.cache"),
        ({"decode": 5, "augment": 30}, ON_CPU, "preparing images takes 35% .*dataloader_workers"),
        ({"augment": 30}, Circumstances(0, 1, False), "preparing images .* or smaller images$"),
        ({"evaluation": 50, "snapshots": 20}, ON_CPU, "evaluating takes 50% .*eval_interval"),
        ({"snapshots": 50}, ON_CPU, "snapshots takes 50% of the time: raise runner.snapshots.sav"),
        ({"targets": 30}, ON_CPU, "making the targets takes 30%"),
        ({"optimizer": 30}, ON_CPU, "the optimizer takes 30% .*batch_size"),
        ({"transfer": 30}, ON_GPU, "to the device takes 30%"),
        ({"other": 30}, ON_GPU, "30% of the time is neither data nor network"),
        ({"wait": 3}, ON_GPU, "the network takes 97% .*runner.compile"),
        ({}, ON_CPU, "the network takes 100% .* a GPU would help"),
    ],
)
def test_advice_is_about_what_takes_most_and_need_not(parts, where, sentence) -> None:
    epoch = seconds(**{"forward": 100.0 - sum(parts.values()), **parts})
    found = advice({1: seconds(decode=1000), 2: epoch, 3: epoch}, where)
    assert found is not None
    assert re.search(sentence, found), found


def test_advice_does_not_judge_reading_by_the_first_epoch_alone() -> None:
    found = advice({1: seconds(decode=9, forward=1)}, ON_CPU)
    assert found is not None
    assert "profile at least two" in found


def test_there_is_no_advice_without_an_epoch() -> None:
    assert advice({}, ON_CPU) is None


def table(folder: Path, text: str) -> Path:
    path = folder / "learning_stats.csv"
    path.write_text(text)
    return path


PROFILED = "step,losses/train.total_loss,profile/backward_s,profile/wait_s\n"


def test_the_picture_has_the_colours_of_what_took_time(tmp_path: Path) -> None:
    csv_path = table(tmp_path, PROFILED + "1,0.5,,\n2,0.4,2.0,0.0\n3,0.3,1.5,0.0\n")
    draw_profile(csv_path, tmp_path / "profile.png", "waiting takes 43% of the time")
    image = cv2.imread(str(tmp_path / "profile.png"))
    assert image is not None
    assert (image == (0x6B, 0x98, 0xE9)).all(axis=2).mean() > 0.2  # backward, as BGR
    assert not (image == (0xE0, 0xBB, 0x8F)).all(axis=2).any()  # wait
    assert [path.name for path in tmp_path.glob("*.p*")] == ["profile.png"]


def test_no_picture_without_a_profile(tmp_path: Path) -> None:
    draw_profile(table(tmp_path, PROFILED + "1,0.5,,\n"), tmp_path / "profile.png")
    assert not (tmp_path / "profile.png").exists()


def test_learning_curves_leave_the_profile_out(tmp_path: Path) -> None:
    csv_path, picture = table(tmp_path, PROFILED + "1,,2.0,1.0\n"), tmp_path / "curves.png"
    draw_learning_curves(csv_path, picture)
    assert not picture.exists()


def test_matplotlib_is_imported_only_to_draw() -> None:
    code = "import sys, dlcore.engine.profiled_trainer; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
