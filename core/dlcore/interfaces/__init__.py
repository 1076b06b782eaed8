"""What plugins subclass, one class per kind of component, and the types they exchange.

Names are imported when they are used: some need torch, and who only wants the others (a net type,
say) should not wait for it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlcore.interfaces.backbone import Backbone
    from dlcore.interfaces.callback import (
        Callback,
        EpochEnd,
        EpochStart,
        Evaluation,
        RunEnd,
        RunError,
        RunStart,
        SnapshotSaved,
        StepEnd,
        TrainingRun,
    )
    from dlcore.interfaces.collate import Collate
    from dlcore.interfaces.criterion import Criterion
    from dlcore.interfaces.dataset import PoseDataset
    from dlcore.interfaces.detector import Detector
    from dlcore.interfaces.evaluation_writer import (
        EvaluatedSplit,
        EvaluationJob,
        EvaluationWriter,
    )
    from dlcore.interfaces.exporter import Exporter, ExportInput
    from dlcore.interfaces.head import Head
    from dlcore.interfaces.inference_backend import InferenceBackend
    from dlcore.interfaces.kinds import INTERFACES
    from dlcore.interfaces.logger import Logger
    from dlcore.interfaces.neck import Neck
    from dlcore.interfaces.net_type import NetType
    from dlcore.interfaces.prediction import PredictedFrame, Prediction, PredictionJob
    from dlcore.interfaces.prediction_writer import PredictionWriter
    from dlcore.interfaces.predictor import Predictor
    from dlcore.interfaces.runner import Runner
    from dlcore.interfaces.scheduler import Scheduler
    from dlcore.interfaces.target_generator import TargetGenerator
    from dlcore.interfaces.tracker import Tracker
    from dlcore.interfaces.transform import GeometricTransform, Transform, Warp
    from dlcore.interfaces.types import (
        Batch,
        DatasetContext,
        Features,
        FeatureSpec,
        Labels,
        Outputs,
        PoseTask,
        Record,
        RunInfo,
        Sample,
        Target,
    )
    from dlcore.interfaces.weight_initializer import WeightInitializer

_MODULES = {
    "Backbone": "backbone",
    "Batch": "types",
    "Callback": "callback",
    "Collate": "collate",
    "Criterion": "criterion",
    "DatasetContext": "types",
    "Detector": "detector",
    "EpochEnd": "callback",
    "EpochStart": "callback",
    "EvaluatedSplit": "evaluation_writer",
    "Evaluation": "callback",
    "EvaluationJob": "evaluation_writer",
    "EvaluationWriter": "evaluation_writer",
    "ExportInput": "exporter",
    "Exporter": "exporter",
    "FeatureSpec": "types",
    "Features": "types",
    "GeometricTransform": "transform",
    "Head": "head",
    "INTERFACES": "kinds",
    "InferenceBackend": "inference_backend",
    "Labels": "types",
    "Logger": "logger",
    "Neck": "neck",
    "NetType": "net_type",
    "Outputs": "types",
    "PoseDataset": "dataset",
    "PoseTask": "types",
    "PredictedFrame": "prediction",
    "Prediction": "prediction",
    "PredictionJob": "prediction",
    "PredictionWriter": "prediction_writer",
    "Predictor": "predictor",
    "Record": "types",
    "RunEnd": "callback",
    "RunError": "callback",
    "RunInfo": "types",
    "RunStart": "callback",
    "Runner": "runner",
    "Sample": "types",
    "Scheduler": "scheduler",
    "SnapshotSaved": "callback",
    "StepEnd": "callback",
    "Target": "types",
    "TargetGenerator": "target_generator",
    "Tracker": "tracker",
    "TrainingRun": "callback",
    "Transform": "transform",
    "Warp": "transform",
    "WeightInitializer": "weight_initializer",
}
"""The module of each name."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


__all__ = [
    "INTERFACES",
    "Backbone",
    "Batch",
    "Callback",
    "Collate",
    "Criterion",
    "DatasetContext",
    "Detector",
    "EpochEnd",
    "EpochStart",
    "EvaluatedSplit",
    "Evaluation",
    "EvaluationJob",
    "EvaluationWriter",
    "ExportInput",
    "Exporter",
    "FeatureSpec",
    "Features",
    "GeometricTransform",
    "Head",
    "InferenceBackend",
    "Labels",
    "Logger",
    "Neck",
    "NetType",
    "Outputs",
    "PoseDataset",
    "PoseTask",
    "PredictedFrame",
    "Prediction",
    "PredictionJob",
    "PredictionWriter",
    "Predictor",
    "Record",
    "RunEnd",
    "RunError",
    "RunInfo",
    "RunStart",
    "Runner",
    "Sample",
    "Scheduler",
    "SnapshotSaved",
    "StepEnd",
    "Target",
    "TargetGenerator",
    "Tracker",
    "TrainingRun",
    "Transform",
    "Warp",
    "WeightInitializer",
]
