"""What a pose network of a run is made of, before it has weights."""

from __future__ import annotations

from dataclasses import dataclass

from dlcore.data.crops import TopDownCrop, one_individual
from dlcore.data.device import Normalization
from dlcore.engine.assembly import build_model, input_size_of
from dlcore.engine.setup import build_chain, crop_of, normalization_of
from dlcore.inference.network import Preparation
from dlcore.inference.trained_run import TrainedRun
from dlcore.interfaces import PoseTask
from dlcore.model import PoseModel


@dataclass(frozen=True)
class PoseParts:
    """What a pose network is made of.

    Attributes:
        model: With random weights.
        task: What it sees: all individuals of an image, or one of them.
        preparation: What its samples go through.
        normalization: Bytes to its input.
        crop: How individuals are cut out for it; None if it sees whole images.
    """

    model: PoseModel
    task: PoseTask
    preparation: Preparation
    normalization: Normalization
    crop: TopDownCrop | None


def pose_parts(run: TrainedRun, batch_size: int) -> PoseParts:
    """What the pose network of a run is made of.

    Args:
        run: What was trained.
        batch_size: The most images, or crops, at once.

    Raises:
        ConfigError: If something cannot be built.
    """
    config, host, task = run.loaded.config, run.host, run.task
    model = build_model(host, config, task, fresh=False)
    section = config.data.inference
    crop = None
    if config.method != "bu":
        with_context = config.method == "td"
        crop = crop_of(section, input_size_of(model), with_context=with_context)
    chain = build_chain(
        host,
        section.transforms,
        task,
        "data.inference",
        more=[] if crop is None else [crop],
        inference=True,
    )
    seen = task if config.method == "bu" else one_individual(task)
    preparation = Preparation(chain, seen, batch_size)
    return PoseParts(model, seen, preparation, normalization_of(section), crop)
