import json

import numpy as np
import pytest
import torch

from dlcore_plugins.simcc.criterion import KLDiscreteLoss
from tests.plugins.simcc.reference import without_type


def rows(batch=2):
    generator = torch.Generator().manual_seed(0)
    output = torch.randn(batch, 3, 8, generator=generator)
    return output, torch.rand(batch, 3, 8, generator=generator)


def test_losses_and_gradients_equal_those_of_deeplabcut(shared):
    folder = shared / "peer" / "reference" / "losses"
    cases = json.loads((folder / "losses.json").read_text())["cases"]
    cases = [case for case in cases if case["criterion"]["type"] == "KLDiscreteLoss"]
    with np.load(folder / "losses.npz") as arrays:
        given = {key: torch.from_numpy(arrays[f"simcc/{key}"]) for key in ("output", "target")}
        weights = torch.from_numpy(arrays["simcc/weights"]).unsqueeze(2)

    for case in cases:
        criterion = KLDiscreteLoss(**without_type(case["criterion"]))
        output = given["output"].clone().requires_grad_()
        chosen = weights if case["weights"] == "given" else 1.0
        loss = criterion(output, given["target"], chosen)
        loss.backward()
        assert loss.item() == pytest.approx(case["loss"], rel=1e-5), case
        assert output.grad.norm().item() == pytest.approx(case["gradient_norm"], rel=1e-4), case
    assert len(cases) == 10


def test_a_batch_twice_as_large_has_twice_the_loss_unless_it_is_averaged():
    output, target = rows(batch=1)
    twice = [tensor.repeat(2, 1, 1) for tensor in (output, target)]
    added, averaged = KLDiscreteLoss(), KLDiscreteLoss(batch_average=True)

    torch.testing.assert_close(added(*twice), 2 * added(output, target))
    torch.testing.assert_close(averaged(*twice), averaged(output, target))
    torch.testing.assert_close(averaged(output, target), added(output, target))


def test_the_loss_is_lowest_where_both_distributions_are_the_same():
    _, target = rows()
    criterion = KLDiscreteLoss(beta=10.0, label_softmax=True)

    assert criterion(target, target).item() == pytest.approx(0, abs=1e-6)
    assert criterion(target + torch.eye(8)[0], target) > 0.01


def test_half_precision_outputs_are_compared_in_full_precision():
    output, target = rows()

    loss = KLDiscreteLoss(beta=10.0, label_softmax=True)(output.bfloat16(), target)

    assert loss.dtype == torch.float32
