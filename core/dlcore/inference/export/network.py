"""What is exported: bytes in, poses out.

Legend: B images, K keypoints, H W pixels.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import torch
from torch import Tensor, nn

from dlcore.data.device import Normalization
from dlcore.model import PoseModel


class Output(NamedTuple):
    """One output of an exported network.

    Attributes:
        head: The head that it comes from.
        output: What the head's predictor calls it or, if it is not decoded, what the head does.
        decoded: Whether the predictor has seen it.
    """

    head: str
    output: str
    decoded: bool

    @property
    def name(self) -> str:
        """The name in the file."""
        return f"{self.head}.{self.output}"


class ExportableNetwork(nn.Module):
    """Normalisation, model and predictors as one network.

    Args:
        model: With its weights.
        normalization: Bytes to its input.
        decoded: Heads whose predictors become part of it; of the others it gives the outputs.
    """

    factor: Tensor
    offset: Tensor

    def __init__(
        self, model: PoseModel, normalization: Normalization, decoded: Collection[str]
    ) -> None:
        super().__init__()
        self.model = model
        self.decoded = frozenset(decoded)
        factor = [1 / deviation for deviation in normalization.std]
        offset = [-m / d for m, d in zip(normalization.mean, normalization.std, strict=True)]
        self.register_buffer("factor", torch.tensor(factor).view(1, 3, 1, 1))
        self.register_buffer("offset", torch.tensor(offset).view(1, 3, 1, 1))
        self.eval()

    def forward(self, images: Tensor, conditions: Tensor | None = None) -> tuple[Tensor, ...]:
        """Images to what `outputs` names.

        Args:
            images: (B, 3, H, W) uint8, RGB.
            conditions: (B, K, 3) x, y, score in pixels of the images, for a conditional model.
        """
        return tuple(tensor for _, tensor in self._run(images, conditions))

    @torch.no_grad()
    def outputs(self, images: Tensor, conditions: Tensor | None = None) -> list[Output]:
        """What `forward` gives, in that order."""
        return [output for output, _ in self._run(images, conditions)]

    def _run(self, images: Tensor, conditions: Tensor | None) -> list[tuple[Output, Tensor]]:
        normalized = images.to(torch.float32) * self.factor + self.offset
        found: list[tuple[Output, Tensor]] = []
        for head, outputs in self.model(normalized, conditions).items():
            if head in self.decoded:
                stride = self.model.strides[head]
                outputs = self.model.parts[head].predictor(stride, outputs)
            found += [(Output(head, n, head in self.decoded), t) for n, t in outputs.items()]
        return found
