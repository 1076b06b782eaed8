"""The precision policy: what is chosen, and why."""

import pytest
import torch

from dlcore.engine import precision as module
from dlcore.engine.precision import Precision, choose_precision, precision_of
from dlcore.errors import TrainingError

CPU = torch.device("cpu")


def refuse(_):
    raise AssertionError("nothing should be timed")


@pytest.mark.parametrize("name", ["fp32", "bf16"])
def test_what_is_asked_for_is_taken_without_timing(name):
    chosen, reason = choose_precision(name, CPU, refuse)

    assert chosen == Precision(name, "cpu")
    assert reason == "as configured"


def test_fp16_on_a_cpu_is_refused():
    with pytest.raises(TrainingError, match="needs a GPU"):
        choose_precision("fp16", CPU, refuse)


@pytest.mark.parametrize(("bf16_seconds", "name"), [(0.5, "bf16"), (0.95, "fp32"), (2.0, "fp32")])
def test_auto_takes_bf16_on_a_cpu_where_it_is_clearly_faster(monkeypatch, bf16_seconds, name):
    monkeypatch.setattr(module, "_cpu_computes_bf16", lambda: True)

    chosen, reason = choose_precision(
        "auto", CPU, lambda precision: 1.0 if precision.name == "fp32" else bf16_seconds
    )

    assert chosen.name == name
    assert f"{bf16_seconds:.2f} s in bf16" in reason


def test_auto_does_not_time_a_cpu_without_bf16(monkeypatch):
    monkeypatch.setattr(module, "_cpu_computes_bf16", lambda: False)

    chosen, reason = choose_precision("auto", CPU, refuse)

    assert chosen.name == "fp32"
    assert "no bf16 instructions" in reason


def test_autocast_computes_in_the_precision():
    x = torch.randn(2, 2)

    with Precision("bf16", "cpu").autocast():
        assert (x @ x).dtype == torch.bfloat16
    with Precision("fp32", "cpu").autocast():
        assert (x @ x).dtype == torch.float32


def test_only_fp16_scales_the_loss():
    assert not Precision("bf16", "cpu").make_scaler().is_enabled()
    assert not Precision("fp32", "cpu").make_scaler().is_enabled()


@pytest.mark.parametrize(("bf16", "name"), [(True, "bf16"), (False, "fp32")])
def test_predictions_take_the_fastest_that_the_cpu_has_if_they_are_asked_to(
    monkeypatch, bf16, name
):
    monkeypatch.setattr("dlcore.engine.precision._cpu_computes_bf16", lambda: bf16)
    assert precision_of("auto", torch.device("cpu")).name == name
    assert precision_of("fp32", torch.device("cpu")).name == "fp32"


def test_predictions_on_other_devices_are_in_fp32():
    assert precision_of("auto", torch.device("mps")).name == "fp32"
