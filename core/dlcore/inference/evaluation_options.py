"""What counts in an evaluation, keypoint by keypoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dlcore.config.loading import LoadedConfig
from dlcore.config.schema import EvaluationSettings
from dlcore.interfaces import PoseTask

KEY = "inference.eval"


@dataclass(frozen=True)
class Counting:
    """What counts in an evaluation.

    Attributes:
        pcutoff: Score from which a keypoint counts: one for all, or one for each keypoint and then
            for each unique one.
        oks_sigma: For mAP and mAR, the distance that counts as near: one for all, or one for each
            keypoint.
    """

    pcutoff: float | list[float] = 0.6
    oks_sigma: float | list[float] = 0.1

    @classmethod
    def of(cls, loaded: LoadedConfig, task: PoseTask) -> Counting:
        """What the config says.

        Args:
            loaded: The config.
            task: The names of the keypoints.

        Raises:
            ConfigError: If it names keypoints that there are not, or too many or few of them.
        """
        settings, defaults = loaded.config.inference.eval, EvaluationSettings()
        every = (*task.keypoints, *task.unique_keypoints)
        values: list[float | list[float]] = []
        for name, names in (("pcutoff", every), ("oks_sigmas", task.keypoints)):
            try:
                values.append(_for_each(getattr(settings, name), names, getattr(defaults, name)))
            except ValueError as error:
                raise loaded.problem(f"{KEY}.{name}", str(error)) from error
        return cls(*values)


def _for_each(
    value: float | Sequence[float] | Mapping[str, float], names: Sequence[str], default: float
) -> float | list[float]:
    """One number, or one for each name."""
    if isinstance(value, Mapping):
        unknown = [repr(name) for name in value if name not in names]
        if unknown:
            raise ValueError(f"names {', '.join(unknown)}; there are: {', '.join(names)}")
        return [value.get(name, default) for name in names]
    if isinstance(value, Sequence):
        if len(value) != len(names):
            raise ValueError(
                f"has {len(value)} numbers for {len(names)} keypoints: {', '.join(names)}"
            )
        return list(value)
    return value
