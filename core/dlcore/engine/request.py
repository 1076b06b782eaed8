"""What a user asks of a run besides its config."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dlcore.engine.stages import StageName


@dataclass(frozen=True)
class RunRequest:
    """What a user asks for besides the config.

    Attributes:
        output: The run's folder.
        resume: Go on from the latest state of the folder (True) or from a snapshot.
        init_from: Start a new run from the weights of a snapshot.
        device: Overrides `device:`.
        overwrite: Move what another run left in the folder out of the way.
        stage: Train only this one.
        detector_snapshot: Take this detector instead of training one.
        profile: Measure where the time goes.
    """

    output: Path
    resume: bool | Path = False
    init_from: Path | None = None
    device: str | None = None
    overwrite: bool = False
    stage: StageName | None = None
    detector_snapshot: Path | None = None
    profile: bool = False
