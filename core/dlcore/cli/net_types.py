"""What net types say of themselves, for `dlcore list` and `dlcore show`; read, not imported."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from dlcore.component import Component
from dlcore.config.class_values import read_values

APPROACHES = {"bu": "bottom-up", "td": "top-down", "ctd": "conditional top-down"}

CONDITIONS = (
    "for six keypoints of one individual in 256x256 pixels, or the only size that the model takes"
)
"""What the figures are measured on."""

LEGEND = (
    ", ".join(f"{method} {words}" for method, words in APPROACHES.items()),
    "params: millions of weights that are trained; GFLOPs: billions of multiply-adds for an image;",
    "stride: pixels per cell of what the head gives; without the detector of top-down models,",
    CONDITIONS,
)
"""What the columns mean."""

HEADER = ("", "method", "params", "GFLOPs", "stride")
"""Over the columns, from the name on."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The attributes of a `NetType`; None where it does not say."""

    approach: str | None = None
    parameters: float | None = None
    gflops: float | None = None
    stride: float | None = None

    def cells(self) -> list[str]:
        """The columns of a table, numbers right-aligned."""
        stride = "" if self.stride is None else f"{self.stride:g}"
        texts = [_text(self.parameters), _text(self.gflops), stride]
        sizes = [len(title) for title in HEADER[2:]]
        return [
            str(self.approach or "").ljust(len(HEADER[1])),
            *(text.rjust(size) for text, size in zip(texts, sizes, strict=True)),
        ]

    def values(self) -> dict[str, Any]:
        """By name."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Said in lines of their own."""
        said = []
        if self.approach is not None:
            said.append(f"approach:   {APPROACHES.get(self.approach, self.approach)}")
        if self.parameters is not None:
            said.append(f"parameters: {_text(self.parameters)} million")
        if self.gflops is not None:
            said.append(f"GFLOPs:     {_text(self.gflops)}")
        if self.stride is not None:
            said.append(f"stride:     {self.stride:g} pixels")
        return [*said, f"({CONDITIONS})"] if len(said) > 1 else said


def read_figures(component: Component) -> Figures:
    """What a net type says of itself."""
    values = read_values(component, Figures.__dataclass_fields__)
    numbers = {
        name: value
        for name, value in values.items()
        if name != "approach" and isinstance(value, int | float)
    }
    approach = values.get("approach")
    return Figures(approach=approach if isinstance(approach, str) else None, **numbers)


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}" if value >= 1 else f"{value:.2f}"
