"""The results as tables for a terminal, or in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Rows = list[list[str]]


def render(results: Mapping[str, Any], *, markdown: bool) -> str:
    """All tables of a result, with what they were measured on."""
    blocks = [_heading(results, markdown=markdown)]
    for title, rows in _tables(results):
        text = _markdown(rows) if markdown else _plain(rows)
        blocks.append(f"{'### ' if markdown else ''}{title}\n\n{text}")
    if results["problems"]:
        blocks.append("\n".join(["Problems:", *(f"- {p}" for p in results["problems"])]))
    return "\n\n".join(blocks)


def _heading(results: Mapping[str, Any], *, markdown: bool) -> str:
    machine = results["machine"]
    packages = ", ".join(f"{n} {v}" for n, v in machine["packages"].items() if v)
    lines = [
        f"date: {results['date']}",
        f"machine: {machine['cpu']}, {machine['cores']} cores ({' '.join(machine['flags'])})",
        f"GPU: {machine['gpu'] or 'none'}",
        f"versions: Python {machine['python']}, {packages}; DeepLabCut: {results['deeplabcut']}",
        f"command: {results['command']}",
        f"neighbours when it began: {_number(results['neighbours'])} cores",
    ]
    return "\n".join(f"- {line}" for line in lines) if markdown else "\n".join(lines)


def _tables(results: Mapping[str, Any]) -> Iterator[tuple[str, Rows]]:
    if results.get("train"):
        yield "Training, images/s", _train(results["train"])
    if results.get("parts"):
        yield "Parts of a training step, ms", _parts(results["parts"])
    if results.get("predict"):
        yield "Predicting a video, frames/s", _predict(results["predict"])
    if results.get("startup"):
        yield "Start-up", _startup(results["startup"])
    scaling = results.get("scaling", {})
    if scaling.get("processes"):
        yield "Two processes, images/s", _processes(scaling["processes"])
    if scaling.get("images"):
        yield "Seconds for an epoch", _images(scaling["images"])


def _train(found: Mapping[str, Any]) -> Rows:
    rows = [["net", "in", "dlcore", "DeepLabCut", "light", "x DeepLabCut", "x light", *_TRUST]]
    for name, one in found.items():
        rows.append([
            name, one["precision"] + (" compiled" if one["compiled"] else ""),
            *(_number(one[f"{who}_images_per_s"]) for who in ("dlcore", "deeplabcut", "light")),
            *_ratios(one), *_trust(one),
        ])  # fmt: skip
    return rows


_TRUST = ("rounds", "spread", "neighbours")


def _trust(one: Mapping[str, Any]) -> list[str]:
    """How far to believe the numbers: rounds, largest spread, cores that others used at most."""
    rounds = max((len(values) for values in one["values"].values()), default=0)
    spread = max(one["spread"].values(), default=0.0)
    return [str(rounds), f"{spread:.0%}", _number(one.get("neighbours"))]


def _ratios(one: Mapping[str, Any]) -> list[str]:
    return [_number(one["ratio_to_deeplabcut"]), _number(one["ratio_to_light"])]


def _parts(found: Mapping[str, Any]) -> Rows:
    rows: Rows = []
    for name, one in found.items():
        if not rows:
            rows.append(["net", *one["ms_per_step"], "targets %", "bound by"])
        values = [_number(value) for value in one["ms_per_step"].values()]
        rows.append([name, *values, f"{100 * one['target_share']:.1f}", one["bound_by"]])
    return rows


def _predict(found: Mapping[str, Any]) -> Rows:
    rows = [[
        "net", "in", "dlcore", "DeepLabCut", "x DeepLabCut", "dlcore running",
        "DeepLabCut running", "network", "decoder", "x light", *_TRUST,
    ]]  # fmt: skip
    for name, one in found.items():
        keys = (
            "dlcore_running_frames_per_s", "deeplabcut_running_frames_per_s",
            "model_frames_per_s", "decoder_frames_per_s", "ratio_to_light",
        )  # fmt: skip
        rows.append([
            name, one["precision"], _number(one["dlcore_frames_per_s"]),
            _number(one["deeplabcut_frames_per_s"]), _number(one["ratio_to_deeplabcut"]),
            *(_number(one[key]) for key in keys), *_trust(one),
        ])  # fmt: skip
    return rows


def _startup(found: Mapping[str, Any]) -> Rows:
    rows = [["what", "dlcore", "DeepLabCut", "least", "x DeepLabCut", "spread", "neighbours"]]
    for name, one in found.items():
        unit = "mib" if "dlcore_mib" in one else "s"
        values = [_number(one[f"{who}_{unit}"]) for who in ("dlcore", "deeplabcut", "light")]
        _, spread, others = _trust(one)
        shown = f"{name}, {'MiB' if unit == 'mib' else 's'}"
        rows.append([shown, *values, _number(one["ratio_to_deeplabcut"]), spread, others])
    return rows


def _processes(found: Mapping[str, Any]) -> Rows:
    rows = [["net", "one process", "two processes", "ratio", "threads of each"]]
    for name, one in found.items():
        keys = ("one_images_per_s", "two_images_per_s", "ratio")
        rows.append([name, *(_number(one[key]) for key in keys), str(one["threads_of_each"])])
    return rows


def _images(found: Sequence[Mapping[str, Any]]) -> Rows:
    rows = [["images", "s per epoch", "us per image", "peak MiB", "neighbours"]]
    keys = ("seconds_per_epoch", "us_per_image", "peak_mib", "neighbours")
    return rows + [[str(one["images"]), *(_number(one[key]) for key in keys)] for one in found]


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _plain(rows: Rows) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [first.ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _markdown(rows: Rows) -> str:
    head, *body = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    line = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, line, *body))
