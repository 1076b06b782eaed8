"""Which keypoints are left and right of each other, as their names tell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_WORD = re.compile(r"left|right", re.IGNORECASE)
_LETTER = re.compile(
    r"(?<![A-Za-z])[lr](?![A-Za-z])"  # l_ear, ear_l, ear-r1
    r"|(?<![A-Z]{2})[LR](?![a-z])(?![A-Z]{2})"  # wingL, forelegR2, LEar, LF, but not LED
)
_OPPOSITE = {"left": "right", "right": "left", "l": "r", "r": "l"}


def symmetries_from_names(names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Pairs of keypoints that swap in a mirror image, where the names leave no doubt.

    Two names pair when one becomes the other by swapping left and right: "leftear" and "rightear",
    "wingL" and "wingR", "l_paw" and "r_paw". A name that could pair with several others is left
    out.

    Returns:
        Pairs of indices into `names`, the smaller first, in ascending order.
    """
    index = {name: i for i, name in enumerate(names)}
    partners = [{index[m] for m in _mirrored(name) if m in index} for name in names]
    pairs = []
    for i, found in enumerate(partners):
        if len(found) == 1:
            (j,) = found
            if i < j and partners[j] == {i}:
                pairs.append((i, j))
    return tuple(pairs)


def _mirrored(name: str) -> Iterator[str]:
    """The names that a keypoint on the other side could have."""
    for pattern in (_WORD, _LETTER):
        found = list(pattern.finditer(name))
        for match in found:
            yield name[: match.start()] + _opposite(match[0]) + name[match.end() :]
        if len(found) > 1:
            yield pattern.sub(lambda match: _opposite(match[0]), name)


def _opposite(marker: str) -> str:
    other = _OPPOSITE[marker.lower()]
    if marker.isupper():
        return other.upper()
    return other.capitalize() if marker[0].isupper() else other
