"""Options of the detectors that are more than plain values. Imports no torch."""

from __future__ import annotations

from typing import Literal

CocoClass = Literal[
    "person",
    "bird",
    "cat",
    "dog",
    "horse",
    "sheep",
    "cow",
    "elephant",
    "bear",
    "zebra",
    "giraffe",
]
"""What lives among the classes of COCO. Its "mouse" belongs to a computer."""
