"""The heatmap head: transposed convolutions that turn features into maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from dlcore.interfaces import Features, FeatureSpec, Head, PoseTask
from dlcore_plugins.heatmap.options import DeconvolutionOptions


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
        _check_features("heatmap_config", heatmap, features)
        self.heatmap_head = _Deconvolutions(heatmap)
        self.output_names = ("heatmap",)
        self.upsampling = heatmap.upsampling
        if locref_config is not None:
            locref = DeconvolutionOptions.model_validate(locref_config)
            _check_features("locref_config", locref, features)
            _check_locref(heatmap, locref)
            self.locref_head = _Deconvolutions(locref)
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
        own = self.state_dict()
        parts = [("heatmap_head", self.heatmap_head, list(old_indices))]
        if "locref" in self.output_names:
            x_and_y = [2 * index + axis for index in old_indices for axis in (0, 1)]
            parts.append(("locref_head", self.locref_head, x_and_y))  # -1 stays negative
        for name, part, channels in parts:
            for key, axis in part.last_layer.items():
                full_key = f"{name}.{key}"
                if full_key in state:
                    converted[full_key] = _pick(
                        full_key, state[full_key], own[full_key], channels, axis
                    )
        return converted


class _Deconvolutions(nn.Module):
    """Transposed convolutions with a ReLU between them, then perhaps a convolution.

    The names of the layers are those of DeepLabCut's snapshots.

    Attributes:
        last_layer: Key in the state dict to the axis of the maps, for the layer that makes them.
    """

    def __init__(self, options: DeconvolutionOptions) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        pairs = zip(options.channels, options.channels[1:], strict=False)
        for (before, after), kernel_size, stride in zip(
            pairs, options.kernel_size, options.strides, strict=True
        ):
            layers += [nn.ConvTranspose2d(before, after, kernel_size, stride), nn.ReLU()]
        layers = layers[:-1]  # maps are logits: no ReLU behind the last deconvolution
        self.deconv_layers: nn.Module = nn.Identity()
        self.final_conv: nn.Module = nn.Identity()
        self.last_layer: dict[str, int] = {}
        if layers:
            self.deconv_layers = nn.Sequential(*layers)
            last = f"deconv_layers.{len(layers) - 1}"
            self.last_layer = {f"{last}.weight": 1, f"{last}.bias": 0}  # weight (in, out, k, k)
        if options.final_conv is not None:
            final = options.final_conv
            self.final_conv = nn.Conv2d(options.channels[-1], final.out_channels, final.kernel_size)
            self.last_layer = {"final_conv.weight": 0, "final_conv.bias": 0}

    def forward(self, features: Tensor) -> Tensor:
        maps: Tensor = self.final_conv(self.deconv_layers(features))
        return maps


def _check_features(key: str, options: DeconvolutionOptions, features: Features) -> None:
    if not isinstance(features, FeatureSpec):
        raise ValueError(
            f"takes one feature map, but is given {len(features)}; "
            f"choose one in model.backbone or add a model.neck that joins them"
        )
    if options.channels[0] != features.channels:
        raise ValueError(
            f"{key}.channels begins with {options.channels[0]}, but the features have "
            f"{features.channels} channels; write {features.channels}"
        )


def _check_locref(heatmap: DeconvolutionOptions, locref: DeconvolutionOptions) -> None:
    if locref.upsampling != heatmap.upsampling:
        raise ValueError(
            f"locref_config makes maps {locref.upsampling} times finer than the features, "
            f"heatmap_config {heatmap.upsampling} times; give both the same strides"
        )
    if locref.size(8) != heatmap.size(8):
        raise ValueError(
            "locref_config and heatmap_config make maps of different sizes; "
            "give both the same kernel sizes"
        )
    if locref.out_channels != 2 * heatmap.out_channels:
        raise ValueError(
            f"locref_config makes {locref.out_channels} maps, but {heatmap.out_channels} heatmaps "
            f"need {2 * heatmap.out_channels}: x and y for each"
        )


def _pick(key: str, old: Tensor, own: Tensor, channels: Sequence[int], axis: int) -> Tensor:
    """Channels of `old` along `axis`, those of `own` where the index is negative."""
    if len(channels) != own.shape[axis]:
        raise ValueError(f"{key}: {own.shape[axis]} channels, but {len(channels)} indices")
    if max(channels) >= old.shape[axis]:
        raise ValueError(
            f"{key}: index {max(channels)} is beyond the last of {old.shape[axis]} channels"
        )
    index = torch.tensor(channels, device=old.device)
    picked = old.index_select(axis, index.clamp(min=0))
    if picked.shape != own.shape:
        raise ValueError(
            f"{key}: the shape {tuple(old.shape)} belongs to other layers than {tuple(own.shape)}"
        )
    known = (index >= 0).view([-1 if i == axis else 1 for i in range(old.ndim)])
    return torch.where(known, picked, own.to(picked))
