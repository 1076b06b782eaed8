"""The contract of callbacks, by callbacks that break it."""

import pytest
import torch

from dlcore.interfaces import Callback
from dlcore.testing import check_callback


class Count(Callback):
    """Counts steps and logs their number; remembers it."""

    def __init__(self):
        self.steps = 0

    def on_step_end(self, run, event):
        self.steps += 1

    def on_epoch_end(self, run, event):
        run.log({"steps": self.steps})

    def state_dict(self):
        return {"steps": self.steps}

    def load_state_dict(self, state):
        self.steps = state["steps"]


class Forgets(Count):
    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


class RemembersLess(Count):
    def load_state_dict(self, state):
        pass


class NotPlain(Count):
    def state_dict(self):
        return {"steps": print}


class Shakes(Callback):
    """Changes the weights by chance."""

    def on_epoch_end(self, run, event):
        with torch.no_grad():
            for parameter in run.model.parameters():
                parameter.add_(torch.rand_like(parameter))


def test_good_ones_pass(tmp_path):
    check_callback(Callback, tmp_path)
    check_callback(Count, tmp_path)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Forgets, "logs"),
        (RemembersLess, "has another state at the end; state_dict must hold all"),
        (NotPlain, "its state dict must hold tensors and plain types only"),
        (Shakes, "trains to other weights"),
        (dict, "it must subclass Callback"),
    ],
)
def test_broken_ones_are_found(tmp_path, make, words):
    with pytest.raises(AssertionError, match=words):
        check_callback(make, tmp_path)
