"""Kinds of components and the classes that they must subclass."""

from dlcore.interfaces.backbone import Backbone
from dlcore.interfaces.callback import Callback
from dlcore.interfaces.collate import Collate
from dlcore.interfaces.criterion import Criterion
from dlcore.interfaces.dataset import PoseDataset
from dlcore.interfaces.detector import Detector
from dlcore.interfaces.evaluation_writer import EvaluationWriter
from dlcore.interfaces.exporter import Exporter
from dlcore.interfaces.head import Head
from dlcore.interfaces.inference_backend import InferenceBackend
from dlcore.interfaces.logger import Logger
from dlcore.interfaces.neck import Neck
from dlcore.interfaces.net_type import NetType
from dlcore.interfaces.prediction_writer import PredictionWriter
from dlcore.interfaces.predictor import Predictor
from dlcore.interfaces.runner import Runner
from dlcore.interfaces.scheduler import Scheduler
from dlcore.interfaces.target_generator import TargetGenerator
from dlcore.interfaces.tracker import Tracker
from dlcore.interfaces.transform import Transform
from dlcore.interfaces.weight_initializer import WeightInitializer

INTERFACES: dict[str, type] = {
    "backbones": Backbone,
    "necks": Neck,
    "heads": Head,
    "predictors": Predictor,
    "target_generators": TargetGenerator,
    "detectors": Detector,
    "loggers": Logger,
    "schedulers": Scheduler,
    "criteria": Criterion,
    "weight_initializers": WeightInitializer,
    "transforms": Transform,
    "collates": Collate,
    "datasets": PoseDataset,
    "runners": Runner,
    "net_types": NetType,
    "callbacks": Callback,
    "prediction_writers": PredictionWriter,
    "trackers": Tracker,
    "evaluation_writers": EvaluationWriter,
    "exporters": Exporter,
    "inference_backends": InferenceBackend,
}
"""The class that a component of each kind must subclass."""
