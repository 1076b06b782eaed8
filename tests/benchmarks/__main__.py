"""Measure dlcore beside DeepLabCut and beside the speed of light, and print a table.

The speed of light is the same model on tensors that are there already, with the same losses,
optimizer, arithmetic and layout: what a training or a prediction could be at best.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.benchmarks import machine
from tests.benchmarks.job import Settings
from tests.benchmarks.processes import ChildError, run
from tests.benchmarks.session import LOUD, WHAT, Session, say
from tests.benchmarks.table import render

NET_TYPES = ("resnet_50", "hrnet_w18", "cspnext_s", "dekr_w18", "resnet_50_paf")


def main(arguments: list[str] | None = None) -> int:
    """Measure.

    Returns:
        0; 1 if something could not be measured.
    """
    parser = _parser()
    args = parser.parse_args(arguments)
    if args.steps < 1 or args.rounds < 1:
        parser.error("--steps and --rounds must be at least 1")
    about = machine.describe()
    device = "cuda" if args.device == "auto" and about["gpu"] else args.device
    others = machine.neighbours()
    if others is not None and others > LOUD:
        say(f"others use {others:.1f} of {about['cores']} cores (load {machine.load_average()}): "
            f"the numbers will not be worth much")  # fmt: skip
        if args.refuse_busy:
            return 1
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="dlcore-benchmarks-") as folder:
        settings = Settings(
            folder=Path(folder),
            batch_size=args.batch_size,
            size=args.size,
            steps=args.steps,
            frames=args.frames,
            video=args.video,
            repeats=args.repeats,
            device=device,
            threads=args.threads or about["cores"],
            overrides=tuple(args.set),
            simulated=tuple(args.images),
            timeout=args.timeout,
        )
        settings, peer = _with_peer(settings, args, parser)
        say(f"DeepLabCut: {peer}")
        session = Session(settings, args.net_type, args.precision)

        def finish() -> dict[str, Any]:
            results = {
                "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
                "command": shlex.join(["python", "-m", "tests.benchmarks", *_words(arguments)]),
                "seconds": time.perf_counter() - start,
                "machine": about,
                "device": device,
                "threads": settings.threads,
                "batch_size": settings.batch_size,
                "size": settings.size,
                "deeplabcut": peer,
                "neighbours": others,
                "load_average": machine.load_average(),
                "problems": session.problems,
                **session.results,
            }
            if args.json is not None:
                _write(args.json, results)
            return results

        for number in range(1, args.rounds + 1):
            session.measure(args.what, number)
            finish()
        for what in args.what:
            session.measure_once([what])
            finish()
        results = finish()
    sys.stdout.write(render(results, markdown=args.markdown) + "\n")
    return 1 if session.problems else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    add = parser.add_argument
    add("--peer", type=Path, metavar="PYTHON", help="of an environment with DeepLabCut")
    add("--peer-script", type=Path, metavar="FILE",
        help="drives DeepLabCut; default: $DLCORE_SHARED/peer/peer.py")  # fmt: skip
    add("--net-type", nargs="+", default=list(NET_TYPES), metavar="NAME",
        help="as for `dlcore init`, for one animal; with _paf behind it for several")  # fmt: skip
    add("--what", nargs="+", choices=WHAT, default=["train", "parts", "predict", "startup"])
    add("--precision", nargs="+", default=["auto"], choices=["auto", "fp32", "bf16", "fp16"])
    add("--rounds", type=int, default=3)
    add("--steps", type=int, default=6, help="measured in each round, after those that warm up")
    add("--batch-size", type=int, default=8)
    add("--size", type=int, default=448, help="width and height of crops and frames, in pixels")
    add("--device", default="auto")
    add("--threads", type=int, help="of each process; default: all cores")
    add("--frames", type=int, default=200, help="of the video that is drawn")
    add("--video", type=Path, help="predict this one instead")
    add("--repeats", type=int, default=10, help="of each quick command, in each round")
    add("--images", type=int, nargs="+", default=[100, 1000, 10_000, 100_000],
        help="simulated numbers of images, for `--what scaling`")  # fmt: skip
    add("--set", action="append", default=[], metavar="KEY=VALUE",
        help="for the configs of dlcore and of the speed of light")  # fmt: skip
    add("--timeout", type=float, default=3600.0, help="seconds for one process")
    add("--json", type=Path, metavar="FILE", help="write all values there, after each round")
    add("--markdown", action="store_true", help="print the tables in Markdown")
    add("--refuse-busy", action="store_true", help="measure nothing while others use the machine")
    return parser


def _with_peer(
    settings: Settings, args: argparse.Namespace, parser: argparse.ArgumentParser
) -> tuple[Settings, str]:
    """The settings with DeepLabCut, if it can be had, and its version or why it is left out."""
    if args.peer is None:
        return settings, "left out: no --peer"
    script = args.peer_script
    if script is None and os.environ.get("DLCORE_SHARED"):
        script = Path(os.environ["DLCORE_SHARED"], "peer", "peer.py")
    if script is None or not script.is_file():
        parser.error("--peer needs the script that drives DeepLabCut: give --peer-script FILE")
    python = args.peer.absolute()
    settings = replace(settings, peer=python, peer_script=script.absolute())
    try:
        versions = run(settings.peer_command("env")).result()
        takes_device = "--device" in run(settings.peer_command("train", "--help")).stdout
    except ChildError as error:
        parser.error(f"--peer: {error}")
    if takes_device:
        settings = replace(settings, peer_options=("--device", settings.device))
    elif settings.device.startswith("cuda"):
        return replace(settings, peer=None), "left out: its script computes on the CPU only"
    packages = versions.get("packages", versions)
    return settings, f"{packages.get('deeplabcut')}, torch {packages.get('torch')}"


def _words(arguments: list[str] | None) -> list[str]:
    return sys.argv[1:] if arguments is None else arguments


def _write(path: Path, results: dict[str, Any]) -> None:
    temporary = path.with_name(f"{path.name}.part")
    temporary.write_text(json.dumps(results, indent=1), encoding="utf-8")
    temporary.replace(path)


if __name__ == "__main__":
    # so that the process that is being measured ends, too
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
