"""Every key of `pytorch_config.yaml` that is the engine's own, with its type and default.

The text under each key is its description: `dlcore schema` gives it to editors. What components
take is not here: each component's constructor says so.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    Strict,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from dlcore.config.scalars import NUMERIC, WHOLE, Bool, Float, Int, Str
from dlcore.config.sections import AsDict, Section

Block = dict[str, Any]
"""A map with a `type`, the name of a component, and that component's options."""

NOT_TRANSFORMS = ("normalize_images", "scale_to_unit_range", "collate", "top_down_crop")
"""Keys of `data.train` and `data.inference` that do not name a transform."""

DEFAULT_BATCH_SIZE = 8

STAGES = ("pose", "detector")
"""What a callback may be for, if not for both: the values of the key `stage` of its block."""

OFF_WHEN_EMPTY = frozenset({"random_bbox_transform"})
"""Transforms that an empty map switches off, as it does in DeepLabCut."""

_DEVICE = re.compile(r"auto|cpu|(?:cuda|mps)(?::\d+)?")

_FILE_NAME = re.compile(r"\w[\w .+-]*", re.ASCII)


def _check_device(device: str) -> str:
    if not _DEVICE.fullmatch(device):
        raise ValueError(f"must be 'auto', 'cpu', 'cuda', 'cuda:0' or 'mps', not {device!r}")
    return device


def _check_file_name(prefix: str) -> str:
    if not _FILE_NAME.fullmatch(prefix):
        raise ValueError(
            f"must be the beginning of a file name (letters, digits, '_', '-', '.', '+' and "
            f"spaces, a letter or digit first), not {prefix!r}"
        )
    return prefix


def _check_unique(names: list[str]) -> list[str]:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"holds {', '.join(map(repr, twice))} more than once")
    return names


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


Device = Annotated[
    Str,
    AfterValidator(_check_device),
    WithJsonSchema({"type": "string", "pattern": f"^(?:{_DEVICE.pattern})$"}),
]
FileName = Annotated[
    Str,
    AfterValidator(_check_file_name),
    WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9_ .+-]*$"}),
]
Names = Annotated[list[Str], AfterValidator(_check_unique)]
Probability = Annotated[float, Strict(), Field(ge=0, le=1), NUMERIC]
NotNegative = Annotated[int, Strict(), Field(ge=0), WHOLE]
Positive = Annotated[int, Strict(), Field(ge=1), WHOLE]
AboveZero = Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False), NUMERIC]
Amount = Annotated[float, Strict(), Field(ge=0), NUMERIC]


class Metadata(Section):
    """What the data holds; DeepLabCut fills this in."""

    project_path: Str | None = None
    """Folder of the project when the file was written."""
    pose_config_path: Str | None = None
    """Place of this file when it was written."""
    bodyparts: Names = Field(default_factory=list)
    """Keypoints of each individual; their order is that of the channels."""
    unique_bodyparts: Names = Field(default_factory=list)
    """Keypoints that exist once per image."""
    individuals: Names = Field(default_factory=lambda: ["individual_1"])
    """Individuals; their number is the most that a model predicts."""
    with_identity: Bool | None = None
    """Whether an individual's name means the same animal in every image."""


class GenerativeSampling(Section):
    """Errors that training conditions are made with (conditional top-down)."""

    keypoint_sigmas: Float | list[Float] = 0.1
    """Sigma of each keypoint, or one for all."""
    keypoints_symmetry: list[list[Int | Str]] | None = None
    """Pairs of keypoints that may be confused."""
    jitter_prob: Probability = 0.16
    """How often a keypoint is moved a little."""
    swap_prob: Probability = 0.08
    """How often it is put on a neighbour."""
    inv_prob: Probability = 0.03
    """How often it is put on its counterpart."""
    miss_prob: Probability = 0.10
    """How often it is put far away."""


class TopDownCrop(Section):
    """How individuals are cut out."""

    width: Positive = 256
    """Pixels."""
    height: Positive = 256
    """Pixels."""
    margin: NotNegative = 0
    """Pixels added on each side of the box."""
    crop_with_context: Bool | None = None
    """Whether a box of another shape is filled up with image rather than with zeros."""


class TransformsSection(Section):
    """What happens to images; further keys are names of transforms."""

    transforms: dict[str, Any] = Field(default_factory=dict)
    normalize_images: Bool = True
    """Subtract the mean and divide by the deviation of ImageNet."""
    scale_to_unit_range: Bool = False
    """Divide by 255."""
    collate: Block | None = None
    """How images of different sizes become one batch."""
    top_down_crop: Annotated[Block, AsDict(TopDownCrop)] | None = None
    """How individuals are cut out, for top-down models."""

    @model_validator(mode="before")
    @classmethod
    def _gather_transforms(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        own = {name: value for name, value in values.items() if name in NOT_TRANSFORMS}
        own |= {name: None for name in ("collate", "top_down_crop") if own.get(name) is False}
        others = {name: value for name, value in values.items() if name not in NOT_TRANSFORMS}
        own["transforms"] = {name: value for name, value in others.items() if is_on(name, value)}
        return own

    @model_serializer(mode="wrap")
    def _as_in_the_file(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        dumped = handler(self)
        transforms = dumped.pop("transforms", {})
        return {**transforms, **dumped}


def is_on(name: str, value: Any) -> bool:
    """Whether a transform is applied: null and false leave it out."""
    return not (value is None or value is False or (value == {} and name in OFF_WHEN_EMPTY))


class Data(Section):
    """Images on their way to the model."""

    bbox_margin: NotNegative = 25
    """Pixels added on each side of the keypoints when boxes are made from them."""
    colormode: Literal["RGB"] = "RGB"
    """Order of the colours; there is only one."""
    gen_sampling: Annotated[Block, AsDict(GenerativeSampling)] | None = None
    """Errors that training conditions are made with, for conditional top-down models."""
    inference: TransformsSection = Field(default_factory=TransformsSection)
    """What happens to images in evaluation and prediction."""
    train: TransformsSection = Field(default_factory=TransformsSection)
    """What happens to images in training."""
    loader: Block | None = None
    """What DeepLabCut read the data with; not used."""


class Optimizer(Section):
    """What changes the weights."""

    type: Str
    """A class of `torch.optim`."""
    params: Block = Field(default_factory=dict)
    """Its parameters."""


class Scheduler(Section):
    """How the learning rate changes."""

    type: Str
    """A registered scheduler, or a class of `torch.optim.lr_scheduler`."""
    params: Block = Field(default_factory=dict)
    """Its parameters; maps with a `type` among them are schedulers again."""


class Snapshots(Section):
    """What is kept on disk."""

    max_snapshots: Positive = 5
    """How many regular snapshots are kept; the best one is not counted."""
    save_epochs: Positive = 25
    """A regular snapshot is written every so many epochs."""
    save_optimizer_state: Bool = False
    """Whether snapshots hold the state of the optimizer."""


class RunnerSection(Section):
    """How the model is trained."""

    type: Str = "PoseTrainingRunner"
    """What a training step and an evaluation are."""
    gpus: list[NotNegative] | None = None
    """Numbers of the GPUs to train on, one process on each; only CUDA has numbers."""
    sync_batch_norm: Bool = False
    """Whether processes that train together share the statistics of batch norm; needs GPUs."""
    device: Device = "auto"
    """Not used: the top-level `device` is."""
    key_metric: Str = "test.mAP"
    """What the best snapshot is chosen by."""
    key_metric_asc: Bool = True
    """Whether larger is better."""
    eval_interval: Positive = 10
    """The model is evaluated every so many epochs."""
    optimizer: Optimizer = Field(
        default_factory=lambda: Optimizer(type="AdamW", params={"lr": 1e-4})
    )
    """What changes the weights."""
    scheduler: Scheduler | None = None
    """How the learning rate changes; null leaves it as it is."""
    snapshots: Snapshots = Field(default_factory=Snapshots)
    """What is kept on disk."""
    snapshot_prefix: FileName | None = None
    """What the names of snapshots begin with."""
    load_weights_only: Bool | None = None
    """Not used: snapshots with code in them are never loaded."""
    load_scheduler_state_dict: Bool = True
    """Whether a resumed run goes on with the saved schedule rather than with that of the file."""
    load_head_weights: Bool | None = None
    """A key of older files; not used."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Arithmetic of the training step; auto takes what is fastest on the device."""
    max_gradient_norm: AboveZero | None = None
    """Gradients of a larger norm, over all weights, are scaled down to it; null leaves them."""
    accumulate_batches: Positive = 1
    """Batches whose gradients make one step of the optimizer."""
    compile: Bool = False
    """Whether the model is compiled."""
    channels_last: Bool = True
    """Whether images and weights lie in memory channel by channel within each pixel."""


class DetectorRunnerSection(RunnerSection):
    """How the detector is trained."""

    type: Str = "DetectorTrainingRunner"
    """What a training step and an evaluation are."""
    key_metric: Str = "test.mAP@50:95"
    """What the best snapshot is chosen by."""


class WeightInit(Section):
    """Weights of another model to start from."""

    snapshot_path: Str | None = None
    """A snapshot of a pose model."""
    detector_snapshot_path: Str | None = None
    """A snapshot of a detector."""
    dataset: Str | None = None
    """The SuperAnimal dataset that the weights come from."""
    with_decoder: Bool = False
    """Whether the heads are taken over too."""
    memory_replay: Bool = False
    """Whether the old keypoints are kept in training."""
    conversion_array: list[NotNegative] | None = None
    """For each bodypart the channel of the old model."""
    bodyparts: list[Str] | None = None
    """The bodyparts that `conversion_array` speaks of."""

    @model_validator(mode="after")
    def _check(self) -> WeightInit:
        if self.memory_replay and not self.with_decoder:
            raise ValueError("memory_replay needs with_decoder: true")
        if self.with_decoder and self.conversion_array is None:
            raise ValueError("with_decoder needs a conversion_array")
        if self.bodyparts is not None and len(self.bodyparts) != len(self.conversion_array or []):
            raise ValueError("bodyparts and conversion_array must be of the same length")
        return self


class TrainSettings(Section):
    """How long and on how much at a time."""

    batch_size: Positive | Literal["auto"] = DEFAULT_BATCH_SIZE
    """Images in a batch; auto takes as many as fit and pay."""
    dataloader_workers: NotNegative | Literal["auto"] = 0
    """Processes that prepare batches; 0 prepares them in the main process."""
    dataloader_pin_memory: Bool = False
    """Whether batches lie in page-locked memory, for faster copies to a GPU."""
    display_iters: Positive = 500
    """A line is logged every so many steps."""
    epochs: NotNegative = 200
    """Epochs in all, those before a resume counted."""
    seed: NotNegative = 42
    """What all randomness comes from."""
    weight_init: Annotated[Block, AsDict(WeightInit)] | None = None
    """Weights of another model to start from."""
    cache_gb: Amount | Literal["auto"] = "auto"
    """Memory for decoded images; auto takes a part of what is free."""

    @property
    def images_at_once(self) -> int:
        """`batch_size` as a number: the default while auto is not settled."""
        return DEFAULT_BATCH_SIZE if self.batch_size == "auto" else self.batch_size


class Multithreading(Section):
    """Reading and predicting at the same time."""

    enabled: Bool = True
    """Whether they are."""
    queue_length: Positive = 4
    """Batches that wait in between."""
    timeout: Amount = 30.0
    """Seconds to wait for the reader to end."""


class Compilation(Section):
    """Compiling the model for prediction."""

    enabled: Bool = False
    """Whether it is compiled."""
    backend: Str = "inductor"
    """Name of the compiler of torch."""


class Autocast(Section):
    """Lower precision in prediction."""

    enabled: Bool = False
    """Whether it is used."""


class EvaluationSettings(Section):
    """How predictions are compared with labels, in `dlcore evaluate`."""

    mode: Str = "all"
    """Not used: the command is told which split."""
    pcutoff: Float | list[Float] | dict[str, Float] = 0.6
    """Score from which a keypoint counts: for all, for each (then the unique ones), or by name."""
    oks_sigmas: AboveZero | list[AboveZero] | dict[str, AboveZero] = 0.1
    """Distance that counts as near, as a fraction of an animal's size, likewise for bodyparts."""
    comparison_bodyparts: Str | list[Str] = "all"
    """Not used: all are compared."""
    per_keypoint_evaluation: Bool = False
    """Not used: keypoints are always told apart."""
    force_multi_animal: Bool = False
    """Not used."""


class Inference(Section):
    """How predictions are made."""

    multithreading: Multithreading = Field(default_factory=Multithreading)
    """Reading and predicting at the same time."""
    compile: Compilation = Field(default_factory=Compilation)
    """Compiling the model for prediction."""
    autocast: Autocast = Field(default_factory=Autocast)
    """Lower precision in prediction."""
    conditions: Str | Block | None = None
    """Rough poses for a conditional model: {config_path, snapshot_path} of a run, or {filepath}."""
    snapshot: Any = None
    """Not used."""
    eval: EvaluationSettings = Field(default_factory=EvaluationSettings)
    """How predictions are compared with labels."""
    output_dir: Str | None = None
    """Not used."""


class Model(Section):
    """The network."""

    backbone: Block = Field(default_factory=dict)
    """Images to features."""
    backbone_output_channels: Int | Str | None = None
    """Channels of the features; the backbone says so itself."""
    neck: Block | None = None
    """Features to features."""
    heads: dict[str, Block] = Field(default_factory=dict)
    """Features to outputs, by name: `bodypart`, `unique_bodypart`, `identity`."""
    pose_model: Block | None = None
    """Not used."""


class DetectorData(Section):
    """Images on their way to the detector."""

    colormode: Literal["RGB"] = "RGB"
    """Order of the colours; there is only one."""
    bbox_margin: NotNegative | None = None
    """Not used: boxes are made with the top-level `data.bbox_margin`."""
    inference: TransformsSection = Field(default_factory=TransformsSection)
    """What happens to images in evaluation and prediction."""
    train: TransformsSection = Field(default_factory=TransformsSection)
    """What happens to images in training."""


class Detector(Section):
    """The model that finds individuals, for top-down models."""

    model: Block
    """Images to boxes."""
    device: Device = "auto"
    """Not used: the top-level `device` is."""
    data: DetectorData = Field(default_factory=DetectorData)
    """Images on their way to the detector."""
    runner: DetectorRunnerSection = Field(default_factory=DetectorRunnerSection)
    """How the detector is trained."""
    train_settings: TrainSettings = Field(default_factory=TrainSettings)
    """How long and on how much at a time."""
    inference: Inference = Field(default_factory=Inference)
    """Not used: the top-level `inference` is."""
    resume_training_from: Str | None = None
    """A snapshot of the detector to go on from."""


class RunConfig(Section):
    """One run: the data, the model, how it is trained.

    The file is that of DeepLabCut 3; `dataset`, `plugins`, `init_from`, `callbacks` and a list
    under `logger` are understood by dlcore only.
    """

    config_version: NotNegative = 0
    """Version of the format."""
    net_type: Str | None = None
    """Name of the architecture; it stands for the model where `model` is left out."""
    method: Annotated[Literal["bu", "td", "ctd"], BeforeValidator(_lower)] = "bu"
    """How individuals are told apart: bottom-up, top-down or conditional top-down."""
    device: Device = "auto"
    """Where the model runs; auto takes a GPU if there is one."""
    metadata: Metadata = Field(default_factory=Metadata)
    """What the data holds."""
    dataset: Block | None = None
    """Where labelled images come from; not needed inside a DeepLabCut project."""
    data: Data = Field(default_factory=Data)
    """Images on their way to the model."""
    model: Model = Field(default_factory=Model)
    """The network."""
    runner: RunnerSection = Field(default_factory=RunnerSection)
    """How the model is trained."""
    train_settings: TrainSettings = Field(default_factory=TrainSettings)
    """How long and on how much at a time."""
    inference: Inference = Field(default_factory=Inference)
    """How predictions are made."""
    logger: Block | list[Block] | None = None
    """Where the numbers of a run go, besides the run's own files: one logger or a list."""
    callbacks: list[Block] = Field(default_factory=list)
    """What looks on while a model is trained and has a say in it, such as early stopping."""
    with_center_keypoints: Bool = False
    """Set for DEKR, whose targets compute the centre of each individual themselves."""
    detector: Detector | None = None
    """The model that finds individuals, for top-down models."""
    resume_training_from: Str | None = None
    """A snapshot to go on from: weights, epoch and state."""
    init_from: Str | None = None
    """A snapshot to start a new run from: weights only."""
    plugins: list[Str] = Field(default_factory=list)
    """Python files with plugins, relative to this file."""

    @property
    def loggers(self) -> list[Block]:
        """The blocks under `logger`, always as a list."""
        if self.logger is None:
            return []
        return list(self.logger) if isinstance(self.logger, list) else [self.logger]
