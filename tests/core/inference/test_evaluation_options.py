"""What counts in an evaluation, as the config says it."""

from __future__ import annotations

import pytest
import yaml

from dlcore.config.loading import load_config
from dlcore.errors import ConfigError
from dlcore.inference.evaluation_options import Counting
from dlcore.interfaces import PoseTask
from tests.integration.conftest import small_config

TASK = PoseTask(("snout", "tail"), ("lamp",))


@pytest.fixture
def counting_of(tmp_path, host):
    path = tmp_path / "pytorch_config.yaml"
    path.write_text(yaml.safe_dump(small_config(tmp_path)))

    def counting(*overrides):
        return Counting.of(load_config(path, host, overrides), TASK)

    return counting


def test_one_number_is_for_all_keypoints(counting_of):
    assert counting_of() == Counting(0.6, 0.1)
    assert counting_of("inference.eval.pcutoff=0.3").pcutoff == 0.3


def test_a_list_has_one_for_each_keypoint_and_then_each_unique_one(counting_of):
    counting = counting_of(
        "inference.eval.pcutoff=[0.1, 0.2, 0.3]", "inference.eval.oks_sigmas=[0.05, 0.2]"
    )

    assert counting == Counting([0.1, 0.2, 0.3], [0.05, 0.2])


def test_who_is_left_out_of_a_map_has_the_default(counting_of):
    counting = counting_of(
        "inference.eval.pcutoff={lamp: 0.9}", "inference.eval.oks_sigmas={tail: 0.3}"
    )

    assert counting == Counting([0.6, 0.6, 0.9], [0.1, 0.3])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "pcutoff={nose: 0.9}",
            "inference.eval.pcutoff: names 'nose'; there are: snout, tail, lam",
        ),
        ("pcutoff=[0.1, 0.2]", "has 2 numbers for 3 keypoints"),
        ("oks_sigmas=[0.1, 0.2, 0.3]", "has 3 numbers for 2 keypoints: snout, tail"),
        ("oks_sigmas={lamp: 0.1}", "names 'lamp'"),
        ("oks_sigmas=0", "greater than 0"),
        ("oks_sigmas={tail: -1}", "greater than 0"),
    ],
)
def test_what_fits_no_keypoint_is_refused(counting_of, override, message):
    with pytest.raises(ConfigError) as caught:
        counting_of(f"inference.eval.{override}")

    assert message in str(caught.value)
