"""Batch norms folded into the convolutions before them: the same numbers in fewer passes.

When nothing is trained, a batch norm is a factor and an offset for each channel, and a convolution
with other weights gives the result of both. Which norm follows which convolution is seen by
watching the network compute, so that any model can be folded, and the result is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from dlcore.engine.run_folder import LOGGER

Convolution = nn.Conv2d | nn.ConvTranspose2d
Norm = nn.BatchNorm2d | nn.SyncBatchNorm

_CLOSE = 1e-4  # of the largest value of an output


def fold_norms(model: nn.Module, compute: Callable[[], Sequence[Tensor]]) -> int:
    """Fold every batch norm that directly follows a convolution into it.

    Args:
        model: Ready to predict; changed in place, and of no use for training afterwards.
        compute: Runs the model on some images and gives its outputs. Called twice at most.

    Returns:
        How many norms were folded. None if the outputs would not be the same: a convolution that
        does something of its own with its weights, or whose output is used elsewhere, too.
    """
    with torch.inference_mode(False), torch.no_grad(), _exact():
        places = _places(model)
        pairs, before = _watch(model, compute)
        folds = [_Fold(*pair, *places[pair[1]]) for pair in pairs if pair[1] in places]
        for fold in folds:
            fold.apply()
        if folds and not _same(before, compute()):
            for fold in folds:
                fold.undo()
            LOGGER.debug("batch norms are computed one by one: folding them changes the outputs")
            return 0
    return len(folds)


@dataclass
class _Fold:
    """A norm that a convolution can do the work of.

    Attributes:
        convolution: It comes first.
        norm: It takes what the convolution gives.
        parent: The module that has the norm.
        name: Of the norm in there.
    """

    convolution: Convolution
    norm: Norm
    parent: nn.Module
    name: str

    def apply(self) -> None:
        convolution, norm = self.convolution, self.norm
        assert norm.running_mean is not None
        assert norm.running_var is not None
        self._before = convolution.weight, convolution.bias
        convolution.weight, convolution.bias = fuse_conv_bn_weights(
            convolution.weight,
            convolution.bias,
            norm.running_mean,
            norm.running_var,
            norm.eps,
            norm.weight,
            norm.bias,
            transpose=convolution.transposed,
        )
        setattr(self.parent, self.name, nn.Identity())

    def undo(self) -> None:
        self.convolution.weight, self.convolution.bias = self._before
        setattr(self.parent, self.name, self.norm)


def _watch(
    model: nn.Module, compute: Callable[[], Sequence[Tensor]]
) -> tuple[list[tuple[Convolution, Norm]], Sequence[Tensor]]:
    """Convolutions and the norms that take what they give, each used once; and the outputs."""
    # What each convolution gave, by id, and its version: something may write into it.
    given: dict[int, tuple[Convolution, Tensor, int]] = {}
    used: list[nn.Module] = []
    pairs: list[tuple[Convolution, Norm]] = []

    def after_convolution(module: Any, inputs: Any, output: Tensor) -> None:
        used.append(module)
        given[id(output)] = module, output, output._version

    def after_norm(module: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        used.append(module)
        found = given.get(id(inputs[0])) if inputs else None
        if found is None:
            return
        convolution, images, version = found
        if images._version == version and _same([output], [_plain(module, images)]):
            pairs.append((convolution, module))

    hooks = []
    for module in model.modules():
        if isinstance(module, Convolution):
            hooks.append(module.register_forward_hook(after_convolution))
        elif isinstance(module, Norm) and module.running_mean is not None:
            hooks.append(module.register_forward_hook(after_norm))
    try:
        outputs = compute()
    finally:
        for hook in hooks:
            hook.remove()
    once = [
        (convolution, norm)
        for convolution, norm in pairs
        if used.count(convolution) == used.count(norm) == 1 and _can_change(convolution)
    ]
    return once, outputs


def _plain(norm: Norm, images: Tensor) -> Tensor:
    """What a norm gives that does nothing else; a class derived from it may."""
    return F.batch_norm(
        images, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps
    )


def _can_change(convolution: Convolution) -> bool:
    """Whether its weights are its own, and laid out as torch's folding takes them."""
    computed = not isinstance(convolution._parameters.get("weight"), nn.Parameter)
    return not computed and not (convolution.transposed and convolution.groups > 1)


def _places(model: nn.Module) -> dict[nn.Module, tuple[nn.Module, str]]:
    """The parent of each module and its name there, for those that have only one."""
    found: dict[nn.Module, list[tuple[nn.Module, str]]] = {}
    for path, child in model.named_modules(remove_duplicate=False):
        parent, _, name = path.rpartition(".")
        found.setdefault(child, []).append((model.get_submodule(parent), name))
    return {child: places[0] for child, places in found.items() if len(places) == 1}


def _exact() -> Any:
    """Convolutions in float32 even where a GPU would round their inputs."""
    return torch.backends.cudnn.flags(
        enabled=torch.backends.cudnn.enabled,
        benchmark=torch.backends.cudnn.benchmark,
        deterministic=torch.backends.cudnn.deterministic,
        allow_tf32=False,
    )


def _same(one: Sequence[Tensor], other: Sequence[Tensor]) -> bool:
    return len(one) == len(other) and all(
        a.shape == b.shape and bool((a - b).abs().max() <= _CLOSE * a.abs().max())
        for a, b in zip(one, other, strict=True)
        if a.numel()
    )
