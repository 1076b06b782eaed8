"""`COCOLoader`: splits, images, and who is who."""

import shutil
from collections import Counter

import numpy as np
import pytest

from dlcore import DataError
from dlcore.interfaces import DatasetContext, PoseDataset
from dlcore.testing import check_dataset, fake_task
from dlcore.testing.fake_dataset import write_dataset as write_fake_dataset
from dlcore_plugins.coco.dataset import COCOLoader
from tests.plugins.coco.files import NAMES, SIZE, content, person, write_dataset, write_json

BARE = DatasetContext()


def load(root, **options):
    return COCOLoader(BARE, root=str(root), **options)


def named(**metadata):
    return DatasetContext(metadata={"bodyparts": list(NAMES), **metadata})


def test_records_say_what_the_file_says(tmp_path):
    dataset = load(write_dataset(tmp_path))

    assert isinstance(dataset, PoseDataset)
    assert dataset.splits() == ("train", "test")
    assert dataset.task.keypoints == NAMES
    assert dataset.task.skeleton == ((0, 1), (0, 2))
    assert dataset.task.symmetries == ((1, 2),)
    assert dataset.task.individuals == ("individual0",)
    first, second = dataset.records("train")
    assert first.image == tmp_path / "images" / "img1.png"
    assert first.key == ("img1.png",)
    assert first.size == SIZE
    assert first.keypoints.tolist() == [[[10, 5, 2], [15, 5, 2], [20, 5, 2]]]
    assert first.keypoints.dtype == np.float32
    assert first.boxes.tolist() == [[10, 0, 20, 10]]
    assert first.individual_ids.tolist() == [0]
    assert first.unique_keypoints.shape == (0, 3)
    assert second.image.name == "img2.png"
    assert len(dataset.records("test")) == 1


def test_the_contract_of_datasets_is_kept(tmp_path):
    task = fake_task(num_individuals=3)
    dataset = load(write_fake_dataset(tmp_path, task=task))

    check_dataset(dataset)
    assert dataset.task.keypoints == task.keypoints
    assert dataset.task.num_individuals == 3


def test_labels_may_lie_in_annotations_and_images_in_the_root(tmp_path):
    write_dataset(tmp_path)
    (tmp_path / "annotations").mkdir()
    for name in ("train.json", "test.json"):
        shutil.move(tmp_path / name, tmp_path / "annotations" / name)
    shutil.move(tmp_path / "images" / "img1.png", tmp_path / "img1.png")

    first, second = load(tmp_path).records("train")

    assert first.image == tmp_path / "img1.png"
    assert second.image == tmp_path / "images" / "img2.png"


@pytest.mark.parametrize(
    "name", ["{root}/images/img1.png", "/gone/img1.png", "C:\\gone\\img1.png", "images/img1.png"]
)
def test_absolute_names_and_names_of_another_machine_are_found(name, tmp_path):
    train = content(1)
    train["images"][0]["file_name"] = name.format(root=tmp_path)

    (record,) = load(write_dataset(tmp_path, train)).records("train")

    assert record.image.samefile(tmp_path / "images" / "img1.png")


def test_names_in_subfolders_are_never_guessed(tmp_path):
    train = content(1)
    train["images"][0]["file_name"] = "cage2/img1.png"

    with pytest.raises(DataError, match=r"1 of the 1 images .* are missing in .*: cage2/img1\.png"):
        load(write_dataset(tmp_path, train)).records("train")


def test_missing_images_are_counted(tmp_path):
    root = write_dataset(tmp_path, content(4))
    shutil.rmtree(tmp_path / "images")

    with pytest.raises(DataError, match=r"4 of the 4 .*: img1\.png, img2\.png, img3\.png, \.\.\.;"):
        load(root).records("train")


def test_the_fullest_image_of_all_splits_tells_how_many_individuals_there_are(tmp_path):
    test = content(1, [person(1, i, x=i) for i in range(3)])

    dataset = load(write_dataset(tmp_path, test=test))

    assert dataset.task.individuals == ("individual0", "individual1", "individual2")
    assert dataset.records("test")[0].individual_ids.tolist() == [0, 1, 2]
    assert dataset.records("train")[0].individual_ids.tolist() == [0]


def test_individuals_with_any_names_are_matched_by_order(tmp_path):
    train = content(1, [person(1, 1, x=1), person(1, 2, x=2)])
    context = named(individuals=["Tom", "Jerry", "Spike"])

    dataset = COCOLoader(context, root=str(write_dataset(tmp_path, train)))

    assert dataset.task.individuals == ("Tom", "Jerry", "Spike")
    assert dataset.records("train")[0].individual_ids.tolist() == [0, 1]


def test_names_count_where_the_config_knows_them(tmp_path):
    train = content(
        1,
        [
            person(1, 1, x=1, individual="Spike"),
            person(1, 2, x=2, individual="stranger"),
            person(1, 3, x=3, individual="Tom"),
        ],
    )
    context = named(individuals=["Tom", "Jerry", "Spike"])

    (record,) = COCOLoader(context, root=str(write_dataset(tmp_path, train))).records("train")

    assert record.individual_ids.tolist() == [2, 1, 0]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("Tom", "stranger"), "annotation 1: individual 'stranger' is not in metadata.individuals"),
        (("Tom", None), "annotation 1: individual None is not in"),
        (("Tom", "Tom"), "annotation 1: individual 'Tom' comes twice in its image"),
    ],
)
def test_identity_needs_every_name(names, message, tmp_path):
    train = content(1, [person(1, i, individual=name) for i, name in enumerate(names)])
    context = named(individuals=["Tom", "Jerry"], with_identity=True)
    dataset = COCOLoader(context, root=str(write_dataset(tmp_path, train)))

    assert dataset.task.with_identity
    with pytest.raises(DataError, match=message):
        dataset.records("train")


def test_more_individuals_than_the_config_has_place_for_are_an_error(tmp_path):
    train = content(1, [person(1, 1), person(1, 2)])
    context = named(individuals=["individual_1"])

    with pytest.raises(DataError, match=r"'img1\.png' has 2 labelled .* place for 1; name them in"):
        COCOLoader(context, root=str(write_dataset(tmp_path, train))).records("train")


def test_bodyparts_of_the_config_order_the_channels(tmp_path):
    context = DatasetContext(metadata={"bodyparts": ["rightear", "nose"]})

    dataset = COCOLoader(context, root=str(write_dataset(tmp_path)))

    assert dataset.task.keypoints == ("rightear", "nose")
    assert dataset.task.skeleton == ((1, 0),)
    assert dataset.task.symmetries == ()
    assert dataset.records("train")[0].keypoints[0, :, 0].tolist() == [20, 10]


def test_individuals_with_a_box_and_no_keypoint_stay_for_detectors(tmp_path):
    nothing = [0, 0, 0, 1, 1, 2, 0, 0, 0]
    train = content(1, [person(1, 1, x=3, keypoints=nothing), person(1, 2), person(1, 3, x=20)])
    train["annotations"].append(person(1, 4, keypoints=nothing, bbox=None))
    root = str(write_dataset(tmp_path, train))

    def load(*individuals):
        context = DatasetContext(metadata={"bodyparts": ["nose"], "individuals": individuals})
        return COCOLoader(context, root=root).records("train")[0]

    record = load("a", "b", "c")
    assert record.keypoints[:, 0, 2].tolist() == [0, 2, 2]
    assert record.boxes[:, 0].tolist() == [3, 10, 20]

    record = load("a", "b")  # place for two: those with keypoints go before
    assert record.keypoints[:, 0, 0].tolist() == [10, 20]


@pytest.mark.parametrize(
    ("name", "hint"),
    [("nsoe", r"did you mean 'nose'\?"), ("tail", "it has nose, leftear, rightear")],
)
def test_a_bodypart_that_the_file_does_not_have_is_named(name, hint, tmp_path):
    context = DatasetContext(metadata={"bodyparts": [name]})

    with pytest.raises(DataError, match=rf"bodypart '{name}' is not among .*train\.json'; {hint}"):
        COCOLoader(context, root=str(write_dataset(tmp_path))).records("train")


def test_unique_bodyparts_are_refused(tmp_path):
    with pytest.raises(DataError, match="no unique bodyparts"):
        COCOLoader(named(unique_bodyparts=["lamp"]), root=str(write_dataset(tmp_path)))


def test_boxes_that_are_missing_come_from_the_keypoints(tmp_path):
    train = content(1, [person(1, 1, bbox=None, x=30), person(1, 2)])
    context = DatasetContext(box_margin=6)

    (record,) = COCOLoader(context, root=str(write_dataset(tmp_path, train))).records("train")

    assert record.boxes.tolist() == [[24, 0, 22, 11], [10, 0, 20, 10]]


def test_images_without_labels_stay(tmp_path):
    (record,) = load(write_dataset(tmp_path, content(1, []))).records("train")

    assert record.keypoints.shape == (0, 3, 3)
    assert record.boxes.shape == (0, 4)
    assert record.individual_ids.shape == (0,)


def test_a_validation_split_is_read_where_it_is_named(tmp_path):
    write_json(write_dataset(tmp_path) / "val.json", content(3))

    dataset = load(tmp_path, validation="val.json")

    assert dataset.splits() == ("train", "test", "validation")
    assert len(dataset.records("validation")) == 3


def test_there_may_be_no_test_split(tmp_path):
    dataset = load(write_dataset(tmp_path), test=None)

    assert dataset.splits() == ("train",)
    with pytest.raises(DataError, match=r"no labels for test; set dataset\.test"):
        dataset.records("test")


def test_an_empty_split_is_named(tmp_path):
    dataset = load(write_dataset(tmp_path, test=content(0)))

    assert dataset.splits() == ("train",)
    with pytest.raises(DataError, match=r"test\.json' lists no images"):
        dataset.records("test")


def test_missing_folders_and_files_are_named(tmp_path):
    with pytest.raises(DataError, match=r"no folder '.*nowhere'; set dataset\.root"):
        load(tmp_path / "nowhere")
    write_json(tmp_path / "train.json", content())
    with pytest.raises(DataError, match=r"no labels for test: neither .*annotations/test\.json'"):
        load(tmp_path)


def test_the_root_is_relative_to_the_config_of_the_run_or_to_the_current_folder(
    tmp_path, monkeypatch
):
    write_dataset(tmp_path / "runs" / "data")
    write_dataset(tmp_path / "other")
    monkeypatch.chdir(tmp_path)
    context = DatasetContext(tmp_path / "runs" / "run.yaml")

    for root in ("data", "other"):
        assert len(COCOLoader(context, root=root).records("train")) == 2


@pytest.mark.parametrize(
    ("files", "options"),
    [
        (["train.json", "test.json"], {}),
        (["annotations/train.json", "annotations/test.json"], {}),
        (["train.json", "val.json"], {"test": "val.json"}),
        (["train.json"], {"test": None}),
        (["train.json", "test.json", "val.json"], {"validation": "val.json"}),
    ],
)
def test_a_source_is_a_folder_with_training_labels(files, options, tmp_path):
    for name in files:
        write_json(tmp_path / name, content())

    assert COCOLoader.options_for_source(tmp_path) == {"root": str(tmp_path), **options}


def test_a_source_may_be_the_labels_themselves(tmp_path):
    path = write_json(tmp_path / "annotations" / "mice.json", content())

    options = COCOLoader.options_for_source(path)

    assert options == {"root": str(tmp_path), "train": "mice.json", "test": None}


def test_other_folders_are_no_source(tmp_path):
    (tmp_path / "notes.txt").write_text("", encoding="utf-8")

    for source in (tmp_path, tmp_path / "notes.txt", tmp_path / "nowhere"):
        assert COCOLoader.options_for_source(source) is None


SHARED = {
    # images of the splits, labelled individuals per image, pairs of left and right
    "openfield": ((93, 23), {1}, 1),
    "mirror_mouse": ((72, 18), {1}, 0),
    "flies_pair": ((175, 60), {2}, 10),
    "people_coco": ((3, 1), {1, 3, 5}, 8),
}


@pytest.mark.parametrize("name", SHARED)
def test_real_datasets_are_read(name, shared):
    counts, individuals, num_symmetries = SHARED[name]
    dataset = load(shared / "data" / name)

    records = [dataset.records(split) for split in ("train", "test")]

    assert tuple(map(len, records)) == counts
    found = Counter(len(r.keypoints) for split in records for r in split)
    assert set(found) <= individuals
    assert dataset.task.num_individuals == max(found)
    assert len(dataset.task.symmetries) == num_symmetries
    for record in (r for split in records for r in split):
        assert record.keypoints.shape[1] == dataset.task.num_keypoints
        assert len(record.boxes) == len(record.individual_ids) == len(record.keypoints)
        assert (record.boxes[:, 2:] > 0).all()


def test_labels_that_deeplabcut_exported_are_the_projects(shared):
    """The COCO form of a project has the same labels as the project."""
    truth = np.load(shared / "peer" / "reference" / "items" / "multi_td_items.npz")

    dataset = load(shared / "peer" / "projects" / "coco_multi")

    for split in ("train", "test"):
        records = dataset.records(split)
        assert len(records) == len(truth[f"{split}/ground_truth"])
        for record, expected in zip(records, truth[f"{split}/ground_truth"], strict=True):
            visible = expected[(expected[..., 2] > 0).any(axis=1)]
            np.testing.assert_allclose(record.keypoints, visible, rtol=1e-6)
