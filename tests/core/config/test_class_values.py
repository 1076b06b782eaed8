from __future__ import annotations

import sys

from dlcore import Component
from dlcore.config.class_values import read_values

NAMES = ("approach", "stride", "parameters", "gflops")


def test_own_and_inherited_values_are_read_without_importing(make_package):
    name = make_package(
        base="""
            import no_such_module

            WIDE = 8

            class Base(no_such_module.Thing):
                approach: str = "td"
                stride = WIDE
                gflops: float
        """,
        net="""
            from typing import ClassVar
            from PACKAGE.base import Base

            class Net(Base):
                stride: ClassVar[float] = 2.5
                parameters, gflops = 1, compute()
                other = 3
        """,
    )

    values = read_values(Component("Net", f"{name}.net:Net"), NAMES)

    assert values == {"approach": "td", "stride": 2.5, "parameters": 1}
    assert f"{name}.net" not in sys.modules


def test_an_inherited_value_may_be_a_constant_of_its_module(make_package):
    name = make_package(net="WIDE = 8\n\nclass Net:\n    stride = WIDE\n")

    assert read_values(Component("Net", f"{name}.net:Net"), NAMES) == {"stride": 8}


def test_what_cannot_be_read_has_no_values(make_package):
    name = make_package(net="class Net(:\n")

    assert read_values(Component("Net", f"{name}.net:Net"), NAMES) == {}
    assert read_values(Component("Net", f"{name}.gone:Net"), NAMES) == {}


def test_what_the_interface_says_is_inherited(host):
    component = host.find("net_types", "light_efficientnet").component

    assert read_values(component, ("approach",)) == {"approach": "bu"}
