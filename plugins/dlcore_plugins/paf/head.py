"""The head of DLCRNet: heatmaps, offsets and part affinity fields, refined in stages.

The design is that of Lauer et al., "Multi-animal pose estimation, identification and tracking with
DeepLabCut", Nature Methods 19 (2022), after Cao et al., "Realtime multi-person 2D pose estimation
using part affinity fields", CVPR 2017.

Legend: B images, C channels of the features, K keypoints, E edges of the graph, h w cells.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import torch
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor, nn

from dlcore.interfaces import Features, Head, PoseTask
from dlcore.layers.channels import convert_channels
from dlcore.layers.deconvolution import (
    Deconvolutions,
    check_features,
    check_offsets,
    check_same_size,
)
from dlcore.layers.options import DeconvolutionOptions
from dlcore_plugins.paf.conversion import channel_maps


class DLCRNetHead(Head):
    """Heatmaps, offsets, and for each edge of a graph a field that points along the limb.

    With stages, the features are first enlarged twice and turned into a first guess of the maps.
    Each stage looks at the guess of the stage before beside the features, and corrects it. The
    deconvolutions of the three configs come last; their first channel counts only without stages.

    Outputs:
        "heatmap": (B, K, h, w), one raw map per keypoint: how much a cell looks like it.
        "locref": (B, 2 K, h, w), where `locref_config` is set: for each keypoint x and y from the
            centre of a cell to the keypoint, in units of the target generator's `locref_std`.
        "paf": (B, 2 E, h, w), for each edge x and y of a vector that points from its first to its
            second keypoint, of length 1 on the line between them and 0 away from it.

    To start a head from the weights of one with other keypoints, pass those weights through
    `convert_keypoints`.

    Args:
        features: The one map that the head receives.
        task: Not needed; the configs say how many maps there are.
        heatmap_config: Layers of "heatmap".
        paf_config: Layers of "paf".
        locref_config: Layers of "locref", null for none.
        num_stages: How often the maps are refined; 0 leaves only the layers of the configs.
        features_dim: Channels of the features that each stage sees beside the maps.

    Raises:
        ValueError: If the configs do not fit the features or each other.
    """

    def __init__(
        self,
        features: Features,
        task: PoseTask,
        *,
        heatmap_config: DeconvolutionOptions,
        paf_config: DeconvolutionOptions,
        locref_config: DeconvolutionOptions | None = None,
        num_stages: NonNegativeInt = 5,
        features_dim: PositiveInt = 128,
    ) -> None:
        super().__init__()
        heatmap = DeconvolutionOptions.model_validate(heatmap_config)
        paf = DeconvolutionOptions.model_validate(paf_config)
        locref = None
        check_features("heatmap_config", heatmap, features)
        check_features("paf_config", paf, features)
        check_same_size("paf_config", paf, heatmap)
        if paf.out_channels % 2:
            raise ValueError(
                f"paf_config makes {paf.out_channels} maps; it must be two for each edge: x and y"
            )
        if locref_config is not None:
            locref = DeconvolutionOptions.model_validate(locref_config)
            check_features("locref_config", locref, features)
            check_offsets("locref_config", locref, heatmap)

        self.num_stages, self.features_dim = num_stages, features_dim
        self.num_edges = paf.out_channels // 2
        self.output_names = ("heatmap", "paf") if locref is None else ("heatmap", "locref", "paf")
        self.upsampling = heatmap.upsampling
        channels, maps, fields = heatmap.channels[0], heatmap.channels[-1], paf.channels[-1]
        offsets = 0 if locref is None else locref.channels[-1]
        refined = maps + fields + features_dim
        if num_stages:
            self.upsampling *= 2
            heatmap, paf = _from(refined, heatmap), _from(refined, paf)
            locref = None if locref is None else _from(offsets, locref)
        # In this order DeepLabCut numbers the parameters in the states of optimizers.
        self.heatmap_head = Deconvolutions(heatmap)
        if locref is not None:
            self.locref_head = Deconvolutions(locref)
        self.paf_head = Deconvolutions(paf)
        if num_stages:
            self.convt1 = _doubling(channels, maps)
            if locref is not None:
                self.convt2 = _doubling(channels, offsets)
            self.convt3 = _doubling(channels, fields)
            self.convt4 = _doubling(channels, features_dim)
            self.hm_ref_layers = _stages(num_stages, refined, maps)
            self.paf_ref_layers = _stages(num_stages, refined, fields)

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        """Features (B, C, h, w) to maps that are `upsampling` times finer."""
        refined = self._refine(features) if self.num_stages else features
        outputs = {"heatmap": self.heatmap_head(refined)}
        if "locref" in self.output_names:
            doubled = self.convt2(features) if self.num_stages else features
            outputs["locref"] = self.locref_head(doubled)
        outputs["paf"] = self.paf_head(refined)
        return outputs

    def _refine(self, features: Tensor) -> Tensor:
        """Maps, fields and features of the last stage, (B, K + 2 E + features_dim, 2 h, 2 w)."""
        maps, fields = self.convt1(features), self.convt3(features)
        reduced = self.convt4(features)
        for stage, (to_maps, to_fields) in enumerate(
            zip(self.hm_ref_layers, self.paf_ref_layers, strict=True)
        ):
            seen = torch.cat((maps, fields, reduced), dim=1)
            corrected = to_maps(seen)
            maps = corrected + maps if stage else corrected
            fields = to_fields(seen)
        return torch.cat((maps, fields, reduced), dim=1)

    def convert_keypoints(
        self, state: Mapping[str, Tensor], old_indices: Sequence[int]
    ) -> dict[str, Tensor]:
        """Weights of a head with other keypoints, as weights for this head.

        Channels that belong to keypoints are picked and put in order. Those that belong to edges
        too, where both graphs hold all pairs in their usual order; a limb that is walked the other
        way changes its sign. Fields of other graphs start anew.

        Args:
            state: State dict of a head with the same layers but other keypoints, without the
                prefix: "heatmap_head.deconv_layers.0.weight".
            old_indices: For each keypoint of this head its index in the other head; -1 where that
                head does not know it: the weights that this head has now are kept.

        Raises:
            ValueError: If the indices do not fit one of the heads.
        """
        own = self.state_dict()
        if set(state) != set(own):
            raise ValueError("the weights belong to a head with other layers")
        found = channel_maps(
            old_indices,
            old_keypoints=len(state[_bias("heatmap_head", self.heatmap_head)]),
            old_edges=len(state[_bias("paf_head", self.paf_head)]) // 2,
            new_edges=self.num_edges,
            num_features=self.features_dim,
        )
        converted = dict(state)
        for key, roles in self._channels().items():
            channels = {axis: found[role] for axis, role in roles.items()}
            converted[key] = convert_channels(key, state[key], own[key], channels)
        return converted

    def _channels(self) -> dict[str, dict[int, str]]:
        """Each tensor that knows keypoints: what the channels along its axes are."""
        roles: dict[str, dict[int, str]] = defaultdict(dict)
        for name, entering, leaving in (
            ("heatmap_head", "seen", "maps"),
            ("paf_head", "seen", "fields"),
            ("locref_head", "offsets", "offsets"),
        ):
            if hasattr(self, name):
                stack: Deconvolutions = getattr(self, name)
                for key, axis in stack.last_layer.items():
                    roles[f"{name}.{key}"][axis] = leaving
                for key, axis in stack.first_layer.items() if self.num_stages else ():
                    roles[f"{name}.{key}"][axis] = entering
        for name, leaving in (("convt1", "maps"), ("convt2", "offsets"), ("convt3", "fields")):
            if hasattr(self, name):
                roles[f"{name}.weight"] = {1: leaving}
                roles[f"{name}.bias"] = {0: leaving}
        for name, leaving in (("hm_ref_layers", "maps"), ("paf_ref_layers", "fields")):
            for stage in range(self.num_stages):
                roles[f"{name}.{stage}.weight"] = {0: leaving, 1: "seen"}
                roles[f"{name}.{stage}.bias"] = {0: leaving}
        return roles


def _doubling(before: int, after: int) -> nn.ConvTranspose2d:
    """Turns n cells into exactly 2 n."""
    return nn.ConvTranspose2d(before, after, 3, stride=2, padding=1, output_padding=1)


def _stages(count: int, before: int, after: int) -> nn.ModuleList:
    return nn.ModuleList(nn.Conv2d(before, after, 3, padding=1) for _ in range(count))


def _from(channels: int, options: DeconvolutionOptions) -> DeconvolutionOptions:
    """The same layers for another number of channels that come in."""
    return options.model_copy(update={"channels": [channels, *options.channels[1:]]})


def _bias(name: str, stack: Deconvolutions) -> str:
    """Key of the bias of the layer that makes the maps."""
    return next(f"{name}.{key}" for key in stack.last_layer if key.endswith("bias"))
