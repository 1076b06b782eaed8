"""The callbacks of a run: built, told of events, dropped if they fail, saved and restored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dlcore.building import build
from dlcore.config.loading import LoadedConfig
from dlcore.engine.run_folder import LOGGER
from dlcore.engine.snapshots import to_plain
from dlcore.engine.stages import Stage
from dlcore.errors import ConfigError, Problem
from dlcore.interfaces import (
    Callback,
    EpochEnd,
    EpochStart,
    Evaluation,
    RunEnd,
    RunError,
    RunStart,
    SnapshotSaved,
    StepEnd,
    TrainingRun,
)
from dlcore.interfaces.callback import Event
from dlcore.plugin_host import PluginHost

_METHODS: dict[type, str] = {
    RunStart: "on_run_start",
    EpochStart: "on_epoch_start",
    StepEnd: "on_step_end",
    Evaluation: "on_evaluation",
    EpochEnd: "on_epoch_end",
    SnapshotSaved: "on_snapshot",
    RunError: "on_error",
    RunEnd: "on_run_end",
}


class Callbacks:
    """Tells callbacks what happens, in their order; drops one that fails, with a warning.

    Args:
        named: Callbacks by the name that their state is saved under.
        keys: The dotted key of each callback's block, by the same names, for errors.
    """

    def __init__(
        self, named: Mapping[str, Callback] | None = None, keys: Mapping[str, str] | None = None
    ) -> None:
        ordered = sorted((named or {}).items(), key=lambda item: item[1].order)
        self._named = dict(ordered)
        self._keys = dict(keys or {})
        self._run: TrainingRun | None = None

    def attach(self, run: TrainingRun) -> None:
        """Let them see a run, which is what they are told of from now on."""
        self._run = run

    def listen_to(self, kind: type) -> bool:
        """Whether anyone wants to know of a kind of event."""
        return any(_overrides(callback, _METHODS[kind]) for callback in self._named.values())

    def tell(self, event: Event) -> None:
        """Tell all of an event.

        Raises:
            ConfigError: If a callback refuses an option when the run starts.
        """
        method = _METHODS[type(event)]
        for name, callback in list(self._named.items()):
            if not _overrides(callback, method):
                continue
            try:
                getattr(callback, method)(self._run, event)
            except Exception as error:
                if isinstance(event, RunStart) and isinstance(error, ValueError):
                    key = self._keys.get(name, "callbacks")
                    raise ConfigError([Problem(key, str(error))]) from error
                self._drop(name, error)

    @contextmanager
    def until_the_end(self, end: Callable[[], RunEnd]) -> Iterator[None]:
        """Tell all when what runs inside has ended, and what ended it before its time."""
        try:
            yield
        except BaseException as error:
            self.tell(RunError(error))
            raise
        finally:
            self.tell(end())

    def state_dict(self) -> dict[str, dict[str, Any]]:
        """The states of all that have one, by name; one that cannot be saved is a failure."""
        states = {}
        for name, callback in list(self._named.items()):
            if _overrides(callback, "state_dict"):
                try:
                    states[name] = to_plain(callback.state_dict())
                except Exception as error:  # noqa: BLE001  a callback may raise anything
                    self._drop(name, error)
        return states

    def load_state_dict(self, states: Mapping[str, Mapping[str, Any]]) -> None:
        """Give their states back; what has none starts anew, what is gone is left out."""
        for name, callback in list(self._named.items()):
            if name in states:
                try:
                    callback.load_state_dict(states[name])
                except Exception as error:  # noqa: BLE001  a callback may raise anything
                    self._drop(name, error)
            elif _overrides(callback, "load_state_dict"):
                LOGGER.warning("callback %s starts anew: the snapshot has no state of it", name)
        for name in states.keys() - self._named.keys():
            LOGGER.info("callback %s is not used any more", name)

    def _drop(self, name: str, error: Exception) -> None:
        LOGGER.warning(
            "callback %s failed and is not used any more: %s: %s",
            name,
            type(error).__name__,
            error,
        )
        self._named.pop(name, None)


def build_callbacks(loaded: LoadedConfig, host: PluginHost, stage: Stage) -> Callbacks:
    """The callbacks that a config names for a stage.

    Raises:
        ConfigError: If one cannot be built.
    """
    named: dict[str, Callback] = {}
    keys: dict[str, str] = {}
    count: Counter[str] = Counter()
    for index, block in enumerate(loaded.config.callbacks):
        if block.get("stage") not in (None, stage.name):
            continue
        key = f"callbacks[{index}]"
        callback: Callback = build(host, "callbacks", block, key=key)
        full_name = host.find("callbacks", str(block["type"])).qualified_name
        count[full_name] += 1
        name = full_name if count[full_name] == 1 else f"{full_name} {count[full_name]}"
        named[name], keys[name] = callback, key
    return Callbacks(named, keys)


def _overrides(callback: Callback, method: str) -> bool:
    return getattr(type(callback), method) is not getattr(Callback, method)
