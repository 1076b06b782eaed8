"""Which keypoints change places in a mirror image."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dlcore.interfaces.symmetry import symmetries_from_names

Pairs = tuple[tuple[int, int], ...]

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SIDES = ("left", "right")


def pairs_from_options(
    option: str, pairs: Sequence[Sequence[int | str]], names: Sequence[str]
) -> Pairs:
    """Pairs of indices from pairs of indices or names.

    Raises:
        ValueError: If a pair is not one, or a keypoint is unknown or in two pairs.
    """
    found: list[tuple[int, int]] = []
    seen: set[int] = set()
    for pair in pairs:
        members = [_index(option, member, names) for member in pair]
        if len(members) != 2 or members[0] == members[1]:
            raise ValueError(f"{option} must hold pairs of two keypoints, got {list(pair)}")
        if seen.intersection(members):
            raise ValueError(f"{option} must name each keypoint once, but {list(pair)} repeats one")
        seen.update(members)
        found.append((members[0], members[1]))
    return tuple(found)


def pairs_by_default(option: str, known: Pairs, names: Sequence[str]) -> Pairs:
    """The pairs that the dataset knows, or else those that the names tell.

    Raises:
        ValueError: If a name says left or right, but no pair has it: to mirror images would teach
            the model that left is right.
    """
    pairs = known or symmetries_from_names(names)
    paired = {member for pair in pairs for member in pair}
    for index, name in enumerate(names):
        if index not in paired and _says_side(name):
            raise ValueError(
                f"the keypoint '{name}' has no mirror image among {', '.join(names)}; set "
                f"{option} to the pairs that swap when the image is mirrored, [] for none"
            )
    return pairs


def _index(option: str, member: int | str, names: Sequence[str]) -> int:
    if isinstance(member, str) and member in names:
        return list(names).index(member)
    if isinstance(member, int) and 0 <= member < len(names):
        return member
    known = f"a name or an index below {len(names)} ({', '.join(names)})" if names else "none"
    raise ValueError(f"{option} names the keypoint {member!r}; it may be {known}")


def _says_side(name: str) -> bool:
    words = [word.lower() for word in _WORD.findall(name)]
    return any(word in _SIDES for word in words) or name.lower().startswith(_SIDES)
