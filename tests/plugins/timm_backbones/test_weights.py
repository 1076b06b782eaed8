from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from torch import Tensor, nn

from dlcore_plugins.timm_backbones.weights import fit


def network(classes: int = 5) -> nn.Sequential:
    parts = OrderedDict(stem=nn.Conv2d(3, 4, 3), norm=nn.BatchNorm2d(4), head=nn.Linear(4, classes))
    return nn.Sequential(parts)


def fitted(state: dict[str, Tensor]) -> dict[str, Tensor] | None:
    return fit(state, network(), ["head"])


def test_names_that_agree_fit() -> None:
    state = network().state_dict()

    assert fitted(state) == state


@pytest.mark.parametrize("classes", [2, 0])
def test_the_classifier_may_differ_or_be_missing(classes: int) -> None:
    state = network(max(classes, 1)).state_dict()
    if not classes:
        del state["head.weight"], state["head.bias"]

    found = fitted(state)

    assert found is not None
    assert torch.equal(found["stem.weight"], state["stem.weight"])


def test_old_files_without_counters_fit() -> None:
    state = network().state_dict()
    del state["norm.num_batches_tracked"]

    assert fitted(state) is not None


@pytest.mark.parametrize("classes", [5, 2])
def test_other_names_fit_by_order_and_shape(classes: int) -> None:
    state = {
        f"_{key}": torch.randn(value.shape) if value.is_floating_point() else value
        for key, value in network(classes).state_dict().items()
    }

    found = fitted(state)

    assert found is not None
    assert torch.equal(found["stem.bias"], state["_stem.bias"])
    assert torch.equal(found["norm.running_var"], state["_norm.running_var"])
    assert "head.weight" not in found


def test_other_shapes_do_not_fit() -> None:
    state = network().state_dict()
    state["stem.bias"] = torch.zeros(9)

    assert fitted(state) is None


def test_a_missing_layer_does_not_fit() -> None:
    state = network().state_dict()
    state["extra"] = state.pop("stem.bias")

    assert fitted(state) is None


def test_another_order_does_not_fit() -> None:
    state = network().state_dict()
    reordered = {f"_{key}": state[key] for key in reversed(state)}

    assert fitted(reordered) is None
