import pytest
import torch

from dlcore.interfaces import PoseTask
from dlcore.testing import check_round_trip, fake_task
from dlcore_plugins.simcc.predictor import SimCCPredictor
from dlcore_plugins.simcc.targets import SimCCGenerator
from tests.plugins.simcc.reference import load, without_type

TASK = PoseTask(keypoints=("nose",))
CASES = [
    "big_norm",
    "flat",
    "negative",
    "soft0_norm0",
    "soft0_norm1",
    "soft1_norm0",
    "soft1_norm1",
    "split3",
]


def one_peak(x=30, y=10, value=1.0):
    outputs = {"x": torch.zeros(1, 1, 128), "y": torch.zeros(1, 1, 96)}
    outputs["x"][..., x] = outputs["y"][..., y] = value
    return outputs


@pytest.mark.parametrize("case", CASES)
def test_poses_equal_those_of_deeplabcut(shared, case):
    arrays, meta = load(shared, f"predictors/simcc_{case}")
    predictor = SimCCPredictor(TASK, **without_type(meta["predictor"]))

    outputs = {name: torch.from_numpy(arrays[f"output/{name}"]) for name in ("x", "y")}
    poses = predictor(meta["stride"], outputs)["poses"]

    expected = torch.from_numpy(arrays["prediction/poses"])
    torch.testing.assert_close(poses, expected, rtol=1e-5, atol=1e-6)


def test_the_place_is_the_best_bin_of_each_axis_over_the_bins_per_pixel():
    poses = SimCCPredictor(TASK)(32, one_peak())["poses"]

    assert poses.tolist() == [[[[15.0, 5.0, 1.0]]]]


def test_rows_that_say_nothing_give_a_place_outside_and_a_score_of_one_bin():
    poses = SimCCPredictor(TASK)(32, one_peak(value=0.0))["poses"]

    assert poses[0, 0, 0].tolist() == [-0.5, -0.5, pytest.approx(1 / 128)]


def test_works_where_there_is_no_data_to_look_at():
    """On torch's meta device nothing can be copied to the CPU."""
    outputs = {name: rows.to("meta") for name, rows in one_peak().items()}

    assert SimCCPredictor(TASK)(32, outputs)["poses"].shape == (1, 1, 1, 3)


@pytest.mark.parametrize("ratio", [2.0, 4.0])
def test_what_the_generator_wrote_is_read_within_half_a_bin(ratio):
    task = fake_task(num_keypoints=3)
    bins = int(64 * ratio)
    outputs = {name: torch.empty(2, 3, bins) for name in ("x", "y")}
    generator = SimCCGenerator(task, input_size=[64, 64], simcc_split_ratio=ratio)
    predictor = SimCCPredictor(task, simcc_split_ratio=ratio)

    check_round_trip(generator, predictor, 32, outputs, task, tolerance=0.75 / ratio)
