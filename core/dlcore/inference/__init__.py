"""Trained models at work: images in, poses out.

    from dlcore.inference import load_model

    model = load_model("runs/first")
    predictions = model.predict(["image.png"])

Names are imported when they are used, for most of them need torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlcore.inference.identity_scores import IdentityScore, identity_switches
    from dlcore.inference.trained_model import TrainedModel, load_model
    from dlcore.interfaces.prediction import Prediction

_MODULES = {
    "IdentityScore": "dlcore.inference.identity_scores",
    "Prediction": "dlcore.interfaces.prediction",
    "TrainedModel": "dlcore.inference.trained_model",
    "identity_switches": "dlcore.inference.identity_scores",
    "load_model": "dlcore.inference.trained_model",
}
"""The module of each name."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return __all__


__all__ = ["IdentityScore", "Prediction", "TrainedModel", "identity_switches", "load_model"]
