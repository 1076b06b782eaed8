"""Which channels of a head belong to which keypoints and edges, when the keypoints change."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from dlcore.layers.channels import ChannelMap, offset_channels


def channel_maps(
    old_indices: Sequence[int],
    *,
    old_keypoints: int,
    old_edges: int,
    new_edges: int,
    num_features: int,
) -> dict[str, ChannelMap]:
    """Where the channels of a head are found in one with other keypoints.

    Edges are found where both graphs hold all pairs in lexicographic order, as DeepLabCut writes
    them for up to 14 keypoints. An edge whose ends are the other way round in the other head
    points the other way there.

    Args:
        old_indices: For each keypoint its index in the other head; negative if it has none.
        old_keypoints: Number of keypoints of the other head.
        old_edges: Number of edges of the other head.
        new_edges: Number of edges of this head.
        num_features: Channels of the features that a stage sees beside maps and fields.

    Returns:
        "maps", "offsets", "fields", and "seen": all that a stage sees, in this order.
    """
    edges, signs = _edges(old_indices, old_keypoints, old_edges, new_edges)
    fields = ChannelMap(offset_channels(edges), [sign for sign in signs for _ in "xy"])
    features = range(num_features)
    return {
        "maps": ChannelMap(old_indices),
        "offsets": ChannelMap(offset_channels(old_indices)),
        "fields": fields,
        "seen": ChannelMap(
            [
                *old_indices,
                *(i + old_keypoints if i >= 0 else i for i in fields.indices),
                *(i + old_keypoints + 2 * old_edges for i in features),
            ],
            [*(1 for _ in old_indices), *fields.signs, *(1 for _ in features)],
        ),
    }


def _edges(
    old_indices: Sequence[int], old_keypoints: int, old_edges: int, new_edges: int
) -> tuple[list[int], list[int]]:
    """For each edge its index in the other graph, -1 for none, and 1 or -1 for its direction."""
    old_pairs = list(combinations(range(old_keypoints), 2))
    pairs = list(combinations(old_indices, 2))
    if len(old_pairs) != old_edges or len(pairs) != new_edges:
        return [-1] * new_edges, [1] * new_edges
    index = {pair: i for i, pair in enumerate(old_pairs)}
    edges = [index.get((min(pair), max(pair)), -1) for pair in pairs]
    return edges, [1 if a <= b else -1 for a, b in pairs]
