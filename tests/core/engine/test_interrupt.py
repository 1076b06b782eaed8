"""Ctrl-C waits for the end of the step; a second one does not."""

import os
import signal

import pytest

from dlcore.engine.interrupt import Interrupt


def test_the_first_ctrl_c_waits_until_asked():
    with Interrupt() as interrupt:
        interrupt.raise_if_asked()
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            interrupt.raise_if_asked()


def test_the_second_ctrl_c_interrupts_at_once():
    with Interrupt():
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_the_former_handlers_come_back():
    before = signal.getsignal(signal.SIGINT)
    with Interrupt():
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before
