from tests.plugins.simcc import crop_models
from tests.plugins.simcc.reference import load

NAME = "multi_animaltokenpose_base"


def test_has_the_weights_and_gives_the_outputs_of_deeplabcut(shared, host, tmp_path):
    arrays, meta = load(shared, f"forward/{NAME}")
    model = crop_models.build(shared, host, tmp_path, meta["config"])

    crop_models.expect_same_names(model, shared, NAME)
    crop_models.expect_same_outputs(model, arrays, meta)


def test_trains_as_deeplabcut_does(shared, host, tmp_path):
    model = crop_models.build(shared, host, tmp_path, "multi/animaltokenpose_base.yaml")

    crop_models.expect_same_losses(model, shared, NAME)
    crop_models.expect_same_first_step(model, shared, NAME)
