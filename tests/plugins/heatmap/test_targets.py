"""Targets: what they mean, and that DeepLabCut's are the same where it makes no mistake."""

import time

import numpy as np
import pytest
import torch

from dlcore import ComponentError
from dlcore.interfaces import Labels, PoseTask
from dlcore.testing import check_target_generator, fake_task
from dlcore_plugins.heatmap.criteria import (
    WeightedBCECriterion,
    WeightedHuberCriterion,
    WeightedMSECriterion,
)
from dlcore_plugins.heatmap.targets import HeatmapGaussianGenerator, HeatmapPlateauGenerator
from tests.plugins.heatmap.reference import GENERATORS, build_generator, load, read_labels

BOTH = pytest.mark.parametrize("generator", GENERATORS.values(), ids=GENERATORS.keys())


def make_labels(keypoints, ids=None, unique=()):
    """Labels from nested lists (B, N, K, 3); every individual is there unless ids say otherwise."""
    keypoints = torch.tensor(keypoints, dtype=torch.float32)
    images, individuals = keypoints.shape[:2]
    if ids is None:
        ids = [list(range(individuals))] * images
    unique = torch.tensor(unique, dtype=torch.float32) if unique else torch.zeros(images, 0, 3)
    boxes = torch.zeros(images, individuals, 4)
    return Labels(keypoints, unique, torch.tensor(ids), boxes, torch.ones(images, individuals))


def task_for(labels):
    return PoseTask(
        keypoints=tuple("abcdefghijklmnopqrstuvwxyz"[: labels.keypoints.shape[2]]),
        unique_keypoints=tuple("xyz"[: labels.unique_keypoints.shape[1]]),
        individuals=tuple(f"animal_{n}" for n in range(labels.keypoints.shape[1])),
    )


def outputs_for(maps, rows, columns, images=1):
    return {"heatmap": torch.empty(images, maps, rows, columns)}


def random_labels(images=2, individuals=3, keypoints=4, width=100, height=80, seed=0):
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand(images, individuals, keypoints, 3, generator=generator)
    points[..., :2] = points[..., :2] * torch.tensor([width + 40, height + 40]) - 20
    points[..., 2] = torch.randint(0, 3, points.shape[:3], generator=generator)
    return make_labels(points.tolist())


def brute_force(points, stride, rows, columns):
    """Squared distances (P, h, w) from each labelled point to each cell, and the ways there."""
    x = (np.arange(columns) + 0.5) * stride
    y = (np.arange(rows) + 0.5) * stride
    ways = [
        np.stack(np.broadcast_arrays(px - x[None, :], py - y[:, None]))
        for px, py, visibility in np.asarray(points, np.float64)
        if visibility > 0
    ]
    ways = np.array(ways).reshape(-1, 2, rows, columns)
    return (ways**2).sum(axis=1), ways


class TestMeaning:
    def test_the_worked_example_of_a_gaussian(self):
        labels = make_labels([[[[20, 12, 2]]]])
        generator = HeatmapGaussianGenerator(task_for(labels), pos_dist_thresh=17)

        targets = generator(8, outputs_for(1, 4, 8), labels)

        row = torch.tensor([0.3691, 0.7795, 1.0, 0.7795, 0.3691, 0.1062])
        torch.testing.assert_close(targets["heatmap"].target[0, 0, 1, :6], row, atol=1e-4, rtol=0)
        x = torch.tensor([2.1978, 1.0989, 0, -1.0989])
        torch.testing.assert_close(targets["locref"].target[0, 0, 1, :4], x, atol=1e-4, rtol=0)
        mask = ["01110000", "11111000", "01110000", "00100000"]
        expected = torch.tensor([[float(digit) for digit in line] for line in mask])
        assert torch.equal(targets["locref"].weights[0, 0], expected)
        assert torch.equal(targets["locref"].weights[0, 1], expected)

    def test_a_plateau_is_one_in_the_disc_with_its_edge(self):
        labels = make_labels([[[[20, 12, 2]]]])
        generator = HeatmapPlateauGenerator(task_for(labels), pos_dist_thresh=16)

        targets = generator(8, outputs_for(1, 4, 8), labels)

        mask = ["01110000", "11111000", "01110000", "00100000"]
        expected = torch.tensor([[float(digit) for digit in line] for line in mask])
        assert torch.equal(targets["heatmap"].target[0, 0], expected)

    @BOTH
    @pytest.mark.parametrize("stride", [1, 2, 3, 4, 7, 8, 2.5, 32])
    def test_targets_equal_those_computed_cell_by_cell(self, generator, stride):
        """Also for odd and fractional strides, where DeepLabCut loses half a pixel."""
        labels = random_labels()
        rows, columns = int(80 / stride) + 1, int(100 / stride) + 1
        generator = generator(task_for(labels), pos_dist_thresh=9, locref_std=2.0)

        targets = generator(stride, outputs_for(4, rows, columns, images=2), labels)

        for image in range(2):
            for k in range(4):
                points = labels.keypoints[image, :, k]
                squared, ways = brute_force(points, stride, rows, columns)
                nearest = squared.min(axis=0, initial=np.inf)
                if isinstance(generator, HeatmapGaussianGenerator):
                    heatmap = np.exp(-nearest / (2 * 6.0**2))
                else:
                    heatmap = (nearest <= 81).astype(float)
                given = targets["heatmap"].target[image, k].numpy()
                np.testing.assert_allclose(given, heatmap, atol=5e-7)
                weights = targets["locref"].weights[image, 2 * k : 2 * k + 2].numpy()
                assert (weights == (nearest <= 81)).all()
                offsets = targets["locref"].target[image, 2 * k : 2 * k + 2].numpy()
                if len(ways) == 0:
                    assert (offsets == 0).all()
                    continue
                way = np.take_along_axis(ways, squared.argmin(axis=0)[None, None], axis=0)[0]
                expected = np.where(nearest <= 81, way / 2.0, 0)
                np.testing.assert_allclose(offsets, expected, atol=1e-5)

    def test_the_offset_leads_to_the_nearest_individual_whatever_their_order(self):
        near, far = [20.0, 12.0, 2.0], [36.0, 12.0, 2.0]
        generator = HeatmapGaussianGenerator(
            PoseTask(("nose",), individuals=("a", "b")), pos_dist_thresh=17, locref_std=1
        )

        forwards = generator(8, outputs_for(1, 4, 8), make_labels([[[near], [far]]]))["locref"]
        backwards = generator(8, outputs_for(1, 4, 8), make_labels([[[far], [near]]]))["locref"]

        assert forwards.target[0, 0, 1, :6].tolist() == [16, 8, 0, 8, 0, -8]
        assert torch.equal(forwards.weights, backwards.weights)
        at_equal_distance = torch.zeros(4, 8, dtype=torch.bool)
        at_equal_distance[:, 3] = True
        differ = (forwards.target != backwards.target)[0].any(dim=0)
        assert not (differ & ~at_equal_distance).any()

    @BOTH
    @pytest.mark.parametrize("mode", ["INDIVIDUAL", "individual", "Individual"])
    def test_a_map_per_individual_holds_all_its_keypoints(self, generator, mode):
        first, second = [[4, 4, 2], [20, 4, 1]], [[4, 28, 2], [28, 28, 0]]
        labels = make_labels([[first, second, [[0, 0, 0]] * 2]], ids=[[2, 0, -1]])
        generator = generator(
            task_for(labels), heatmap_mode=mode, pos_dist_thresh=3, generate_locref=False
        )

        target, weights = generator(8, outputs_for(3, 4, 4), labels)["heatmap"]

        peaks = [(target[0, m] == 1).nonzero().tolist() for m in range(3)]
        assert peaks == [[[3, 0]], [], [[0, 0], [0, 2]]]
        assert weights.flatten().tolist() == [1, 0, 1]  # the second animal is not in the image

    @BOTH
    def test_unique_keypoints_have_maps_of_their_own(self, generator):
        labels = make_labels([[[[4, 4, 2]]]], unique=[[[20, 4, 2], [-1, -1, -1]]])
        generator = generator(
            task_for(labels),
            num_heatmaps=2,
            label_keypoint_key="keypoints_unique",
            pos_dist_thresh=3,
        )

        targets = generator(8, outputs_for(2, 4, 4), labels)

        assert (targets["heatmap"].target[0, 0] == 1).nonzero().tolist() == [[0, 2]]
        assert targets["heatmap"].target[0, 1].sum() == 0
        assert targets["heatmap"].weights.flatten().tolist() == [1, 0]
        assert targets["locref"].target.shape == (1, 4, 4, 4)

    @BOTH
    def test_what_is_not_labelled_may_have_any_coordinates(self, generator):
        nan, far = float("nan"), 1e30
        labels = make_labels([[[[nan, nan, 0], [far, -far, 0], [4, 4, 2]]]])
        generator = generator(task_for(labels))

        targets = generator(8, outputs_for(3, 4, 4), labels)

        assert targets["heatmap"].target[0, :2].sum() == 0
        assert targets["locref"].weights[0, :4].sum() == 0
        assert targets["heatmap"].target[0, 2].sum() > 1

    @BOTH
    def test_a_point_far_outside_the_image_leaves_no_trace(self, generator):
        labels = make_labels([[[[5000, -5000, 2]]]])

        targets = generator(task_for(labels))(8, outputs_for(1, 4, 4), labels)

        assert targets["heatmap"].target.sum() == 0
        assert targets["locref"].weights.sum() == 0


class TestWeights:
    def weights(self, visibilities, ids=None, **options):
        """Weights of the maps for (N, K) visibilities in one image."""
        labels = make_labels([[[[4, 4, v] for v in row] for row in visibilities]], ids)
        generator = HeatmapGaussianGenerator(task_for(labels), **options)
        maps = len(visibilities[0])
        weights = generator(8, outputs_for(maps, 2, 2), labels)["heatmap"].weights
        return torch.broadcast_to(weights, (1, maps, 2, 2))[0, :, 0, 0].tolist()

    def test_without_masking_only_undefined_keypoints_count_nowhere(self):
        assert self.weights([[2, 1, 0, -1]]) == [1, 1, 1, 0]

    def test_masking_weakens_maps_of_keypoints_that_are_not_labelled(self):
        weights = self.weights([[2, 1, 0, -1]], gradient_masking=True, background_weight=0.25)
        assert weights == [1, 1, 0.25, 0]

    def test_one_individual_without_the_keypoint_is_enough(self):
        visibilities = [[2, 0, 2], [2, 2, -1]]
        weights = self.weights(visibilities, gradient_masking=True, background_weight=0)
        assert weights == [1, 0, 0]

    def test_an_undefined_keypoint_counts_nowhere_whatever_the_order(self):
        options = {"gradient_masking": True, "background_weight": 0.25}
        assert self.weights([[-1], [0]], **options) == [0]
        assert self.weights([[0], [-1]], **options) == [0]

    def test_padding_masks_nothing(self):
        visibilities = [[2, 2], [0, 0]]
        weights = self.weights(visibilities, ids=[[0, -1]], gradient_masking=True)
        assert weights == [1, 1]


class TestChecks:
    TASK = PoseTask(("nose", "tail"), ("corner",), ("a", "b", "c"))

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"num_heatmaps": 3}, "num_heatmaps is 3, but there are 2 keypoints"),
            (
                {"num_heatmaps": 2, "label_keypoint_key": "keypoints_unique"},
                "there are 1 keypoints_unique",
            ),
            ({"num_heatmaps": 2, "heatmap_mode": "individual"}, "there are 3 individuals"),
            ({"heatmap_mode": "animal"}, "KEYPOINT or INDIVIDUAL, got 'animal'"),
            (
                {"heatmap_mode": "INDIVIDUAL", "label_keypoint_key": "keypoints_unique"},
                "belong to no individual",
            ),
        ],
    )
    def test_options_that_do_not_fit_are_refused(self, options, message):
        with pytest.raises(ValueError, match=message):
            HeatmapGaussianGenerator(self.TASK, **options)

    def test_the_number_of_maps_follows_from_the_task(self):
        assert HeatmapGaussianGenerator(self.TASK).num_heatmaps == 2

    def test_a_head_with_another_number_of_maps_is_an_error_with_both_numbers(self):
        labels = make_labels([[[[4, 4, 2], [4, 4, 2]]]])
        generator = HeatmapGaussianGenerator(task_for(labels))

        with pytest.raises(ComponentError, match=r"gives 5 heatmaps, .* targets for 2"):
            generator(8, outputs_for(5, 4, 4), labels)

    def test_locref_is_made_only_where_wanted(self):
        labels = make_labels([[[[4, 4, 2]]]])
        generator = HeatmapGaussianGenerator(task_for(labels), generate_locref=False)

        assert generator.output_names == ("heatmap",)
        assert list(generator(8, outputs_for(1, 4, 4), labels)) == ["heatmap"]


@BOTH
@pytest.mark.parametrize(
    ("maps", "options"),
    [
        (4, {}),
        (4, {"gradient_masking": True}),
        (3, {"heatmap_mode": "INDIVIDUAL"}),
        (2, {"label_keypoint_key": "keypoints_unique"}),
    ],
)
def test_keeps_the_contract(generator, maps, options):
    task = fake_task(num_keypoints=4, num_individuals=3, num_unique=2, with_identity=True)
    outputs = {"heatmap": torch.randn(2, maps, 9, 8), "locref": torch.randn(2, 2 * maps, 9, 8)}

    check_target_generator(generator(task, **options), 8, outputs, task)


@BOTH
def test_a_large_batch_costs_little(generator):
    """8 images x 4 animals x 20 keypoints at 112 x 112 on one core.

    The promise is 10 ms on a machine that does nothing else. Here the time of the processor is
    measured, which other programs slow down, but do not take away.
    """
    labels = random_labels(images=8, individuals=4, keypoints=20, width=448, height=448)
    labels.keypoints[..., 2] = 2
    generator = generator(task_for(labels))
    outputs = outputs_for(20, 112, 112, images=8)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        seconds = []
        for _ in range(20):
            start = time.process_time()
            generator(4, outputs, labels)
            seconds.append(time.process_time() - start)
    finally:
        torch.set_num_threads(threads)

    assert min(seconds) < 0.030


CASES = [
    f"{generator}{variant}_s{stride}_{seed}"
    for generator in ("gaussian", "plateau")
    for variant in (
        "",
        "_no_locref",
        "_masked",
        "_masked_bg",
        "_individual",
        "_unique",
        "_locref_std2",
    )
    for stride in (4, 8)
    for seed in (0, 1)
]


class TestDeepLabCut:
    @pytest.mark.parametrize("name", CASES)
    def test_heatmaps_are_the_same(self, shared, name):
        arrays, targets, _ = self.case(shared, name)

        expected = arrays["target/heatmap/target"]
        np.testing.assert_allclose(targets["heatmap"].target.numpy(), expected, atol=1e-6)

    @pytest.mark.parametrize("name", CASES)
    def test_weights_are_the_same_but_for_padding(self, shared, name):
        arrays, targets, meta = self.case(shared, name)

        theirs = arrays["target/heatmap/weights"]
        ours = np.broadcast_to(targets["heatmap"].weights.numpy(), theirs.shape)

        np.testing.assert_array_equal(ours[0], theirs[0])
        if not meta["generator"].get("gradient_masking"):
            np.testing.assert_array_equal(ours[1], theirs[1])
            return
        background = meta["generator"]["background_weight"]
        assert arrays["labels/individual_ids"][1, 2] == -1
        assert (theirs[1] == background).all()  # the padding masks everything, wrongly
        undefined = (arrays["labels/keypoints"][1, :, :, 2] == -1).any(axis=0)
        assert (ours[1, :, 0, 0] == np.where(undefined, 0, 1)).all()

    @pytest.mark.parametrize(
        "name", [name for name in CASES if "_individual" not in name and "_no_locref" not in name]
    )
    def test_offsets_are_the_same_but_where_individuals_overlap(self, shared, name):
        arrays, targets, meta = self.case(shared, name)
        theirs, options = arrays["target/locref/target"], meta["generator"]
        ours, weights = (part.numpy() for part in targets["locref"])
        points = arrays["labels/keypoints"]
        if options.get("label_keypoint_key") == "keypoints_unique":
            points = arrays["labels/keypoints_unique"][:, None]
        radius, std = options["pos_dist_thresh"], options.get("locref_std", 7.2801)

        np.testing.assert_array_equal(weights, arrays["target/locref/weights"])
        assert weights.sum() > 0
        for image in range(len(points)):
            for k in range(points.shape[2]):
                channels = slice(2 * k, 2 * k + 2)
                inside = weights[image, 2 * k] > 0
                if not inside.any():
                    continue
                squared, ways = brute_force(points[image, :, k], meta["stride"], *inside.shape)
                nearest = squared.argmin(axis=0)
                last = np.full(inside.shape, len(ways) - 1)
                if options["type"] == "HeatmapPlateauGenerator":
                    covers = squared <= radius**2
                    last = len(ways) - 1 - covers[::-1].argmax(axis=0)
                for given, chosen in ((ours, nearest), (theirs, last)):
                    way = np.take_along_axis(ways, chosen[None, None], axis=0)[0]
                    np.testing.assert_allclose(
                        given[image, channels][:, inside], way[:, inside] / std, atol=1e-5
                    )
                same = inside & (nearest == last)
                np.testing.assert_allclose(
                    ours[image, channels][:, same], theirs[image, channels][:, same], atol=1e-6
                )

    @pytest.mark.parametrize(
        ("config", "head"),
        [
            ("single_resnet_50", "bodypart"),
            ("single_hrnet_w18", "bodypart"),
            ("multi_top_down_resnet_50", "bodypart"),
            ("multi_identity_unique_resnet_50", "unique_bodypart"),
            ("multi_identity_unique_resnet_50", "identity"),
            ("multi_identity_unique_dekr_w18", "unique_bodypart"),
            ("multi_identity_unique_dekr_w18", "identity"),
        ],
    )
    def test_losses_of_whole_heads_are_the_same(self, shared, config, head):
        arrays, meta = load(shared, f"targets_by_config/{config}")
        labels, block = read_labels(arrays), meta["heads"][head]
        generator = build_generator(block["target_generator"], labels)
        outputs = {
            name: torch.from_numpy(arrays[f"output/{head}/{name}"]) for name in block["criterion"]
        }
        criteria = {
            cls.__name__: cls()
            for cls in (WeightedMSECriterion, WeightedHuberCriterion, WeightedBCECriterion)
        }

        targets = generator(meta["strides"][head], outputs, labels)

        total = 0.0
        for name, criterion in block["criterion"].items():
            loss = criteria[criterion["type"]](outputs[name], *targets[name]).item()
            assert loss == pytest.approx(meta["losses"][f"{head}_{name}"], rel=1e-5)
            total += criterion["weight"] * loss
        mean = total / len(block["criterion"])
        assert mean == pytest.approx(meta["losses"][f"{head}_total_loss"], rel=1e-5)

    def case(self, shared, name):
        arrays, meta = load(shared, f"targets/{name}")
        labels = read_labels(arrays)
        generator = build_generator(meta["generator"], labels)
        maps = {"heatmap": torch.from_numpy(arrays["target/heatmap/target"])}
        return arrays, generator(meta["stride"], maps, labels), meta
