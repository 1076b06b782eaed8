"""Pictures as part of a page: made small, and written into it."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcore.runs.report.evaluations import KINDS, EvaluationPicture

_WIDEST = 960
_QUALITY = 82
_MOST_OF_A_KIND = 6


@dataclass(frozen=True)
class EmbeddedPicture:
    """A picture in a page.

    Attributes:
        source: The whole picture, as a data URI.
        size: Width and height in pixels.
        about: What it shows.
    """

    source: str
    size: tuple[int, int]
    about: EvaluationPicture


def embed_pictures(
    pictures: Sequence[EvaluationPicture], folder: Path
) -> tuple[dict[str, list[EmbeddedPicture]], list[str]]:
    """The pictures of an evaluation by their kind, and what could not be read.

    Args:
        pictures: With files relative to the folder; others are refused.
        folder: Of the run.
    """
    found: dict[str, list[EmbeddedPicture]] = {}
    problems = []
    kinds = [*KINDS, *dict.fromkeys(p.kind for p in pictures if p.kind not in KINDS)]
    for kind in kinds:
        for picture in [p for p in pictures if p.kind == kind][:_MOST_OF_A_KIND]:
            try:
                source, size = _embedded(_inside(folder, picture.file))
            except (OSError, ValueError) as error:
                problems.append(f"the picture {picture.file!r} cannot be shown: {error}")
                continue
            found.setdefault(kind, []).append(EmbeddedPicture(source, size, picture))
    return found, problems


def _inside(folder: Path, file: str) -> Path:
    path = (folder / file).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError("it is not in the folder of the run")
    return path


def _embedded(path: Path) -> tuple[str, tuple[int, int]]:
    from PIL import Image

    try:
        with Image.open(path) as image:
            small = image.convert("RGB")
    except Image.DecompressionBombError as error:
        raise ValueError(str(error)) from error
    small.thumbnail((_WIDEST, _WIDEST))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    text = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f"data:image/jpeg;base64,{text}", small.size
