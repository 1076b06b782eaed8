"""CSPNeXt, with the names and defaults of DeepLabCut."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import PositiveFloat
from torch import Tensor, nn

from dlcore.interfaces import Backbone, FeatureSpec
from dlcore_plugins.cspnext.layers import (
    CSPLayer,
    SpatialPyramidPooling,
    SyncNorm,
    conv_maker,
)
from dlcore_plugins.cspnext.weights import load

STEM_CHANNELS = 64


class Stage(NamedTuple):
    """A stage of the widest and deepest network; the factors scale it."""

    channels: int
    num_blocks: int
    shortcut: bool = True
    pools: bool = False


ARCHITECTURES = {
    "P5": (Stage(128, 3), Stage(256, 6), Stage(512, 6), Stage(1024, 3, False, True)),
    "P6": (
        Stage(128, 3),
        Stage(256, 6),
        Stage(512, 6),
        Stage(768, 3),
        Stage(1024, 3, False, True),
    ),
}
NORMS: dict[str, type[nn.Module]] = {"SyncBN": SyncNorm, "BN": nn.BatchNorm2d}
ACTIVATIONS: dict[str, type[nn.Module]] = {"SiLU": nn.SiLU, "ReLU": nn.ReLU}


class CSPNeXt(Backbone):
    """The backbone of RTMPose: one map after the last stage, at stride 32 (`P6`: 64).

    Its state-dict keys are those of DeepLabCut's backbone of the same name, so that snapshots pass
    both ways. The pretrained weights are those that DeepLabCut offers; they expect the
    normalisation of ImageNet, which is what `normalize_images` does.

    In DeepLabCut the freeze options have no effect on `SyncBN` layers, even though they default to
    true. Here they have one, and default to what DeepLabCut does: nothing is frozen with `SyncBN`,
    everything with `BN`.

    Args:
        model_name: Name of the pretrained weights: `cspnext_s`, `cspnext_m` or `cspnext_x`. It says
            nothing of the size; that is what the two factors are for.
        pretrained: True for DeepLabCut's weights of that name, false for random ones, or the path
            of a .pt, .pth or .safetensors file; `package:NAME/PATH` names a file of an installed
            Python package. Where the file does not say, a fresh training run takes true.
        arch: `P5` with four stages, or `P6` with five.
        expand_ratio: Part of a stage's channels on which its blocks work.
        deepen_factor: Scales the number of blocks: 0.33, 0.67 and 1.33 for s, m and x.
        widen_factor: Scales the number of channels: 0.5, 0.75 and 1.25 for s, m and x.
        out_indices: After which stages to give a map; 0 is the stem, -1 the last stage. Stages
            behind the last map are left out.
        channel_attention: Whether stages weigh their channels.
        norm_layer: `SyncBN` joins the statistics of the processes of a training on several GPUs,
            and is the same as `BN` on one device. `BN` does not.
        activation_fn: `SiLU` or `ReLU`.
        backbone_weight_folder: Where `<model_name>.pt` is looked for before it is downloaded.
        repo_id: Repository of the Hugging Face hub with the weights.
        freeze_bn_stats: Use the running statistics of batch-norm layers and do not update them;
            by default with `BN` only.
        freeze_bn_weights: Do not train scale and shift of batch-norm layers; by default with `BN`
            only.

    Raises:
        ValueError: If the weights cannot be had or do not fit, or an option is wrong.
    """

    def __init__(
        self,
        *,
        model_name: str = "cspnext_m",
        pretrained: bool | str | None = None,
        arch: Literal["P5", "P6"] = "P5",
        expand_ratio: PositiveFloat = 0.5,
        deepen_factor: PositiveFloat = 0.67,
        widen_factor: PositiveFloat = 0.75,
        out_indices: int | list[int] = -1,
        channel_attention: bool = True,
        norm_layer: Literal["SyncBN", "BN"] = "SyncBN",
        activation_fn: Literal["SiLU", "ReLU"] = "SiLU",
        backbone_weight_folder: str | None = None,
        repo_id: str = "DeepLabCut/DeepLabCut-Backbones",
        freeze_bn_stats: bool | None = None,
        freeze_bn_weights: bool | None = None,
    ) -> None:
        frozen = norm_layer == "BN"
        super().__init__(
            freeze_bn_stats=frozen if freeze_bn_stats is None else freeze_bn_stats,
            freeze_bn_weights=frozen if freeze_bn_weights is None else freeze_bn_weights,
        )
        stages = ARCHITECTURES[arch]
        self._maps = _maps(out_indices, len(stages) + 1)
        conv = conv_maker(NORMS[norm_layer], ACTIVATIONS[activation_fn])
        channels = int(STEM_CHANNELS * widen_factor)
        half = int(STEM_CHANNELS * widen_factor // 2)
        if half < 1:
            raise ValueError(f"widen_factor leaves no channels: {widen_factor}")
        if int(stages[0].channels * widen_factor) * expand_ratio < 1:
            raise ValueError(f"expand_ratio leaves no channels: {expand_ratio}")
        self.stem = nn.Sequential(
            conv(3, half, 3, stride=2), conv(half, half, 3), conv(half, channels, 3)
        )
        specs = [FeatureSpec(channels, 2)]
        for number, stage in enumerate(stages[: max(self._maps)], 1):
            spec = FeatureSpec(int(stage.channels * widen_factor), 2 * specs[-1].stride)
            layer = CSPLayer(
                spec.channels,
                num_blocks=max(round(stage.num_blocks * deepen_factor), 1),
                expand_ratio=expand_ratio,
                shortcut=stage.shortcut,
                attention=channel_attention,
                conv=conv,
            )
            pooling = [SpatialPyramidPooling(spec.channels, conv)] if stage.pools else []
            down = conv(specs[-1].channels, spec.channels, 3, stride=2)
            self.add_module(f"stage{number}", nn.Sequential(down, *pooling, layer))
            specs.append(spec)
        maps = tuple(specs[i] for i in self._maps)
        self.features = maps[0] if len(maps) == 1 else maps
        self._initialize()
        if pretrained:
            load(self, model_name, pretrained, backbone_weight_folder, repo_id)
        self.train()

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Images (B, 3, H, W), normalised, to one map (B, C, h, w), or several, finest first.

        h and w are H / stride and W / stride, rounded up.
        """
        features, maps = images, []
        for index, stage in enumerate(self.children()):
            features = stage(features)
            if index in self._maps:
                maps.append(features)
        return maps[0] if len(maps) == 1 else tuple(maps)

    def _initialize(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)


def _maps(out_indices: int | list[int], count: int) -> list[int]:
    """Indices of the wanted maps, ascending."""
    given = [out_indices] if isinstance(out_indices, int) else out_indices
    chosen = sorted({index % count for index in given if -count <= index < count})
    if not chosen or len(chosen) != len(given):
        raise ValueError(
            f"out_indices must be different ones from 0 (stem) to {count - 1} (last stage), "
            f"got {out_indices}"
        )
    return chosen
