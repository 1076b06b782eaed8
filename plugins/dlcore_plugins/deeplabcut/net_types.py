"""Bottom-up net types of DeepLabCut: the configs that it would write, key for key."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

from dlcore import DlcoreError
from dlcore.interfaces import NetType, PoseTask
from dlcore_plugins.deeplabcut import backbones
from dlcore_plugins.deeplabcut.augmentation import whole_images
from dlcore_plugins.deeplabcut.backbones import BackboneSpec
from dlcore_plugins.deeplabcut.heads import further_heads, heatmap_head, paf_head


class _BottomUp(NetType):
    """A backbone and one doubling layer to heatmaps, for several individuals with their limbs.

    Attributes:
        spec: The backbone.
    """

    spec: ClassVar[BackboneSpec]

    def bodypart_head(self, task: PoseTask) -> dict[str, Any]:
        """The head that finds the keypoints of the individuals.

        Raises:
            DlcoreError: If the architecture cannot do the task.
        """
        if task.num_individuals > 1:
            return paf_head([self.spec.channels], task)
        return heatmap_head(self.spec.channels, task.num_keypoints)

    def config(self, task: PoseTask) -> dict[str, Any]:
        """The config for these keypoints and individuals.

        Raises:
            DlcoreError: If the architecture cannot do the task.
        """
        spec = self.spec
        config = {
            "net_type": spec.name,
            "method": "bu",
            "model": {
                "backbone": spec.block,
                "heads": {
                    "bodypart": self.bodypart_head(task),
                    **further_heads(spec.channels, task),
                },
                "backbone_output_channels": spec.channels,
            },
            "data": whole_images(spec.fitting, spec.fitting),
            "runner": spec.runner,
        }
        return copy.deepcopy(config)


class _ResNet(_BottomUp):
    """A ResNet with output stride 16: heatmaps at stride 8."""

    stride: ClassVar[float] = 8


class ResNet50(_ResNet):
    """ResNet-50 with group norm, DeepLabCut's default."""

    spec = backbones.RESNET_50
    parameters: ClassVar[float] = 23.8
    gflops: ClassVar[float] = 8.2


class ResNet101(_ResNet):
    """ResNet-101 with batch norm."""

    spec = backbones.RESNET_101
    parameters: ClassVar[float] = 42.8
    gflops: ClassVar[float] = 13.0


class _HRNet(_BottomUp):
    """A high-resolution network: heatmaps at stride 2."""

    stride: ClassVar[float] = 2


class HRNetW18(_HRNet):
    """HRNet with 18 channels."""

    spec = backbones.HRNET_W18
    parameters: ClassVar[float] = 9.3
    gflops: ClassVar[float] = 4.3


class HRNetW32(_HRNet):
    """HRNet with 32 channels."""

    spec = backbones.HRNET_W32
    parameters: ClassVar[float] = 28.5
    gflops: ClassVar[float] = 10.3


class HRNetW48(_HRNet):
    """HRNet with 48 channels."""

    spec = backbones.HRNET_W48
    parameters: ClassVar[float] = 63.6
    gflops: ClassVar[float] = 21.2


class _CSPNeXt(_BottomUp):
    """A CSPNeXt: heatmaps at stride 16."""

    stride: ClassVar[float] = 16


class CSPNeXtS(_CSPNeXt):
    """CSPNeXt, small."""

    spec = backbones.CSPNEXT_S
    parameters: ClassVar[float] = 4.5
    gflops: ClassVar[float] = 0.86


class CSPNeXtM(_CSPNeXt):
    """CSPNeXt, middle."""

    spec = backbones.CSPNEXT_M
    parameters: ClassVar[float] = 12.4
    gflops: ClassVar[float] = 2.5


class CSPNeXtX(_CSPNeXt):
    """CSPNeXt, extra large."""

    spec = backbones.CSPNEXT_X
    parameters: ClassVar[float] = 47.8
    gflops: ClassVar[float] = 10.1


class _DLCRNet(_BottomUp):
    """A ResNet-50 whose finer maps join the last one, for several individuals with their limbs.

    Attributes:
        hidden: Channels between the doubling layers of the head, if there are several.
    """

    stride: ClassVar[float] = 4
    hidden: ClassVar[tuple[int, ...]] = ()

    def bodypart_head(self, task: PoseTask) -> dict[str, Any]:
        """The head that finds the keypoints of the individuals.

        Raises:
            DlcoreError: If there is only one individual.
        """
        if task.num_individuals == 1:
            raise DlcoreError(
                f"net type {self.spec.name!r} is for several individuals per image, and there is "
                f"one; choose another, such as 'resnet_50'"
            )
        return paf_head([self.spec.channels, *self.hidden], task)


class DLCRNetStride16(_DLCRNet):
    """DLCRNet with the ResNet's last stage dilated."""

    spec = backbones.DLCRNET_STRIDE16
    parameters: ClassVar[float] = 31.1
    gflops: ClassVar[float] = 10.6


class DLCRNetStride32(_DLCRNet):
    """DLCRNet with an ordinary ResNet."""

    spec = backbones.DLCRNET_STRIDE32
    hidden = (1152,)
    parameters: ClassVar[float] = 35.0
    gflops: ClassVar[float] = 8.3
