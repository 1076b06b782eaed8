"""The ACME backbone."""

from dlcore.interfaces import Backbone, FeatureSpec
from pydantic import PositiveInt
from torch import Tensor, nn

NORM_GROUPS = 4


class AcmeTiny(Backbone):
    """Three strided convolutions and a fourth: one map of `width` channels at stride 8.

    Args:
        width: Channels of the map; the first layers have a quarter and a half of it.

    Raises:
        ValueError: If `width` is not a multiple of 16.
    """

    def __init__(self, *, width: PositiveInt = 64) -> None:
        super().__init__()
        if width % 16:
            raise ValueError(f"width must be a multiple of 16, got {width}")
        layers: list[nn.Module] = []
        channels = 3
        for next_channels, stride in ((width // 4, 2), (width // 2, 2), (width, 2), (width, 1)):
            layers += [
                nn.Conv2d(channels, next_channels, 3, stride=stride, padding=1),
                nn.GroupNorm(NORM_GROUPS, next_channels),
                nn.ReLU(),
            ]
            channels = next_channels
        self.layers = nn.Sequential(*layers)
        self.features = FeatureSpec(channels=width, stride=8)

    def forward(self, images: Tensor) -> Tensor:
        """RGB images (B, 3, H, W) to one map (B, width, H / 8, W / 8)."""
        maps: Tensor = self.layers(images)
        return maps
