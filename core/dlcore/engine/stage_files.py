"""What the files of a stage are called; those of a detector say so in their names."""

from __future__ import annotations


def snapshot_prefix(stage: str) -> str:
    """What the names of its snapshots begin with, unless the config says otherwise."""
    return f"snapshot{_suffix(stage, '-')}"


def resume_file(stage: str) -> str:
    """Holds everything it needs to go on exactly, as of the last time it was saved."""
    return f"resume{_suffix(stage, '-')}.pt"


def statistics_file(stage: str) -> str:
    """Its table of losses and metrics."""
    return f"learning_stats{_suffix(stage, '_')}.csv"


def curves_file(stage: str) -> str:
    """Its picture of that table."""
    return f"learning_curves{_suffix(stage, '_')}.png"


def profile_file(stage: str) -> str:
    """Its picture of where the time went."""
    return f"profile{_suffix(stage, '_')}.png"


def _suffix(stage: str, joint: str) -> str:
    return "" if stage == "pose" else f"{joint}{stage}"
