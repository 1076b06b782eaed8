import numpy as np
import pytest
import torch

from dlcore.testing import check_predictor, check_round_trip, fake_task
from dlcore_plugins.dekr.predictor import DEKRPredictor
from dlcore_plugins.dekr.targets import DEKRGenerator
from tests.plugins.dekr.reference import load, outputs, task_with

PLAIN = {"apply_sigmoid": False, "use_heatmap": False}


def make_outputs(*animals, keypoints=2, rows=20, columns=30):
    """Outputs in which each animal is (row, column, score of its centre, offsets (K, 2))."""
    heatmap = torch.zeros(1, keypoints + 1, rows, columns)
    offset = torch.zeros(1, 2 * keypoints, rows, columns)
    for row, column, score, offsets in animals:
        heatmap[0, -1, row, column] = score
        offset[0, :, row, column] = torch.tensor(offsets, dtype=torch.float32).flatten()
    return {"heatmap": heatmap, "offset": offset}


NEAR = [[2, 1], [-2, -1]]
FIRST, SECOND = (5, 6, 0.9, NEAR), (14, 20, 0.5, NEAR)


def decode(given, animals=2, **options):
    keypoints = given["offset"].shape[1] // 2
    task = task_with(keypoints, animals)
    return DEKRPredictor(task, **(PLAIN | options))(4, given)["poses"][0]


def test_keypoints_lie_at_the_centre_minus_the_offset():
    pose = decode(make_outputs(FIRST), animals=1, keypoint_score_type="center")[0]

    x, y = (6 + 0.5) * 4, (5 + 0.5) * 4
    expected = [[x - 8, y - 4, 0.9], [x + 8, y + 4, 0.9]]
    torch.testing.assert_close(pose, torch.tensor(expected))


def test_kept_poses_come_from_the_worst_to_the_best():
    poses = decode(make_outputs(FIRST, SECOND), keypoint_score_type="center")

    assert poses[:, 0, 2].tolist() == pytest.approx([0.5, 0.9])


def test_without_suppression_they_come_from_the_best_to_the_worst():
    options = {"keypoint_score_type": "center", "apply_pose_nms": False}

    poses = decode(make_outputs(FIRST, SECOND), **options)

    assert poses[:, 0, 2].tolist() == pytest.approx([0.9, 0.5])


def test_within_two_cells_only_the_highest_centre_counts():
    given = make_outputs(FIRST, (7, 8, 0.8, [[9, 9], [9, 9]]), SECOND)

    poses = decode(given, keypoint_score_type="center")

    assert poses[:, 0, 2].tolist() == pytest.approx([0.5, 0.9])


@pytest.mark.parametrize(
    ("kind", "expected"), [("center", 0.9), ("heatmap", 0.7), ("combined", 0.63)]
)
def test_scores_are_of_the_centre_the_keypoint_or_both(kind, expected):
    given = make_outputs(FIRST)
    given["heatmap"][0, 0, 4, 4] = 0.7  # where the first keypoint is

    pose = decode(given, animals=1, keypoint_score_type=kind)[0]

    assert pose[0, 2].item() == pytest.approx(expected)


def test_scores_can_be_clipped():
    given = make_outputs((5, 6, 1.5, NEAR))

    pose = decode(given, animals=1, keypoint_score_type="center", clip_scores=True)[0]

    assert pose[:, 2].tolist() == [1, 1]


def test_keypoints_move_to_a_peak_that_is_close():
    given = make_outputs(FIRST)
    given["heatmap"][0, 0, 6, 4] = 0.7  # two cells below the first keypoint
    given["heatmap"][0, 1, 15, 25] = 0.6  # far from the second

    pose = decode(given, 1, use_heatmap=True, max_absorb_distance=3, keypoint_score_type="heatmap")

    assert pose[0, 0].tolist() == pytest.approx([4.5 * 4, 6.5 * 4, 0.7])
    assert pose[0, 1, :2].tolist() == [(6 + 2.5) * 4, (5 + 1.5) * 4]


class TestSuppression:
    """Two animals of four keypoints whose first one is the same."""

    GIVEN = make_outputs(
        (5, 5, 0.9, [[-5, -5], [2, 0], [3, 1], [4, 2]]),
        (15, 15, 0.5, [[5, 5], [-2, 0], [-3, -1], [-4, -2]]),
        keypoints=4,
    )

    def kept(self, given=None, animals=2, **options):
        poses = decode(given or self.GIVEN, animals, keypoint_score_type="center", **options)
        return sorted(poses[:, 0, 2].tolist())

    def test_one_common_keypoint_is_enough_by_default(self):
        assert self.kept() == pytest.approx([-1, 0.9])

    def test_a_removed_pose_is_minus_one_everywhere_and_comes_last(self):
        poses = decode(self.GIVEN)

        assert torch.equal(poses[1], torch.full((4, 3), -1.0))

    @pytest.mark.parametrize(("fraction", "number"), [(0.2, 1), (0.25, 2), (0.5, 2)])
    def test_with_a_fraction_touching_animals_are_kept(self, fraction, number):
        kept = self.kept(nms_keypoint_fraction=fraction)

        assert sum(score > 0 for score in kept) == number

    def test_with_a_fraction_the_same_pose_twice_is_removed(self):
        offsets = torch.tensor([[2, 1], [-2, -1], [4, 4], [-4, -4]])
        moved = offsets + torch.tensor([6, 6])
        given = make_outputs(
            (5, 5, 0.9, offsets.tolist()), (11, 11, 0.5, moved.tolist()), keypoints=4
        )

        assert self.kept(given, nms_keypoint_fraction=0.5) == pytest.approx([-1, 0.9])

    def test_with_a_fraction_a_removed_pose_removes_no_other(self):
        """The second lies on the first, the third on the second but not on the first."""
        offsets = torch.tensor([[0, 0], [2, 0], [4, 0], [6, 0]])
        shift = torch.tensor([[1, 0]])
        given = make_outputs(
            (2, 8, 0.9, offsets.tolist()),
            (8, 8, 0.8, (offsets + shift + torch.tensor([0, 6])).tolist()),
            (14, 8, 0.7, (offsets + 2 * shift + torch.tensor([0, 12])).tolist()),
            keypoints=4,
        )
        options = {"nms_threshold": 0.2, "nms_keypoint_fraction": 0.9}

        assert self.kept(given, 3, nms_threshold=0.2) == pytest.approx([-1, -1, 0.9])
        assert self.kept(given, 3, **options) == pytest.approx([-1, 0.7, 0.9])


def test_centres_below_the_threshold_are_no_individuals():
    options = {"keypoint_score_type": "center", "detection_threshold": 0.6}

    poses = decode(make_outputs(FIRST, SECOND), **options)

    assert poses[:, 0, 2].tolist() == pytest.approx([0.9, -1])


def test_as_many_individuals_as_the_task_has_unless_told():
    given = make_outputs(FIRST, SECOND)

    assert decode(given, animals=3).shape == (3, 2, 3)
    assert decode(given, animals=3, num_animals=2).shape == (2, 2, 3)


def test_more_animals_than_individuals_are_refused():
    with pytest.raises(ValueError, match="num_animals is 4, but there are 3 individuals"):
        DEKRPredictor(task_with(2, 3), num_animals=4)


@pytest.mark.parametrize("options", [{}, PLAIN, {"nms_keypoint_fraction": 0.5}])
def test_keeps_the_contract(options):
    task = fake_task(num_keypoints=3, num_individuals=4)
    torch.manual_seed(0)
    given = {"heatmap": torch.randn(2, 4, 9, 8), "offset": 3 * torch.randn(2, 6, 9, 8)}

    check_predictor(DEKRPredictor(task, **options), 8, given, task)


@pytest.mark.parametrize("use_heatmap", [True, False])
def test_targets_are_decoded_to_what_was_labelled(use_heatmap):
    task = fake_task(num_keypoints=3, num_individuals=2)
    given = {"heatmap": torch.zeros(2, 4, 24, 24), "offset": torch.zeros(2, 6, 24, 24)}
    predictor = DEKRPredictor(task, apply_sigmoid=False, use_heatmap=use_heatmap)
    tolerance = 3.0 if use_heatmap else 1e-3  # peaks are whole cells

    check_round_trip(
        DEKRGenerator(task, pos_dist_thresh=6),
        predictor,
        4,
        given,
        task,
        size=(96, 96),
        tolerance=tolerance,
    )


CASES = [
    "center",
    "combined",
    "heatmap",
    "nms_6",
    "nms_loose",
    "no_nms",
    "one_animal",
    "sigmoid",
    "use_heatmap",
    "use_heatmap_near",
]


@pytest.mark.parametrize("name", CASES)
def test_poses_equal_those_of_deeplabcut(name, shared):
    arrays, meta = load(shared, f"predictors/dekr_{name}")
    options = dict(meta["predictor"])
    assert options.pop("type") == "DEKRPredictor"
    given = outputs(arrays)
    untouched = {key: value.clone() for key, value in given.items()}

    poses = DEKRPredictor(task_with(5, 6), **options)(meta["stride"], given)["poses"]

    np.testing.assert_allclose(poses.numpy(), arrays["prediction/poses"], atol=1e-4)
    for key, value in given.items():
        assert torch.equal(value, untouched[key])
