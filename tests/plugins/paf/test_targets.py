"""Targets: what they mean, and that DeepLabCut's are the same."""

import numpy as np
import pytest
import torch

from dlcore import ComponentError
from dlcore.interfaces import Target, TargetGenerator
from dlcore.testing import check_target_generator, fake_labels, fake_task
from dlcore_plugins.paf.targets import PartAffinityFieldGenerator, SequentialGenerator
from tests.plugins.paf.reference import load, make_labels, read_labels, task_with, tensors

PAIR = [[0, 1]]


def draw(labels, *, stride=8, graph=PAIR, rows=8, columns=8, **options):
    """The target of one image (E, 2, h, w), and the weights."""
    _, individuals, keypoints, _ = labels.keypoints.shape
    generator = PartAffinityFieldGenerator(
        task_with(keypoints, individuals), graph=graph, **options
    )
    outputs = {"paf": torch.empty(1, 2 * len(graph), rows, columns)}
    target, weights = generator(stride, outputs, labels)["paf"]
    return target[0].unflatten(0, (-1, 2)), weights


def brute_force(keypoints, graph, width, stride, rows, columns):
    """(E, 2, h, w), cell by cell."""
    field = np.zeros((len(graph), 2, rows, columns))
    for points in np.asarray(keypoints, dtype=np.float64):
        for edge, (a, b) in enumerate(graph):
            (x1, y1, seen1), (x2, y2, seen2) = points[a], points[b]
            length = np.hypot(x2 - x1, y2 - y1)
            if seen1 <= 0 or seen2 <= 0 or length == 0:
                continue
            vx, vy = (x2 - x1) / length, (y2 - y1) / length
            for row in range(rows):
                for column in range(columns):
                    x, y = (column + 0.5) * stride - x1, (row + 0.5) * stride - y1
                    across = abs(y * vx - x * vy) / width
                    if 0 <= x * vx + y * vy <= length and across <= 1:
                        field[edge, :, row, column] = vx * (1 - across), vy * (1 - across)
    return field


class TestMeaning:
    def test_the_worked_example(self):
        field, _ = draw(make_labels([[12, 20, 2], [44, 20, 2]]))

        inner = torch.tensor([0.2, 0.6, 1.0, 0.6, 0.2])
        expected = torch.zeros(8, 8)
        expected[:5, 1:6] = inner[:, None]
        torch.testing.assert_close(field[0, 0], expected, atol=1e-6, rtol=0)
        assert not field[0, 1].any()

    def test_the_field_points_from_the_first_keypoint_of_an_edge_to_the_second(self):
        labels = make_labels([[12, 20, 2], [44, 52, 2]])

        forth, _ = draw(labels, graph=[[0, 1]])
        back, _ = draw(labels, graph=[[1, 0]])

        on_the_line = forth[0, :, 3, 2]  # the centre of this cell is (20, 28)
        torch.testing.assert_close(on_the_line, torch.tensor([0.5**0.5, 0.5**0.5]))
        torch.testing.assert_close(back, -forth)

    @pytest.mark.parametrize(("stride", "width"), [(4, 20), (8, 9), (3, 7), (2.5, 6)])
    def test_fields_are_those_of_going_through_the_cells(self, stride, width):
        graph = [[0, 1], [1, 2], [3, 0]]
        rng = np.random.default_rng(1)
        keypoints = rng.uniform(-10, 90, (3, 4, 3))
        keypoints[..., 2] = rng.integers(0, 3, (3, 4))

        field, _ = draw(
            make_labels(*keypoints.tolist()), stride=stride, graph=graph, width=width, rows=20
        )

        keypoints = keypoints.astype(np.float32)
        expected = brute_force(keypoints, graph, width, stride, 20, 8)
        np.testing.assert_allclose(field.numpy(), expected, atol=1e-5)
        assert np.abs(expected).max() > 0.5

    def test_where_limbs_cross_the_later_individual_counts(self):
        across, down = [[4, 28, 2], [60, 28, 2]], [[28, 4, 2], [28, 60, 2]]

        first, _ = draw(make_labels(across, down), width=6)
        second, _ = draw(make_labels(down, across), width=6)

        assert first[0, :, 3, 3].tolist() == [0, 1]
        assert second[0, :, 3, 3].tolist() == [1, 0]

    @pytest.mark.parametrize("visibility", [0, -1])
    def test_a_limb_without_one_end_is_not_there(self, visibility):
        nowhere = [float("nan"), float("nan"), visibility]

        field, _ = draw(make_labels([[12, 20, 2], nowhere]))

        assert not field.any()

    def test_a_limb_without_length_is_not_there(self):
        field, _ = draw(make_labels([[12, 20, 2], [12, 20, 2]]))

        assert torch.equal(field, torch.zeros_like(field))

    def test_edges_of_undefined_keypoints_have_no_weight(self):
        labels = make_labels([[12, 20, 2], [44, 20, 2], [9, 9, -1]], [[1, 1, 0]] * 3)

        _, weights = draw(labels, graph=[[0, 1], [1, 2]])

        assert weights.flatten().tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize("individuals", [1, 3])
def test_keeps_the_contract(individuals):
    task = fake_task(3, num_individuals=individuals)
    generator = PartAffinityFieldGenerator(task, graph=[[0, 1], [2, 1]])

    check_target_generator(generator, 8, {"paf": torch.empty(2, 4, 9, 8)}, task)


def test_maps_that_do_not_fit_the_graph_are_refused_with_what_to_do():
    task = fake_task(3)
    generator = PartAffinityFieldGenerator(task, graph=[[0, 1], [2, 1]])

    with pytest.raises(ComponentError, match=r"gives 6 affinity maps.* 2 edges needs 4.*correct"):
        generator(8, {"paf": torch.empty(2, 6, 9, 8)}, fake_labels(task))


class Constant(TargetGenerator):
    """Targets that are the x of the first keypoint."""

    def __init__(self, *names):
        self.output_names = names

    def __call__(self, stride, outputs, labels):
        x = labels.keypoints[:, 0, 0, 0]
        return {name: Target(x.expand_as(outputs[name])) for name in self.output_names}


class TestSequential:
    def test_it_has_the_targets_of_all_generators(self):
        task = fake_task(3)
        generator = SequentialGenerator(task, generators=[Constant("a"), Constant("b", "c")])

        targets = generator(8, dict.fromkeys("abc", torch.empty(1)), fake_labels(task, batch=1))

        assert generator.output_names == ("a", "b", "c")
        assert set(targets) == {"a", "b", "c"}

    @pytest.mark.parametrize(("stride", "moved"), [(8, 0), (1, 0.5), (3, 0.5), (2.5, 0.25)])
    def test_labels_are_moved_by_what_the_predictor_rounds_off_the_half_stride(self, stride, moved):
        task = fake_task(3)
        labels = fake_labels(task, batch=1)
        before = labels.keypoints.clone()

        targets = SequentialGenerator(task, generators=[Constant("a")])(
            stride, {"a": torch.empty(1)}, labels
        )

        assert targets["a"].target.item() == pytest.approx(before[0, 0, 0, 0].item() + moved)
        assert torch.equal(labels.keypoints, before)

    def test_two_generators_for_one_output_are_refused(self):
        with pytest.raises(ValueError, match="generators: several make targets for 'a'"):
            SequentialGenerator(fake_task(3), generators=[Constant("a"), Constant("b", "a")])

    def test_no_generators_are_refused(self):
        with pytest.raises(ValueError, match="generators must have at least one"):
            SequentialGenerator(fake_task(3), generators=[])


class TestReference:
    @pytest.mark.parametrize("seed", [0, 1])
    @pytest.mark.parametrize("stride", [4, 8])
    @pytest.mark.parametrize("name", ["paf", "paf_wide", "sequential"])
    def test_fields_equal_those_of_deeplabcut(self, shared, name, stride, seed):
        path = shared / "peer" / "reference" / "targets" / f"{name}_s{stride}_{seed}.npz"
        arrays, meta = load(path)
        block = meta["generator"]
        options = dict(block["generators"][1] if name == "sequential" else block)
        assert options.pop("type") == "PartAffinityFieldGenerator"
        expected = torch.from_numpy(arrays["target/paf/target"])

        generator = PartAffinityFieldGenerator(task_with(5, 3), **options)
        target = generator(meta["stride"], {"paf": expected}, read_labels(arrays))["paf"].target

        torch.testing.assert_close(target, expected, atol=1e-6, rtol=0)

    @pytest.mark.parametrize(
        "name",
        ["multi_resnet_50", "multi_identity_unique_resnet_50", "multi_dlcrnet_stride16_ms5"],
    )
    def test_losses_of_whole_configs_are_the_same(self, shared, host, name):
        """But for limbs of undefined keypoints, which count as absent there and not at all here."""
        path = shared / "peer" / "reference" / "targets_by_config" / f"{name}.npz"
        arrays, meta = load(path)
        block = meta["heads"]["bodypart"]
        options = dict(block["target_generator"]["generators"][1])
        options.pop("type")
        outputs = tensors(arrays, "output/bodypart/")

        generator = PartAffinityFieldGenerator(task_with(6, 3), **options)
        target = generator(meta["strides"]["bodypart"], outputs, read_labels(arrays))["paf"].target

        expected = torch.from_numpy(arrays["target/bodypart/paf/target"])
        torch.testing.assert_close(target, expected, atol=1e-6, rtol=0)
        criterion = host.find("criteria", block["criterion"]["paf"]["type"]).component.load()()
        loss = criterion(outputs["paf"], target)
        assert loss.item() == pytest.approx(meta["losses"]["bodypart_paf"], rel=1e-5)
