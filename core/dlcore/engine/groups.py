"""Gradient accumulation: which batches of an epoch make one step of the optimizer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Groups:
    """Neighbouring batches whose gradients are joined.

    A group counts as one batch of all its images: each of its batches has the share of images
    that it holds. At the end of an epoch a group may be smaller.

    Attributes:
        size: Batches in a group; 1 for a step after each batch.
        batch_size: Images in a batch; the last of an epoch may have fewer.
        images: Images in an epoch.
    """

    size: int = 1
    batch_size: int = 1
    images: int = 1

    def share(self, step: int, images: int) -> float:
        """What the mean over a batch counts for in the mean over its group.

        Args:
            step: Batches of the epoch before this one.
            images: In this batch.
        """
        if self.size == 1:
            return 1.0
        before = (step - step % self.size) * self.batch_size
        return images / min(self.size * self.batch_size, self.images - before)

    def begins(self, step: int) -> bool:
        """Whether a batch, after `step` others of its epoch, is the first of its group."""
        return step % self.size == 0

    def ends(self, step: int) -> bool:
        """Whether a batch, after `step` others of its epoch, is the last of its group."""
        done = step + 1
        return done % self.size == 0 or done * self.batch_size >= self.images

    def updates(self, epochs: int, steps: int) -> int:
        """Steps of the optimizer in so many whole epochs and so many batches of the next."""
        batches = -(-self.images // self.batch_size)
        return epochs * -(-batches // self.size) + -(-steps // self.size)
