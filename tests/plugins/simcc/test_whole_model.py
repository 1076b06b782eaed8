import pytest

from tests.plugins.simcc import crop_models
from tests.plugins.simcc.reference import load


@pytest.mark.parametrize("size", ["s", "m", "x"])
def test_rtmpose_has_the_weights_and_gives_the_outputs_of_deeplabcut(shared, host, tmp_path, size):
    name = f"multi_rtmpose_{size}"
    arrays, meta = load(shared, f"forward/{name}")
    model = crop_models.build(shared, host, tmp_path, meta["config"])

    crop_models.expect_same_names(model, shared, name)
    crop_models.expect_same_outputs(model, arrays, meta)


def test_rtmpose_trains_as_deeplabcut_does(shared, host, tmp_path):
    model = crop_models.build(shared, host, tmp_path, "multi/rtmpose_s.yaml")

    crop_models.expect_same_losses(model, shared, "multi_rtmpose_s")
    crop_models.expect_same_first_step(model, shared, "multi_rtmpose_s")
