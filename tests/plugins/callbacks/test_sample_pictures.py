"""Pictures are saved at the interval, of the first and of the last epoch."""

import cv2

from dlcore.testing import FakeRun
from dlcore_plugins.callbacks.sample_pictures import SamplePictures


def test_pictures_are_saved_every_few_epochs_and_at_both_ends(tmp_path):
    run = FakeRun(tmp_path, epochs=5)
    run.play(SamplePictures(interval=2))

    folders = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert folders == ["epoch-001", "epoch-002", "epoch-004", "epoch-005"]
    saved = cv2.imread(str(tmp_path / "pictures" / "epoch-002" / "test.pose.png"))
    assert (saved[..., ::-1] == run.pictures()["images/test.pose"]).all()


def test_pictures_of_a_detector_have_a_folder_of_their_own(tmp_path):
    FakeRun(tmp_path, epochs=1, stage="detector").play(SamplePictures())
    assert [path.name for path in tmp_path.iterdir()] == ["pictures-detector"]
