import json

import numpy as np
import pytest
import torch

from dlcore.testing import check_criterion
from dlcore_plugins.heatmap.criteria import (
    WeightedBCECriterion,
    WeightedHuberCriterion,
    WeightedMSECriterion,
)

CRITERIA = [WeightedMSECriterion, WeightedHuberCriterion, WeightedBCECriterion]


@pytest.mark.parametrize("criterion", CRITERIA)
def test_keeps_the_contract(criterion):
    check_criterion(criterion())


def test_weights_scale_the_sum_but_not_the_count():
    output, target = torch.ones(2, 3, 4, 5), torch.zeros(2, 3, 4, 5)

    loss = WeightedMSECriterion()(output, target, torch.full((2, 3, 4, 5), 0.1))

    assert loss.item() == pytest.approx(0.1)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_a_half_precision_output_is_compared_in_the_precision_of_the_target(criterion):
    output = torch.randn(1, 2, 3, 3).bfloat16().requires_grad_()

    loss = criterion()(output, torch.zeros(1, 2, 3, 3), torch.ones(1, 2, 1, 1))
    loss.backward()

    assert loss.dtype == torch.float32
    assert output.grad.dtype == torch.bfloat16


@pytest.mark.parametrize("criterion", CRITERIA)
def test_the_host_never_waits_for_the_device(criterion):
    """Nothing on the meta device has a value: asking for one raises."""
    output = torch.empty(2, 3, 4, 5, device="meta", requires_grad=True)
    weights = torch.empty(2, 3, 4, 5, device="meta")

    loss = criterion()(output, torch.empty(2, 3, 4, 5, device="meta"), weights)
    loss.backward()

    assert loss.shape == ()


def test_losses_and_gradients_equal_those_of_deeplabcut(shared):
    folder = shared / "peer" / "reference" / "losses"
    cases = json.loads((folder / "losses.json").read_text(encoding="utf-8"))["cases"]
    cases = [case for case in cases if case["criterion"]["type"].startswith("Weighted")]
    classes = {cls.__name__: cls for cls in CRITERIA}
    with np.load(folder / "losses.npz") as file:
        arrays = {key: file[key] for key in file.files if key != "meta"}

    assert len(cases) == 24
    for case in cases:
        output = torch.from_numpy(arrays["output"]).requires_grad_()
        weights = 1.0
        if case["weights"] != "none":
            array = arrays[f"weights/{case['weights']}"]
            weights = torch.from_numpy(array) if array.ndim else float(array)

        loss = classes[case["criterion"]["type"]]()(
            output, torch.from_numpy(arrays["target"]), weights
        )
        (gradient,) = torch.autograd.grad(loss, output)

        assert loss.item() == pytest.approx(case["loss"], rel=1e-5, abs=1e-7), case
        assert gradient.norm().item() == pytest.approx(case["gradient_norm"], rel=1e-5), case


def test_only_logits_are_brought_to_the_scale_of_the_target():
    output = torch.tensor([-2.0, 0.0, 3.0])

    for criterion in CRITERIA:
        seen = criterion().on_target_scale(output)
        expected = output.sigmoid() if criterion is WeightedBCECriterion else output
        assert torch.equal(seen, expected)
