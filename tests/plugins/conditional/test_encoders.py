from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from dlcore_plugins.conditional.encoders import (
    ColoredKeypointEncoder,
    KeypointEncoder,
    StackedKeypointEncoder,
    rainbow,
)

NAN = float("nan")


def draw(encoder: KeypointEncoder, *points: tuple[float, float, float]) -> torch.Tensor:
    """The maps (C, 48, 64) of one pose."""
    return encoder(torch.tensor([points]), (48, 64))[0]


def peak(map_: torch.Tensor) -> tuple[int, int]:
    """(row, column) of the brightest pixel."""
    row, column = np.unravel_index(int(map_.argmax()), map_.shape)
    return int(row), int(column)


@pytest.mark.parametrize("name", ["stacked", "colored"])
def test_maps_are_those_of_deeplabcut(shared: Path, name: str) -> None:
    arrays = np.load(shared / "peer/reference/augmentation/keypoint_encoders.npz")
    encoder = {"stacked": StackedKeypointEncoder, "colored": ColoredKeypointEncoder}[name](4)

    maps = encoder(torch.from_numpy(arrays["cond_kpts"]), (48, 64))

    assert maps.dtype == torch.float32
    np.testing.assert_allclose(maps.permute(0, 2, 3, 1), arrays[name], atol=1e-3)


def test_blots_are_those_of_opencv_at_every_border() -> None:
    """Against a blur of the whole picture, for other kernels than the usual."""
    places = [(1, 1), (3, 40), (64, 48), (60, 2), (33, 48), (0.5, 20)]
    points = torch.tensor([[(x, y, 1.0) for x, y in places]])
    expected = []
    for x, y in places:
        picture = np.zeros((48, 64))
        picture[int(y) - 1, int(x) - 1] = 1
        expected.append(cv2.GaussianBlur(picture, (9, 21), 0))
    blurred = np.stack(expected)

    maps = StackedKeypointEncoder(len(places), (9, 21))(points, (48, 64))[0]

    np.testing.assert_allclose(maps, blurred / blurred.max() * 255, atol=1e-3)


def test_a_blot_is_centred_up_and_left_of_its_keypoint_and_wraps_around() -> None:
    encoder = StackedKeypointEncoder(1)

    assert peak(draw(encoder, (10.7, 20.2, 1))[0]) == (19, 9)
    assert peak(draw(encoder, (0.4, 20.2, 1))[0]) == (19, 63)


@pytest.mark.parametrize(
    "point", [(9, 9, 0), (9, 9, -1), (9, 9, NAN), (NAN, 9, 1), (-0.5, 9, 1), (9, 48.5, 1)]
)
def test_what_is_not_there_is_not_drawn(point: tuple[float, float, float]) -> None:
    assert not draw(StackedKeypointEncoder(1), point).any()
    alone = draw(ColoredKeypointEncoder(2, colors=[(9, 9, 9), (1, 2, 3)]), point, (20, 20, 1))
    assert torch.equal(alone.amax(dim=(1, 2)), torch.tensor([85.0, 170.0, 255.0]))


def test_each_pose_is_drawn_by_itself() -> None:
    poses = torch.tensor([[(9.0, 9.0, 1.0)], [(64.0, 47.0, 1.0)]])
    encoder = StackedKeypointEncoder(1)

    both = encoder(poses, (48, 64))

    assert torch.equal(both[1:], encoder(poses[1:], (48, 64)))


def test_a_later_keypoint_hides_an_earlier_one_at_the_same_place() -> None:
    encoder = ColoredKeypointEncoder(2, colors=[(255, 0, 0), (0, 255, 0)])

    picture = draw(encoder, (20.1, 20, 1), (20.6, 20, 1))

    assert not picture[0].any()
    assert float(picture[1].max()) == pytest.approx(255)


def test_colours_of_the_rainbow() -> None:
    assert rainbow(3) == [(127, 0, 255), (128, 254, 179), (255, 0, 0)]


def test_encoders_leave_no_trace_in_snapshots() -> None:
    assert not StackedKeypointEncoder(2).state_dict()
    assert not ColoredKeypointEncoder(2).state_dict()


def test_wrong_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="num_joints is 2, but the conditions have 1 keypoints"):
        draw(StackedKeypointEncoder(2), (1, 1, 1))
    with pytest.raises(ValueError, match="colors must be one for each of the 2 keypoints, got 1"):
        ColoredKeypointEncoder(2, colors=[(1, 2, 3)])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_maps_are_drawn_on_the_gpu() -> None:
    poses = torch.tensor([[(9.0, 9.0, 1.0), (64.0, 47.0, 1.0)]])
    for encoder in (StackedKeypointEncoder(2), ColoredKeypointEncoder(2)):
        on_cpu = encoder(poses, (48, 64))
        on_gpu = encoder.cuda()(poses.cuda(), (48, 64))
        assert on_gpu.is_cuda
        torch.testing.assert_close(on_gpu.cpu(), on_cpu, rtol=0, atol=1e-3)
