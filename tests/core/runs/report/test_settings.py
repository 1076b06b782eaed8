from __future__ import annotations

from dlcore.runs.report.settings import config_values, environment_of, plugins_of

VALUES = {
    "net_type": "resnet_50",
    "runner": {"optimizer": {"type": "AdamW", "params": {"lr": 1e-3}}, "gpus": [0, 1]},
    "logger": [{"type": "CSVLogger"}, {"type": "Other", "options": {}}],
}
PROVENANCE = {"net_type": "line 1", "runner.gpus": "--set", "logger[0].type": "line 7"}


def test_every_value_has_its_key_and_its_source():
    sections = config_values(VALUES, PROVENANCE)
    found = {(i.key, i.text, i.source) for items in sections.values() for i in items}

    assert found == {
        ("net_type", '"resnet_50"', "line 1"),
        ("runner.optimizer.type", '"AdamW"', "default"),
        ("runner.optimizer.params.lr", "0.001", "default"),
        ("runner.gpus", "[0, 1]", "--set"),
        ("logger[0].type", '"CSVLogger"', "line 7"),
        ("logger[1].type", '"Other"', "default"),
        ("logger[1].options", "{}", "default"),
    }
    assert [item.key for items in sections.values() for item in items if item.is_own] == [
        "net_type",
        "logger[0].type",
        "runner.gpus",
    ]


def test_a_value_that_became_a_block_comes_from_where_the_value_came_from():
    values = {"model": {"weight_init": {"type": "heatmap/Normal"}}}
    [item] = config_values(values, {"model.weight_init": "line 5"})["model"]
    assert item.source == "line 5"


def test_without_provenance_nothing_is_said_of_sources():
    items = [item for items in config_values(VALUES, None).values() for item in items]
    assert {item.source for item in items} == {""}
    assert not any(item.is_own for item in items)


def test_environment_and_plugins_may_be_missing_or_something_else():
    assert environment_of({}) == plugins_of({"plugins": 3}) == []
    manifest = {"version": "1", "python": "3", "torch": "2", "environment": {"device": "cpu"}}
    assert ("device", "cpu") in environment_of(manifest)
    by_file = {"plugins": {"mine": {"distribution": None, "version": None, "file": "/my.py"}}}
    assert plugins_of(by_file) == [("mine", "/my.py", "")]
