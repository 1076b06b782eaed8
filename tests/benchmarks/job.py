"""What is to be measured, and the data and configs for it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlcore.config.yaml import parse_value
from tests.benchmarks import machine
from tests.benchmarks.processes import child, dlcore, run

PLUGIN = Path(__file__).with_name("plugin.py")
SEVERAL = 3
"""Animals in each image for nets that tell animals apart."""

_FOR_SEVERAL = ("dekr", "dlcrnet")
_PAF = "_paf"
_LARGER = 1.43
"""Images are this many times as wide as what is cut out of them."""


@dataclass(frozen=True)
class Settings:
    """What the user asked for.

    Attributes:
        folder: For everything that is written meanwhile.
        batch_size: Images at once.
        size: Width and height in pixels of what a network is trained on and predicts.
        steps: Training steps that are measured, at least.
        frames: Of the video.
        video: Predict this one; None draws one.
        repeats: How often a quick command is timed in each round.
        device: As for `dlcore train`.
        threads: Of each process.
        peer: Python of an environment with DeepLabCut, None to leave it out.
        peer_script: Drives DeepLabCut.
        peer_options: For its commands `train` and `video`.
        overrides: `--set` for dlcore and the speed of light only.
        simulated: Numbers of images for the scaling.
        timeout: Seconds that one process may take.
    """

    folder: Path
    batch_size: int = 8
    size: int = 448
    steps: int = 6
    frames: int = 200
    video: Path | None = None
    repeats: int = 10
    device: str = "auto"
    threads: int = field(default_factory=machine.cores)
    peer: Path | None = None
    peer_script: Path | None = None
    peer_options: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    simulated: tuple[int, ...] = (100, 1000, 10_000, 100_000)
    timeout: float = 3600.0

    @property
    def epoch_steps(self) -> int:
        """Steps of an epoch; short ones on a CPU, where an epoch's beginning costs nothing."""
        return self.steps if self.device.startswith("cuda") else min(2, self.steps)

    @property
    def epochs(self) -> int:
        """The first one warms up."""
        return 1 + -(-self.steps // self.epoch_steps)

    @property
    def set_options(self) -> list[str]:
        """`overrides` as arguments."""
        return [word for override in self.overrides for word in ("--set", override)]

    def peer_command(self, *arguments: str | Path) -> list[str]:
        """The command that drives DeepLabCut."""
        words = [self.peer, self.peer_script, "--threads", self.threads, *arguments]
        words += self.peer_options
        return [str(word) for word in words]


@dataclass(frozen=True)
class Net:
    """A net type and what it is trained on.

    Attributes:
        name: As the user wrote it: `resnet_50_paf` is `resnet_50` with several animals.
    """

    name: str

    @property
    def net_type(self) -> str:
        """For `dlcore init`."""
        return self.name.removesuffix(_PAF)

    @property
    def animals(self) -> int:
        """In each image."""
        several = self.name.endswith(_PAF) or self.name.startswith(_FOR_SEVERAL)
        return SEVERAL if several else 1


@dataclass(frozen=True)
class Job:
    """A net with its data and configs.

    Attributes:
        net: What is trained.
        data: COCO folder.
        config: For dlcore.
        peer_config: The same for DeepLabCut.
        top_down: Whether it is trained on crops of single animals.
    """

    net: Net
    data: Path
    config: Path
    peer_config: Path
    top_down: bool


def draw_images(settings: Settings, animals: int, size: int, count: int) -> Path:
    """A folder of drawn images; drawn once."""
    folder = settings.folder / f"images_{animals}_{size}_{count}"
    if not folder.is_dir():
        numbers = ["--count", str(count), "--size", str(size), "--animals", str(animals)]
        run([*child("drawing"), "images", folder, *numbers], threads=settings.threads)
    return folder


def make_job(settings: Settings, net: Net, size: int | None = None) -> Job:
    """Draw the data and write the configs.

    Args:
        settings: What the user asked for.
        net: What is trained.
        size: Instead of that of the settings.

    Raises:
        ChildError: If `dlcore init` refuses the net type.
    """
    size = size or settings.size
    count = settings.batch_size * settings.epoch_steps
    data = draw_images(settings, net.animals, round(_LARGER * size), count)
    folder = settings.folder / f"config_{net.name}_{size}"
    path = folder / "pytorch_config.yaml"
    init = dlcore("init", data, "--net-type", net.net_type, "--output", folder, "--force")
    run(init, threads=settings.threads)
    config: dict[str, Any] = parse_value(path.read_text(encoding="utf-8"))
    _shrink(config, settings, size)
    peer_config = folder / "peer_config.yaml"
    peer_config.write_text(json.dumps(_for_deeplabcut(config)), encoding="utf-8")
    config["dataset"]["test"] = None  # nothing is evaluated
    config["model"]["backbone"]["pretrained"] = False
    path.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    return Job(net, data, path, peer_config, config["method"] != "bu")


def found(pattern: str, text: str) -> str | None:
    """The first group of the last match."""
    matches = re.findall(pattern, text)
    return matches[-1] if matches else None


def _shrink(config: dict[str, Any], settings: Settings, size: int) -> None:
    crop = config["data"]["train"].get("crop_sampling")
    if crop:
        crop |= {"width": size, "height": size}
    # weights are random and some norms fixed: a small rate keeps the losses finite
    config["runner"]["optimizer"]["params"]["lr"] = 1e-6
    config["runner"]["scheduler"] = None
    config["train_settings"]["batch_size"] = settings.batch_size


def _for_deeplabcut(config: dict[str, Any]) -> dict[str, Any]:
    """Without the keys that are dlcore's own."""
    return {key: value for key, value in config.items() if key != "dataset"}
