from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import LRScheduler, SequentialLR

from dlcore.engine.optim import build_scheduler, replay, scheduler_step
from dlcore.plugin_host import PluginHost
from dlcore_plugins.schedulers import plugin
from dlcore_plugins.schedulers.lr_list import LRListScheduler

REFERENCE = Path("peer/reference/schedulers/schedulers.json")
CASES = [
    *("lrlist", "lrlist_from_zero", "step", "multistep", "cosine", "linear", "exponential"),
    *("constant", "sequential", "chained", "config_animaltokenpose_base"),
    *("config_detector_animaltokenpose_base", "config_cspnext_m", "config_ctd_prenet_rtmpose_m"),
    *("config_rtmpose_m", "config_superanimal_bird__hrnet_w32"),
    "config_detector_superanimal_bird__hrnet_w32__fasterrcnn_mobilenet_v3_large_fpn",
    "config_superanimal_bird__rtmpose_x",
]


@pytest.fixture
def mine() -> PluginHost:
    host = PluginHost()
    host.add(plugin, name="schedulers")
    return host


def sgd(lr: float = 1.0, groups: int = 1) -> SGD:
    return SGD([{"params": [nn.Parameter(torch.zeros(1))]} for _ in range(groups)], lr=lr)


def rates(scheduler: LRScheduler, epochs: int) -> list[float]:
    used = []
    for _ in range(epochs):
        used.append(scheduler.optimizer.param_groups[0]["lr"])
        scheduler.optimizer.step()
        scheduler_step(scheduler, None)
    return used


# Parity with the reference


def test_no_reference_case_is_forgotten(shared: Path) -> None:
    assert set(json.loads((shared / REFERENCE).read_text())) == set(CASES)


@pytest.mark.parametrize("case", CASES)
class TestReference:
    @pytest.fixture
    def known(self, shared: Path, case: str) -> dict[str, Any]:
        known: dict[str, Any] = json.loads((shared / REFERENCE).read_text())[case]
        return known

    def test_each_epoch_has_the_known_rate(self, mine: PluginHost, known: dict[str, Any]) -> None:
        scheduler = build_scheduler(mine, known["scheduler"], sgd(known["lr"]), "s")

        assert rates(scheduler, known["epochs"]) == pytest.approx(known["lr_per_epoch"], rel=1e-9)

    def test_resuming_with_the_saved_state_goes_on(
        self, mine: PluginHost, known: dict[str, Any]
    ) -> None:
        resumed = known["resumed_with_state"]
        first = build_scheduler(mine, known["scheduler"], sgd(known["lr"]), "s")
        rates(first, resumed["after_epoch"])
        second = build_scheduler(mine, known["scheduler"], sgd(known["lr"]), "s")
        second.load_state_dict(first.state_dict())
        second.optimizer.param_groups[0]["lr"] = second.get_last_lr()[0]

        used = rates(second, known["epochs"] - resumed["after_epoch"])

        assert used == pytest.approx(resumed["lr_per_epoch_after"], rel=1e-9)

    def test_resuming_without_a_state_goes_on_as_if_never_interrupted(
        self, mine: PluginHost, known: dict[str, Any]
    ) -> None:
        done = known["resumed_without_state"]["after_epoch"]
        scheduler = build_scheduler(mine, known["scheduler"], sgd(known["lr"]), "s")

        replay(scheduler, done)

        used = rates(scheduler, known["epochs"] - done)
        assert used == pytest.approx(known["lr_per_epoch"][done:], rel=1e-9)


# What it promises


def test_a_milestone_acts_from_the_next_epoch() -> None:
    scheduler = LRListScheduler(sgd(0.5), milestones=[2, 3], lr_list=[[0.1], [0.01]])

    assert rates(scheduler, 5) == [0.5, 0.5, 0.1, 0.01, 0.01]


def test_milestone_zero_acts_at_once() -> None:
    assert rates(LRListScheduler(sgd(), milestones=[0], lr_list=[[0.1]]), 2) == [0.1, 0.1]


def test_each_parameter_group_has_its_rate() -> None:
    optimizer = sgd(groups=2)
    scheduler = LRListScheduler(optimizer, milestones=[0], lr_list=[[0.1, 0.2]])

    assert scheduler.get_last_lr() == [0.1, 0.2]


def test_a_plain_number_stands_for_all_groups() -> None:
    scheduler = LRListScheduler(sgd(groups=2), milestones=[0], lr_list=[0.1])

    assert scheduler.get_last_lr() == [0.1, 0.1]


def test_the_state_has_the_names_of_the_reference() -> None:
    scheduler = LRListScheduler(sgd(), milestones=[1], lr_list=[[0.1]])

    public = {"milestones", "lr_list", "base_lrs", "last_epoch"}
    assert public | {"_step_count", "_last_lr", "_get_lr_called_within_step"} <= set(
        scheduler.state_dict()
    )
    assert {name for name in scheduler.state_dict() if name[0] != "_"} == public


def test_changing_the_rate_does_not_change_the_list() -> None:
    scheduler = LRListScheduler(sgd(), milestones=[0], lr_list=[[0.1]])
    scheduler.get_last_lr()[0] = 7.0

    assert scheduler.lr_list == [[0.1]]


def test_it_starts_when_its_turn_comes() -> None:
    optimizer = sgd()
    parts = [
        LRListScheduler(optimizer, milestones=[1], lr_list=[[0.3]]),
        LRListScheduler(optimizer, milestones=[0], lr_list=[[0.1]]),
    ]

    assert rates(SequentialLR(optimizer, parts, [3]), 5) == [1.0, 0.3, 0.3, 0.1, 0.1]


@pytest.mark.parametrize(
    ("milestones", "lr_list", "message"),
    [
        ([1, 2], [[0.1]], "milestones has 2 entries and lr_list has 1"),
        ([1], [[0.1, 0.2]], r"for each of the 1 parameter group\(s\), got \[\[0.1, 0.2\]\]"),
        ([1], [[]], "for each of the 1 parameter group"),
        ([2, 2], [[0.1], [0.2]], r"milestones must be different epochs from 0 on, got \[2, 2\]"),
        ([-1], [[0.1]], "milestones must be different epochs from 0 on"),
        ([1], [[-0.1]], "lr_list must not hold negative numbers"),
    ],
)
def test_lists_that_do_not_fit_are_refused(
    milestones: list[int], lr_list: list[Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        LRListScheduler(sgd(), milestones=milestones, lr_list=lr_list)
