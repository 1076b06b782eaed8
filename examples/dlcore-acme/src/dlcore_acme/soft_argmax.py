"""Keypoints as the mean place of a learned map: no heatmap targets, no grid of answers.

The head, what it should give, and how its outputs are read stand together, because they must agree:
a place is counted in cells, and the centre of the cell in row i and column j is (j + 0.5, i + 0.5).

Legend: B images, N individuals, K keypoints, C channels, h w cells.
"""

import torch
from dlcore.interfaces import (
    FeatureSpec,
    Head,
    Labels,
    Outputs,
    PoseTask,
    Predictor,
    Target,
    TargetGenerator,
)
from pydantic import PositiveFloat
from torch import Tensor, nn


class AcmeSoftArgmaxHead(Head):
    """Regress coordinates by a soft argmax over one map for each keypoint.

    Outputs:
        "coordinates": (B, K, 2) x, y in cells: the mean place of a softmax over the map.
        "visibility": (B, K) logits: whether the keypoint can be seen.

    Args:
        features: The map that the head receives.
        task: The keypoints to find, of one individual.
        sharpness: What the map is multiplied by before the softmax; the higher, the fewer cells
            take part in the mean.

    Raises:
        ValueError: If the task has several individuals.
    """

    output_names = ("coordinates", "visibility")

    def __init__(
        self, features: FeatureSpec, task: PoseTask, *, sharpness: PositiveFloat = 4.0
    ) -> None:
        super().__init__()
        if task.num_individuals > 1:
            raise ValueError(
                f"AcmeSoftArgmaxHead finds one individual, the data has {task.num_individuals}; "
                f"choose a head for several individuals"
            )
        self.sharpness = sharpness
        self.maps = nn.Conv2d(features.channels, task.num_keypoints, 1)
        self.visibility = nn.Linear(features.channels, task.num_keypoints)

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        """Features (B, C, h, w) to coordinates and visibility."""
        height, width = features.shape[2:]
        share = (self.sharpness * self.maps(features)).flatten(2).softmax(dim=2)
        share = share.unflatten(2, (height, width))
        x = torch.arange(width, device=features.device) + 0.5
        y = torch.arange(height, device=features.device) + 0.5
        coordinates = torch.stack([share.sum(dim=2) @ x, share.sum(dim=3) @ y], dim=-1)
        return {
            "coordinates": coordinates,
            "visibility": self.visibility(features.mean(dim=(2, 3))),
        }


class AcmeCoordinateGenerator(TargetGenerator):
    """What `AcmeSoftArgmaxHead` should have given.

    Args:
        task: Taken for the sake of the interface.
    """

    output_names = ("coordinates", "visibility")

    def __init__(self, task: PoseTask) -> None:
        self.task = task

    def __call__(self, stride: float, outputs: Outputs, labels: Labels) -> dict[str, Target]:
        """Places in cells where there is a label, and whether there is one."""
        visibility = labels.keypoints[:, 0, :, 2]  # (B, K) of the only individual
        labelled = visibility > 0
        places = labels.keypoints[:, 0, :, :2] / stride
        places = torch.where(labelled[..., None], places, 0.0)
        defined = visibility >= 0
        return {
            "coordinates": Target(places, labelled[..., None].float()),
            "visibility": Target(labelled.float(), defined.float()),
        }


class AcmeCoordinatePredictor(Predictor):
    """Reads the outputs of `AcmeSoftArgmaxHead`: one individual, always all keypoints.

    Args:
        task: Taken for the sake of the interface.
    """

    output_names = ("coordinates", "visibility")

    def __init__(self, task: PoseTask) -> None:
        self.task = task

    def __call__(self, stride: float, outputs: Outputs) -> dict[str, Tensor]:
        """Poses (B, 1, K, 3): x, y in pixels, and the probability that it can be seen."""
        scores = outputs["visibility"].sigmoid()[..., None]
        return {"poses": torch.cat([outputs["coordinates"] * stride, scores], dim=-1)[:, None]}
