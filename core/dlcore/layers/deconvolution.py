"""Transposed convolutions that turn features into maps, and what their configs must agree on.

Legend: B images, C channels, M maps, h w cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from dlcore.interfaces import Features, FeatureSpec
from dlcore.layers.options import DeconvolutionOptions


class Deconvolutions(nn.Module):
    """Transposed convolutions with a ReLU between them, then perhaps a convolution.

    A transposed convolution with kernel 3 and stride 2 turns n cells into 2 n + 1. The maps are
    logits: nothing stands behind the last layer. The names of the layers are those of DeepLabCut's
    snapshots.

    Args:
        options: The layers.

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
        """Features (B, C, h, w) to maps (B, M, *, *)."""
        maps: Tensor = self.final_conv(self.deconv_layers(features))
        return maps

    def convert_maps(
        self, state: Mapping[str, Tensor], prefix: str, old_maps: Sequence[int]
    ) -> dict[str, Tensor]:
        """Weights of layers that make other maps, as weights for these.

        Only the last layer knows the maps; its channels are picked and put in order.

        Args:
            state: State dict with the weights of the same layers for other maps.
            prefix: What stands before the keys of these layers in `state`, with the dot.
            old_maps: For each map of this module its index in the other one; negative where that
                one does not make it: the weights that this module has now are kept.

        Returns:
            What replaces entries of `state`, by the same keys.

        Raises:
            ValueError: If the indices do not fit one of the modules.
        """
        own = self.state_dict()
        return {
            prefix + key: _pick(prefix + key, state[prefix + key], own[key], old_maps, axis)
            for key, axis in self.last_layer.items()
            if prefix + key in state
        }


def check_features(key: str, options: DeconvolutionOptions, features: Features) -> None:
    """Check that layers fit the features of a head that takes one map.

    Args:
        key: Name of the option, for errors.
        options: The layers.
        features: What the head receives.

    Raises:
        ValueError: If they do not fit.
    """
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


def check_same_size(key: str, options: DeconvolutionOptions, heatmap: DeconvolutionOptions) -> None:
    """Check that layers make maps as fine and as large as those of `heatmap_config`.

    Args:
        key: Name of the option, for errors.
        options: The layers.
        heatmap: The layers of `heatmap_config`.

    Raises:
        ValueError: If they do not.
    """
    if options.upsampling != heatmap.upsampling:
        raise ValueError(
            f"{key} makes maps {options.upsampling} times finer than the features, "
            f"heatmap_config {heatmap.upsampling} times; give both the same strides"
        )
    if options.size(8) != heatmap.size(8):
        raise ValueError(
            f"{key} and heatmap_config make maps of different sizes; "
            f"give both the same kernel sizes"
        )


def check_offsets(key: str, options: DeconvolutionOptions, heatmap: DeconvolutionOptions) -> None:
    """Check that layers make two offset maps for each heatmap, of its size.

    Args:
        key: Name of the option, for errors.
        options: The layers.
        heatmap: The layers of `heatmap_config`.

    Raises:
        ValueError: If they do not.
    """
    check_same_size(key, options, heatmap)
    if options.out_channels != 2 * heatmap.out_channels:
        raise ValueError(
            f"{key} makes {options.out_channels} maps, but {heatmap.out_channels} heatmaps "
            f"need {2 * heatmap.out_channels}: x and y for each"
        )


def x_and_y(maps: Sequence[int]) -> list[int]:
    """Indices of the offset maps (x before y) that belong to heatmaps; negative ones stay so."""
    return [2 * index + axis for index in maps for axis in (0, 1)]


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
