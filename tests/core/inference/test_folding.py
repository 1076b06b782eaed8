"""Batch norms in convolutions: the same outputs from fewer modules, or nothing is changed."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn

from dlcore.inference.folding import fold_norms
from dlcore.inference.trained_model import load_model

IMAGES = torch.randn(2, 8, 12, 10, generator=torch.Generator().manual_seed(0))


class Derived(nn.BatchNorm2d):
    def forward(self, images):
        return super().forward(images).relu()


class Standardized(nn.Conv2d):
    def forward(self, images):
        return self._conv_forward(images, self.weight - self.weight.mean(), self.bias)


class Twice(nn.Module):
    """What its convolution gives goes into the norm and past it."""

    def __init__(self):
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8)

    def forward(self, images):
        images = self.convolution(images)
        return images + self.norm(images)


def prepared(*modules):
    """A network whose norms are far from doing nothing, ready to predict."""
    torch.manual_seed(1)
    model = nn.Sequential(*modules).eval()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.affine:
            module.running_mean.normal_()
            module.running_var.uniform_(0.1, 2)
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    return model


def fold(model):
    """How many norms were folded, and the largest change of the outputs."""
    with torch.no_grad():
        before = model(IMAGES)
        count = fold_norms(model, lambda: [model(IMAGES)])
        return count, ((model(IMAGES) - before).abs().max() / before.abs().max()).item()


def norms(model):
    return [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]


@pytest.mark.parametrize(
    "convolution",
    [
        nn.Conv2d(8, 16, 3, padding=1),
        nn.Conv2d(8, 16, 3, stride=2, bias=False),
        nn.Conv2d(8, 16, 3, groups=8),
        nn.ConvTranspose2d(8, 16, 4, stride=2),
        nn.ConvTranspose2d(8, 16, 4, bias=False),
    ],
)
@pytest.mark.parametrize("affine", [True, False])
def test_a_norm_after_a_convolution_becomes_part_of_it(convolution, affine):
    model = prepared(deepcopy(convolution), nn.BatchNorm2d(16, affine=affine), nn.ReLU())
    count, change = fold(model)
    assert count == 1
    assert not norms(model)
    assert change < 1e-5


def test_norms_that_follow_something_else_stay():
    model = prepared(nn.BatchNorm2d(8), nn.Conv2d(8, 8, 1), nn.ReLU(), nn.BatchNorm2d(8))
    assert fold(model) == (0, 0)
    assert len(norms(model)) == 2


def test_a_derived_norm_that_does_the_same_becomes_part_of_it_too():
    class Same(nn.BatchNorm2d):
        pass

    model = prepared(nn.Conv2d(8, 8, 1), Same(8))
    count, change = fold(model)
    assert count == 1
    assert change < 1e-5


def test_a_norm_after_an_activation_in_place_stays_and_others_do_not():
    first, second = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1)
    model = prepared(first, nn.ReLU(inplace=True), nn.BatchNorm2d(8), second, nn.BatchNorm2d(8))
    count, change = fold(model)
    assert count == 1
    assert change < 1e-5


class Again(nn.Module):
    """Two convolutions with the same norm."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1)
        self.norm = nn.BatchNorm2d(8)

    def forward(self, images):
        return self.norm(self.first(images)) + self.norm(self.second(images))


class TwoNames(nn.Module):
    """Its norm is called by the second of its names."""

    def __init__(self):
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8)
        self.alias = self.norm

    def forward(self, images):
        return self.alias(self.convolution(images))


def used_twice():
    shared = nn.Conv2d(8, 8, 1)
    return nn.Sequential(shared, nn.BatchNorm2d(8), shared)


@pytest.mark.parametrize(
    "make", [lambda: nn.Sequential(nn.Conv2d(8, 8, 1), Derived(8)), Again, TwoNames, used_twice]
)
def test_others_become_part_of_their_convolution_where_one_cannot(make):
    """The one: a norm that does more, is used twice, has two names, or a convolution used twice."""
    model = prepared(nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8), make())
    count, change = fold(model)
    assert count == 1
    assert change < 1e-5
    assert norms(model)


def test_a_convolution_whose_weights_are_computed_or_laid_out_otherwise_stays():
    computed = nn.utils.parametrizations.weight_norm(nn.Conv2d(8, 8, 1))
    model = prepared(computed, nn.BatchNorm2d(8), nn.ConvTranspose2d(8, 8, 4, groups=4))
    model.append(prepared(nn.BatchNorm2d(8))[0])
    assert fold(model) == (0, 0)
    assert len(norms(model)) == 2


@pytest.mark.parametrize("other", [Twice(), Standardized(8, 8, 3)])
def test_all_is_put_back_if_the_outputs_would_change(other):
    more = [nn.BatchNorm2d(8)] if isinstance(other, Standardized) else []
    model = prepared(nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8), deepcopy(other), *more)
    names = list(model.state_dict())
    assert fold(model) == (0, 0)
    assert list(model.state_dict()) == names
    assert len(norms(model)) == 2


def test_a_prediction_has_no_norms_left_and_finds_the_same(shared):
    folder = shared / "peer" / "snapshots" / "multi_identity_unique_cspnext_s"
    plain, folded = load_model(folder), load_model(folder)
    images = sorted((folder / "images").glob("*.png"))
    plain.estimator.network.compute._fold = False
    for one, other in zip(plain.predict(images), folded.predict(images), strict=True):
        np.testing.assert_allclose(one.poses, other.poses, atol=1e-3)
    assert norms(plain.estimator.network.compute.model)
    assert not norms(folded.estimator.network.compute.model)
