from dataclasses import replace

import pytest
import torch

from dlcore import ComponentError
from dlcore.interfaces import PoseTask
from dlcore.testing import fake_labels, fake_task
from dlcore_plugins.simcc.targets import SimCCGenerator
from tests.plugins.simcc.reference import load, read_labels, without_type

TASK = PoseTask(keypoints=("nose",))
CASES = ["simcc", "simcc_normalized", "simcc_standard", "simcc_standard_smooth"]


def labels_at(*points, visibility=2.0):
    labels = fake_labels(fake_task(len(points)), batch=1)
    keypoints = torch.tensor([[*point, visibility] for point in points]).view(1, 1, -1, 3)
    return replace(labels, keypoints=keypoints)


def outputs(keypoints=1, width=64, height=48, batch=1):
    return {
        "x": torch.zeros(batch, keypoints, 2 * width),
        "y": torch.zeros(batch, keypoints, 2 * height),
    }


def build(**options):
    return SimCCGenerator(TASK, input_size=[64, 48], **options)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("case", CASES)
def test_targets_and_weights_equal_those_of_deeplabcut(shared, case, seed):
    arrays, meta = load(shared, f"targets/{case}_s32_{seed}")
    generator = SimCCGenerator(TASK, **without_type(meta["generator"]))

    targets = generator(32, outputs(keypoints=5, batch=2), read_labels(arrays))

    for name in ("x", "y"):
        expected = torch.from_numpy(arrays[f"target/{name}/target"][:, 0])
        weights = torch.from_numpy(arrays[f"target/{name}/weights"][:, 0])
        torch.testing.assert_close(targets[name].target, expected, rtol=0, atol=1e-6)
        assert torch.equal(targets[name].weights.squeeze(2), weights.float())


def test_the_peak_is_at_the_nearest_bin_and_halves_go_to_even_ones():
    targets = build()(32, outputs(2), labels_at((5.3, 7.25), (10.25, 10.75)))

    assert targets["x"].target.argmax(dim=2).tolist() == [[11, 20]]
    assert targets["y"].target.argmax(dim=2).tolist() == [[14, 22]]


def test_a_gaussian_has_its_own_width_along_each_axis():
    targets = build(sigma=[4.0, 6.0], normalize=False)(32, outputs(), labels_at((20, 20)))

    x, y = targets["x"].target[0, 0], targets["y"].target[0, 0]
    assert x[44] == pytest.approx(0.606531, abs=1e-5)
    assert y[46] == pytest.approx(0.606531, abs=1e-5)


def test_a_normalized_gaussian_adds_up_to_one():
    targets = build(sigma=4.0)(32, outputs(), labels_at((20, 20)))

    assert float(targets["x"].target.sum()) == pytest.approx(1, abs=1e-5)


def test_smoothing_takes_from_the_best_bin_and_gives_to_the_others():
    generator = build(smoothing_type="standard", label_smooth_weight=0.127)

    row = generator(32, outputs(), labels_at((20, 20)))["x"].target[0, 0]

    assert row[40] == pytest.approx(0.873)
    assert row[41] == pytest.approx(0.001)
    assert float(row.sum()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("smoothing", "x", "counts"),
    [
        ("gaussian", 66, True),
        ("gaussian", 80, False),
        ("gaussian", -5, True),
        ("gaussian", -20, False),
        ("standard", 63.5, True),
        ("standard", 64, False),
        ("standard", -1, False),
    ],
)
def test_a_keypoint_without_bins_nearby_counts_along_neither_axis(smoothing, x, counts):
    targets = build(smoothing_type=smoothing)(32, outputs(), labels_at((x, 20)))

    assert [bool(targets[name].weights) for name in ("x", "y")] == [counts, counts]
    assert bool(targets["y"].target.any()) is counts


@pytest.mark.parametrize("visibility", [0.0, -1.0])
def test_what_is_not_labelled_counts_nowhere_even_if_its_place_is_no_number(visibility):
    targets = build()(32, outputs(), labels_at((float("nan"), 3.0), visibility=visibility))

    for target, weights in targets.values():
        assert not target.any()
        assert not weights.any()


def test_unique_keypoints_have_targets_of_their_own():
    labels = fake_labels(fake_task(3, num_individuals=2, num_unique=2), size=(64, 48))
    generator = build(label_keypoint_key="keypoints_unique")

    targets = generator(32, outputs(keypoints=2, batch=2), labels)

    expected = (2 * labels.unique_keypoints[..., 0]).round().long()
    assert torch.equal(targets["x"].target.argmax(dim=2), expected)


def test_several_individuals_are_refused_with_the_method_to_choose():
    labels = fake_labels(fake_task(3, num_individuals=2))

    with pytest.raises(ComponentError, match=r"one individual per image.* 2; .*method td"):
        build()(32, outputs(3, batch=2), labels)


def test_a_head_of_other_sizes_is_refused_with_both_numbers():
    with pytest.raises(ComponentError, match=r"100 bins for 'x'.* for 128; .*input_size"):
        build()(32, outputs(width=50), labels_at((1, 1)))
    with pytest.raises(ComponentError, match="4 keypoints, but 1 are labelled; correct out_chan"):
        build()(32, outputs(keypoints=4), labels_at((1, 1)))
