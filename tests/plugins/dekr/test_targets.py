"""Targets: what they mean, and that DeepLabCut's are the same."""

import math
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from dlcore import ComponentError
from dlcore.interfaces import Labels
from dlcore.testing import check_target_generator, fake_labels, fake_task
from dlcore_plugins.dekr.criteria import DEKRHeatmapLoss, DEKROffsetLoss
from dlcore_plugins.dekr.targets import DEKRGenerator
from tests.plugins.dekr.reference import load, outputs, read_labels, task_with


def make_labels(keypoints, areas=None, ids=None):
    """Labels from nested lists (B, N, K, 3); every individual is there unless ids say otherwise."""
    keypoints = torch.tensor(keypoints, dtype=torch.float32)
    images, individuals = keypoints.shape[:2]
    areas = torch.tensor(areas or [[400.0] * individuals] * images)
    ids = torch.tensor(ids or [list(range(individuals))] * images)
    boxes = torch.zeros(images, individuals, 4)
    return Labels(keypoints, torch.zeros(images, 0, 3), ids, boxes, areas)


def outputs_for(keypoints, rows, columns, images=1):
    return {
        "heatmap": torch.empty(images, keypoints + 1, rows, columns),
        "offset": torch.empty(images, 2 * keypoints, rows, columns),
    }


def make_targets(labels, stride=4, rows=12, columns=16, **options):
    images, individuals, keypoints = labels.keypoints.shape[:3]
    generator = DEKRGenerator(task_with(keypoints, individuals), **options)
    return generator(stride, outputs_for(keypoints, rows, columns, images), labels)


def crowd(images=2, individuals=4, keypoints=3, size=(64, 48), seed=0):
    """Animals on top of each other, with missing, outside and undefined keypoints."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0.3, 0.7, (images, individuals, 1, 2)) * size
    places = centres + rng.normal(0, 12, (images, individuals, keypoints, 2))
    flags = rng.choice([-1, 0, 1, 2], (images, individuals, keypoints, 1), p=[0.05, 0.15, 0.4, 0.4])
    areas = rng.choice([300.0, 500.0, 500.1, 900.0], (images, individuals))
    return make_labels(np.concatenate([places, flags], axis=3).tolist(), areas.tolist())


def slow_targets(labels, image, stride, rows, columns, distance, background):
    """Heatmap, its weights, offset and its weights of one image, cell by cell."""
    keypoints = labels.keypoints[image].double().numpy()
    areas = labels.areas[image].double().numpy()
    individuals, count = keypoints.shape[:2]
    heatmap = np.zeros((count + 1, rows, columns))
    weights = np.full((count + 1, rows, columns), background)
    offset = np.zeros((2 * count, rows, columns))
    offset_weights = np.zeros((2 * count, rows, columns))
    centres = np.zeros((individuals, 3))
    for n in range(individuals):
        seen = keypoints[n, :, 2] > 0
        if seen.any():
            centres[n] = *keypoints[n, seen, :2].mean(axis=0), 2
        elif (keypoints[n, :, 2] < 0).all():
            centres[n, 2] = -1
    points = np.concatenate([keypoints, centres[:, None]], axis=1)
    weights[(points[..., 2] < 0).any(axis=0)] = 0

    def cells(point):
        return (point[:2] - stride / 2) / stride

    def on_map(point):
        x, y = cells(point)
        return point[2] > 0 and point[0] >= 0 and point[1] >= 0 and x < columns and y < rows

    for n in range(individuals):
        for k in range(count + 1):
            if not on_map(points[n, k]):
                continue
            std = distance / stride * (1 if k == count else 0.5)
            (x0, y0) = cells(points[n, k])
            for y in range(rows):
                for x in range(columns):
                    if all(
                        math.floor(c0 - 3 * std - 1) <= c < math.ceil(c0 + 3 * std + 2)
                        for c, c0 in ((x, x0), (y, y0))
                    ):
                        drawn = math.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * std**2))
                        heatmap[k, y, x] = max(heatmap[k, y, x], drawn)
                        weights[k, y, x] = 1
    by_area = sorted(range(individuals), key=lambda n: -areas[n])  # stable: of equals the last wins
    for n in by_area:
        if not on_map(centres[n]):
            continue
        x0, y0 = cells(np.trunc(centres[n]))
        reach = distance / stride
        for k in range(count):
            if on_map(keypoints[n, k]):
                for y in range(int(max(y0 - reach, 0)), int(min(y0 + reach, rows))):
                    for x in range(int(max(x0 - reach, 0)), int(min(x0 + reach, columns))):
                        offset[2 * k : 2 * k + 2, y, x] = (x, y) - cells(keypoints[n, k])
                        offset_weights[2 * k : 2 * k + 2, y, x] = 1 / math.sqrt(areas[n])
    return heatmap, weights, offset, offset_weights


class TestMeaning:
    def test_the_worked_example(self):
        labels = make_labels([[[[20, 12, 2]]]])

        targets = make_targets(labels, pos_dist_thresh=17)

        offset = targets["offset"]
        assert offset.target[0, :, 0, 0].tolist() == [-4.5, -2.5]
        assert offset.weights[0, :, 0, 0].tolist() == pytest.approx([0.05, 0.05])
        expected = [math.exp(-0.25 / std**2) for std in (2.125, 4.25)]  # half a cell off, twice
        assert targets["heatmap"].target[0, :, 2, 4].tolist() == pytest.approx(expected)

    def test_a_keypoint_is_its_cell_minus_the_offset(self):
        labels = make_labels([[[[9, 13, 2], [31, 21, 2]]]])

        offset = make_targets(labels)["offset"]

        rows, columns = offset.weights[0, 0].nonzero(as_tuple=True)
        assert len(rows) > 20
        for k, place in enumerate(([9, 13], [31, 21])):
            x = (columns - offset.target[0, 2 * k, rows, columns]) * 4 + 2
            y = (rows - offset.target[0, 2 * k + 1, rows, columns]) * 4 + 2
            torch.testing.assert_close(x, torch.full_like(x, place[0]))
            torch.testing.assert_close(y, torch.full_like(y, place[1]))

    def test_the_centre_is_the_mean_of_the_labelled_keypoints(self):
        labels = make_labels([[[[6, 6, 2], [50, 40, 0], [46, 6, 1]]]])

        heatmap = make_targets(labels, pos_dist_thresh=4)["heatmap"].target

        assert heatmap[0, 3].flatten().argmax().item() == 1 * 16 + 6  # at (26, 6)

    def test_a_centre_in_the_labels_is_taken_as_it_is(self):
        labels = make_labels([[[[6, 6, 2], [46, 6, 2], [10, 30, 2]]]])
        generator = DEKRGenerator(task_with(2, 1), pos_dist_thresh=4)

        targets = generator(4, outputs_for(2, 12, 16), labels)

        assert targets["heatmap"].target[0, 2].flatten().argmax().item() == 7 * 16 + 2
        assert targets["offset"].weights[0, 0, 7, 2] > 0

    def test_far_from_all_points_the_background_weighs_less(self):
        labels = make_labels([[[[6, 6, 2]]]])

        weights = make_targets(labels, pos_dist_thresh=4, bg_weight=0.25)["heatmap"].weights

        assert weights[0, 0, 1, 1] == 1
        assert weights[0, 0, 11, 15] == 0.25

    def test_of_two_individuals_the_smaller_has_the_cell(self):
        keypoints = [[[[20, 12, 2]], [[24, 12, 2]], [[22, 12, 2]]]]

        for areas, winner in (([[500.0, 400, 600]], 24), ([[300.0, 400, 600]], 20)):
            offset = make_targets(make_labels(keypoints, areas))["offset"]

            x = (4 - offset.target[0, 0, 2, 4]) * 4 + 2
            assert x.item() == winner
            assert offset.weights[0, 0, 2, 4].item() == pytest.approx(min(areas[0]) ** -0.5)

    def test_a_missing_keypoint_leaves_the_cell_to_the_larger_individual(self):
        keypoints = [[[[20, 12, 2], [20, 12, 0]], [[24, 12, 2], [24, 12, 2]]]]

        offset = make_targets(make_labels(keypoints, [[100.0, 400.0]]))["offset"]

        assert offset.weights[0, [0, 2], 2, 4].tolist() == pytest.approx([0.1, 0.05])

    def test_an_undefined_keypoint_counts_only_near_other_individuals(self):
        keypoints = [[[[6, 6, 2]], [[50, 40, -1]]]]

        weights = make_targets(make_labels(keypoints), pos_dist_thresh=4)["heatmap"].weights

        assert weights[0, 0, 1, 1] == 1
        assert weights[0, 0, 9, 12] == 0

    def test_a_point_in_the_first_half_cell_is_on_the_map(self):
        targets = make_targets(make_labels([[[[0.5, 1.0, 2]]]]))

        assert targets["heatmap"].target[0, 0, 0, 0] > 0.9
        assert targets["offset"].weights[0, 0, 0, 0] > 0

    def test_images_without_animals_are_background(self):
        labels = make_labels([[[[20, 12, 0]]]], ids=[[-1]])

        targets = make_targets(labels, bg_weight=0.1)

        assert not targets["heatmap"].target.any()
        assert torch.equal(targets["heatmap"].weights, torch.full((1, 2, 12, 16), 0.1))
        assert not targets["offset"].weights.any()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("stride", [4, 2.5])
def test_windows_give_what_a_loop_over_all_cells_gives(seed, stride):
    labels = crowd(seed=seed)
    rows, columns = int(48 / stride), int(64 / stride)

    targets = make_targets(labels, stride, rows, columns, pos_dist_thresh=9, bg_weight=0.1)

    for image in range(2):
        expected = slow_targets(labels, image, stride, rows, columns, 9, 0.1)
        found = [part[image] for name in ("heatmap", "offset") for part in targets[name]]
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours.numpy(), theirs, atol=2e-5)


@pytest.mark.parametrize("individuals", [1, 3])
def test_keeps_the_contract(individuals):
    task = fake_task(num_keypoints=3, num_individuals=individuals)

    check_target_generator(DEKRGenerator(task), 4, outputs_for(3, 17, 16, images=2), task)


def test_unlabelled_keypoints_may_be_nan():
    task = fake_task(num_keypoints=3, num_individuals=2)
    labels = fake_labels(task)
    generator, maps = DEKRGenerator(task), outputs_for(3, 16, 16, images=2)
    expected = generator(4, maps, labels)
    keypoints = labels.keypoints.clone()
    keypoints[..., :2][keypoints[..., 2] == 0] = math.nan

    targets = generator(4, maps, replace(labels, keypoints=keypoints))

    for name, target in targets.items():
        assert torch.equal(target.target, expected[name].target)
        assert torch.equal(target.weights, expected[name].weights)


def test_a_number_of_keypoints_that_is_not_the_tasks_is_refused():
    with pytest.raises(ValueError, match="num_joints is 4, but there are 3 keypoints"):
        DEKRGenerator(task_with(3, 1), num_joints=4)


def test_a_head_with_other_maps_is_refused():
    generator = DEKRGenerator(task_with(3, 1))

    with pytest.raises(ComponentError, match=r"gives 3 heatmaps.* need 4"):
        generator(4, outputs_for(2, 12, 16), make_labels([[[[1, 1, 2]] * 3]]))


def test_a_usual_batch_takes_milliseconds():
    labels = crowd(images=8, individuals=4, keypoints=20, size=(448, 448))
    maps = outputs_for(20, 112, 112, images=8)
    generator = DEKRGenerator(task_with(20, 4))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        seconds = []
        for _ in range(20):
            start = time.process_time()
            generator(4, maps, labels)
            seconds.append(time.process_time() - start)
    finally:
        torch.set_num_threads(threads)

    assert min(seconds) < 0.060


CASES = [
    f"dekr{variant}_s{stride}_{seed}"
    for variant in ("", "_17")
    for stride in (4, 8)
    for seed in (0, 1)
]


class TestDeepLabCut:
    @pytest.mark.parametrize("with_centres", [True, False])
    @pytest.mark.parametrize("name", CASES)
    def test_targets_are_the_same(self, name, with_centres, shared):
        arrays, meta = load(shared, f"targets/{name}")
        options = dict(meta["generator"])
        assert options.pop("type") == "DEKRGenerator"
        labels = read_labels(arrays)
        if not with_centres:
            labels = replace(labels, keypoints=labels.keypoints[:, :, :-1])
        rows, columns = meta["map_size_hw"]

        targets = DEKRGenerator(task_with(5, 3), **options)(
            meta["stride"], outputs_for(5, rows, columns, images=2), labels
        )

        for output, target in targets.items():
            for part, value in target._asdict().items():
                expected = arrays[f"target/{output}/{part}"]
                np.testing.assert_allclose(value.numpy(), expected, atol=2e-6, err_msg=output)

    @pytest.mark.parametrize("name", ["multi_dekr_w18", "multi_identity_unique_dekr_w18"])
    def test_losses_of_whole_configs_are_the_same(self, name, shared):
        arrays, meta = load(shared, f"targets_by_config/{name}")
        block = meta["heads"]["bodypart"]
        options = dict(block["target_generator"])
        options.pop("type")
        labels, given = read_labels(arrays), outputs(arrays, "output/bodypart/")

        targets = DEKRGenerator(task_with(6, 3), **options)(
            meta["strides"]["bodypart"], given, labels
        )

        for output, criterion in (("heatmap", DEKRHeatmapLoss()), ("offset", DEKROffsetLoss())):
            for part, value in targets[output]._asdict().items():
                expected = arrays[f"target/bodypart/{output}/{part}"]
                np.testing.assert_allclose(value.numpy(), expected, atol=2e-6, err_msg=output)
            loss = criterion(given[output], *targets[output])
            assert loss.item() == pytest.approx(meta["losses"][f"bodypart_{output}"], rel=1e-5)
