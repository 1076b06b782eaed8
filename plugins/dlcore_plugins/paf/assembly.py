"""From candidates and affinities to individuals, for one image at a time, on the CPU.

The method is that of Lauer et al., "Multi-animal pose estimation, identification and tracking with
DeepLabCut", Nature Methods 19 (2022):

1. Along each edge, candidates of its two keypoints are paired one to one so that the sum of
   affinities is greatest (the assignment problem); pairs of low affinity are dropped. What is left
   are links.
2. Links join candidates to groups. A group of as many candidates as there are keypoints is an
   individual. If these are enough, the other groups are left alone.
3. The other links are taken in descending order of affinity. One whose ends both belong to nobody
   starts an individual, which grows along the best link at hand to candidates that belong to nobody
   and whose keypoint it lacks. Nothing that grew this way could be joined by another link.
4. Individuals of a single link are dropped (unless two keypoints are all there are), then those
   that lie in a better one, then the smallest while there are too many.

Legend: K keypoints, E edges, N candidates of each keypoint, the best first.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

Array = npt.NDArray[np.floating[Any]]

_LEAST_SCORE = 0.1
_LEAST_LINKS = 2
_MOST_OVERLAP = 0.8


class Node(NamedTuple):
    """A candidate: the keypoint and its place in the order of that keypoint's candidates."""

    keypoint: int
    rank: int


class Link(NamedTuple):
    """Two candidates that belong together, as far as one edge can tell."""

    start: Node
    end: Node
    affinity: float

    def other(self, node: Node) -> Node:
        """The end that is not `node`."""
        return self.end if node == self.start else self.start


class Individual:
    """Candidates that were put together.

    Attributes:
        ranks: Keypoint to rank of the candidate.
        affinities: Of the links that it was made of.
    """

    def __init__(self, ranks: dict[int, int], affinities: list[float]) -> None:
        self.ranks = ranks
        self.affinities = affinities

    @property
    def nodes(self) -> list[Node]:
        """The candidates."""
        return [Node(*item) for item in self.ranks.items()]

    @property
    def total(self) -> float:
        """Sum of the affinities."""
        return float(sum(self.affinities))

    def has(self, node: Node) -> bool:
        """Whether the candidate is one of its own."""
        return self.ranks.get(node.keypoint) == node.rank

    def add(self, node: Node) -> None:
        """Take a candidate for a keypoint that it lacks."""
        self.ranks[node.keypoint] = node.rank

    def places(self, places: Array) -> Array:
        """Places (n, 2) of its candidates, from those of all (K, N, 2)."""
        return places[list(self.ranks), list(self.ranks.values())]


class Assembler:
    """Puts candidates together.

    Args:
        num_keypoints: K.
        edges: Pairs of keypoints, one for each edge.
        num_animals: The most individuals in one image.
        min_affinity: Least affinity of a link.
        add_discarded: Whether candidates that nobody got are given to the nearest individual that
            lacks their keypoint, the best candidates first.
        force_fusion: Whether, when there are too many individuals, the smallest are fused with the
            nearest that have none of their keypoints.
    """

    def __init__(
        self,
        num_keypoints: int,
        edges: Sequence[tuple[int, int]],
        *,
        num_animals: int,
        min_affinity: float,
        add_discarded: bool = False,
        force_fusion: bool = False,
    ) -> None:
        self.num_keypoints = num_keypoints
        self.edges = edges
        self.num_animals = num_animals
        self.min_affinity = min_affinity
        self.add_discarded = add_discarded
        self.force_fusion = force_fusion

    def __call__(self, places: Array, scores: Array, affinities: Array) -> Array:
        """Individuals (num_animals, K, 5): x, y, score, -1, mean affinity of the links.

        In descending order of the sum of affinities. Missing keypoints of an individual are NaN
        with score 0, missing individuals are -1 throughout.

        Args:
            places: (K, N, 2) x, y in pixels.
            scores: (K, N) in descending order, 0 where there are fewer candidates.
            affinities: (E, N, N) of the candidates at the start and at the end of each edge.
        """
        poses = np.full((self.num_animals, self.num_keypoints, 5), -1.0, dtype=np.float32)
        for pose, individual in zip(
            poses, self.individuals(places, scores, affinities), strict=False
        ):
            pose[:, :4] = (np.nan, np.nan, 0, np.nan)
            pose[:, 4] = individual.total / max(1, len(individual.affinities))
            for keypoint, rank in individual.ranks.items():
                pose[keypoint, :4] = (*places[keypoint, rank], scores[keypoint, rank], -1)
        return poses

    def individuals(self, places: Array, scores: Array, affinities: Array) -> list[Individual]:
        """The individuals, at most `num_animals`; see `__call__`."""
        if self.num_animals == 1:
            best = {k: 0 for k in range(self.num_keypoints) if scores[k, 0] > 0}
            return [Individual(best, [])] if best else []
        found = self._put_together(self._links(scores, affinities))
        if self.force_fusion:
            found = _fuse(found, len(found) - self.num_animals, places)
        least_links = min(_LEAST_LINKS, self.num_keypoints - 1)
        found = [one for one in found if len(one.affinities) >= least_links]
        found = _without_overlap(sorted(found, key=lambda one: -one.total), places)
        if len(found) > self.num_animals:
            found.sort(key=lambda one: -len(one.ranks))
            found = sorted(found[: self.num_animals], key=lambda one: -one.total)
        if self.add_discarded:
            _give_away(found, places, scores)
        return found

    def _links(self, scores: Array, affinities: Array) -> list[Link]:
        """Links of all edges, in the order of the edges."""
        good = (scores >= _LEAST_SCORE).sum(axis=1)  # the best come first
        links = []
        for (start, end), table in zip(self.edges, affinities, strict=True):
            table = table[: good[start], : good[end]]
            for i, j in zip(*linear_sum_assignment(table, maximize=True), strict=True):
                if table[i, j] >= self.min_affinity:
                    pair = Node(start, int(i)), Node(end, int(j))
                    links.append(Link(*pair, float(table[i, j])))
        return links

    def _put_together(self, links: Sequence[Link]) -> list[Individual]:
        """Individuals from links; each candidate belongs to one at most."""
        links_at = defaultdict(list)
        for link in links:
            links_at[link.start].append(link)
            links_at[link.end].append(link)
        found, taken = [], set[Node]()
        for group in _groups(links_at):
            if len(group) == self.num_keypoints:
                found.append(_joined(link for link in links if link.start in group))
                taken.update(found[-1].nodes)
        if len(found) >= self.num_animals:
            return found
        for link in sorted(links, key=lambda link: -link.affinity):
            if link.start not in taken and link.end not in taken:
                found.append(self._grown(link, links_at, taken))
        return found

    def _grown(self, first: Link, links_at: dict[Node, list[Link]], taken: set[Node]) -> Individual:
        """An individual that grows from a link; its candidates are added to `taken`."""
        individual = Individual({}, [])
        queue: list[tuple[float, int, Node]] = []  # the number keeps the order among equals
        number = 0

        def take(node: Node) -> None:
            nonlocal number
            individual.add(node)
            taken.add(node)
            for link in links_at[node]:
                other = link.other(node)
                if other not in taken and other.keypoint not in individual.ranks:
                    heapq.heappush(queue, (-link.affinity, number, other))
                    number += 1

        individual.affinities.append(first.affinity)
        individual.add(first.end)
        taken.add(first.end)
        take(first.start)
        take(first.end)
        while queue and len(individual.ranks) < self.num_keypoints:
            negative_affinity, _, node = heapq.heappop(queue)
            if not individual.has(node):
                if node in taken or node.keypoint in individual.ranks:
                    continue
                take(node)
            individual.affinities.append(-negative_affinity)
        return individual


def _groups(links_at: dict[Node, list[Link]]) -> list[set[Node]]:
    """Candidates that are joined by links, directly or through others."""
    groups, seen = [], set[Node]()
    for node in links_at:
        if node in seen:
            continue
        group, waiting = {node}, [node]
        while waiting:
            inner = waiting.pop()
            for link in links_at[inner]:
                other = link.other(inner)
                if other not in group:
                    group.add(other)
                    waiting.append(other)
        seen |= group
        groups.append(group)
    return groups


def _joined(links: Iterable[Link]) -> Individual:
    """An individual of all candidates of a group; the first of each keypoint, if there are more."""
    individual = Individual({}, [])
    for link in links:
        new = [node for node in (link.start, link.end) if not individual.has(node)]
        free = [node for node in new if node.keypoint not in individual.ranks]
        for node in free:
            individual.add(node)
        if free or not new:
            individual.affinities.append(link.affinity)
    return individual


def _fuse(found: list[Individual], surplus: int, places: Array) -> list[Individual]:
    """Fuse the smallest individuals with the nearest that have none of their keypoints."""
    left = list(found)
    for small in sorted(found, key=lambda one: len(one.ranks))[: max(0, surplus)]:
        partners = [one for one in left if not one.ranks.keys() & small.ranks.keys()]
        if small not in left or not partners:
            continue
        near = min(partners, key=lambda one: _distance(one.places(places), small.places(places)))
        left.remove(small)
        left.remove(near)
        ranks, affinities = small.ranks | near.ranks, small.affinities + near.affinities
        left.append(Individual(ranks, affinities))
    return left


def _distance(places: Array, others: Array) -> float:
    """The least distance between places (n, 2) and others (m, 2)."""
    return float(np.linalg.norm(places[:, None] - others, axis=2).min())


def _without_overlap(found: Sequence[Individual], places: Array) -> list[Individual]:
    """The individuals without those that lie in one before them."""
    kept: list[tuple[Individual, Array]] = []
    for one in found:
        own = one.places(places)
        if all(_overlap(own, other) < _MOST_OVERLAP for _, other in kept):
            kept.append((one, own))
    return [one for one, _ in kept]


def _overlap(places: Array, others: Array) -> float:
    """Of the rectangle that the extents of both share: the lesser of the shares of places in it."""
    low = np.maximum(places.min(axis=0), others.min(axis=0))
    high = np.minimum(places.max(axis=0), others.max(axis=0))
    return min(
        float(((points >= low) & (points <= high)).all(axis=1).mean())
        for points in (places, others)
    )


def _give_away(found: Sequence[Individual], places: Array, scores: Array) -> None:
    """Give candidates that nobody has to the nearest individual that lacks their keypoint."""
    taken = {node for one in found for node in one.nodes}
    spare = [Node(int(k), int(i)) for k, i in np.argwhere(scores > 0) if Node(k, i) not in taken]
    for node in sorted(spare, key=lambda node: -scores[node]):
        lacking = [one for one in found if node.keypoint not in one.ranks]
        if lacking:
            place = places[node][None]
            min(lacking, key=lambda one: _distance(one.places(places), place)).add(node)
