from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from dlcore.engine.curves import draw_learning_curves, read_curves

HEADER = "step,losses/eval.total_loss,losses/train.total_loss,metrics/test.mAP,metrics/test.rmse\n"
TABLE = HEADER + "1,,0.5,,\n2,0.4,0.3,10.0,nan\n3,,0.2,,\n4,0.3,0.1,55.5,12.0\n"


def table(folder: Path, text: str = TABLE, name: str = "learning_stats.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def drawn(csv_path: Path) -> np.ndarray:
    """The picture as (H, W, 3)."""
    picture = csv_path.parent / "learning_curves.png"
    draw_learning_curves(csv_path, picture)
    image = cv2.imread(str(picture))
    assert image is not None
    return image


def panels(image: np.ndarray) -> int:
    """How many panels a picture has: their height is fixed."""
    return round(image.shape[0] / 130 // 2.8)


def test_cells_that_are_empty_or_no_number_are_left_out(tmp_path: Path) -> None:
    assert read_curves(table(tmp_path)) == {
        "losses/train.total_loss": ([1, 2, 3, 4], [0.5, 0.3, 0.2, 0.1]),
        "losses/eval.total_loss": ([2, 4], [0.4, 0.3]),
        "metrics/test.mAP": ([2, 4], [10.0, 55.5]),
        "metrics/test.rmse": ([4], [12.0]),
    }


def test_losses_pixels_and_percent_have_a_panel_each(tmp_path: Path) -> None:
    assert panels(drawn(table(tmp_path))) == 3
    assert panels(drawn(table(tmp_path, "step,losses/train.total_loss\n1,0.5\n"))) == 1


def test_the_best_epoch_is_marked(tmp_path: Path) -> None:
    before = drawn(table(tmp_path))
    (tmp_path / "snapshot-detector-best-002.pt").touch()
    (tmp_path / "snapshot-004.pt").touch()
    (tmp_path / "snapshot-best-400.pt").touch()
    assert np.array_equal(drawn(tmp_path / "learning_stats.csv"), before)

    (tmp_path / "snapshot-best-002.pt").touch()

    assert not np.array_equal(drawn(tmp_path / "learning_stats.csv"), before)


def test_the_best_epoch_of_a_detector_is_that_of_its_own_snapshots(tmp_path: Path) -> None:
    path = table(tmp_path, name="learning_stats_detector.csv")
    before = drawn(path)
    (tmp_path / "snapshot-best-002.pt").touch()
    assert np.array_equal(drawn(path), before)

    (tmp_path / "snapshot-detector-best-002.pt").touch()

    assert not np.array_equal(drawn(path), before)


def test_the_best_epoch_of_averaged_weights_is_not_that_of_the_model(tmp_path: Path) -> None:
    path = table(tmp_path)
    (tmp_path / "snapshot-best-002.pt").touch()
    before = drawn(path)

    (tmp_path / "snapshot-ema-best-004.pt").touch()

    assert np.array_equal(drawn(path), before)


def test_metrics_of_averaged_weights_are_drawn_with_those_of_the_model(tmp_path: Path) -> None:
    names = HEADER.strip().replace("metrics/", "metrics/ema.").replace("losses/", "losses/ema.")
    text = f"{HEADER.strip()},{names.partition(',')[2]}\n1,1,1,5,9,1,1,6,8\n2,1,1,6,8,1,1,7,7\n"

    assert panels(drawn(table(tmp_path, text))) == 3


@pytest.mark.parametrize("text", [HEADER, HEADER + "1,,,,\n2,nan,nan,,\n", HEADER + "1,0,0,,\n"])
def test_nothing_is_drawn_where_there_is_nothing_to_draw(tmp_path: Path, text: str) -> None:
    draw_learning_curves(table(tmp_path, text), tmp_path / "learning_curves.png")

    assert not (tmp_path / "learning_curves.png").exists()


@pytest.mark.parametrize("text", ["", "not a table\n1\n", "step,a\none,2\n", "step,a\n1,b\n"])
def test_a_damaged_table_is_refused(tmp_path: Path, text: str) -> None:
    path = table(tmp_path, text)
    if not text:
        assert read_curves(path) == {}
        return
    with pytest.raises(ValueError, match="is no table of learning statistics"):
        draw_learning_curves(path, tmp_path / "learning_curves.png")


def test_tables_of_deeplabcut_can_be_drawn(shared: Path, tmp_path: Path) -> None:
    for number, known in enumerate(sorted(shared.glob("peer/snapshots/*/learning_stats.csv"))):
        folder = tmp_path / str(number)
        folder.mkdir()
        shutil.copy(known, folder)

        assert panels(drawn(folder / known.name)) == 3


def test_matplotlib_is_imported_only_to_draw_and_its_state_is_left_alone(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from dlcore.engine.curves import draw_learning_curves\n"
        "from pathlib import Path\n"
        "assert 'matplotlib' not in sys.modules\n"
        f"draw_learning_curves(Path({str(table(tmp_path))!r}), Path({str(tmp_path / 'a.png')!r}))\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    assert (tmp_path / "a.png").exists()
