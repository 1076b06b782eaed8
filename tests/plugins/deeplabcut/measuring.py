"""How large the model of a net type is, and what it costs."""

from dataclasses import dataclass

import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

from dlcore.config.loading import load_config
from dlcore.engine.assembly import build_model


@dataclass
class Measured:
    """Millions of trained weights, billions of multiply-adds, and the stride of the head."""

    parameters: float
    gflops: float
    stride: float


def measure(config, task, host, folder):
    """Build the model of a net type's config and run it, without computing anything."""
    metadata = {"bodyparts": list(task.keypoints), "individuals": list(task.individuals)}
    path = folder / "pytorch_config.yaml"
    path.write_text(yaml.safe_dump({**config, "metadata": metadata}), encoding="utf-8")
    crop = config["data"]["train"].get("top_down_crop", {"width": 256, "height": 256})
    with torch.device("meta"):
        model = build_model(host, load_config(path, host).config, task, fresh=False).eval()
        if model.backbone.takes_conditions:
            model.backbone.kpt_encoder = Blank(model.backbone.kpt_encoder.channels)
        image = torch.zeros(1, 3, crop["height"], crop["width"])
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(image, torch.zeros(1, task.num_keypoints, 3))
    return Measured(
        parameters=sum(p.numel() for p in model.parameters() if p.requires_grad) / 1e6,
        gflops=counter.get_total_flops() / 2 / 1e9,
        stride=model.strides["bodypart"],
    )


class Blank(torch.nn.Module):
    """Draws nothing in place of a rough pose."""

    def __init__(self, channels):
        super().__init__()
        self.channels = channels

    def forward(self, conditions, size):
        return torch.zeros(len(conditions), self.channels, *size)
