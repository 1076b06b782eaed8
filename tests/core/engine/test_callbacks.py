"""Callbacks are told in their order, dropped if they fail, saved and restored by name."""

import logging

import pytest

from dlcore.engine.callbacks import Callbacks
from dlcore.errors import ConfigError
from dlcore.interfaces import Callback, EpochStart, RunEnd, RunError, RunStart, StepEnd


class Note(Callback):
    """Notes what it is told; fails where it is told to."""

    def __init__(self, notes, name, fails=None):
        self.notes, self.name, self.fails = notes, name, fails or {}

    def _note(self, event):
        self.notes.append((self.name, type(event).__name__))
        if type(event) in self.fails:
            raise self.fails[type(event)]

    def on_run_start(self, run, event):
        self._note(event)

    def on_epoch_start(self, run, event):
        self._note(event)

    def on_error(self, run, event):
        self._note(event)

    def on_run_end(self, run, event):
        self._note(event)

    def state_dict(self):
        return {"name": self.name}

    def load_state_dict(self, state):
        self.name = state["name"]


class Early(Note):
    order = -1


def test_they_are_told_in_ascending_order_and_then_as_in_the_file():
    notes = []
    callbacks = Callbacks({"a": Note(notes, "a"), "b": Note(notes, "b"), "c": Early(notes, "c")})
    callbacks.tell(EpochStart(1))
    assert [name for name, _ in notes] == ["c", "a", "b"]


def test_one_that_fails_is_warned_about_once_and_dropped(caplog):
    notes = []
    callbacks = Callbacks(
        {"a": Note(notes, "a", {EpochStart: KeyError("mAP")}), "b": Note(notes, "b")}
    )
    for epoch in (1, 2):
        callbacks.tell(EpochStart(epoch))

    assert [name for name, _ in notes] == ["a", "b", "b"]
    assert caplog.messages == ["callback a failed and is not used any more: KeyError: 'mAP'"]
    assert callbacks.state_dict().keys() == {"b"}


def test_a_wish_to_stop_is_no_failure_of_the_callback():
    callbacks = Callbacks({"a": Note([], "a", {EpochStart: KeyboardInterrupt()})})
    with pytest.raises(KeyboardInterrupt):
        callbacks.tell(EpochStart(1))


def test_an_option_that_does_not_fit_the_run_is_an_error_with_its_key():
    notes = []
    fails = {RunStart: ValueError("metric 'x' is not measured")}
    callbacks = Callbacks({"a": Note(notes, "a", fails)}, {"a": "callbacks[3]"})
    with pytest.raises(ConfigError) as error:
        callbacks.tell(RunStart(0))
    [problem] = error.value.problems
    assert (problem.key, problem.message) == ("callbacks[3]", "metric 'x' is not measured")

    callbacks = Callbacks({"a": Note(notes, "a", {EpochStart: ValueError("later")})})
    callbacks.tell(EpochStart(1))  # is only dropped


@pytest.mark.parametrize("error", [None, RuntimeError("x"), KeyboardInterrupt()])
def test_the_end_is_told_however_it_comes(error):
    notes = []
    callbacks = Callbacks({"a": Note(notes, "a")})

    def work():
        with callbacks.until_the_end(lambda: RunEnd(3)):
            if error is not None:
                raise error

    if error is None:
        work()
    else:
        with pytest.raises(type(error)):
            work()
    expected = [RunEnd.__name__] if error is None else [RunError.__name__, RunEnd.__name__]
    assert [what for _, what in notes] == expected


def test_nobody_listens_to_what_nobody_overrides():
    assert not Callbacks().listen_to(EpochStart)
    callbacks = Callbacks({"a": Note([], "a")})
    assert callbacks.listen_to(EpochStart)
    assert not callbacks.listen_to(StepEnd)


def test_states_are_given_back_by_name(caplog):
    caplog.set_level(logging.INFO, logger="dlcore")
    saved = Callbacks({"x/A": Note([], "1"), "x/A 2": Note([], "2"), "x/Gone": Note([], "3")})
    first, second, new = Note([], ""), Note([], ""), Note([], "")

    Callbacks({"x/A": first, "x/A 2": second, "x/New": new}).load_state_dict(saved.state_dict())

    assert (first.name, second.name, new.name) == ("1", "2", "")
    assert caplog.messages == [
        "callback x/New starts anew: the snapshot has no state of it",
        "callback x/Gone is not used any more",
    ]


def test_a_state_that_cannot_be_saved_is_a_failure_of_the_callback_alone(caplog):
    odd = Note([], "1")
    odd.state_dict = lambda: {"lock": object()}
    callbacks = Callbacks({"a": odd, "b": Note([], "2")})

    assert callbacks.state_dict() == {"b": {"name": "2"}}
    assert "callback a failed and is not used any more: TypeError" in caplog.text


def test_a_callback_without_state_is_not_asked_for_one(caplog):
    callbacks = Callbacks({"a": Callback()})
    callbacks.load_state_dict({})
    assert callbacks.state_dict() == {}
    assert caplog.messages == []
