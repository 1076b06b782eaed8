"""What plugin authors run in their own tests: contracts of every kind, and small fakes.

    from dlcore.testing import check_component, check_head, fake_task

Importing this package imports torch.
"""

from dlcore.testing.contracts import (
    check_backbone,
    check_callback,
    check_collate,
    check_component,
    check_criterion,
    check_dataset,
    check_detector,
    check_evaluation_writer,
    check_exporter,
    check_head,
    check_inference_backend,
    check_logger,
    check_neck,
    check_net_type,
    check_prediction_writer,
    check_predictor,
    check_round_trip,
    check_runner,
    check_scheduler,
    check_target_generator,
    check_tracker,
    check_transform,
    check_weight_initializer,
)
from dlcore.testing.fake_dataset import write_dataset
from dlcore.testing.fake_plugin import plugin_entry_point, write_plugin
from dlcore.testing.fake_run import FakeRun
from dlcore.testing.fakes import (
    draw_points,
    fake_batch,
    fake_features,
    fake_labels,
    fake_sample,
    fake_task,
)

__all__ = [
    "FakeRun",
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
    "draw_points",
    "fake_batch",
    "fake_features",
    "fake_labels",
    "fake_sample",
    "fake_task",
    "plugin_entry_point",
    "write_dataset",
    "write_plugin",
]
