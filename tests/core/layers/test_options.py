import subprocess
import sys

import pytest
from pydantic import ValidationError

from dlcore.layers.options import DeconvolutionOptions


def test_upsampling_is_the_product_of_the_strides():
    options = DeconvolutionOptions(channels=[8, 4, 2], kernel_size=[3, 4], strides=[2, 3])

    assert options.upsampling == 6
    assert options.out_channels == 2


def test_without_layers_nothing_changes():
    options = DeconvolutionOptions(channels=[8], final_conv={"out_channels": 3, "kernel_size": 1})

    assert options.upsampling == 1
    assert options.out_channels == 3
    assert options.size(16) == 16


@pytest.mark.parametrize(
    "values",
    [
        {"channels": [8, 3], "kernel_size": [3], "strides": [2, 2]},
        {"channels": [8, 3], "kernel_size": [], "strides": []},
        {"channels": []},
    ],
)
def test_lists_that_do_not_go_together_are_refused(values):
    with pytest.raises(ValidationError, match="channels needs one entry more"):
        DeconvolutionOptions(**values)


@pytest.mark.parametrize(
    "values",
    [
        {"channels": [8, 0], "kernel_size": [3], "strides": [2]},
        {"channels": [8, 3], "kernel_size": [3], "strides": [-2]},
        {"channels": [8, 3], "kernel_size": [3], "strides": [2], "padding": [1]},
        {"channels": [8], "final_conv": {"out_channels": 3}},
    ],
)
def test_values_without_meaning_and_unknown_keys_are_refused(values):
    with pytest.raises(ValidationError):
        DeconvolutionOptions(**values)


def test_options_never_import_torch():
    program = "import sys, dlcore.layers.options\nsys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
