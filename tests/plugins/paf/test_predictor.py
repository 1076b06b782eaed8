"""Decoding: what it means, and that DeepLabCut's is the same."""

import time

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml

from dlcore import ComponentError
from dlcore.testing import check_predictor, check_round_trip, fake_task
from dlcore_plugins.heatmap.targets import HeatmapPlateauGenerator
from dlcore_plugins.paf.predictor import PartAffinityFieldPredictor, _peaks
from dlcore_plugins.paf.targets import PartAffinityFieldGenerator, SequentialGenerator
from tests.plugins.paf.reference import load, make_labels, task_with, tensors

TRIANGLE = [[0, 1], [0, 2], [1, 2]]
NOWHERE = -20.0


def outputs_with(cells, *, keypoints=3, size=24, field=0.0):
    """Outputs with a sharp peak in each cell (keypoint, row, column): value, no offsets."""
    heatmap = torch.full((1, keypoints, size, size), NOWHERE)
    for (keypoint, row, column), value in cells.items():
        heatmap[0, keypoint, row, column] = value
    edges = keypoints * (keypoints - 1) // 2
    return {
        "heatmap": heatmap,
        "locref": torch.zeros(1, 2 * keypoints, size, size),
        "paf": torch.full((1, 2 * edges, size, size), field),
    }


def predict(outputs, *, animals=2, stride=8, **options):
    keypoints = outputs["heatmap"].shape[1]
    predictor = PartAffinityFieldPredictor(
        task_with(keypoints, animals), **({"graph": TRIANGLE} | options)
    )
    return predictor(stride, outputs)


class TestPlaces:
    def test_the_place_is_half_a_stride_into_the_cell_plus_the_offset(self):
        outputs = outputs_with({(0, 3, 5): 9.0})
        outputs["locref"][0, :2, 3, 5] = torch.tensor([1.0, -0.5])

        poses = predict(outputs, animals=1)["poses"]

        assert poses.shape == (1, 1, 3, 5)
        assert poses[0, 0, 0, :2].tolist() == pytest.approx([44 + 7.2801, 28 - 3.64005])
        assert poses[0, 0, 1].isnan().tolist() == [True, True, False, True, False]

    @pytest.mark.parametrize(("stride", "place"), [(1, [5, 3]), (3, [16, 10]), (2.5, [13.5, 8.5])])
    def test_half_of_an_odd_stride_is_rounded_down(self, stride, place):
        """As in DeepLabCut; `SequentialGenerator` makes its targets for that."""
        poses = predict(outputs_with({(0, 3, 5): 9.0}), animals=1, stride=stride)["poses"]

        assert poses[0, 0, 0, :2].tolist() == place

    def test_the_score_is_that_of_the_smoothed_heatmap(self):
        poses = predict(outputs_with({(0, 3, 5): 9.0}), animals=1)["poses"]

        weights = np.exp(-0.5 * np.arange(-5, 6) ** 2)
        expected = torch.tensor(9.0).sigmoid().item() / weights.sum() ** 2
        assert poses[0, 0, 0, 2].item() == pytest.approx(expected, rel=1e-5)

    def test_scores_can_be_clipped(self):
        outputs = outputs_with({(0, 3, 5): 900.0})

        scores = [
            predict(outputs, animals=1, apply_sigmoid=False, clip_scores=clip)["poses"][0, 0, 0, 2]
            for clip in (False, True)
        ]

        assert scores[0] > 1
        assert scores[1] == 1

    def test_nothing_is_found_where_nothing_is(self):
        assert (predict(outputs_with({}))["poses"] == -1).all()

    def test_a_single_peak_in_the_first_cell_is_found(self):
        """DeepLabCut takes it for none."""
        poses = predict(outputs_with({(0, 0, 0): 9.0}), animals=1)["poses"]

        assert poses[0, 0, 0, :2].tolist() == [4, 4]


class TestPeaks:
    @pytest.mark.parametrize("reach", [0, 1, 2, 3])
    def test_peaks_are_the_greatest_in_their_window(self, reach):
        maps = torch.rand(2, 3, 9, 7, generator=torch.Generator().manual_seed(0))

        greatest = F.max_pool2d(maps, 2 * reach + 1, stride=1, padding=reach)
        assert torch.equal(_peaks(maps, reach), maps == greatest)

    def test_a_flat_top_is_one_peak(self):
        maps = torch.zeros(1, 1, 9, 9)
        maps[0, 0, 3:5, 4:7] = 1

        assert (_peaks(maps, 2) & (maps > 0)).nonzero()[:, 2:].tolist() == [[3, 4]]

    def test_a_saturated_disc_does_not_crowd_out_the_other_individual(self):
        outputs = outputs_with({(0, 3, 4): 5.0})
        outputs["heatmap"][0, 0, 10:20, 10:20] = 900.0

        found = predict(outputs, return_preds=True)["candidates"][0, 0]

        assert found[1, :2].tolist() == [36, 28]


class TestAffinities:
    def links(self, **changes):
        outputs = outputs_with({(0, 4, 4): 9.0, (1, 4, 13): 9.0, (2, 13, 13): 9.0})
        for name, value in changes.items():
            edge, axis = {"right": (0, 0), "diagonal": (1, slice(0, 2)), "down": (2, 1)}[name]
            outputs["paf"].view(1, 3, 2, 24, 24)[:, edge, axis] = value
        return predict(outputs, return_preds=True)["affinities"][0, :, 0, 0]

    def test_a_perfect_field_gives_one_along_the_axes(self):
        assert self.links(right=1.0, down=1.0).tolist() == [1, 0, 1]

    def test_a_diagonal_has_less_of_each_axis(self):
        affinity = self.links(diagonal=0.5**0.5)[1].item()

        assert affinity == pytest.approx(0.5**0.5, abs=1e-3)

    def test_the_direction_of_the_field_makes_no_difference(self):
        assert self.links(right=-1.0)[0] == 1

    def test_a_field_across_the_line_gives_nothing(self):
        outputs = outputs_with({(0, 4, 4): 9.0, (1, 4, 13): 9.0})
        outputs["paf"][0, 1] = 1.0

        assert predict(outputs, return_preds=True)["affinities"][0, 0, 0, 0] == 0

    def test_only_kept_edges_are_read(self):
        outputs = outputs_with({(0, 4, 4): 9.0, (1, 4, 13): 9.0, (2, 13, 13): 9.0}, field=1.0)
        outputs["paf"][0, :2] = torch.nan

        decoded = predict(outputs, edges_to_keep=[1, 2], return_preds=True)

        assert decoded["affinities"].shape == (1, 2, 2, 2)
        assert decoded["affinities"].isfinite().all()
        assert decoded["poses"][0, 0, :, :2].isfinite().all()


class TestRoundTrip:
    @pytest.mark.parametrize("stride", [1, 3, 4, 8])
    def test_several_animals_are_read_where_they_were_written(self, stride):
        task = task_with(4, 3)
        graph = [[a, b] for a in range(4) for b in range(a + 1, 4)]
        generator = SequentialGenerator(
            task,
            generators=[
                HeatmapPlateauGenerator(task, pos_dist_thresh=3 * stride),
                PartAffinityFieldGenerator(task, graph=graph, width=2 * stride),
            ],
        )
        labels = labels_of_animals(stride)
        outputs = {
            name: torch.empty(1, channels, 40, 40)
            for name, channels in (("heatmap", 4), ("locref", 8), ("paf", 12))
        }

        targets = generator(stride, outputs, labels)
        perfect = {name: target.target for name, target in targets.items()}
        perfect["heatmap"] = 12 * perfect["heatmap"] - 6
        poses = PartAffinityFieldPredictor(task, graph=graph)(stride, perfect)["poses"]

        found = sorted(poses[0, :, :, :2].tolist())
        assert np.allclose(found, sorted(labels.keypoints[0, :, :, :2].tolist()), atol=1e-3)
        assert (poses[..., 4] > 0.4).all()

    def test_one_animal_is_read_where_it_was_written(self):
        task = fake_task(3)
        generator = SequentialGenerator(
            task,
            generators=[
                HeatmapPlateauGenerator(task, pos_dist_thresh=9),
                PartAffinityFieldGenerator(task, graph=TRIANGLE),
            ],
        )
        outputs = {
            name: torch.empty(2, channels, 33, 33)
            for name, channels in (("heatmap", 3), ("locref", 6), ("paf", 6))
        }

        predictor = PartAffinityFieldPredictor(task, graph=TRIANGLE)

        check_round_trip(generator, predictor, 3, outputs, task, size=(96, 96), tolerance=1e-3)


def labels_of_animals(stride):
    """Three animals that lie apart, for maps of 40 cells."""
    shape = np.array([[0, 0], [9, 2], [3, 9], [11, 10]]) + 0.3
    corners = np.array([[3, 4], [24, 2], [12, 24]])
    animals = (corners[:, None] + shape) * stride
    return make_labels(*[[[x, y, 2.0] for x, y in animal] for animal in animals.tolist()])


@pytest.mark.parametrize("animals", [1, 2])
@pytest.mark.parametrize(
    "options", [{}, {"add_discarded": True}, {"force_fusion": True}, {"nms_radius": 4}]
)
def test_keeps_the_contract(animals, options):
    task = fake_task(3, num_individuals=animals)
    outputs = {
        name: torch.randn(2, channels, 17, 15, generator=torch.Generator().manual_seed(channels))
        for name, channels in (("heatmap", 3), ("locref", 6), ("paf", 6))
    }
    predictor = PartAffinityFieldPredictor(task, graph=TRIANGLE, **options)

    check_predictor(predictor, 8, outputs, task)


def test_an_untrained_network_costs_no_more_than_a_trained_one():
    """DeepLabCut compares all pairs of peaks: 24 GB for maps of 200 cells."""
    generator = torch.Generator().manual_seed(0)
    outputs = {
        name: torch.randn(1, channels, 200, 200, generator=generator)
        for name, channels in (("heatmap", 6), ("locref", 12), ("paf", 30))
    }
    graph = [[a, b] for a in range(6) for b in range(a + 1, 6)]
    predictor = PartAffinityFieldPredictor(task_with(6, 3), graph=graph, return_preds=True)

    start = time.perf_counter()
    decoded = predictor(1, outputs)

    assert time.perf_counter() - start < 2  # some 10 ms
    assert decoded["affinities"].shape == (1, 15, 3, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_multibodyparts": 4}, "num_multibodyparts is 4, but there are 3 keypoints"),
        ({"num_uniquebodyparts": 2}, "num_uniquebodyparts must be 0, got 2"),
        ({"edges_to_keep": [0, 3]}, r"edges_to_keep must hold .* from 0 to 2, got \[0, 3\]"),
        ({"edges_to_keep": []}, "edges_to_keep must hold"),
        ({"graph": [[0, 3]]}, r"from 0 to 2, but its edge 0 is \[0, 3\]"),
    ],
)
def test_options_that_do_not_fit_the_task_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        PartAffinityFieldPredictor(fake_task(3), **({"graph": TRIANGLE} | options))


def test_maps_that_do_not_fit_the_graph_are_refused_with_what_to_do():
    with pytest.raises(ComponentError, match=r"gives 6 affinity maps.* 1 edges needs 2.*correct"):
        predict(outputs_with({}), graph=[[0, 1]])


PREDICTORS = [
    *("clean", "missing", "chain_edges", "fewer_animals", "more_animals", "add_discarded"),
    *("force_fusion", "min_affinity", "radius3_sigma2", "clip", "noise", "batch2", "empty"),
    "batch2_one_empty",
]
MODELS = [
    *("cspnext_s", "cspnext_m", "cspnext_x", "hrnet_w18", "hrnet_w32", "hrnet_w48"),
    *("resnet_50", "resnet_101", "dlcrnet_stride16_ms5", "dlcrnet_stride32_ms5"),
]


class TestReference:
    @pytest.mark.parametrize("name", PREDICTORS)
    def test_poses_equal_those_of_deeplabcut(self, shared, name):
        path = shared / "peer" / "reference" / "predictors" / f"paf_{name}.npz"
        arrays, meta = load(path)
        options = dict(meta["predictor"])
        assert options.pop("type") == "PartAffinityFieldPredictor"
        predictor = PartAffinityFieldPredictor(task_with(5, options["num_animals"]), **options)

        poses = predictor(meta["stride"], tensors(arrays, "output/"))["poses"]

        expected = torch.from_numpy(arrays["prediction/poses"])
        torch.testing.assert_close(poses, expected, rtol=1e-5, atol=1e-4, equal_nan=True)

    @pytest.mark.parametrize("name", MODELS)
    def test_poses_of_untrained_networks_equal_those_of_deeplabcut(self, shared, name):
        """Peaks everywhere, individuals with gaps: what a tidy example does not have."""
        peer = shared / "peer"
        arrays, meta = load(peer / "reference" / "forward" / f"multi_{name}.npz")
        config = yaml.safe_load((peer / "configs" / meta["config"]).read_text(encoding="utf-8"))
        options = config["model"]["heads"]["bodypart"]["predictor"]
        options.pop("type")
        stride = int(meta["strides"]["bodypart"])

        predictor = PartAffinityFieldPredictor(task_with(6, 3), **options)
        poses = predictor(stride, tensors(arrays, "output/bodypart/"))["poses"]

        expected = torch.from_numpy(arrays["prediction/bodypart/poses"])
        torch.testing.assert_close(poses, expected, rtol=1e-5, atol=1e-4, equal_nan=True)
