"""`DLCLoader`: projects as DeepLabCut leaves them, moved, old, damaged."""

import json
import logging
import os
import pickle
import shutil

import numpy as np
import pandas as pd
import pytest

from dlcore import DataError
from dlcore.data.samples import boxes_from_keypoints
from dlcore.interfaces import DatasetContext, PoseDataset
from dlcore.testing import check_dataset
from dlcore_plugins.deeplabcut.dataset import DLCLoader
from tests.plugins.deeplabcut.projects import (
    BODYPARTS,
    SIZE,
    label_frame,
    multi_config,
    places,
    training_folder,
    write_config,
    write_images,
    write_project,
    write_shuffle,
    write_table,
)

BARE = DatasetContext()


def load(project, context=BARE, **options):
    return DLCLoader(context, project=str(project), **options)


def in_place(config_path, **metadata):
    """The dataset that a training run finds for a config in a project."""
    options = DLCLoader.options_for_config(config_path)
    assert options is not None
    return DLCLoader(DatasetContext(config_path, metadata), **options)


def test_a_config_in_a_project_finds_its_images_in_the_order_of_the_shuffle(tmp_path):
    frame = label_frame()
    config_path = write_project(tmp_path / "project", frame)

    dataset = in_place(config_path)

    assert isinstance(dataset, PoseDataset)
    assert dataset.splits() == ("train", "test")
    for split, rows in (("train", [4, 0, 2]), ("test", [5, 1, 3])):
        records = dataset.records(split)
        assert [r.key for r in records] == [frame.index[row] for row in rows]
        for record, row in zip(records, rows, strict=True):
            assert record.image == (tmp_path / "project").joinpath(*record.key)
            assert record.image.is_file()
            assert record.size == SIZE
            assert record.boxes is None
            assert record.keypoints.dtype == np.float32
            expected = np.column_stack([frame.iloc[row].to_numpy().reshape(-1, 2), [2, 2, 2]])
            np.testing.assert_allclose(record.keypoints, expected[None], rtol=1e-6)
            assert record.individual_ids.tolist() == [0]
            assert record.unique_keypoints.shape == (0, 3)


def test_the_contract_of_datasets_is_kept(tmp_path):
    frame = label_frame(("m1", "m2"), ("lamp",))
    frame.loc[frame.index[4], [c for c in frame.columns if c[1] != "m2"]] = np.nan
    config = multi_config(["m1", "m2"], ["lamp"])

    check_dataset(in_place(write_project(tmp_path / "single")))
    check_dataset(in_place(write_project(tmp_path / "multi", frame, **config)))


def test_the_shuffle_and_fraction_of_the_folder_count(tmp_path):
    write_project(tmp_path)
    config_path = write_shuffle(tmp_path, label_frame(), train=[1], test=[3], percent=7, shuffle=12)

    dataset = in_place(config_path)

    assert [r.key[-1] for r in dataset.records("train")] == ["img001.png"]
    assert [r.key[-1] for r in dataset.records("test")] == ["img003.png"]


def test_options_choose_the_shuffle(tmp_path):
    write_project(tmp_path)
    write_shuffle(tmp_path, label_frame(), train=[1], test=[3], percent=28, shuffle=3)

    dataset = load(tmp_path, shuffle=3, trainset_index=1)

    assert [r.key[-1] for r in dataset.records("train")] == ["img001.png"]


def test_a_moved_project_needs_no_change(tmp_path):
    config_path = write_project(tmp_path / "old", project_path=str(tmp_path / "old"))
    relative = config_path.relative_to(tmp_path / "old")
    shutil.move(tmp_path / "old", tmp_path / "new")

    records = in_place(tmp_path / "new" / relative).records("train")

    assert all(r.image.is_relative_to(tmp_path / "new") and r.image.is_file() for r in records)


@pytest.mark.parametrize("formats", ["h5", "csv"])
def test_labels_of_an_old_windows_project_are_read(formats, tmp_path):
    frame = label_frame(windows=True)
    write_config(tmp_path)
    write_images(tmp_path / "labeled-data" / "vid1")
    config_path = write_shuffle(tmp_path, frame, formats=formats)

    records = in_place(config_path).records("test")

    assert records[0].key == ("labeled-data", "vid1", "img005.png")
    np.testing.assert_allclose(records[0].keypoints[0, 0, :2], places(frame, "snout")[5], rtol=1e-6)


def test_several_individuals_and_unique_bodyparts(tmp_path):
    frame = label_frame(("m1", "m2", "m3"), ("lamp", "door"))
    columns = frame.columns
    frame.loc[frame.index[4], [c for c in columns if c[1] == "m2"]] = np.nan
    frame.loc[frame.index[4], [c for c in columns if c[1:3] == ("single", "door")]] = np.nan
    config_path = write_project(
        tmp_path, frame, **multi_config(["m1", "m2", "m3"], ["lamp", "door"]), identity=True
    )

    dataset = in_place(config_path)
    record = dataset.records("train")[0]

    assert dataset.task.individuals == ("m1", "m2", "m3")
    assert dataset.task.unique_keypoints == ("lamp", "door")
    assert dataset.task.with_identity
    assert record.individual_ids.tolist() == [0, 2]
    assert record.keypoints.shape == (2, 3, 3)
    np.testing.assert_allclose(
        record.keypoints[1, 0, :2], places(frame, "m3", "snout")[4], rtol=1e-6
    )
    lamp = places(frame, "single", "lamp")[4]
    np.testing.assert_allclose(record.unique_keypoints, [[*lamp, 2], [0, 0, 0]], rtol=1e-6)


def test_unique_bodyparts_without_any_label_are_undefined(tmp_path):
    frame = label_frame(("m1",), ("lamp", "door"))
    frame.loc[frame.index[4], [c for c in frame.columns if c[1] == "single"]] = np.nan
    config_path = write_project(tmp_path, frame, **multi_config(["m1"], ["lamp", "door"]))

    first, second, _ = in_place(config_path).records("train")

    assert first.unique_keypoints.tolist() == [[0, 0, -1]] * 2
    assert second.unique_keypoints[:, 2].tolist() == [2, 2]


def test_names_of_the_config_order_the_channels(tmp_path):
    frame = label_frame()
    config_path = write_project(tmp_path, frame)

    dataset = in_place(config_path, bodyparts=["rightear", "snout"], individuals=["animal"])

    assert dataset.task.keypoints == ("rightear", "snout")
    assert dataset.task.individuals == ("animal",)
    np.testing.assert_allclose(
        dataset.records("train")[0].keypoints[0, 0, :2], places(frame, "rightear")[4], rtol=1e-6
    )


def test_a_bodypart_that_is_not_labelled_is_named(tmp_path):
    config_path = write_project(tmp_path)

    with pytest.raises(DataError, match=r"'rihgtear' has no labels .* did you mean 'rightear'\?"):
        in_place(config_path, bodyparts=["rihgtear"]).records("train")


def test_visibility_says_labelled_and_inside_the_image(tmp_path):
    frame = label_frame(bodyparts=[f"b{i}" for i in range(8)])
    width, height = SIZE
    cases = [
        ((0, 0), 2),  # on the edge of the first row and column
        ((width - 0.5, height - 0.5), 2),
        ((width, 5), 0),
        ((5, height), 0),
        ((-0.5, 5), 0),
        ((np.nan, 5), None),
        ((np.nan, np.nan), None),
        ((np.inf, 5), None),
    ]
    frame.iloc[4] = [value for place, _ in cases for value in place]
    config_path = write_project(tmp_path, frame, bodyparts=[f"b{i}" for i in range(8)])

    keypoints = in_place(config_path).records("train")[0].keypoints[0]

    for found, (place, visibility) in zip(keypoints, cases, strict=True):
        assert found.tolist() == ([*place, visibility] if visibility is not None else [0, 0, 0])


def test_images_without_labels_stay_as_images_without_individuals(tmp_path):
    frame = label_frame()
    frame.iloc[4] = np.nan
    frame.iloc[0] = 1000.0  # outside the image

    records = in_place(write_project(tmp_path, frame)).records("train")

    assert [len(r.keypoints) for r in records] == [0, 0, 1]
    assert records[0].keypoints.shape == (0, 3, 3)
    assert records[0].individual_ids.shape == (0,)


def test_images_are_not_decoded_and_damaged_ones_have_no_size(tmp_path):
    config_path = write_project(tmp_path)
    (tmp_path / "labeled-data" / "vid1" / "img004.png").write_bytes(b"nothing")

    record = in_place(config_path).records("train")[0]

    assert record.size is None
    assert (record.keypoints[..., 2] == 2).all()


def test_reading_warns_of_nothing(tmp_path, recwarn):
    in_place(write_project(tmp_path)).records("train")

    assert len(recwarn) == 0


class TestWithoutShuffles:
    def make(self, folder, **config):
        write_config(folder, **config)
        for video in ("b", "a"):
            write_images(folder / "labeled-data" / video)
            frame = label_frame(video=video)
            write_table(folder / "labeled-data" / video / "CollectedData_me", frame)
        (folder / "labeled-data" / "a_labeled").mkdir()
        return folder

    def test_all_labels_are_split_by_the_projects_fraction_and_that_is_said(self, tmp_path, caplog):
        project = self.make(tmp_path / "p", TrainingFraction=[0.75])

        with caplog.at_level(logging.INFO, logger="dlcore"):
            dataset = load(project)
            assert [len(dataset.records(s)) for s in dataset.splits()] == [9, 3]

        assert "train_fraction 0.75 and seed 42 into 9 training and 3 test images" in caplog.text
        assert "the project has no shuffles" in caplog.text

    def test_the_split_is_the_same_each_time_and_another_with_another_seed(self, tmp_path):
        project = self.make(tmp_path / "p")

        def test_images(**options):
            return [r.key for r in load(project, **options).records("test")]

        assert test_images() == test_images(seed=42)
        assert test_images() != test_images(seed=1)
        assert len(test_images(train_fraction=0.9)) == 1

    def test_a_fraction_splits_anew_also_where_there_are_shuffles(self, tmp_path):
        config_path = write_project(tmp_path)

        dataset = DLCLoader(DatasetContext(config_path), project="../../../..", train_fraction=0.8)

        assert [len(dataset.records(s)) for s in dataset.splits()] == [5, 1]
        assert dataset.config_path() is None

    def test_without_labels_the_files_that_are_there_are_named(self, tmp_path):
        write_config(tmp_path)
        write_table(tmp_path / "labeled-data" / "a" / "CollectedData_you", label_frame())

        with pytest.raises(DataError, match=r"CollectedData_me\.h5 or \.csv, only .*_you\.csv"):
            load(tmp_path).records("train")

    def test_one_labelled_image_has_no_test_split(self, tmp_path):
        write_config(tmp_path)
        write_images(tmp_path / "labeled-data" / "vid1", 1)
        frame = label_frame(num_images=1)
        write_table(tmp_path / "labeled-data" / "vid1" / "CollectedData_me", frame)

        dataset = load(tmp_path)

        assert dataset.splits() == ("train",)
        with pytest.raises(
            DataError, match=r"the test split of .* has no images; run DeepLabCut's"
        ):
            dataset.records("test")

    @pytest.mark.parametrize("fraction", [0.0, 1.0, -1.0])
    def test_a_fraction_must_leave_both_splits_something(self, fraction, tmp_path):
        with pytest.raises(ValueError, match="train_fraction must lie between 0 and 1"):
            load(self.make(tmp_path / "p"), train_fraction=fraction)


class TestBadProjects:
    def test_no_project(self, tmp_path):
        with pytest.raises(DataError, match="there is no DeepLabCut project at"):
            load(tmp_path)

    def test_a_config_in_the_place_of_a_shuffle_without_a_project(self, tmp_path):
        config_path = write_project(tmp_path)
        (tmp_path / "config.yaml").unlink()

        with pytest.raises(DataError, match="there is no DeepLabCut project at"):
            in_place(config_path)

    def test_no_option_or_both(self, tmp_path):
        with pytest.raises(ValueError, match="project: name the folder"):
            DLCLoader(BARE)
        with pytest.raises(ValueError, match="project: name the folder"):
            DLCLoader(BARE, project="a", config="b")

    def test_missing_merged_labels(self, tmp_path):
        config_path = write_project(tmp_path)
        for path in training_folder(tmp_path).glob("CollectedData_*"):
            path.unlink()

        with pytest.raises(DataError, match=r"(?s)CollectedData_me\.h5.* run DeepLabCut's create"):
            in_place(config_path).records("train")

    def test_a_missing_split_lists_those_that_are_there(self, tmp_path):
        write_project(tmp_path)

        with pytest.raises(DataError, match=r"no split of shuffle 9: .*are: .*50shuffle1\.pickle"):
            load(tmp_path, shuffle=9).records("train")

    def test_a_shuffle_is_never_replaced_by_a_split_of_our_own(self, tmp_path):
        config_path = write_project(tmp_path)
        next(training_folder(tmp_path).glob("*.pickle")).unlink()

        with pytest.raises(DataError, match=r"no split of shuffle 1: .* or split anew with"):
            in_place(config_path).records("train")

    def test_code_in_the_split(self, tmp_path, monkeypatch):
        class Attack:
            def __reduce__(self):
                return os.system, ("touch attacked",)

        monkeypatch.chdir(tmp_path)
        config_path = write_project(tmp_path)
        next(training_folder(tmp_path).glob("*.pickle")).write_bytes(pickle.dumps(Attack()))

        with pytest.raises(DataError, match=r"shuffle1\.pickle' is refused: .*system'"):
            in_place(config_path).records("train")
        assert not (tmp_path / "attacked").exists()

    def test_labels_of_fewer_images_than_the_split_knows(self, tmp_path):
        write_project(tmp_path)
        config_path = write_shuffle(tmp_path, label_frame(num_images=5))

        with pytest.raises(DataError, match="puts row 5 into the test split"):
            in_place(config_path).records("train")

    def test_an_index_that_no_fraction_has(self, tmp_path):
        write_project(tmp_path)

        with pytest.raises(DataError, match=r"trainset_index is 2, .* has 2 entries"):
            load(tmp_path, trainset_index=2).records("train")

    def test_no_labels_at_all(self, tmp_path):
        frame = label_frame() * np.nan

        with pytest.raises(DataError, match="holds no labels"):
            in_place(write_project(tmp_path, frame)).records("train")

    def test_missing_images_are_counted(self, tmp_path):
        config_path = write_project(tmp_path, label_frame(num_images=8))
        config_path = write_shuffle(tmp_path, label_frame(num_images=8), train=range(7), test=[7])
        for i in range(5):
            (tmp_path / "labeled-data" / "vid1" / f"img{i:03d}.png").unlink()

        with pytest.raises(
            DataError,
            match=r"5 of the 7 images .*: labeled-data/vid1/img000.png, .*img002.png, \.\.",
        ):
            in_place(config_path).records("train")

    def test_labels_of_another_scorer(self, tmp_path):
        write_project(tmp_path)
        write_shuffle(tmp_path, label_frame(scorer="you"))

        with pytest.raises(DataError, match="no labels of scorer 'me', only of 'you'"):
            load(tmp_path).records("train")


def test_a_source_is_a_project_folder_or_its_config(tmp_path, monkeypatch):
    write_config(tmp_path)
    monkeypatch.chdir(tmp_path.parent)

    for source in (tmp_path, tmp_path / "config.yaml", (tmp_path / "x" / "..")):
        if source.exists():
            options = DLCLoader.options_for_source(source)
            assert options == {"project": str(tmp_path)}
    assert DLCLoader.options_for_source(tmp_path.parent) is None
    assert DLCLoader.options_for_config(tmp_path / "config.yaml") is None


def test_paths_are_relative_to_the_config_of_the_run_or_to_the_current_folder(
    tmp_path, monkeypatch
):
    write_project(tmp_path / "project")
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    context = DatasetContext(tmp_path / "runs" / "run.yaml")

    for project in ("../project", "project", "../project/config.yaml"):
        assert len(load(project, context).records("train")) == 3
    assert len(DLCLoader(BARE, config="project/config.yaml").records("train")) == 3


def test_the_place_of_a_shuffles_config_is_known_where_its_folder_exists(tmp_path):
    config_path = write_project(tmp_path)

    assert load(tmp_path).config_path() == config_path
    assert load(tmp_path, shuffle=2).config_path() is None
    assert load(tmp_path, modelprefix="other").config_path() is None


REFERENCE = {
    "single": "single",
    "multi_td": "multi",
    "multi_identity_unique": "multi_identity_unique",
}


@pytest.mark.parametrize("name", REFERENCE)
def test_labels_are_the_references(name, shared):
    project = shared / "peer" / "projects" / REFERENCE[name]
    reference = shared / "peer" / "reference" / "items"
    coco = json.loads((reference / f"{name}_train_coco.json").read_text(encoding="utf-8"))

    dataset = load(project)
    records = dataset.records("train")

    assert ["/".join(r.key) for r in records] == [
        image["file_name"].partition("__PROJECT__/")[2] for image in coco["images"]
    ]
    for record, image in zip(records, coco["images"], strict=True):
        assert record.size == (image["width"], image["height"])
        annotations = [a for a in coco["annotations"] if a["image_id"] == image["id"]]
        animals = [a for a in annotations if a["individual"] != "single"]
        unique = [a for a in annotations if a["individual"] == "single"]
        assert record.individual_ids.tolist() == [a["individual_id"] for a in animals]
        boxes = boxes_from_keypoints(record.keypoints, record.size, 20)
        np.testing.assert_allclose(boxes, [a["bbox"] for a in animals] or boxes, atol=1e-4)
        for keypoints, animal in zip(record.keypoints, animals, strict=True):
            np.testing.assert_allclose(keypoints, animal["keypoints"], rtol=1e-6)
        if unique:
            np.testing.assert_allclose(record.unique_keypoints, unique[0]["keypoints"], rtol=1e-6)
        else:
            assert (record.unique_keypoints[:, 2] == -1).all()


@pytest.mark.parametrize("name", REFERENCE)
@pytest.mark.parametrize("split", ["train", "test"])
def test_the_truth_for_evaluation_is_the_references(name, split, shared):
    project = shared / "peer" / "projects" / REFERENCE[name]
    items = np.load(shared / "peer" / "reference" / "items" / f"{name}_items.npz")
    truth = items[f"{split}/ground_truth"]

    dataset = load(project)

    for record, expected in zip(dataset.records(split), truth, strict=True):
        found = np.zeros((dataset.task.num_individuals, dataset.task.num_keypoints, 3))
        found[record.individual_ids] = record.keypoints
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_the_openfield_project_as_it_lies(shared):
    project = shared / "data" / "openfield-Pranav-2018-10-30"
    for shuffle in (1, 2, 3):
        train = project / "dlc-models-pytorch" / "iteration-0"
        folder = train / f"openfieldOct30-trainset95shuffle{shuffle}" / "train"

        dataset = in_place(folder / "pytorch_config.yaml")

        assert [len(dataset.records(s)) for s in dataset.splits()] == [110, 6]
        assert dataset.task.keypoints == ("snout", "leftear", "rightear", "tailbase")
    assert {r.size for r in dataset.records("train")} == {(640, 480)}


def test_the_flies_as_a_project_without_shuffles(shared):
    dataset = load(shared / "data" / "fliespair-sleap-2026-01-01")

    records = {split: dataset.records(split) for split in dataset.splits()}

    assert {split: len(r) for split, r in records.items()} == {"train": 176, "test": 59}
    assert dataset.task.num_individuals == 2
    assert len(dataset.task.symmetries) == 10
    assert all(len(r.keypoints) == 2 for r in records["test"])


def test_h5_and_csv_of_the_flies_agree(shared, tmp_path, caplog):
    source = shared / "data" / "fliespair-sleap-2026-01-01"
    shutil.copytree(source, tmp_path / "p", ignore=shutil.ignore_patterns("*.h5", "*.png"))
    (tmp_path / "p" / "labeled-data" / "flies_pair").chmod(0o755)
    for image in (source / "labeled-data" / "flies_pair").glob("*.png"):
        (tmp_path / "p" / "labeled-data" / "flies_pair" / image.name).symlink_to(image)

    from_h5 = load(source).records("train")
    from_csv = load(tmp_path / "p").records("train")

    assert "there is no .h5 beside it" in caplog.text
    for one, other in zip(from_h5, from_csv, strict=True):
        assert one.key == other.key
        np.testing.assert_allclose(one.keypoints, other.keypoints, atol=1e-3)


def test_frames_are_written_as_in_a_real_project(shared):
    """The generated projects of these tests look like a real one."""
    real = pd.read_hdf(shared / "peer/projects/single/labeled-data/clip/CollectedData_peer.h5")
    ours = label_frame(bodyparts=BODYPARTS)

    assert list(real.columns.names) == list(ours.columns.names)
    assert real.index.nlevels == ours.index.nlevels
    assert real.index[0][0] == ours.index[0][0]
