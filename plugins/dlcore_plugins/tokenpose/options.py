"""What YAML may set about TokenPose components. Never imports torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, PositiveInt

Size = Annotated[Sequence[PositiveInt], Field(min_length=2, max_length=2)]
"""(height, width) in cells."""

Share = Annotated[float, Field(ge=0, lt=1)]
"""A share of what is dropped while training."""
