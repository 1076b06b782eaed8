"""Pictures show what is there, where it is, and leave the image as it was."""

import numpy as np
import pytest
import torch

from dlcore.engine.pictures import (
    FOUND,
    LARGEST_SIDE,
    SMALLEST_SIDE,
    TRUTH,
    Boxes,
    Points,
    draw_boxes,
    draw_maps,
    draw_points,
)
from dlcore.interfaces import Target

SIDE = 400  # is drawn as it is
CAPTION = 18
NONE = np.zeros((0, 1, 3))


def grey(width=SIDE, height=SIDE, value=100):
    return np.full((height, width, 3), value, np.uint8)


def changed(picture, image):
    """(row, column) of each pixel that was drawn on."""
    return np.argwhere((picture[: image.shape[0]] != image).any(axis=2))


def extent(picture, image):
    """Centre (x, y) of what was drawn, and the largest distance from it."""
    places = changed(picture, image)[:, ::-1] + 0.5
    centre = (places.min(axis=0) + places.max(axis=0)) / 2
    return centre, np.abs(places - centre).max()


def points(*rows):
    return np.array([rows], np.float64)


@pytest.mark.parametrize("visibility", [2, 1])
def test_a_label_is_a_ring_around_its_place(visibility):
    image = grey()
    picture = draw_points(image, Points(points([120.5, 60.5, visibility]), NONE))

    centre, radius = extent(picture, image)
    np.testing.assert_allclose(centre, [120.5, 60.5], atol=0.5)
    assert 5 <= radius <= 8
    assert (picture[60, 120] == 100).all(), "the place itself is to be seen"
    assert (image == 100).all()


@pytest.mark.parametrize("score", [0.9, 0.05])
def test_a_prediction_is_a_cross_on_its_place(score):
    image = grey()
    picture = draw_points(image, Points(NONE, points([33.5, 210.5, score])))

    centre, _ = extent(picture, image)
    np.testing.assert_allclose(centre, [33.5, 210.5], atol=1)
    assert (picture[210, 33] != 100).any()


def test_a_likely_prediction_is_bold():
    image = grey()
    thin, bold = (
        len(changed(draw_points(image, Points(NONE, points([50, 50, score]))), image))
        for score in (0.59, 0.61)
    )
    assert bold > 1.5 * thin


@pytest.mark.parametrize("found", [[50.0, 50.0, -1.0], [np.nan, np.nan, 0.5], [50.0, 50.0, np.nan]])
def test_what_is_not_labelled_or_not_found_is_not_drawn(found):
    image = grey()
    truth = points([80, 80, 0], [90, 90, -1])

    picture = draw_points(image, Points(truth, np.array([[found, found]])))

    assert len(changed(picture, image)) == 0


def test_truth_and_prediction_of_a_keypoint_share_a_colour_that_others_do_not_have():
    image = grey()
    truth = points([50, 50, 2], [150, 50, 2], [250, 50, 2])
    found = points([50, 200, 0.9], [150, 200, 0.9], [250, 200, 0.9])
    picture = draw_points(image, Points(truth, found))

    def colour(column, row):
        area = picture[row - 8 : row + 8, column - 8 : column + 8].reshape(-1, 3).astype(int)
        return area[(area.max(axis=1) - area.min(axis=1)).argmax()]

    for column in (50, 150, 250):
        assert np.abs(colour(column, 50) - colour(column, 200)).max() < 60
    assert np.abs(colour(50, 50) - colour(150, 50)).max() > 150


def test_limbs_join_labelled_keypoints_only():
    image = grey()
    truth = points([50, 50, 2], [150, 50, 2], [150, 150, 0])

    picture = draw_points(image, Points(truth, NONE, ((0, 1), (1, 2))))

    assert (picture[49:51, 100] != 100).any()
    assert (picture[100, 149:151] == 100).all()


def test_places_outside_the_image_are_no_problem():
    draw_points(
        grey(),
        Points(points([-500, 1e9, 2], [7, -1e9, 1]), points([np.inf, 3, 0.5], [-4, 1e12, 1])),
    )


@pytest.mark.parametrize(
    ("size", "drawn"),
    [
        ((64, 32), (SMALLEST_SIDE, SMALLEST_SIDE // 2)),
        ((400, 300), (400, 300)),
        ((4096, 2048), (LARGEST_SIDE, LARGEST_SIDE // 2)),
    ],
)
def test_pictures_have_a_size_that_people_can_look_at(size, drawn):
    image = grey(*size)
    place = [size[0] * 0.75, size[1] * 0.25, 0.9]
    picture = draw_points(image, Points(NONE, points(place)))
    boxes = draw_boxes(image, Boxes(np.array([[1.0, 1, 9, 9]]), np.zeros((0, 4)), np.zeros(0)))
    maps = draw_maps(image, 4, torch.zeros(1, 8, 8), Target(torch.ones(1, 8, 8)))

    assert picture.shape == boxes.shape == (drawn[1] + CAPTION, drawn[0], 3)
    assert maps.shape == (drawn[1] + CAPTION, 2 * drawn[0], 3)
    centre, _ = extent(picture, grey(*drawn))
    np.testing.assert_allclose(centre, [drawn[0] * 0.75, drawn[1] * 0.25], atol=1.5)


def one_cell(channels, channel, row, column, value=1.0, size=(50, 50)):
    maps = torch.zeros(channels, *size)
    maps[channel, row, column] = value
    return maps


def vivid(panel):
    """Centre (x, y) of what is coloured."""
    places = np.argwhere(np.ptp(panel[:-CAPTION].astype(int), axis=2) > 60)[:, ::-1] + 0.5
    return places.mean(axis=0) if len(places) else None


@pytest.mark.parametrize("stride", [8, 7.5])
def test_maps_lie_where_their_cells_are(stride):
    target, output = one_cell(3, 1, 10, 40), one_cell(3, 2, 30, 5)

    picture = draw_maps(grey(), stride, output, Target(target))

    left, right = picture[:, :SIDE], picture[:, SIDE:]
    np.testing.assert_allclose(vivid(left), [40.5 * stride, 10.5 * stride], atol=1.5)
    np.testing.assert_allclose(vivid(right), [5.5 * stride, 30.5 * stride], atol=1.5)


def test_the_strongest_channel_gives_the_colour():
    target = one_cell(3, 0, 10, 10)
    output = one_cell(3, 1, 10, 10, 0.9) + one_cell(3, 0, 10, 10, -0.2)

    picture = draw_maps(grey(), 8, output, Target(target))

    assert picture[84, 84].argmax() == 0
    assert picture[84, SIDE + 84].argmax() == 1


def test_predictions_are_drawn_on_the_scale_of_the_target():
    target = one_cell(1, 0, 10, 10, 20.0)
    weak, strong, beyond = (
        draw_maps(grey(), 8, one_cell(1, 0, 10, 10, value), Target(target))[84, SIDE + 84]
        for value in (2.0, 20.0, 2000.0)
    )
    assert np.ptp(weak.astype(int)) < 60 < np.ptp(strong.astype(int))
    np.testing.assert_array_equal(strong, beyond)


def test_cells_without_weight_are_left_out():
    maps = one_cell(2, 0, 10, 10) + one_cell(2, 1, 30, 30)
    weights = torch.tensor([1.0, 0.0])[:, None, None]

    picture = draw_maps(grey(), 8, maps, Target(maps, weights))

    for panel in (picture[:, :SIDE], picture[:, SIDE:]):
        np.testing.assert_allclose(vivid(panel), [84, 84], atol=1.5)


def test_empty_targets_and_outputs_that_are_no_numbers_can_be_drawn():
    picture = draw_maps(grey(), 8, torch.full((2, 9, 9), torch.nan), Target(torch.zeros(2, 9, 9)))

    assert vivid(picture) is None


def is_border(picture, colour, x, y):
    return (picture[y, x] == colour).all()


def test_boxes_have_their_corners_where_they_are():
    truth = np.array([[40.0, 60, 100, 50], [0, 0, 0, 0]])
    found = np.array([[200.0, 210, 80, 90]])

    picture = draw_boxes(grey(), Boxes(truth, found, np.array([0.3])))

    assert is_border(picture, TRUTH, 40, 80)
    assert is_border(picture, TRUTH, 139, 80)
    assert is_border(picture, TRUTH, 80, 109)
    assert is_border(picture, FOUND, 200, 250)
    assert (picture[80, 70] == 100).all()
    assert (picture[0:5, 0:5] == 100).all(), "padding is no box"


@pytest.mark.parametrize(("scores", "drawn"), [([0.1, 0.5, 0.3], 1), ([0.9, 0.8, 0.2], 2)])
def test_of_many_boxes_the_best_and_the_likely_are_drawn(scores, drawn):
    truth = np.array([[300.0, 300, 50, 50]])
    found = np.array([[10.0 + 100 * i, 20, 60, 60] for i in range(3)])

    picture = draw_boxes(grey(), Boxes(truth, found, np.array(scores)))

    seen = [i for i in range(3) if is_border(picture, FOUND, 10 + 100 * i, 50)]
    assert seen == sorted(np.argsort(scores)[::-1][:drawn])
