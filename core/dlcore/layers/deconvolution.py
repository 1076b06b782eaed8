"""Transposed convolutions that turn features into maps, and what their configs must agree on.

Legend: B images, C channels, M maps, h w cells.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from dlcore.interfaces import Features, FeatureSpec
from dlcore.layers.channels import ChannelMap, convert_channels
from dlcore.layers.options import DeconvolutionOptions


class Deconvolutions(nn.Module):
    """Transposed convolutions with a ReLU between them, then perhaps a convolution.

    A transposed convolution with kernel 3 and stride 2 turns n cells into 2 n + 1. The maps are
    logits: nothing stands behind the last layer. The names of the layers are those of DeepLabCut's
    snapshots.

    Args:
        options: The layers.

    Attributes:
        first_layer: Key in the state dict to the axis of the features, for the layer that takes
            them.
        last_layer: Key to the axis of the maps, for the weight and bias of the layer that makes
            them.
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
        self.first_layer: dict[str, int] = {}
        self.last_layer: dict[str, int] = {}
        if layers:
            self.deconv_layers = nn.Sequential(*layers)
            last = f"deconv_layers.{len(layers) - 1}"
            self.first_layer = {"deconv_layers.0.weight": 0}  # (in, out, k, k)
            self.last_layer = {f"{last}.weight": 1, f"{last}.bias": 0}
        if options.final_conv is not None:
            final = options.final_conv
            self.final_conv = nn.Conv2d(options.channels[-1], final.out_channels, final.kernel_size)
            self.first_layer = self.first_layer or {"final_conv.weight": 1}  # (out, in, k, k)
            self.last_layer = {"final_conv.weight": 0, "final_conv.bias": 0}

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, C, h, w) to maps (B, M, *, *)."""
        maps: Tensor = self.final_conv(self.deconv_layers(features))
        return maps

    def convert_maps(
        self,
        state: Mapping[str, Tensor],
        prefix: str,
        maps: ChannelMap,
        features: ChannelMap | None = None,
    ) -> dict[str, Tensor]:
        """Weights of layers that make other maps, as weights for these.

        Args:
            state: State dict with the weights of the same layers for other maps.
            prefix: What stands before the keys of these layers in `state`, with the dot.
            maps: Where the other layers make the maps of these; the weights that these have now
                are kept for maps that the others do not make.
            features: Likewise for the features that come in; None where they are the same.

        Returns:
            What replaces entries of `state`, by the same keys.

        Raises:
            ValueError: If the channels do not fit one of the layers.
        """
        axes: dict[str, dict[int, ChannelMap]] = {}
        for key, axis in self.last_layer.items():
            axes.setdefault(key, {})[axis] = maps
        if features is not None:
            for key, axis in self.first_layer.items():
                axes.setdefault(key, {})[axis] = features
        own = self.state_dict()
        return {
            prefix + key: convert_channels(prefix + key, state[prefix + key], own[key], channels)
            for key, channels in axes.items()
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
