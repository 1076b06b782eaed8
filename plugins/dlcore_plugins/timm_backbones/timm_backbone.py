"""Any model of timm as a backbone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from dlcore import ConfigError, Problem
from dlcore.interfaces import Backbone, Features, FeatureSpec
from dlcore_plugins.timm_backbones.models import build_model, normalization, probe

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# ways of asking for images of any size, tried in turn: vision transformers, Swin, all others
_ANY_SIZE: tuple[dict[str, Any], ...] = (
    {"dynamic_img_size": True, "dynamic_img_pad": True},
    {"strict_img_size": False},
    {},
)


class TimmBackbone(Backbone):
    """Any timm model that has feature maps, convolutional or a vision transformer.

    Channels and stride of the maps are found by trying, when the model is built. By default there
    is one map, the last. `out_indices` picks others: `[3]` of `tf_efficientnet_lite0` has stride 16
    and skips the layers behind it; `[1, 2, 3]` gives three maps, for a neck or a head that takes
    several.

    Images come normalised with ImageNet's mean and standard deviation (`normalize_images`). For a
    model whose weights expect another normalisation, the images are converted on entry, so that
    pretrained weights see what they were trained on.

    Args:
        model_name: Name in timm, for example `mobilenetv3_large_100` or
            `vit_small_patch14_dinov2.lvd142m`.
        pretrained: True for the weights that timm recommends, false for random ones, or the path of
            a .safetensors, .pt or .pth file; `package:NAME` or `package:NAME/PATH` names a file of
            an installed Python package. A file whose tensors have other names but the same shapes
            in the same order will do. Where the config does not say, a fresh training run takes
            true.
        output_stride: Input pixels per cell of the last map: 8, 16 or 32, for models that take it.
        out_indices: Which maps, counted from the finest (for a vision transformer: after which
            blocks); negative ones count from the end.
        img_size: [height, width] of the images in pixels, or one number for squares, for models
            that are built for one size. Most adapt to any size without it.
        drop_path_rate: Probability of skipping a block while training.
        mean: Mean colour, from 0 to 1, that the weights expect; by default what timm records.
        std: Standard deviation that the weights expect; by default what timm records.
        freeze_bn_stats: Use the running statistics of batch-norm layers and do not update them.
        freeze_bn_weights: Do not train scale and shift of batch-norm layers.

    Raises:
        ValueError: If there is no such model, its weights cannot be had, or an option is wrong.
    """

    def __init__(
        self,
        *,
        model_name: str,
        pretrained: bool | str | None = None,
        output_stride: int | None = None,
        out_indices: list[int] | None = None,
        img_size: int | list[int] | None = None,
        drop_path_rate: float = 0.0,
        mean: list[float] | None = None,
        std: list[float] | None = None,
        freeze_bn_stats: bool = False,
        freeze_bn_weights: bool = False,
    ) -> None:
        super().__init__(freeze_bn_stats=freeze_bn_stats, freeze_bn_weights=freeze_bn_weights)
        self.model_name = model_name
        self.model: Any = build_model(
            model_name,
            pretrained,
            _ANY_SIZE,
            output_stride=output_stride,
            img_size=_square(img_size),
            drop_path_rate=drop_path_rate or None,
        )
        if not hasattr(self.model, "forward_intermediates"):
            raise ValueError(f"model_name: {model_name!r} gives no feature maps; choose another")
        self._norm = True
        self._indices: list[int] | None = None  # of all maps
        self._only_size: tuple[int, int] | None = None
        self._multiple_of = 1
        levels = self._try_out(_square(img_size))
        chosen = _choose(model_name, levels, out_indices)
        self._indices = self.model.prune_intermediate_layers(chosen, prune_norm=False)
        maps = tuple(levels[i] for i in chosen)
        self.features: Features = maps[0] if len(maps) == 1 else maps
        self._set_normalization(mean, std)
        self.train()

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Images (B, 3, H, W), normalised, to one map (B, C, h, w), or several, finest first.

        Raises:
            ConfigError: If the model does not take images of that size.
        """
        if self._scale is not None and self._shift is not None:
            images = images * self._scale + self._shift
        try:
            maps = self._maps(images)
        except (AssertionError, RuntimeError) as error:
            self._explain_size(images.shape[2], images.shape[3], error)
            raise
        return maps[0] if len(maps) == 1 else tuple(maps)

    def _maps(self, images: Tensor) -> list[Tensor]:
        maps: list[Tensor] = self.model.forward_intermediates(
            images,
            indices=self._indices,
            norm=self._norm,
            output_fmt="NCHW",
            intermediates_only=True,
        )
        return maps

    def _explain_size(self, height: int, width: int, error: Exception) -> None:
        """Raise a plain error if it comes from the size of the images.

        Raises:
            ConfigError: If the model is known not to take every size, and this is one of those.
        """
        if self._only_size not in (None, (height, width)):
            wanted = "of {} x {} pixels (height x width)".format(*(self._only_size or ()))
            place, advice = "img_size", f"set it to [{height}, {width}], or crop the images"
        elif height % self._multiple_of or width % self._multiple_of:
            divisor = self._multiple_of
            wanted = f"whose height and width are multiples of {divisor}"
            place = "model_name"
            advice = (
                f"write auto_padding: {{pad_height_divisor: {divisor}, pad_width_divisor: "
                f"{divisor}}} in data.train and data.inference"
            )
        else:
            return
        message = (
            f"{self.model_name!r} takes images {wanted} and got {height} x {width}; {advice}, or "
            f"choose another model"
        )
        raise ConfigError([Problem(f"model.backbone.{place}", message)]) from error

    def _try_out(self, img_size: tuple[int, int] | None) -> list[FeatureSpec]:
        """What all maps are. Finds out, too, which sizes of images the model takes."""
        strides = [level["reduction"] for level in self.model.feature_info]
        coarsest = max(strides)
        common = (4 * coarsest, 6 * coarsest)
        built_for = img_size or tuple(self.model.pretrained_cfg["input_size"][1:])
        problems: list[Exception] = []

        def attempt(size: tuple[int, int]) -> list[FeatureSpec] | None:
            try:
                return probe(self._maps, self.model, size, strides)
            except (AssertionError, RuntimeError, ValueError) as error:
                problems.append(error)
                return None

        for size in (common, built_for):
            self._only_size = None if size == common else built_for
            for norm in (True, False):  # the model's last norm, where it can be had
                self._norm = norm
                levels = attempt(size)
                if levels is None:
                    continue
                if size == common and attempt((size[0] + 7, size[1] + 5)) is None:
                    self._multiple_of = coarsest
                return levels
        raise ValueError(f"model_name: {self.model_name!r} {problems[0]}")

    def _set_normalization(self, mean: list[float] | None, std: list[float] | None) -> None:
        known_mean, known_std = normalization(self.model)
        wanted_mean = _three("mean", mean, known_mean)
        wanted_std = _three("std", std, known_std)
        if min(wanted_std) <= 0:
            raise ValueError(f"std must be above 0, got {std}")
        scale = [given / wanted for given, wanted in zip(IMAGENET_STD, wanted_std, strict=True)]
        shift = [
            (given - middle) / deviation
            for given, middle, deviation in zip(IMAGENET_MEAN, wanted_mean, wanted_std, strict=True)
        ]
        same = scale == [1.0] * 3 and shift == [0.0] * 3
        self._scale: Tensor | None
        self._shift: Tensor | None
        self.register_buffer("_scale", None if same else _by_channel(scale), persistent=False)
        self.register_buffer("_shift", None if same else _by_channel(shift), persistent=False)


def _square(img_size: int | list[int] | None) -> tuple[int, int] | None:
    """(height, width) from one number or two."""
    if img_size is None:
        return None
    sides = [img_size] * 2 if isinstance(img_size, int) else img_size
    if len(sides) != 2 or min(sides) < 1:
        raise ValueError(f"img_size must be [height, width] or one number, got {img_size}")
    return sides[0], sides[1]


def _choose(
    model_name: str, levels: Sequence[FeatureSpec], out_indices: Sequence[int] | None
) -> list[int]:
    """Indices of the wanted maps, ascending."""
    if out_indices is None:
        return [len(levels) - 1]
    count = len(levels)
    chosen = sorted({index % count for index in out_indices if -count <= index < count})
    if not chosen or len(chosen) != len(out_indices):
        known = ", ".join(
            f"{i} ({level.channels} channels, stride {level.stride})"
            for i, level in enumerate(levels)
        )
        raise ValueError(
            f"out_indices must be different ones of the maps of {model_name!r}, which are {known}; "
            f"got {list(out_indices)}"
        )
    return chosen


def _three(name: str, given: list[float] | None, known: tuple[float, ...]) -> tuple[float, ...]:
    values = tuple(given) if given is not None else known
    if len(values) != 3:
        raise ValueError(f"{name} must be three numbers, for red, green and blue, got {given}")
    return values


def _by_channel(values: Sequence[float]) -> Tensor:
    """(3, 1, 1)."""
    return torch.tensor(values)[:, None, None]
