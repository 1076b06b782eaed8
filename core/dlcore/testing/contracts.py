"""What a component of each kind promises, as functions that raise `AssertionError`.

Plugin authors call them in their own tests; our tests call them for every bundled component. The
message says which promise is broken. `check_component` needs only the class, the others an
instance, and what it works on.
"""

from __future__ import annotations

from dlcore.testing.callback_contract import check_callback
from dlcore.testing.component_contract import check_component
from dlcore.testing.data_contracts import check_collate, check_dataset, check_transform
from dlcore.testing.evaluation_contracts import check_evaluation_writer
from dlcore.testing.export_contracts import check_exporter, check_inference_backend
from dlcore.testing.model_contracts import (
    check_backbone,
    check_detector,
    check_head,
    check_neck,
    check_weight_initializer,
)
from dlcore.testing.prediction_contracts import check_prediction_writer, check_tracker
from dlcore.testing.predictor_contracts import check_predictor, check_round_trip
from dlcore.testing.run_contracts import (
    check_logger,
    check_net_type,
    check_runner,
    check_scheduler,
)
from dlcore.testing.target_contracts import check_criterion, check_target_generator

__all__ = [
    "check_backbone",
    "check_callback",
    "check_collate",
    "check_component",
    "check_criterion",
    "check_dataset",
    "check_detector",
    "check_evaluation_writer",
    "check_exporter",
    "check_head",
    "check_inference_backend",
    "check_logger",
    "check_neck",
    "check_net_type",
    "check_prediction_writer",
    "check_predictor",
    "check_round_trip",
    "check_runner",
    "check_scheduler",
    "check_target_generator",
    "check_tracker",
    "check_transform",
    "check_weight_initializer",
]
