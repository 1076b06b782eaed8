"""Build what a run needs from its config: the dataset, the batches, the model's task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcore.building import build, build_transform
from dlcore.config.loading import LoadedConfig
from dlcore.config.schema import RunConfig, TrainSettings, TransformsSection
from dlcore.data.cache import ImageCache, auto_budget
from dlcore.data.chain import TransformChain
from dlcore.data.conditions import SAMPLER, RoughPose
from dlcore.data.crops import BareCrop, TopDownCrop, one_by_one, one_individual
from dlcore.data.device import Normalization
from dlcore.data.loader import BatchLoader
from dlcore.engine.distributed import ALONE, World
from dlcore.engine.run_folder import LOGGER
from dlcore.engine.stages import Stage
from dlcore.errors import ConfigError, DataError, Problem
from dlcore.interfaces import DatasetContext, PoseDataset, PoseTask, Record, Transform
from dlcore.plugin_host import PluginHost

GIGABYTE = 2**30


@dataclass
class RunData:
    """The images of a run, ready to be drawn.

    Attributes:
        task: The names behind the numbers.
        train_records: What is trained on.
        eval_records: What the model is evaluated on while it trains; may be empty.
        train: Batches of the first, augmented.
        evaluation: Batches of the second.
        train_normalization: What turns bytes into the network's input while training.
        eval_normalization: The same for evaluation.
    """

    task: PoseTask
    train_records: list[Record]
    eval_records: list[Record]
    train: BatchLoader
    evaluation: BatchLoader | None
    train_normalization: Normalization
    eval_normalization: Normalization

    def set_batch_size(self, images: int) -> None:
        """Draw batches of another size from now on."""
        self.train.batch_size = images
        if self.evaluation is not None:
            self.evaluation.batch_size = images

    def close(self) -> None:
        """Stop the workers."""
        self.train.close()
        if self.evaluation is not None:
            self.evaluation.close()


def find_dataset(loaded: LoadedConfig, host: PluginHost, place: Path | None = None) -> PoseDataset:
    """The dataset that a config names, or that it belongs to by its place.

    Args:
        loaded: The config.
        host: Where components are found.
        place: The file that counts as the config's place; its own by default.

    Raises:
        ConfigError: If there is none.
    """
    config = loaded.config
    place = place or loaded.path
    context = DatasetContext(
        config_path=place,
        metadata=config.metadata.model_dump(),
        box_margin=config.data.bbox_margin,
    )
    block = config.dataset
    if block is None:
        block = dataset_by_place(place, host)
    if block is None:
        raise loaded.problem(
            "dataset",
            "there is no data: the file lies in no project that an installed plugin knows, and "
            "has no `dataset:` block; add one, such as `dataset: {type: COCOLoader, root: FOLDER}`",
        )
    dataset: PoseDataset = build(host, "datasets", block, context, key="dataset")
    return dataset


def dataset_by_place(path: Path, host: PluginHost) -> dict[str, Any] | None:
    """The `dataset` block of the data that a config file lies beside, or None.

    Raises:
        ConfigError: If several plugins know the place.
    """
    found: list[dict[str, Any]] = []
    for entry in host.registries["datasets"]:
        options = entry.component.load().options_for_config(path)  # type: ignore[attr-defined]
        if options is not None:
            found.append({"type": entry.qualified_name, **options})
    if len(found) > 1:
        names = ", ".join(str(block["type"]) for block in found)
        raise ConfigError(
            [
                Problem(
                    "dataset", f"several plugins know this place ({names}); add a `dataset:` block"
                )
            ],
            path,
        )
    return found[0] if found else None


def load_run_data(
    loaded: LoadedConfig,
    host: PluginHost,
    dataset: PoseDataset,
    stage: Stage,
    *,
    input_size: tuple[int, int] | None,
    pin_memory: bool,
    world: World = ALONE,
) -> RunData:
    """Read the labels and prepare the batches.

    Args:
        loaded: The config.
        host: Where components are found.
        dataset: Where the images come from.
        stage: What they are for. A top-down pose model gets one sample per individual.
        input_size: (width, height) that the model demands, None if it takes any.
        pin_memory: Put batches into page-locked memory.
        world: The processes that share the batches.

    Raises:
        ConfigError: If the config names something that cannot be built.
        DataError: If there is nothing to train on, or images of one batch would differ in size.
    """
    config = loaded.config
    train_records = dataset.records("train")
    if not train_records:
        raise DataError("the training split is empty; check the split of the dataset")
    if not any((r.keypoints[..., 2] > 0).any() for r in train_records) and not any(
        (r.unique_keypoints[..., 2] > 0).any() for r in train_records
    ):
        raise DataError(
            f"none of the {len(train_records)} training images has a labelled keypoint; "
            f"check the labels, and that metadata.bodyparts names what is labelled"
        )
    split = "validation" if "validation" in dataset.splits() else "test"
    eval_records = dataset.records(split) if split in dataset.splits() else []
    _announce(train_records, eval_records, split, dataset.task)
    task = dataset.task
    top_down = stage.name == "pose" and config.method != "bu"
    if top_down:
        task = one_individual(task)
        train_records = one_by_one(train_records, config.data.bbox_margin)
        eval_records = one_by_one(eval_records, config.data.bbox_margin)
        if not train_records:
            raise DataError(
                "no training image has an individual with a labelled keypoint and a box that has "
                "an area; check the boxes of the dataset, or set data.bbox_margin above 0"
            )
        LOGGER.info("crops: %d for training, %d for testing", len(train_records), len(eval_records))

    def chain(name: str, section: TransformsSection, *, inference: bool) -> TransformChain:
        crops: list[Transform] = []
        if top_down:
            context = config.method == "td" or not inference
            crops.append(crop_of(section, input_size, with_context=context))
        if config.method == "ctd":
            crops.append(_rough_pose(config, host, dataset.task))
        key = stage.key(f"data.{name}")
        return build_chain(
            host, section.transforms, dataset.task, key, more=crops, inference=inference
        )

    if len(train_records) < world.size:
        raise DataError(
            f"there are {len(train_records)} training samples for {world.size} processes; "
            f"train in fewer"
        )
    budget = _cache_budget(stage.settings) / world.local_size
    share = len(train_records) / (len(train_records) + len(eval_records))
    common: dict[str, Any] = {
        "batch_size": stage.settings.images_at_once,
        "seed": config.train_settings.seed,
        "workers": stage.settings.dataloader_workers,
        "pin_memory": pin_memory,
        "box_margin": config.data.bbox_margin,
        "part": (world.rank, world.size),
    }
    collate = stage.data.train.collate
    key = stage.key("data.train.collate")
    train = BatchLoader(
        train_records,
        task,
        chain("train", stage.data.train, inference=False),
        shuffle=True,
        cache=ImageCache(train_records, int(budget * share)),
        collate=build(host, "collates", collate, key=key) if collate else None,
        **common,
    )
    train.check_sizes()
    evaluation = None
    if eval_records:
        evaluation = BatchLoader(
            eval_records,
            task,
            chain("inference", stage.data.inference, inference=True),
            shuffle=False,
            cache=ImageCache(eval_records, int(budget * (1 - share))),
            **common,
        )
    return RunData(
        dataset.task,
        train_records,
        eval_records,
        train,
        evaluation,
        normalization_of(stage.data.train),
        normalization_of(stage.data.inference),
    )


def _rough_pose(config: RunConfig, host: PluginHost, task: PoseTask) -> RoughPose:
    options = config.data.gen_sampling or True
    sampler = build_transform(host, SAMPLER, options, task, key=f"data.{SAMPLER}")
    return RoughPose(sampler, config.data.bbox_margin)


def crop_of(
    section: TransformsSection, input_size: tuple[int, int] | None, *, with_context: bool = True
) -> TopDownCrop:
    """How individuals are cut out.

    Args:
        section: Has a block `top_down_crop`, or not.
        input_size: (width, height) that the model demands; goes before the config's.
        with_context: What `crop_with_context` is where the config does not say.
    """
    block = section.top_down_crop or {}
    size = (int(block.get("width") or 256), int(block.get("height") or 256))
    if input_size is not None and size != input_size:
        LOGGER.warning(
            "top_down_crop is %dx%d, but the model takes %dx%d: crops have the model's size",
            *size,
            *input_size,
        )
        size = input_size
    told = block.get("crop_with_context")
    kind = TopDownCrop if (with_context if told is None else told) else BareCrop
    return kind(size, margin=int(block.get("margin") or 0))


def build_chain(
    host: PluginHost,
    transforms: Mapping[str, Any],
    task: PoseTask,
    key: str,
    *,
    more: Sequence[Transform] = (),
    inference: bool = False,
) -> TransformChain:
    """The transforms of `data.train` or `data.inference`, and some more, as one callable."""
    built = [
        build_transform(host, name, value, task, key=f"{key}.{name}")
        for name, value in transforms.items()
    ]
    return TransformChain([*built, *more], inference=inference)


def inference_chain(config: RunConfig, host: PluginHost, task: PoseTask) -> TransformChain:
    """The transforms of `data.inference`, with nothing left to chance."""
    transforms = config.data.inference.transforms
    return build_chain(host, transforms, task, "data.inference", inference=True)


def normalization_of(section: TransformsSection) -> Normalization:
    """What turns bytes into the network's input, from `data.train` or `data.inference`."""
    return Normalization.from_config(section.normalize_images, section.scale_to_unit_range)


def _cache_budget(settings: TrainSettings) -> float:
    cache = settings.cache_gb
    return auto_budget() if cache == "auto" else float(cache) * GIGABYTE


def _announce(
    train: Sequence[Record], evaluation: Sequence[Record], split: str, task: PoseTask
) -> None:
    LOGGER.info(
        "data: %d training and %d %s images, %d bodyparts, at most %d individual(s)",
        len(train),
        len(evaluation),
        split,
        task.num_keypoints,
        task.num_individuals,
    )
    if not evaluation:
        LOGGER.warning(
            "the %s split is empty: nothing is evaluated and no snapshot is chosen as the best",
            split,
        )
    elif split == "test":
        LOGGER.info("the best snapshot is chosen on the test split: there is no validation split")
