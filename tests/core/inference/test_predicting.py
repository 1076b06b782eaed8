"""From a source to files: whole or not at all, interrupted and gone on, broken frames counted."""

from __future__ import annotations

import errno
import json

import cv2
import numpy as np
import pandas as pd
import pytest

from dlcore.errors import ConfigError, DataError, DlcoreError
from dlcore.inference.predicting import predict_source
from dlcore.inference.prediction_setup import PredictionOptions
from dlcore.inference.sources import ImagesSource, VideoSource
from dlcore.inference.streaming import Crop
from tests.core.inference.stub_model import TWO, stub_model
from tests.videos import av, break_frames, brightness, frame, write_sizes, write_video

TABLE = "clipDLC_Resnet50_run_snapshot_best-10"


@pytest.fixture
def clip(tmp_path):
    return write_video(tmp_path / "clip.mp4", 30)


def table(folder, name=TABLE):
    return pd.read_hdf(folder / f"{name}.h5")


def xs(folder, name=TABLE):
    """The x of the first keypoint in each frame: its number, where the stub saw it."""
    return table(folder, name).to_numpy()[:, 0]


def options(*writers, **changes):
    blocks = [{"type": writer} for writer in writers or ("deeplabcut",)]
    return PredictionOptions(writers=blocks, **changes)


def test_every_frame_of_a_video_gets_its_row(clip, tmp_path, host):
    model = stub_model(host, tmp_path)
    steps = []

    report = predict_source(
        model, VideoSource(clip), options(), lambda r, expected: steps.append((r.frames, expected))
    )

    np.testing.assert_array_equal(xs(tmp_path), np.arange(30))
    assert table(tmp_path).index.tolist() == list(range(30))
    assert (report.frames, report.broken, report.resumed) == (30, 0, 0)
    assert steps[-1] == (30, 30)
    assert all(path.is_file() for path in report.files)
    assert not list(tmp_path.glob(".*"))


def test_broken_frames_are_counted_and_keep_their_rows(clip, tmp_path, host, caplog):
    break_frames(clip, [5, 6, 29])

    report = predict_source(stub_model(host, tmp_path), VideoSource(clip), options())

    expected = [np.nan if n in (5, 6, 29) else n for n in range(30)]
    np.testing.assert_array_equal(xs(tmp_path), expected)
    assert report.broken == 3
    assert "frame 5 cannot be decoded" in caplog.text


def test_an_interrupted_prediction_goes_on_where_it_was(clip, tmp_path, host):
    formats = options("deeplabcut", "labelled_video", output=tmp_path / "out")
    first = stub_model(host, tmp_path, TWO, interrupt_at=17)
    with pytest.raises(KeyboardInterrupt):
        predict_source(first, VideoSource(clip), formats)
    left = [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()]
    second = stub_model(host, tmp_path, TWO)

    report = predict_source(second, VideoSource(clip), formats)

    assert left == ["journal.bin"]
    assert report.resumed == 16
    assert second.estimator.seen == list(range(16, 30))
    whole = stub_model(host, tmp_path, TWO)
    predict_source(whole, VideoSource(clip), options(output=tmp_path / "whole"))
    name = f"{TABLE}_el"
    pd.testing.assert_frame_equal(table(tmp_path / "out", name), table(tmp_path / "whole", name))
    with av.open(str(tmp_path / "out" / "clip_labelled.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 30


def test_half_a_record_of_a_killed_process_is_dropped(clip, tmp_path, host):
    with pytest.raises(KeyboardInterrupt):
        predict_source(stub_model(host, tmp_path, interrupt_at=17), VideoSource(clip), options())
    (journal,) = tmp_path.rglob("journal.bin")
    journal.write_bytes(journal.read_bytes()[:-7])

    report = predict_source(stub_model(host, tmp_path), VideoSource(clip), options())

    assert report.resumed == 15
    np.testing.assert_array_equal(xs(tmp_path), np.arange(30))


def test_another_snapshot_or_crop_starts_anew(clip, tmp_path, host):
    with pytest.raises(KeyboardInterrupt):
        predict_source(stub_model(host, tmp_path, interrupt_at=17), VideoSource(clip), options())

    report = predict_source(
        stub_model(host, tmp_path), VideoSource(clip), options(crop=Crop(0, 0, 64, 48))
    )

    assert report.resumed == 0


def test_files_that_exist_are_kept_unless_told_otherwise(clip, tmp_path, host):
    predict_source(stub_model(host, tmp_path), VideoSource(clip), options(stop=5))
    before = (tmp_path / f"{TABLE}.h5").read_bytes()
    second = stub_model(host, tmp_path)

    kept = predict_source(second, VideoSource(clip), options())
    more = predict_source(second, VideoSource(clip), options("deeplabcut", "coco"))
    after = (tmp_path / f"{TABLE}.h5").read_bytes()
    replaced = predict_source(second, VideoSource(clip), options(overwrite=True))

    assert (kept.files, kept.frames) == ([], 0)
    assert tmp_path / f"{TABLE}.h5" in kept.kept
    assert [path.name for path in more.files] == ["clip.coco.json"]
    assert after == before
    assert replaced.frames == len(table(tmp_path)) == 30


def test_a_full_disk_leaves_no_half_file_and_can_be_gone_on_from(clip, tmp_path, host, monkeypatch):
    from dlcore_plugins.coco.results import COCOResultsWriter

    def full(self, frames):
        if frames[0].number >= 12:
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(COCOResultsWriter, "write", full)
        with pytest.raises(DlcoreError, match=r"No space left on device; make room .* again"):
            predict_source(
                stub_model(host, tmp_path), VideoSource(clip), options("deeplabcut", "coco")
            )
    left = [path.name for path in tmp_path.rglob("*.*") if path.is_file()]
    report = predict_source(stub_model(host, tmp_path), VideoSource(clip), options("coco"))

    assert sorted(left) == ["clip.mp4", "journal.bin", "snapshot-best-010.pt"]
    assert report.resumed > 0
    assert len(json.loads((tmp_path / "clip.coco.json").read_text())) == 30


def test_a_crop_is_all_that_the_model_sees_and_places_are_those_of_the_frame(clip, tmp_path, host):
    predict_source(
        stub_model(host, tmp_path), VideoSource(clip), options(crop=Crop(10, 20, 40, 25))
    )

    values = table(tmp_path).to_numpy()
    np.testing.assert_array_equal(values[:, 0], np.arange(30) + 10)
    np.testing.assert_array_equal(values[:, 1], 25 + 20)


def test_a_crop_outside_is_refused_before_anything_is_written(clip, tmp_path, host):
    with pytest.raises(DataError, match=r"crop 30,0,40,20 .* is 64x48"):
        predict_source(
            stub_model(host, tmp_path), VideoSource(clip), options(crop=Crop(30, 0, 40, 20))
        )
    assert not list(tmp_path.glob(".*"))


def test_some_frames_keep_their_numbers(clip, tmp_path, host):
    report = predict_source(
        stub_model(host, tmp_path), VideoSource(clip), options(start=7, stop=12)
    )

    assert table(tmp_path).index.tolist() == [7, 8, 9, 10, 11]
    np.testing.assert_array_equal(xs(tmp_path), [7, 8, 9, 10, 11])
    assert report.frames == 5


def test_frames_that_are_not_there_are_told(clip, tmp_path, host):
    with pytest.raises(DataError, match=r"no frames in 40:50"):
        predict_source(stub_model(host, tmp_path), VideoSource(clip), options(start=40, stop=50))
    assert not list(tmp_path.glob(".*"))


def test_frames_of_another_size_are_predicted_and_told(tmp_path, host, caplog):
    clip = write_sizes(tmp_path / "clip.mkv", [(64, 48)] * 3 + [(40, 32)] * 3)

    report = predict_source(
        stub_model(host, tmp_path), VideoSource(clip), options("deeplabcut", "labelled_video")
    )

    assert report.frames == 6
    np.testing.assert_array_equal(table(tmp_path).to_numpy()[:, 1], [48] * 3 + [32] * 3)
    assert "from frame 3 on frames are 40x32" in caplog.text


def test_a_video_that_is_cut_short_is_told(tmp_path, host, caplog, monkeypatch):
    source = VideoSource(write_video(tmp_path / "clip.mp4", 10))
    source.num_frames = 25

    report = predict_source(stub_model(host, tmp_path), source, options())

    assert report.frames == 10
    assert "ended after 10 of about 25 frames" in caplog.text


def test_two_individuals_keep_their_columns_by_a_tracker(clip, tmp_path, host):
    model, video = stub_model(host, tmp_path, TWO), VideoSource(clip)

    predict_source(model, video, options())
    predict_source(model, video, options(tracker=None, output=tmp_path / "untracked"))

    np.testing.assert_array_equal(xs(tmp_path, f"{TABLE}_el"), np.arange(30))
    assert (np.abs(np.diff(xs(tmp_path / "untracked"))) > 50).all()


def test_unknown_names_are_told(clip, tmp_path, host):
    for wrong in (options("nothing"), options(tracker={"type": "nobody"})):
        with pytest.raises(ConfigError, match=r"nothing|nobody"):
            predict_source(stub_model(host, tmp_path, TWO), VideoSource(clip), wrong)


def test_images_get_rows_by_name_and_damaged_ones_are_counted(tmp_path, host, caplog):
    folder = tmp_path / "images"
    folder.mkdir()
    paths = [folder / f"img{n}.png" for n in range(6)]
    for number, path in enumerate(paths):
        cv2.imwrite(str(path), frame(number)[:, :, ::-1])
    paths[2].write_bytes(paths[2].read_bytes()[:60])

    report = predict_source(stub_model(host, tmp_path), ImagesSource(folder, paths), options())

    found = table(folder, "image_predictions_DLC_Resnet50_run_snapshot_best-10")
    assert found.index.tolist() == [str(path) for path in paths]
    np.testing.assert_array_equal(found.to_numpy()[:, 0], [0, 1, np.nan, 3, 4, 5])
    assert (report.frames, report.broken) == (6, 1)
    assert "img2.png' is cut short" in caplog.text


def test_a_long_video_is_never_in_memory_as_a_whole(tmp_path, host, monkeypatch):
    source = VideoSource(write_video(tmp_path / "clip.mp4", 120))
    model = stub_model(host, tmp_path)
    decoded, most = [], []
    frames, run = source.frames, model.estimator.run

    def counted(start, stop):
        for one in frames(start, stop):
            decoded.append(brightness(one.pixels))
            yield one

    def slow(images, prepared):
        most.append(len(decoded) - len(model.estimator.seen))
        return run(images, prepared)

    monkeypatch.setattr(source, "frames", counted)
    monkeypatch.setattr(model.estimator, "run", slow)

    predict_source(model, source, options())

    assert max(most) <= 5 * model.batch_size
    assert len(decoded) == 120
