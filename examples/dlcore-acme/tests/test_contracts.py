"""The promises that dlcore asks of each kind of component."""

import pytest
from dlcore.interfaces import FeatureSpec
from dlcore.testing import (
    check_backbone,
    check_component,
    check_head,
    check_predictor,
    check_round_trip,
    check_target_generator,
    fake_features,
    fake_task,
)

from dlcore_acme.backbone import AcmeTiny
from dlcore_acme.soft_argmax import (
    AcmeCoordinateGenerator,
    AcmeCoordinatePredictor,
    AcmeSoftArgmaxHead,
)

FEATURES = FeatureSpec(channels=16, stride=8)
TASK = fake_task(num_keypoints=3)


@pytest.mark.parametrize(
    ("kind", "cls"),
    [
        ("backbones", AcmeTiny),
        ("heads", AcmeSoftArgmaxHead),
        ("target_generators", AcmeCoordinateGenerator),
        ("predictors", AcmeCoordinatePredictor),
    ],
)
def test_classes(kind, cls):
    check_component(kind, cls)


@pytest.mark.parametrize("width", [16, 64])
def test_backbone(width):
    check_backbone(AcmeTiny(width=width))


def test_head():
    check_head(AcmeSoftArgmaxHead(FEATURES, TASK), FEATURES, TASK)


def test_targets_and_predictions_agree():
    outputs = AcmeSoftArgmaxHead(FEATURES, TASK)(fake_features(FEATURES))
    generator, predictor = AcmeCoordinateGenerator(TASK), AcmeCoordinatePredictor(TASK)

    check_target_generator(generator, FEATURES.stride, outputs, TASK)
    check_predictor(predictor, FEATURES.stride, outputs, TASK)
    check_round_trip(generator, predictor, FEATURES.stride, outputs, TASK, tolerance=0.01)


def test_a_peak_in_the_map_is_where_the_coordinates_are():
    head = AcmeSoftArgmaxHead(FEATURES, TASK, sharpness=100.0)
    head.maps.weight.data.fill_(1.0)
    features = 0 * fake_features(FEATURES)
    features[:, :, 2, 5] = 1.0

    coordinates = head(features)["coordinates"]

    assert coordinates.allclose(coordinates.new_tensor([5.5, 2.5]), atol=1e-3)


def test_wrong_options_are_refused():
    with pytest.raises(ValueError, match="multiple of 16, got 20"):
        AcmeTiny(width=20)
    with pytest.raises(ValueError, match="the data has 2"):
        AcmeSoftArgmaxHead(FEATURES, fake_task(num_individuals=2))
