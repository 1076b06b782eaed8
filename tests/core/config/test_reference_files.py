"""Files that DeepLabCut wrote, and those of its documentation, load as they are."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from dlcore.config.loading import load_config
from dlcore.config.net_types import lay_over
from dlcore.config.yaml import parse, read
from dlcore.errors import ConfigError

_SHARED = Path(os.environ.get("DLCORE_SHARED", ""))
_FOREIGN = ("project_config.yaml", "test_pose_cfg.yaml")
WRITTEN = (
    sorted(path for path in _SHARED.glob("peer/configs/*/*.yaml") if path.name not in _FOREIGN)
    + sorted(_SHARED.glob("*/*/dlc-models-pytorch/**/pytorch_config.yaml"))
    + sorted(_SHARED.glob("peer/*/*/dlc-models-pytorch/**/pytorch_config.yaml"))
    + sorted(_SHARED.glob("peer/snapshots/*/pytorch_config.yaml"))
    if os.environ.get("DLCORE_SHARED")
    else []
)
MISSING_PART = "no plugin offers "


def problems_of(path, host):
    """What is wrong with a file, besides parts that no plugin offers yet; and those parts."""
    try:
        load_config(path, host)
    except ConfigError as error:
        parts = [p for p in error.problems if p.message.startswith(MISSING_PART)]
        return [p for p in error.problems if p not in parts], parts
    return [], []


@pytest.mark.parametrize(
    "path", WRITTEN, ids=lambda path: "-".join(path.relative_to(_SHARED).parts[-2:])
)
def test_a_file_written_by_the_reference_lacks_at_most_installed_parts(host, path):
    problems, parts = problems_of(path, host)
    assert problems == []
    assert all(part.line is not None for part in parts)
    assert len({part.key for part in parts}) == len(parts)
    if not parts:
        notices = load_config(path, host).notices
        # one file was made with a detector.device of its own, which has no effect
        assert [n for n in notices if not n.startswith("detector.device has no effect")] == []


def test_the_files_of_the_reference_are_all_there(shared):
    assert len(WRITTEN) > 150


def test_the_first_shuffle_of_the_example_project_loads(host, shared):
    project = shared / "data" / "openfield-Pranav-2018-10-30"
    train = "dlc-models-pytorch/iteration-0/openfieldOct30-trainset95shuffle1/train"
    loaded = load_config(project / train / "pytorch_config.yaml", host)
    assert loaded.config.model.backbone["model_name"] == "resnet50_gn"
    assert loaded.config.metadata.bodyparts == ["snout", "leftear", "rightear", "tailbase"]


def examples(document: Path) -> list[str]:
    """The YAML blocks of the documentation, those with several variants taken apart."""
    blocks = re.findall(r"```yaml\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL)
    found = []
    for block in blocks:
        text = block.replace("true/false", "true")
        variants = re.split(r"\n\n(?=  (?:#|optimizer|scheduler))", text)
        found += variants if text.startswith("  ") else [text]
    return found


def complete(text: str, base: dict) -> dict:
    """An example as a whole file: what it leaves out comes from `base`."""
    lines = [line for line in text.splitlines() if not re.match(r"\s*\.\.\.", line)]
    values = parse("\n".join(lines)).values
    if set(values) <= {"optimizer", "scheduler"}:
        values = {"runner": values}
    return lay_over(base, values)


def test_every_example_of_the_documentation_is_accepted(host, shared, tmp_path):
    base = read(next(path for path in WRITTEN if path.name == "top_down_resnet_50.yaml")).values
    found = examples(shared / "interop" / "pytorch_config.md")
    assert len(found) >= 14
    path = tmp_path / "example.yaml"
    for text in found:
        path.write_text(json.dumps(complete(text, base)))  # JSON is YAML
        assert problems_of(path, host)[0] == [], text


def test_the_small_config_of_the_fact_sheet_loads(host, shared, tmp_path):
    sheet = (shared / "interop" / "FACTS.md").read_text(encoding="utf-8")
    text = re.findall(r"```yaml\n(.*?)```", sheet, re.DOTALL)[-1]
    path = tmp_path / "small.yaml"
    path.write_text(text)
    loaded = load_config(path, host)
    assert loaded.config.runner.scheduler.params["lr_list"] == [[1e-4], [1e-5]]
