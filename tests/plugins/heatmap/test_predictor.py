import pytest
import torch

from dlcore.interfaces import PoseTask
from dlcore.testing import check_predictor, check_round_trip, fake_task
from dlcore_plugins.heatmap.predictor import HeatmapPredictor, IdentityPredictor
from dlcore_plugins.heatmap.targets import HeatmapGaussianGenerator, HeatmapPlateauGenerator
from tests.plugins.heatmap.reference import load

TASK = PoseTask(keypoints=("nose",))

HEATMAP_CASES = [
    f"heatmap_sig{sigmoid}_clip{clip}_loc{locref}"
    for sigmoid in (0, 1)
    for clip in (0, 1)
    for locref in (0, 1)
]


def one_peak(row=1, column=2, value=2.0, offset=(1.0, -0.5)):
    heatmap, locref = torch.zeros(1, 1, 4, 5), torch.zeros(1, 2, 4, 5)
    heatmap[0, 0, row, column] = value
    locref[0, :, row, column] = torch.tensor(offset)
    return {"heatmap": heatmap, "locref": locref}


def test_the_place_is_the_centre_of_the_best_cell_plus_its_offset():
    predictor = HeatmapPredictor(TASK, apply_sigmoid=False, clip_scores=True)

    poses = predictor(4, one_peak())["poses"]

    assert poses.shape == (1, 1, 1, 3)
    torch.testing.assert_close(poses[0, 0, 0], torch.tensor([17.2801, 2.35995, 1.0]))


def test_without_refinement_the_offsets_are_neither_needed_nor_read():
    predictor = HeatmapPredictor(TASK, apply_sigmoid=False, location_refinement=False)

    poses = predictor(4, {"heatmap": one_peak()["heatmap"]})["poses"]

    assert predictor.output_names == ("heatmap",)
    assert poses[0, 0, 0].tolist() == [10.0, 6.0, 2.0]


def test_a_stride_may_be_a_fraction():
    predictor = HeatmapPredictor(TASK, location_refinement=False)

    poses = predictor(2.5, one_peak(row=3, column=0))["poses"]

    assert poses[0, 0, 0, :2].tolist() == [1.25, 8.75]


@pytest.mark.parametrize("refine", [True, False])
def test_keeps_the_contract(refine):
    task = fake_task(num_keypoints=3)
    outputs = {"heatmap": torch.randn(2, 3, 9, 8), "locref": torch.randn(2, 6, 9, 8)}

    check_predictor(HeatmapPredictor(task, location_refinement=refine), 8, outputs, task)


def test_identity_maps_keep_the_contract():
    task = fake_task(num_individuals=2)
    outputs = {"heatmap": torch.randn(2, 2, 9, 8)}

    check_predictor(IdentityPredictor(task), 8, outputs, task, gives_poses=False)


@pytest.mark.parametrize("stride", [4, 7, 2.5])
@pytest.mark.parametrize("generator", [HeatmapGaussianGenerator, HeatmapPlateauGenerator])
def test_what_a_generator_wrote_is_read_exactly(generator, stride):
    """Also at odd and fractional strides, where DeepLabCut is half a pixel off."""
    task = fake_task(num_keypoints=3)
    cells = int(64 / stride) + 1
    outputs = {"heatmap": torch.empty(2, 3, cells, cells)}
    outputs["locref"] = torch.empty(2, 6, cells, cells)
    predictor = HeatmapPredictor(task, apply_sigmoid=False)

    check_round_trip(generator(task), predictor, stride, outputs, task, tolerance=1e-3)


@pytest.mark.parametrize("name", [*HEATMAP_CASES, "heatmap_stride4_ties"])
def test_poses_equal_those_of_deeplabcut(shared, name):
    arrays, meta = load(shared, f"predictors/{name}")
    options = dict(meta["predictor"])
    assert options.pop("type") == "HeatmapPredictor"
    predictor = HeatmapPredictor(TASK, **options)

    outputs = {
        output: torch.from_numpy(arrays[f"output/{output}"]) for output in predictor.output_names
    }
    poses = predictor(meta["stride"], outputs)["poses"]

    expected = torch.from_numpy(arrays["prediction/poses"])
    torch.testing.assert_close(poses, expected, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("name", ["identity_s4", "identity_s8", "identity_nosigmoid"])
def test_identity_maps_equal_those_of_deeplabcut(shared, name):
    arrays, meta = load(shared, f"predictors/{name}")
    options = dict(meta["predictor"])
    assert options.pop("type") == "IdentityPredictor"

    outputs = {"heatmap": torch.from_numpy(arrays["output/heatmap"])}
    maps = IdentityPredictor(TASK, **options)(meta["stride"], outputs)["heatmap"]

    expected = torch.from_numpy(arrays["prediction/heatmap"])
    torch.testing.assert_close(maps, expected, rtol=1e-5, atol=1e-6)


def test_identity_maps_cover_every_pixel_of_every_cell():
    outputs = {"heatmap": torch.zeros(1, 3, 5, 7)}

    maps = IdentityPredictor(TASK)(8, outputs)["heatmap"]

    assert maps.shape == (1, 40, 56, 3)
    assert torch.equal(maps, torch.full_like(maps, 0.5))
