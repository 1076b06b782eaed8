"""What callbacks may do to a run, on a trainer that has only what is needed."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from dlcore.engine.progress import Progress
from dlcore.engine.training_run import TrainerView
from dlcore.interfaces import RunInfo


def optimizer(rate):
    groups = [nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))]
    return torch.optim.AdamW([{"params": groups[0]}, {"params": groups[1], "lr": rate / 10}], rate)


def sequential(optimizer):
    parts = [
        lr_scheduler.ConstantLR(optimizer, factor=0.1, total_iters=2),
        lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5),
    ]
    return lr_scheduler.SequentialLR(optimizer, parts, milestones=[3])


SCHEDULES = {
    "none": lambda optimizer: None,
    "StepLR": lambda optimizer: lr_scheduler.StepLR(optimizer, step_size=2),
    "CosineAnnealingLR": lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, T_max=8),
    "OneCycleLR": lambda optimizer: lr_scheduler.OneCycleLR(
        optimizer, max_lr=[group["lr"] * 10 for group in optimizer.param_groups], total_steps=9
    ),
    "SequentialLR": sequential,
}


def view(path, optimizer, scheduler=None):
    trainer = SimpleNamespace(
        data=SimpleNamespace(task=None),
        runner=SimpleNamespace(model=nn.Linear(1, 1)),
        optimizer=optimizer,
        scheduler=scheduler,
        device=torch.device("cpu"),
        schedule=SimpleNamespace(epochs=3),
        snapshots=SimpleNamespace(key_metric="metrics/test.mAP", ascending=True),
        progress=Progress(),
        in_epoch=False,
    )
    return TrainerView(trainer, RunInfo(path), ["metrics/test.mAP"]), trainer


def rates(optimizer, scheduler, steps=7):
    found = []
    for _ in range(steps):
        found.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
    return torch.tensor(found)


@pytest.mark.filterwarnings("ignore:The epoch parameter")
@pytest.mark.parametrize("make", SCHEDULES.values(), ids=SCHEDULES)
def test_another_rate_is_as_if_it_had_been_configured(tmp_path, make):
    changed, expected = optimizer(1e-3), optimizer(4e-3)
    scheduler, wanted = make(changed), make(expected)
    start = changed.param_groups[0]["lr"]

    view(tmp_path, changed, scheduler)[0].set_learning_rate(4 * start)

    torch.testing.assert_close(rates(changed, scheduler), rates(expected, wanted))


def test_the_first_reason_to_stop_is_kept(tmp_path):
    run, trainer = view(tmp_path, optimizer(1e-3))
    run.stop("enough")
    run.stop("too much")
    assert trainer.progress.stopped == "enough"


def test_logged_tensors_are_not_turned_into_numbers_yet(tmp_path):
    run, trainer = view(tmp_path, optimizer(1e-3))
    weight = nn.Parameter(torch.ones(()))
    run.log({"a": weight * 2, "b": 1.0})
    run.log({"b": 3.0})
    assert isinstance(trainer.progress.logged["a"], torch.Tensor)
    assert not trainer.progress.logged["a"].requires_grad
    assert trainer.progress.logged["b"] == 3.0


def test_the_batches_of_an_epoch_under_way_are_not_taken_away(tmp_path):
    run, trainer = view(tmp_path, optimizer(1e-3))
    trainer.in_epoch = True
    with pytest.raises(RuntimeError, match="under way"):
        next(run.training_batches())
