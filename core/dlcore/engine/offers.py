"""Snapshots of other weights than the model's, kept beside its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from torch import Tensor

from dlcore.engine.run_folder import LOGGER
from dlcore.engine.snapshots import NOT_NAMES, Content, SnapshotManager
from dlcore.errors import DlcoreError

Weights = Callable[[], Mapping[str, Tensor]]


class Offers:
    """What callbacks offer in an epoch, and which snapshots of it are kept.

    Args:
        own: Keeps the snapshots of the model; the others are kept by the same rules.
    """

    def __init__(self, own: SnapshotManager) -> None:
        self._own = own
        self._managers: dict[str, SnapshotManager] = {}
        self._offered: dict[str, tuple[Weights, dict[str, float]]] = {}

    def add(self, name: str, weights: Weights, metrics: Mapping[str, float]) -> None:
        """Offer weights of the epoch under way; see `TrainingRun.offer_snapshot`.

        Raises:
            ValueError: If the name is none.
        """
        if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII) or name in NOT_NAMES:
            raise ValueError(f"name must be letters, digits and underscores, got {name!r}")
        self._offered[name] = (weights, dict(metrics))

    def write(
        self, epoch: int, *, is_last: bool, content: Callable[[], Content]
    ) -> list[tuple[str, Path]]:
        """Write and delete what the rules say.

        Args:
            epoch: The epoch just finished.
            is_last: Whether no epoch follows.
            content: Gives what a snapshot of the model would hold.

        Returns:
            Name and file of each snapshot that was written.
        """
        written = []
        for name, (weights, metrics) in self._offered.items():
            if name not in self._managers:
                self._managers[name] = self._own.beside(name)
            try:
                path = self._managers[name].update(
                    epoch,
                    is_last=is_last,
                    metrics=metrics,
                    content=lambda w=weights, m=metrics, n=name: _of(content(), n, w(), m),  # type: ignore[misc]
                )
            except DlcoreError:
                raise
            except Exception as error:  # noqa: BLE001  a callback may offer anything
                LOGGER.warning("no snapshot of %s: %s: %s", name, type(error).__name__, error)
                continue
            if path is not None:
                written.append((name, path))
        self._offered.clear()
        return written


def _of(
    content: Content, name: str, weights: Mapping[str, Tensor], metrics: Mapping[str, float]
) -> Content:
    """What a snapshot of these weights holds; its manifest says that they are not the model's."""
    own = {key: value for key, value in content.items() if key != "optimizer"}
    kept = {
        kind: {n.removeprefix("losses/"): v for n, v in metrics.items() if n.startswith(f"{kind}/")}
        for kind in ("metrics", "losses")
    }
    return own | {
        "metadata": {"epoch": content["metadata"]["epoch"], **kept},
        "model": dict(weights),
        "dlcore": {**content["dlcore"], "weights": name},
    }
