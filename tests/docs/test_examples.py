"""The configs that come with dlcore are right."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcore.config.loading import load_config

EXAMPLES = Path(__file__).parents[2] / "examples"
CONFIGS = sorted(
    path
    for folder in ("openfield", "flies_pair", "mirror_mouse")
    for path in (EXAMPLES / folder).glob("*.yaml")
)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_an_example_config_has_no_mistake(path, host):
    loaded = load_config(path, host)

    assert loaded.notices == []
    assert path.name in path.read_text()  # its header shows how to train with it


def test_all_examples_are_looked_at():
    assert len(CONFIGS) == 5
