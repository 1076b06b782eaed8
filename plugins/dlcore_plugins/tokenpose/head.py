"""The TokenPose head: tokens to heatmaps.

Legend: B images, K keypoints, h w output cells.
"""

from __future__ import annotations

from pydantic import PositiveInt
from torch import Tensor, nn

from dlcore.interfaces import Features, FeatureSpec, Head, PoseTask
from dlcore_plugins.tokenpose.initializing import truncated_normal
from dlcore_plugins.tokenpose.options import Size


class TransformerHead(Head):
    """One heatmap from each token of the neck `Transformer`.

    Outputs:
        "heatmap": (B, K, h, w), one raw map per keypoint: how much a cell looks like it.

    All keypoints share the layers, and how many there are is a matter of the neck.

    Args:
        features: The tokens that the head receives.
        task: Not needed; a token is a keypoint.
        dim: A third of the numbers in a token: `dim` of the neck.
        hidden_heatmap_dim: Numbers between two layers, where there are two.
        heatmap_dim: Cells of a map: the product of `heatmap_size`.
        apply_multi: Whether to have two layers, where `hidden_heatmap_dim` is at least six times
            `dim`; otherwise there is one.
        heatmap_size: (height, width) of the maps in cells.
        apply_init: Whether to draw the weights from a narrow normal distribution instead of
            torch's own.
        head_stride: How many times finer the maps are than the map that the neck received; -2 for
            twice as coarse.

    Raises:
        ValueError: If the sizes do not fit the tokens or each other.
    """

    output_names = ("heatmap",)
    takes_tokens = True

    def __init__(
        self,
        features: Features,
        task: PoseTask,
        *,
        dim: PositiveInt,
        hidden_heatmap_dim: PositiveInt,
        heatmap_dim: PositiveInt,
        apply_multi: bool,
        heatmap_size: Size,
        apply_init: bool,
        head_stride: int = 1,
    ) -> None:
        super().__init__()
        if not isinstance(features, FeatureSpec) or features.tokens is None:
            raise ValueError("takes tokens, not maps; set model.neck to type Transformer")
        if features.channels != 3 * dim:
            raise ValueError(
                f"dim is {dim}, but the tokens have {features.channels} numbers, three times "
                f"{features.channels // 3}; write dim of model.neck"
            )
        height, width = heatmap_size
        if heatmap_dim != height * width:
            raise ValueError(
                f"heatmap_dim is {heatmap_dim}, but heatmap_size {list(heatmap_size)} has "
                f"{height * width} cells; write {height * width}"
            )
        if head_stride == 0:
            raise ValueError("head_stride must not be 0; write 1 for maps as fine as the features")
        self.upsampling = head_stride if head_stride > 0 else -1 / head_stride
        self.heatmap_size = (height, width)
        size = 3 * dim
        layers: list[nn.Module] = [nn.LayerNorm(size)]
        if apply_multi and size <= hidden_heatmap_dim / 2:
            layers += [nn.Linear(size, hidden_heatmap_dim), nn.LayerNorm(hidden_heatmap_dim)]
            size = hidden_heatmap_dim
        self.mlp_head = nn.Sequential(*layers, nn.Linear(size, heatmap_dim))
        if apply_init:
            self.apply(truncated_normal)

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        """Tokens (B, K, 3 * dim) to maps."""
        return {"heatmap": self.mlp_head(features).unflatten(2, self.heatmap_size)}
