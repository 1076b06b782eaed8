"""Build what a run needs from its config: the dataset, the batches, the model's task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcore.building import build, build_transform
from dlcore.config.loading import LoadedConfig
from dlcore.config.schema import RunConfig, TransformsSection
from dlcore.data.cache import ImageCache, auto_budget
from dlcore.data.chain import TransformChain
from dlcore.data.device import Normalization
from dlcore.data.loader import BatchLoader
from dlcore.engine.run_folder import LOGGER
from dlcore.errors import ConfigError, DataError, Problem
from dlcore.interfaces import DatasetContext, PoseDataset, PoseTask, Record
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

    def close(self) -> None:
        """Stop the workers."""
        self.train.close()
        if self.evaluation is not None:
            self.evaluation.close()


def find_dataset(loaded: LoadedConfig, host: PluginHost) -> PoseDataset:
    """The dataset that a config names, or that it belongs to by its place.

    Raises:
        ConfigError: If there is none.
    """
    config = loaded.config
    context = DatasetContext(
        config_path=loaded.path,
        metadata=config.metadata.model_dump(),
        box_margin=config.data.bbox_margin,
    )
    block = config.dataset
    if block is None:
        block = _dataset_by_place(loaded.path, host)
    if block is None:
        raise loaded.problem(
            "dataset",
            "there is no data: the file lies in no project that an installed plugin knows, and "
            "has no `dataset:` block; add one, such as `dataset: {type: COCOLoader, root: FOLDER}`",
        )
    dataset: PoseDataset = build(host, "datasets", block, context, key="dataset")
    return dataset


def _dataset_by_place(path: Path, host: PluginHost) -> dict[str, Any] | None:
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


def load_run_data(loaded: LoadedConfig, host: PluginHost, *, pin_memory: bool) -> RunData:
    """Read the labels and prepare the batches.

    Raises:
        ConfigError: If the config names something that cannot be built.
        DataError: If there is nothing to train on.
    """
    config = loaded.config
    dataset = find_dataset(loaded, host)
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
    budget = _cache_budget(config)
    share = len(train_records) / (len(train_records) + len(eval_records))
    settings = config.train_settings
    common: dict[str, Any] = {
        "batch_size": settings.batch_size,
        "seed": settings.seed,
        "workers": settings.dataloader_workers,
        "pin_memory": pin_memory,
        "box_margin": config.data.bbox_margin,
    }
    collate = config.data.train.collate
    train = BatchLoader(
        train_records,
        dataset.task,
        build_chain(host, config.data.train.transforms, dataset.task, "data.train"),
        shuffle=True,
        cache=ImageCache(train_records, int(budget * share)),
        collate=build(host, "collates", collate, key="data.train.collate") if collate else None,
        **common,
    )
    evaluation = None
    if eval_records:
        evaluation = BatchLoader(
            eval_records,
            dataset.task,
            inference_chain(config, host, dataset.task),
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
        normalization_of(config.data.train),
        normalization_of(config.data.inference),
    )


def build_chain(
    host: PluginHost,
    transforms: Mapping[str, Any],
    task: PoseTask,
    key: str,
    *,
    inference: bool = False,
) -> TransformChain:
    """The transforms of `data.train` or `data.inference` as one callable."""
    built = [
        build_transform(host, name, value, task, key=f"{key}.{name}")
        for name, value in transforms.items()
    ]
    return TransformChain(built, inference=inference)


def inference_chain(config: RunConfig, host: PluginHost, task: PoseTask) -> TransformChain:
    """The transforms of `data.inference`, with nothing left to chance."""
    transforms = config.data.inference.transforms
    return build_chain(host, transforms, task, "data.inference", inference=True)


def normalization_of(section: TransformsSection) -> Normalization:
    """What turns bytes into the network's input, from `data.train` or `data.inference`."""
    return Normalization.from_config(section.normalize_images, section.scale_to_unit_range)


def _cache_budget(config: RunConfig) -> float:
    cache = config.train_settings.cache_gb
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
