"""Which keypoints change places in a mirror image."""

from __future__ import annotations

import re
from collections.abc import Sequence

Pairs = tuple[tuple[int, int], ...]

_TOKEN = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_OTHER_SIDE = {"left": "right", "right": "left", "l": "r", "r": "l"}
_WORDS = ("left", "right")


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
            raise ValueError(f"{option} names a keypoint of {list(pair)} twice")
        seen.update(members)
        found.append((members[0], members[1]))
    return tuple(found)


def pairs_from_names(names: Sequence[str]) -> Pairs:
    """Pairs of names that differ in left and right only: ear_left and ear_right, EyeL and EyeR.

    Raises:
        ValueError: If a name says left or right, but no other name mirrors it.
    """
    index_of = {name: index for index, name in enumerate(names)}
    found: set[tuple[int, int]] = set()
    for name, index in index_of.items():
        others = [index_of[other] for other in _mirrored(name) if other in index_of]
        if len(others) == 1:
            found.add((min(index, others[0]), max(index, others[0])))
        elif _says_side(name):
            problem = "has no mirror image" if not others else "has several mirror images"
            raise ValueError(
                f"the keypoint '{name}' {problem} among {', '.join(names)}; set symmetries to "
                f"pairs of keypoints that swap when the image is mirrored, [] for none"
            )
    return tuple(sorted(found))


def _index(option: str, member: int | str, names: Sequence[str]) -> int:
    if isinstance(member, str) and member in names:
        return list(names).index(member)
    if isinstance(member, int) and 0 <= member < len(names):
        return member
    raise ValueError(
        f"{option} names the keypoint {member!r}; use a name or an index from 0 to "
        f"{len(names) - 1} ({', '.join(names)})"
    )


def _mirrored(name: str) -> set[str]:
    """What a name may be called on the other side."""
    mirrored = set()
    for match in _TOKEN.finditer(name):
        word = match.group()
        other = _OTHER_SIDE.get(word.lower())
        if other is not None:
            mirrored.add(name[: match.start()] + _cased(other, word) + name[match.end() :])
    if not mirrored:  # words run together: leftear, earleft
        for side in _WORDS:
            for match in re.finditer(f"^{side}|{side}$", name, flags=re.IGNORECASE):
                other = _cased(_OTHER_SIDE[side], match.group())
                mirrored.add(name[: match.start()] + other + name[match.end() :])
    return mirrored


def _says_side(name: str) -> bool:
    tokens = [token.lower() for token in _TOKEN.findall(name)]
    return any(token in _WORDS for token in tokens) or name.lower().startswith(_WORDS)


def _cased(word: str, like: str) -> str:
    if like.isupper():
        return word.upper()
    return word.capitalize() if like[0].isupper() else word
