"""HRNet with attention to a rough pose, with the names and defaults of DeepLabCut."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar

import timm
from pydantic import Field, PositiveInt
from timm.models import is_model, list_models
from torch import Tensor, nn

from dlcore import ConfigError, Problem
from dlcore.interfaces import Backbone, FeatureSpec
from dlcore_plugins.conditional.attention import AttentionStage
from dlcore_plugins.conditional.encoders import build_encoder
from dlcore_plugins.conditional.options import KeypointEncoderOptions, Size, check_sizes
from dlcore_plugins.conditional.weights import load

STRIDE = 4
COARSEST_STRIDE = 32
LAST_PLACE = 4

Place = Annotated[int, Field(ge=1, le=LAST_PLACE)]


class HRNetCoAM(Backbone):
    """An HRNet of timm whose branches attend to a rough pose of the animal: a map at stride 4.

    The pose is drawn by `kpt_encoder`, and every branch asks with it what is where. The weights of
    this attention belong to one size of image, so all crops must have the size `img_size`.

    Its state-dict keys are those of DeepLabCut's backbone of the same name, so that snapshots pass
    both ways. As there, the drawn pose is laid on the maps with height and width exchanged, which
    makes no difference to square crops.

    Args:
        kpt_encoder: How the pose is drawn: `StackedKeypointEncoder` or `ColoredKeypointEncoder`.
        base_model_name: Name of the HRNet in timm: `hrnet_w18`, `hrnet_w32` or `hrnet_w48`.
        pretrained: True for timm's ImageNet weights, false for random ones, or the path of a
            .safetensors, .pt or .pth file; `package:NAME/PATH` names a file of an installed Python
            package. Where the file does not say, a fresh training run takes true.
        coam_modules: Where the maps attend to the pose: 1, 2 and 3 are before the second, third and
            fourth stage, on all branches that there are; 4 is after the last, on the finest branch.
        selfatt_coam_modules: Where the maps attend to themselves, in the same way; other places
            than those of `coam_modules`.
        channel_att_only: Scale the maps by an attention of their channels, instead of adding an
            attention of channels and one of positions.
        att_heads: Parts into which each attention is divided.
        img_size: [height, width] of the crops in pixels, multiples of 32.
        freeze_bn_stats: Use the running statistics of batch-norm layers and do not update them.
        freeze_bn_weights: Do not train scale and shift of batch-norm layers.

    Raises:
        ValueError: If there is no such model, its weights cannot be had, or an option is wrong.
    """

    takes_conditions: ClassVar[bool] = True

    def __init__(
        self,
        *,
        kpt_encoder: KeypointEncoderOptions,
        base_model_name: str = "hrnet_w32",
        pretrained: bool | str | None = None,
        coam_modules: list[Place] = [2],  # noqa: B006  read from the source, never changed
        selfatt_coam_modules: list[Place] | None = None,
        channel_att_only: bool = False,
        att_heads: PositiveInt = 1,
        img_size: Size = [256, 256],  # noqa: B006
        freeze_bn_stats: bool = True,
        freeze_bn_weights: bool = True,
    ) -> None:
        super().__init__(freeze_bn_stats=freeze_bn_stats, freeze_bn_weights=freeze_bn_weights)
        own_places = selfatt_coam_modules or []
        both = sorted(set(coam_modules) & set(own_places))
        if both:
            raise ValueError(f"selfatt_coam_modules must not share {both} with coam_modules")
        self._size = check_sizes(img_size, kpt_encoder)
        self.input_size = self._size[1], self._size[0]
        if any(side % COARSEST_STRIDE for side in self._size):
            raise ValueError(f"img_size must be multiples of {COARSEST_STRIDE}, got {img_size}")
        self.model: Any = _hrnet(base_model_name)
        if pretrained:
            load(self.model, base_model_name, pretrained)
        self.kpt_encoder = build_encoder(kpt_encoder)
        channels: list[int] = self.model.feature_info.channels()

        def stages(places: Iterable[int], query_channels: int | None) -> nn.ModuleDict:
            made = {}
            for place in sorted(set(places)):
                sizes = self._branch_sizes(1 if place == LAST_PLACE else place + 1)
                if any(height * width % att_heads for height, width in sizes):
                    raise ValueError(
                        f"att_heads must divide the number of cells of each branch, got {att_heads}"
                    )
                branches = channels[: len(sizes)]
                made[str(place - 1)] = AttentionStage(
                    branches, query_channels, sizes, att_heads, channel_att_only
                )
            return nn.ModuleDict(made)

        self.coam_stages = stages(coam_modules, self.kpt_encoder.channels)
        self.selfatt_coam_stages = stages(own_places, None)
        # what makes the last maps of the other branches stays, for its names, but is not used
        for module in self.model.stage4[-1].fuse_layers[1:]:
            module.requires_grad_(False)
        self.features = FeatureSpec(channels=channels[0], stride=STRIDE)
        self.train()

    def forward(  # type: ignore[override]  # see takes_conditions
        self, images: Tensor, conditions: Tensor
    ) -> Tensor:
        """Images and rough poses to one map.

        Args:
            images: (B, 3, H, W), normalised; H and W are `img_size`.
            conditions: (B, K, 3) x, y, score or visibility, in pixels of the images.

        Returns:
            (B, C, H / 4, W / 4).

        Raises:
            ConfigError: If the images have another size.
        """
        self._check_size(images)
        pose = self.kpt_encoder(conditions, self._size)
        model = self.model
        features = model.act1(model.bn1(model.conv1(images)))
        features = model.act2(model.bn2(model.conv2(features)))
        features = model.layer1(features)
        branches = [transition(features) for transition in model.transition1]
        branches = model.stage2(self._attend(1, branches, pose))
        branches = _split_off(model.transition2, branches)
        branches = model.stage3(self._attend(2, branches, pose))
        branches = _split_off(model.transition3, branches)
        branches = model.stage4(self._attend(3, branches, pose))
        return self._attend(LAST_PLACE, branches, pose)[0]

    def _attend(self, place: int, branches: list[Tensor], pose: Tensor) -> list[Tensor]:
        key = str(place - 1)
        attended = branches
        if key in self.coam_stages:
            attended = self.coam_stages[key](branches, pose)
        elif key in self.selfatt_coam_stages:
            attended = self.selfatt_coam_stages[key](branches, None)
        return attended

    def _branch_sizes(self, count: int) -> list[tuple[int, int]]:
        """(h, w) of the first branches."""
        height, width = self._size
        return [
            (height // (STRIDE << branch), width // (STRIDE << branch)) for branch in range(count)
        ]

    def _check_size(self, images: Tensor) -> None:
        height, width = images.shape[2:]
        if (height, width) != self._size:
            message = (
                f"HRNetCoAM is built for images of {self._size[0]} x {self._size[1]} "
                f"pixels (height x width) and got {height} x {width}; set img_size, or width and "
                f"height in top_down_crop of data.train and data.inference, so that they agree"
            )
            raise ConfigError([Problem("model.backbone.img_size", message)])


def _hrnet(model_name: str) -> Any:
    if not model_name.startswith("hrnet") or not is_model(model_name):
        known = ", ".join(list_models("hrnet*"))
        raise ValueError(f"base_model_name must be one of {known}, got {model_name!r}")
    return timm.create_model(
        model_name, features_only=True, out_indices=(1, 2, 3, 4), feature_location=""
    )


def _split_off(transitions: Iterable[nn.Module], branches: list[Tensor]) -> list[Tensor]:
    """The branches of the next stage; a new one is made from the coarsest."""
    return [
        branches[i] if isinstance(transition, nn.Identity) else transition(branches[-1])
        for i, transition in enumerate(transitions)
    ]
