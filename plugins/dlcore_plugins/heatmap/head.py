"""The heatmap head: transposed convolutions that turn features into maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from dlcore.interfaces import Features, Head, PoseTask
from dlcore.layers.channels import ChannelMap, offset_channels
from dlcore.layers.deconvolution import Deconvolutions, check_features, check_offsets
from dlcore.layers.options import DeconvolutionOptions


class HeatmapHead(Head):
    """One map per keypoint (or individual) and, if wanted, offsets that refine its place.

    Outputs:
        "heatmap": (B, K, h, w), one raw map per keypoint: how much a cell looks like it.
        "locref": (B, 2 K, h, w), where `locref_config` is set: for each keypoint x and y from the
            centre of a cell to the keypoint, in units of the target generator's `locref_std`.

    A transposed convolution with kernel 3 and stride 2 turns n cells into 2 n + 1, so the maps
    reach a little beyond the image; a cell still covers `stride` pixels.

    To start a head from the weights of one with other keypoints, pass those weights through
    `convert_keypoints`.

    Args:
        features: The one map that the head receives.
        task: Not needed; `heatmap_config` says how many maps there are.
        heatmap_config: Layers of "heatmap".
        locref_config: Layers of "locref", null for none.

    Raises:
        ValueError: If the configs do not fit the features or each other.
    """

    def __init__(
        self,
        features: Features,
        task: PoseTask,
        *,
        heatmap_config: DeconvolutionOptions,
        locref_config: DeconvolutionOptions | None = None,
    ) -> None:
        super().__init__()
        heatmap = DeconvolutionOptions.model_validate(heatmap_config)
        check_features("heatmap_config", heatmap, features)
        self.heatmap_head = Deconvolutions(heatmap)
        self.output_names = ("heatmap",)
        self.upsampling = heatmap.upsampling
        if locref_config is not None:
            locref = DeconvolutionOptions.model_validate(locref_config)
            check_features("locref_config", locref, features)
            check_offsets("locref_config", locref, heatmap)
            self.locref_head = Deconvolutions(locref)
            self.output_names = ("heatmap", "locref")

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        """Features (B, C, h, w) to maps that are `upsampling` times finer."""
        outputs = {"heatmap": self.heatmap_head(features)}
        if "locref" in self.output_names:
            outputs["locref"] = self.locref_head(features)
        return outputs

    def convert_keypoints(
        self, state: Mapping[str, Tensor], old_indices: Sequence[int]
    ) -> dict[str, Tensor]:
        """Weights of a head with other keypoints, as weights for this head.

        Only the last layer of each part knows keypoints: its channels are picked and put in order,
        everything else stays.

        Args:
            state: State dict of a head with the same layers but other keypoints, without the
                prefix: "heatmap_head.deconv_layers.0.weight".
            old_indices: For each keypoint of this head its index in the other head; -1 where that
                head does not know it: the weights that this head has now are kept.

        Raises:
            ValueError: If the indices do not fit one of the heads.
        """
        converted = dict(state)
        maps = ChannelMap(old_indices)
        converted |= self.heatmap_head.convert_maps(state, "heatmap_head.", maps)
        if "locref" in self.output_names:
            offsets = ChannelMap(offset_channels(old_indices))
            converted |= self.locref_head.convert_maps(state, "locref_head.", offsets)
        return converted
