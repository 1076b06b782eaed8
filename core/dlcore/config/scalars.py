"""How scalars of a config file are checked: nothing is converted that could be a mistake.

A whole number may stand for a float and a float without a fraction for a whole number (`1e3`).
Text is never taken for a number, except where a float is due and the text is one (`"1e-4"`, as
older programs wrote it). Only `true` and `false` are booleans.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Strict

_NUMBER = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value


WHOLE = BeforeValidator(_whole)
NUMERIC = BeforeValidator(_number)
"""These stand last among the metadata, behind constraints: so JSON Schema knows the constraints."""

Int = Annotated[int, Strict(), WHOLE]
Float = Annotated[float, Strict(), NUMERIC]
Number = Annotated[float, Strict()]
Bool = Annotated[bool, Strict()]
Str = Annotated[str, Strict()]
