"""COCO's JSON: what is read, and how mistakes are told."""

import json
import re

import numpy as np
import pytest

from dlcore import DataError
from dlcore_plugins.coco.annotations import read_coco
from tests.plugins.coco.files import NAMES, SIZE, content, person, write_json


@pytest.fixture
def read(tmp_path):
    return lambda value: read_coco(write_json(tmp_path / "train.json", value))


def with_category(**changes):
    value = content()
    value["categories"][0].update(changes)
    return value


def test_images_keep_their_order_and_individuals_theirs(read):
    value = content(3, [person(3, 1), person(1, 2, x=20), person(1, 3, x=0)])

    file = read(value)

    assert file.keypoints == NAMES
    assert [image.file_name for image in file.images] == ["img1.png", "img2.png", "img3.png"]
    assert [image.size for image in file.images] == [SIZE] * 3
    assert [[i.keypoints[0, 0] for i in image.individuals] for image in file.images] == [
        [20, 0],
        [],
        [10],
    ]
    first = file.images[0].individuals[0]
    assert first.keypoints.tolist() == [[20, 5, 2], [25, 5, 2], [30, 5, 2]]
    assert first.box.tolist() == [20, 0, 20, 10]
    assert first.name is None


def test_keypoints_may_be_rows(read):
    value = content(1, [person(1, 1, keypoints=[[1, 2, 2], [3, 4, 1], [5, 6, 0]])])

    (individual,) = read(value).images[0].individuals

    assert individual.keypoints.tolist() == [[1, 2, 2], [3, 4, 1], [5, 6, 0]]


def test_crowds_other_categories_and_individuals_without_labels_are_left_out(read):
    value = content(
        1,
        [
            person(1, 1, iscrowd=1),
            person(1, 2, category_id=2),
            person(1, 3, keypoints=[0] * 9, bbox=None),
            {"id": 4, "image_id": 1, "category_id": 1, "bbox": [0, 0, 5, 0]},
            person(1, 5, keypoints=None),
            person(1, 6),
        ],
    )
    value["categories"].append({"id": 2, "name": "lamp"})

    assert [i.label for i in read(value).images[0].individuals] == [
        "annotation 5",  # a box alone is a label, too
        "annotation 6",
    ]


def test_points_outside_and_not_numbers_are_not_visible(read):
    width, height = SIZE
    value = content(1, [person(1, 1, keypoints=[width, 5, 2, 0, 0, 2, 5, height, 1])])
    nan = content(1, [person(1, 1, keypoints=[float("nan"), 5, 2, 3, None, 2, 7, 7, 1])])

    (individual,) = read(value).images[0].individuals
    (other,) = read(nan).images[0].individuals

    assert individual.keypoints.tolist() == [[width, 5, 0], [0, 0, 2], [5, height, 0]]
    assert other.keypoints.tolist() == [[0, 0, 0], [0, 0, 0], [7, 7, 1]]


def test_without_sizes_nothing_is_outside(read):
    value = content(1, [person(1, 1, x=1000)])
    del value["images"][0]["width"], value["images"][0]["height"]

    image = read(value).images[0]

    assert image.size is None
    assert (image.individuals[0].keypoints[:, 2] == 2).all()


def test_boxes_without_area_are_no_boxes(read):
    boxes = [[1, 2, 0, 5], [1, 2, 3, -1], None, [], [1, 2, 3, 4]]
    value = content(1, [person(1, i, bbox=box) for i, box in enumerate(boxes)])

    found = [individual.box for individual in read(value).images[0].individuals]

    assert found[:4] == [None] * 4
    np.testing.assert_array_equal(found[4], [1, 2, 3, 4])


@pytest.mark.parametrize("key", ["individual", "track_id"])
def test_individuals_may_have_names(key, read):
    value = content(1, [person(1, 1, **{key: 7}), person(1, 2, **{key: "Fido"})])

    assert [i.name for i in read(value).images[0].individuals] == ["7", "Fido"]


def test_limbs_count_from_one_unless_there_is_a_zero(read):
    assert read(with_category(skeleton=[[1, 2], [3, 1]])).skeleton == ((0, 1), (2, 0))
    assert read(with_category(skeleton=[[0, 2], [2, 1]])).skeleton == ((0, 2), (2, 1))
    assert read(with_category(skeleton=None)).skeleton == ()


def test_swap_pairs_count_from_zero_unless_they_reach_the_last_plus_one(read):
    assert read(with_category(swap_pairs=[[0, 1]])).symmetries == ((0, 1),)
    assert read(with_category(swap_pairs=[[2, 3]])).symmetries == ((1, 2),)
    assert read(with_category(swap_pairs=[])).symmetries == ()


def test_without_swap_pairs_names_tell_left_from_right(read):
    assert read(content()).symmetries == ((1, 2),)


def test_categories_with_the_same_keypoints_are_one(read):
    value = content(1, [person(1, 1), person(1, 2, category_id=5)])
    value["categories"].append({**value["categories"][0], "id": 5})

    assert len(read(value).images[0].individuals) == 2


def changed(**changes):
    return {**content(), **changes}


def annotations(**changes):
    return content(1, [{**person(1, 7), **changes}])


def images(**changes):
    value = content()
    value["images"][0].update(changes)
    return value


WRONG = {
    "a list": ([], "COCO labels are a mapping"),
    "no images": (changed(images=None), "'images' is missing or is not a list"),
    "odd images": (changed(images=[1]), "'images' is missing or is not a list"),
    "no annotations": (changed(annotations={}), "'annotations' is missing"),
    "no categories": (changed(categories="a"), "'categories' is missing"),
    "no keypoints": (with_category(keypoints=None), "no category has keypoints"),
    "double keypoint": (with_category(keypoints=["a", "a"]), "must be unique names"),
    "two poses": (
        changed(categories=[{"id": 1, "keypoints": ["a"]}, {"id": 2, "keypoints": ["b"]}]),
        "categories 1 and 2 have different keypoints",
    ),
    "no image id": (images(id=None), "images[0] has no 'id'"),
    "no file name": (images(file_name=None), "images[0] has no 'file_name'"),
    "double image id": (images(id=2), "two images have the id 2"),
    "odd size": (images(width=0), "image 1: width and height are (0, 40)"),
    "double id": (content(1, [person(1, 7), person(1, 7)]), "two annotations have the id 7"),
    "no image": (annotations(image_id=None), "annotation 7 has no 'image_id'"),
    "other image": (annotations(image_id=9), "annotation 7: there is no image with the id 9"),
    "other category": (annotations(category_id=9), "annotation 7: there is no category with"),
    "too few": (annotations(keypoints=[1, 2, 2]), "annotation 7 has 3 numbers for 3 keypoints"),
    "text": (annotations(keypoints=["a"] * 9), "annotation 7: keypoints must be numbers"),
    "odd visibility": (annotations(keypoints=[1, 2, 0.5] * 3), "annotation 7: visibility 0.5"),
    "odd box": (annotations(bbox=[1, 2]), "annotation 7: bbox must be x, y, width, height"),
    "odd skeleton": (with_category(skeleton=[[1, 4]]), "skeleton has [1, 4], but there are 3"),
    "odd limb": (with_category(skeleton=[1]), "skeleton of category 1 must be pairs"),
    "odd swap": (with_category(swap_pairs=[[0, 9]]), "swap_pairs has [0, 9]"),
}


@pytest.mark.parametrize(("value", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_mistake_is_told_with_file_and_entry(value, message, read):
    with pytest.raises(DataError, match=r"train\.json.*" + re.escape(message)):
        read(value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"train\.json:1: not valid JSON"),
        (b'{"images": [\n}', r"train\.json:2: not valid JSON"),
        (b"\xff\xfe", "is not a text file in UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_damaged_file_is_told_with_its_line(data, message, tmp_path):
    (tmp_path / "train.json").write_bytes(data)

    with pytest.raises(DataError, match=message):
        read_coco(tmp_path / "train.json")


def test_a_truncated_file_is_told(tmp_path):
    text = json.dumps(content())
    (tmp_path / "train.json").write_text(text[: len(text) // 2], encoding="utf-8")

    with pytest.raises(DataError, match="not valid JSON"):
        read_coco(tmp_path / "train.json")
