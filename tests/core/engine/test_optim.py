from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, AdamW
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from dlcore import Component, ConfigError, hookimpl
from dlcore.engine.optim import (
    build_optimizer,
    build_scheduler,
    preview,
    replay,
    scheduler_step,
    state_fits,
)
from dlcore.interfaces import Scheduler
from dlcore.plugin_host import PluginHost


class Half(Scheduler):
    """Half the rate, from the start."""

    def __init__(self, optimizer: torch.optim.Optimizer, *, parts: Any = None) -> None:
        self.parts = parts
        super().__init__(optimizer)

    def get_lr(self) -> list[Any]:
        return [rate / 2 for rate in self.base_lrs]


class Plugin:
    def __init__(self, *names: str) -> None:
        self.names = names

    @hookimpl
    def register_schedulers(self) -> list[Component]:
        return [Component(name, f"{__name__}:Half") for name in self.names]


@pytest.fixture
def host() -> PluginHost:
    host = PluginHost()
    host.add(Plugin("Half"), name="mine")
    return host


def weights() -> list[nn.Parameter]:
    return [nn.Parameter(torch.zeros(2, 3))]


def sgd(lr: float = 1.0, groups: int = 1) -> SGD:
    return SGD([{"params": weights()} for _ in range(groups)], lr=lr, momentum=0.9)


def block(name: str, **params: Any) -> dict[str, Any]:
    return {"type": name, "params": params}


def rates(scheduler: LRScheduler, epochs: int, metric: float | None = None) -> list[float]:
    used = []
    for _ in range(epochs):
        used.append(scheduler.optimizer.param_groups[0]["lr"])
        scheduler.optimizer.step()
        scheduler_step(scheduler, metric)
    return used


WARM_UP = block(
    "SequentialLR",
    schedulers=[block("ConstantLR", factor=0.01, total_iters=2), block("StepLR", step_size=2)],
    milestones=[5],
)
PARAMS = {
    "StepLR": {"step_size": 2},
    "MultiStepLR": {"milestones": [2, 4]},
    "ConstantLR": {},
    "LinearLR": {},
    "ExponentialLR": {"gamma": 0.9},
    "PolynomialLR": {"total_iters": 6, "power": 2},
    "CosineAnnealingLR": {"T_max": 4},
    "CosineAnnealingWarmRestarts": {"T_0": 3},
    "CyclicLR": {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 3},
    "OneCycleLR": {"max_lr": 1.0, "total_steps": 20},
    "ReduceLROnPlateau": {"patience": 1},
    "ChainedScheduler": {
        "schedulers": [block("ConstantLR"), block("ExponentialLR", gamma=0.9)],
    },
    "SequentialLR": WARM_UP["params"],
}


# Optimizers


@pytest.mark.parametrize("params", [None, {}])
def test_an_optimizer_needs_no_params(host: PluginHost, params: dict[str, Any] | None) -> None:
    optimizer = build_optimizer(host, {"type": "AdamW", "params": params}, weights(), "o")

    assert type(optimizer) is AdamW


def test_an_optimizer_gets_its_params(host: PluginHost) -> None:
    made = build_optimizer(host, block("SGD", lr=1e-3, momentum=0.9), weights(), "o")

    assert (made.defaults["lr"], made.defaults["momentum"]) == (1e-3, 0.9)


BAD_OPTIMIZERS: dict[str, tuple[dict[str, Any], str, str]] = {
    "misspelt": (block("adamW2"), "o.type", "no optimizer named 'adamW2'; did you mean 'AdamW'"),
    "unknown": (block("Lion"), "o.type", "known are .*AdamW"),
    "of another kind": (block("Half"), "o.type", "'Half' is a scheduler, not an optimizer"),
    "not a class": (block("functional"), "o.type", "no optimizer named"),
    "the base class": (block("Optimizer"), "o.type", "no optimizer named"),
    "needs a closure": (block("LBFGS"), "o.type", "computes the loss several times"),
    "misspelt parameter": (block("AdamW", lrr=1), "o.params.lrr", "of AdamW; did you mean 'lr'"),
    "a word": (block("AdamW", lr="1e-3"), "o.params.lr", "must be a number, got '1e-3'"),
    "a number": (block("AdamW", amsgrad=1), "o.params.amsgrad", "must be true or false, got 1"),
    "out of range": (block("AdamW", lr=-1), "o.params", "AdamW refuses .*Invalid learning rate"),
    "the parameters": (block("AdamW", params=[]), "o.params.params", "unknown parameter"),
    "no params key": ({"type": "AdamW", "lr": 1}, "o.lr", "stand under 'params'"),
    "no type": ({"params": {}}, "o.type", "must be a name, got None"),
    "params no map": ({"type": "AdamW", "params": [1]}, "o.params", "must be a map"),
}


@pytest.mark.parametrize(
    ("given", "key", "message"), BAD_OPTIMIZERS.values(), ids=BAD_OPTIMIZERS.keys()
)
def test_a_bad_optimizer_is_refused(
    host: PluginHost, given: dict[str, Any], key: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        build_optimizer(host, given, weights(), "o")

    assert [problem.key for problem in refused.value.problems] == [key]


def test_all_bad_parameters_are_named_at_once(host: PluginHost) -> None:
    with pytest.raises(ConfigError) as refused:
        build_optimizer(host, block("AdamW", lrr=1, epss=2, lr="x"), weights(), "o")

    assert len(refused.value.problems) == 3


# Schedulers


def test_a_registered_scheduler_is_found_first(host: PluginHost) -> None:
    host.add(Plugin("StepLR"), name="other")

    assert type(build_scheduler(host, block("StepLR"), sgd(), "s")) is Half
    assert type(build_scheduler(host, block("other/StepLR"), sgd(), "s")) is Half


def test_a_registered_scheduler_may_be_a_part_of_another(host: PluginHost) -> None:
    given = block("SequentialLR", schedulers=[block("ConstantLR"), block("Half")], milestones=[2])

    assert rates(build_scheduler(host, given, sgd(), "s"), 4)[2:] == [0.5, 0.5]


def test_a_registered_scheduler_may_have_parts(host: PluginHost) -> None:
    optimizer = sgd()

    built: Any = build_scheduler(
        host, block("Half", parts=[block("StepLR", step_size=1)]), optimizer, "s"
    )

    assert type(built) is Half
    assert built.parts[0].optimizer is optimizer


def test_the_documented_warm_up(host: PluginHost) -> None:
    used = rates(build_scheduler(host, WARM_UP, sgd(), "s"), 9)

    assert used == pytest.approx([0.01, 0.01, 1, 1, 1, 1, 1, 0.1, 0.1])


def test_every_scheduler_of_torch_that_yaml_can_describe_is_tried() -> None:
    names = {
        name
        for name, value in vars(torch.optim.lr_scheduler).items()
        if isinstance(value, type) and issubclass(value, LRScheduler) and name[0] != "_"
    }

    assert names - set(PARAMS) == {"LRScheduler", "LambdaLR", "MultiplicativeLR"}


@pytest.mark.parametrize("name", PARAMS)
def test_each_scheduler_of_torch_works_as_its_class_does(host: PluginHost, name: str) -> None:
    given = block(name, **PARAMS[name])

    used = rates(build_scheduler(host, given, sgd(), "s"), 10, metric=1.0)

    assert len(set(used)) > 1


@pytest.mark.parametrize("name", PARAMS)
def test_a_state_is_saved_safely_and_restored(host: PluginHost, name: str) -> None:
    given = block(name, **PARAMS[name])
    whole = build_scheduler(host, given, sgd(), "s")
    expected = rates(whole, 9, metric=1.0)[5:]
    first = build_scheduler(host, given, sgd(), "s")
    rates(first, 5, metric=1.0)
    file = io.BytesIO()
    torch.save([first.state_dict(), first.optimizer.state_dict()], file)
    file.seek(0)
    state, optimizer_state = torch.load(file, weights_only=True)

    second = build_scheduler(host, given, sgd(), "s")
    assert state_fits(second, state)
    second.optimizer.load_state_dict(optimizer_state)
    second.load_state_dict(state)

    assert rates(second, 4, metric=1.0) == expected


@pytest.mark.parametrize("name", sorted(set(PARAMS) - {"ReduceLROnPlateau"}))
def test_replaying_gives_the_uninterrupted_schedule(host: PluginHost, name: str) -> None:
    given = block(name, **PARAMS[name])
    expected = rates(build_scheduler(host, given, sgd(), "s"), 9)
    resumed = build_scheduler(host, given, sgd(), "s")
    resumed.optimizer.param_groups[0]["lr"] = 123.0  # as a loaded optimizer state may leave it

    replay(resumed, 5)

    assert rates(resumed, 4) == expected[5:]


def test_a_state_of_another_schedule_does_not_fit(host: PluginHost) -> None:
    states = {
        name: build_scheduler(host, block(name, **params), sgd(), "s").state_dict()
        for name, params in PARAMS.items()
    }
    for name, params in PARAMS.items():
        scheduler = build_scheduler(host, block(name, **params), sgd(), "s")
        assert [other for other in states if state_fits(scheduler, states[other])] == [name]


def test_parts_of_another_kind_do_not_fit(host: PluginHost) -> None:
    scheduler = build_scheduler(host, WARM_UP, sgd(), "s")
    other = block(
        "SequentialLR", schedulers=[block("StepLR", step_size=2), block("Half")], milestones=[5]
    )

    assert not state_fits(scheduler, build_scheduler(host, other, sgd(), "s").state_dict())


def test_a_plateau_counts_evaluations_not_epochs(host: PluginHost) -> None:
    given = block("ReduceLROnPlateau", patience=1, factor=0.1)
    scheduler = build_scheduler(host, given, sgd(), "s")
    assert isinstance(scheduler, ReduceLROnPlateau)

    for metric in [1.0, None, None, 1.0, float("nan"), None, None]:
        scheduler_step(scheduler, metric)
    assert scheduler.get_last_lr() == [1.0]
    scheduler_step(scheduler, 1.0)

    assert scheduler.get_last_lr() == pytest.approx([0.1])


BAD_SCHEDULERS: dict[str, tuple[dict[str, Any], str, str]] = {
    "misspelt": (block("StepsLR"), "s.type", "did you mean 'StepLR'"),
    "misspelt, registered": (block("Halv"), "s.type", "did you mean 'Half'"),
    "the base class": (block("LRScheduler"), "s.type", "no plugin offers"),
    "misspelt parameter": (
        block("StepLR", step_size=1, gama=1),
        "s.params.gama",
        "did you mean 'gamma'",
    ),
    "missing parameter": (block("StepLR"), "s.params.step_size", "StepLR needs this parameter"),
    "in a part": (
        block("SequentialLR", schedulers=[block("ConstantLR"), block("StepLr")], milestones=[1]),
        "s.params.schedulers[1].type",
        "did you mean 'StepLR'",
    ),
    "parts do not fit": (
        block("SequentialLR", schedulers=[block("ConstantLR")], milestones=[1]),
        "s.params",
        "SequentialLR refuses these parameters",
    ),
    "needs code": (block("LambdaLR", lr_lambda="1 / x"), "s.params", "LambdaLR refuses"),
    "a plateau in a chain": (
        block("SequentialLR", schedulers=[block("ReduceLROnPlateau")], milestones=[]),
        "s.params",
        "does not support `ReduceLROnPlateau`",
    ),
}


@pytest.mark.parametrize(
    ("given", "key", "message"), BAD_SCHEDULERS.values(), ids=BAD_SCHEDULERS.keys()
)
def test_a_bad_scheduler_is_refused(
    host: PluginHost, given: dict[str, Any], key: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        build_scheduler(host, given, sgd(), "s")

    assert [problem.key for problem in refused.value.problems] == [key]


def test_an_ambiguous_scheduler_is_refused(host: PluginHost) -> None:
    host.add(Plugin("Half"), name="other")

    with pytest.raises(ConfigError, match="mine/Half, other/Half"):
        build_scheduler(host, block("Half"), sgd(), "s")


# Preview


def test_a_preview_leaves_the_optimizer_alone(host: PluginHost) -> None:
    optimizer = sgd(groups=2)

    table = preview(host, block("StepLR", step_size=2), optimizer, 4, "s")

    assert table == [[1.0, 1.0], [1.0, 1.0], pytest.approx([0.1] * 2), pytest.approx([0.1] * 2)]
    assert optimizer.param_groups[0]["lr"] == 1.0
    assert "initial_lr" not in optimizer.param_groups[0]


def test_a_preview_shows_the_real_schedule(host: PluginHost) -> None:
    optimizer = sgd()
    scheduler = build_scheduler(host, WARM_UP, optimizer, "s")

    table = preview(host, WARM_UP, optimizer, 9, "s")

    assert [rate for (rate,) in table] == rates(scheduler, 9)


def test_a_schedule_that_ends_too_early_is_found_out_before_training(host: PluginHost) -> None:
    given = block("OneCycleLR", max_lr=1.0, total_steps=5)

    assert len(preview(host, given, sgd(), 5, "s")) == 5
    with pytest.raises(ConfigError, match="s: OneCycleLR has no learning rate for epoch 7"):
        preview(host, given, sgd(), 9, "s")


@pytest.mark.parametrize(
    ("block", "fused"),
    [
        ({"type": "AdamW", "params": {"lr": 0.1}}, True),
        ({"type": "SGD", "params": {"lr": 0.1, "momentum": 0.9}}, True),
        ({"type": "AdamW", "params": {"lr": 0.1, "foreach": True}}, None),
        ({"type": "AdamW", "params": {"lr": 0.1, "fused": False}}, False),
        ({"type": "Adamax", "params": {"lr": 0.1}}, None),
    ],
)
def test_the_fused_form_of_an_optimizer_is_taken_unless_the_config_chooses(host, block, fused):
    weights = [torch.nn.Parameter(torch.ones(3))]
    optimizer = build_optimizer(host, block, weights, "runner.optimizer")
    assert optimizer.param_groups[0].get("fused") is fused
    weights[0].grad = torch.ones(3)
    optimizer.step()
    assert (weights[0] < 1).all()
