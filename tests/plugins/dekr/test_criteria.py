import json

import numpy as np
import pytest
import torch

from dlcore.testing import check_criterion
from dlcore_plugins.dekr.criteria import DEKRHeatmapLoss, DEKROffsetLoss

CRITERIA = {"DEKRHeatmapLoss": DEKRHeatmapLoss, "DEKROffsetLoss": DEKROffsetLoss}
BOTH = pytest.mark.parametrize("criterion", CRITERIA.values(), ids=CRITERIA.keys())


@BOTH
def test_keeps_the_contract(criterion):
    check_criterion(criterion())


def test_cells_without_weight_count_in_the_mean_of_the_heatmap_loss():
    weights = torch.zeros(1, 1, 2, 2)
    weights[..., 0, 0] = 1

    loss = DEKRHeatmapLoss()(torch.full((1, 1, 2, 2), 2.0), torch.zeros(1, 1, 2, 2), weights)

    assert loss.item() == 1.0


def test_cells_without_weight_do_not_count_in_the_mean_of_the_offset_loss():
    weights = torch.zeros(1, 1, 2, 2)
    weights[..., 0, 0] = 0.5

    loss = DEKROffsetLoss(beta=0.5)(torch.full((1, 1, 2, 2), 2.0), torch.zeros(1, 1, 2, 2), weights)

    assert loss.item() == 0.5 * (2.0 - 0.25)


def test_small_offset_errors_are_squared():
    loss = DEKROffsetLoss(beta=0.5)(torch.full((1, 1, 1, 1), 0.1), torch.zeros(1, 1, 1, 1))

    assert loss.item() == pytest.approx(0.5 * 0.1**2 / 0.5)


@BOTH
def test_a_half_precision_output_is_compared_in_the_precision_of_the_target(criterion):
    output = torch.randn(1, 2, 3, 3).bfloat16().requires_grad_()

    loss = criterion()(output, torch.zeros(1, 2, 3, 3), torch.ones(1, 2, 1, 1))
    loss.backward()

    assert loss.dtype == torch.float32
    assert output.grad.dtype == torch.bfloat16


@BOTH
def test_the_host_never_waits_for_the_device(criterion):
    """Nothing on the meta device has a value: asking for one raises."""
    output = torch.empty(2, 3, 4, 5, device="meta", requires_grad=True)
    weights = torch.empty(2, 3, 4, 5, device="meta")

    loss = criterion()(output, torch.empty(2, 3, 4, 5, device="meta"), weights)
    loss.backward()

    assert loss.shape == ()


def test_a_beta_of_zero_is_refused():
    with pytest.raises(ValueError, match="beta must be above 0, got 0"):
        DEKROffsetLoss(beta=0)


def test_losses_and_gradients_equal_those_of_deeplabcut(shared):
    folder = shared / "peer" / "reference" / "losses"
    cases = json.loads((folder / "losses.json").read_text(encoding="utf-8"))["cases"]
    with np.load(folder / "losses.npz") as file:
        arrays = {key: file[key] for key in file.files if key != "meta"}
    compared = 0
    for case in cases:
        options = dict(case["criterion"])
        criterion = CRITERIA.get(options.pop("type"))
        if criterion is None or "error" in case:  # DeepLabCut cannot take weights of one number
            continue
        output = torch.from_numpy(arrays["output"]).requires_grad_()
        weights = 1.0
        if case["weights"] != "none":
            array = arrays[f"weights/{case['weights']}"]
            weights = torch.from_numpy(array) if array.ndim else float(array)

        loss = criterion(**options)(output, torch.from_numpy(arrays["target"]), weights)
        (gradient,) = torch.autograd.grad(loss, output)

        assert loss.item() == pytest.approx(case["loss"], rel=1e-5, abs=1e-7), case
        assert gradient.norm().item() == pytest.approx(case["gradient_norm"], rel=1e-5), case
        compared += 1
    assert compared == 18
