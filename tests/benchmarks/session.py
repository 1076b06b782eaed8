"""What is measured in which order, and what becomes of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from tests.benchmarks import parts, prediction, scaling, startup, training
from tests.benchmarks.job import Job, Net, Settings, make_job
from tests.benchmarks.processes import ChildError
from tests.benchmarks.results import most, summarise
from tests.benchmarks.training import DEEPLABCUT, DLCORE, LIGHT, Measured

WHAT = ("train", "parts", "predict", "startup", "scaling")
LOUD = 0.25
"""Cores that others use from which on a value is marked."""

T = TypeVar("T")


class Session:
    """Measures in rounds: within one, everything is measured once, one after the other.

    Args:
        settings: What the user asked for.
        nets: To train and to predict with.
        precisions: Of the training and the prediction; the first one has the plain names.

    Attributes:
        results: `train`, `parts`, `predict`, `startup` and `scaling`, as far as they are measured.
        problems: What could not be measured, and why.
    """

    def __init__(self, settings: Settings, nets: Sequence[str], precisions: Sequence[str]) -> None:
        self._settings = settings
        self._nets = [Net(name) for name in nets]
        self._precisions = list(precisions)
        self._jobs: dict[str, Job] = {}
        self._clips: dict[str, prediction.Clip] = {}
        self._rounds: dict[tuple[str, str], list[dict[str, Measured]]] = {}
        self._startup: dict[str, list[dict[str, float]]] = {}
        self._startup_neighbours: list[float | None] = []
        self.results: dict[str, Any] = {}
        self.problems: list[str] = []

    def measure(self, what: Sequence[str], number: int) -> None:
        """One round of what is measured several times.

        Args:
            what: Of `WHAT`.
            number: Of the round, from 1.
        """
        if "train" in what:
            for net in self._nets:
                for precision in self._precisions:
                    self._train(net, precision, f"round {number}: train")
        if "predict" in what:
            for net in self._nets:
                if net.animals > 1:
                    if number == 1:
                        say(f"predict {net.name}: left out, as an untrained net for several "
                            f"animals finds too many of them")  # fmt: skip
                    continue
                for precision in self._precisions:
                    self._predict(net, precision, f"round {number}: predict")
        if "startup" in what:
            self._start_up(f"round {number}: startup")

    def measure_once(self, what: Sequence[str]) -> None:
        """What one run is enough for: its numbers are shares of the same run."""
        if "parts" in what:
            for net in self._nets:
                for precision in self._precisions:
                    self._profile(net, precision)
        if "scaling" in what:
            self._scale()

    def _train(self, net: Net, precision: str, title: str) -> None:
        name, settings = self._name(net, precision), self._settings
        job = self._job(net)
        if job is None:
            return
        one: dict[str, Measured] = {}
        ours = self._try(
            f"{title} {name}: dlcore", lambda: training.train_dlcore(settings, job, precision)
        )
        if ours is not None:
            one[DLCORE] = ours
            light = self._try(
                f"{title} {name}: light", lambda: training.train_light(settings, job, ours.about)
            )
            one |= {LIGHT: light} if light is not None else {}
        if settings.peer is not None:
            theirs = self._try(
                f"{title} {name}: DeepLabCut",
                lambda: training.deeplabcut_at_its_best(settings, job),
            )
            one |= {DEEPLABCUT: theirs} if theirs is not None else {}
        self._add("train", name, one, "images_per_s")

    def _predict(self, net: Net, precision: str, title: str) -> None:
        name, settings = self._name(net, precision), self._settings
        if net.name not in self._clips:
            clip = self._try(f"{name}: a run to predict with", lambda: self._clip(net))
            if clip is None:
                return
            self._clips[net.name] = clip
        clip = self._clips[net.name]
        one: dict[str, Measured] = {}
        ours = self._try(
            f"{title} {name}: dlcore", lambda: prediction.predict_dlcore(settings, clip, precision)
        )
        if ours is not None:
            one[DLCORE] = ours
            light = self._try(
                f"{title} {name}: light",
                lambda: prediction.predict_light(settings, clip, ours.about),
            )
            one |= {LIGHT: light} if light is not None else {}
        if settings.peer is not None:
            theirs = self._try(
                f"{title} {name}: DeepLabCut",
                lambda: prediction.predict_deeplabcut(settings, clip),
            )
            one |= {DEEPLABCUT: theirs} if theirs is not None else {}
        self._add("predict", name, one, "frames_per_s")
        self._describe_prediction(name)

    def _add(self, what: str, name: str, one: dict[str, Measured], unit: str) -> None:
        rounds = self._rounds.setdefault((what, name), [])
        rounds.append(one)
        if not any(rounds):
            return
        summary = summarise([{who: m.value for who, m in r.items()} for r in rounds], unit)
        ran = [measured for r in rounds for measured in r.values()]
        ours = [r[DLCORE].about for r in rounds if DLCORE in r]
        summary |= {
            "neighbours": most([measured.ran.neighbours for measured in ran]),
            "precision": "/".join(dict.fromkeys(about["precision"] for about in ours)),
            "compiled": any(about.get("compiled") for about in ours),
            "about": [{who: m.about for who, m in r.items()} for r in rounds],
        }
        self.results.setdefault(what, {})[name] = summary

    def _describe_prediction(self, name: str) -> None:
        """Add the speeds without start-up; these are compared with the speed of light."""
        rounds = self._rounds["predict", name]
        if name not in self.results.get("predict", {}):
            return
        running = [
            {who: m.value if who == LIGHT else m.about["running_frames_per_s"]
             for who, m in r.items() if who == LIGHT or m.about["running_frames_per_s"]}
            for r in rounds
        ]  # fmt: skip
        without = summarise(running, "running_frames_per_s")
        light = [r[LIGHT].about for r in rounds if LIGHT in r]
        summary = self.results["predict"][name]
        summary |= {
            "whole_ratio_to_light": summary["ratio_to_light"],
            "ratio_to_light": without["ratio_to_light"],
            "running_ratio_to_deeplabcut": without["ratio_to_deeplabcut"],
            "model_frames_per_s": most([about["model_frames_per_s"] for about in light]),
            "decoder_frames_per_s": most([about["decoder_frames_per_s"] for about in light]),
            "bound_by": light[-1]["bound_by"] if light else None,
        }
        for who in (DLCORE, DEEPLABCUT):
            summary[f"{who}_running_frames_per_s"] = without[f"{who}_running_frames_per_s"]

    def _start_up(self, title: str) -> None:
        settings = self._settings
        seconds = self._try(f"{title}: quick commands", lambda: startup.quick(settings))
        if seconds is not None:
            for name in startup.QUICK:
                pairs = zip(seconds[name], seconds[LIGHT], strict=True)
                found = [{DLCORE: ours, LIGHT: least} for ours, least in pairs]
                self._startup.setdefault(name, []).extend(found)
        runs = self._try(f"{title}: first step", lambda: startup.first_step(settings))
        if runs is not None:
            marked = {who: startup.seconds_of(ran) for who, ran in runs.items()}
            self._startup.setdefault(startup.FIRST_STEP, []).append(marked)
            memory = {who: ran.peak_mib for who, ran in runs.items()}
            self._startup.setdefault(startup.MEMORY, []).append(memory)
            self._startup_neighbours += [ran.neighbours for ran in runs.values()]
        self.results["startup"] = {
            name: summarise(rounds, "mib" if name == startup.MEMORY else "s", less_is_better=True)
            | {"neighbours": most(self._startup_neighbours)}
            for name, rounds in self._startup.items()
        }

    def _profile(self, net: Net, precision: str) -> None:
        name, job = self._name(net, precision), self._job(net)
        if job is None:
            return
        found = self._try(
            f"parts {name}: dlcore", lambda: parts.profile(self._settings, job, precision)
        )
        if found is None:
            return
        theirs = [r[DEEPLABCUT].about for r in self._rounds.get(("train", name), ())
                  if DEEPLABCUT in r]  # fmt: skip
        if theirs:
            found["deeplabcut_ms_per_step"] = theirs[-1]["parts_ms_per_step"]
        self.results.setdefault("parts", {})[name] = found

    def _scale(self) -> None:
        settings = replace(self._settings, steps=max(2, self._settings.steps), device="cpu")
        found: dict[str, Any] = {"processes": {}, "images": []}
        self.results["scaling"] = found
        for net in self._nets:
            job = self._job(net)
            if job is None:
                continue
            both = self._try(
                f"scaling {net.name}: processes",
                lambda job=job: scaling.processes(settings, job),  # type: ignore[misc]
            )
            if both is not None:
                found["processes"][net.name] = both
        for count in settings.simulated:
            one = self._try(
                f"scaling: {count} images",
                lambda count=count: scaling.images(settings, count),  # type: ignore[misc]
            )
            if one is not None:
                found["images"].append(one)

    def _name(self, net: Net, precision: str) -> str:
        return net.name if precision == self._precisions[0] else f"{net.name}:{precision}"

    def _job(self, net: Net) -> Job | None:
        if net.name not in self._jobs:
            job = self._try(f"{net.name}: data and config", lambda: make_job(self._settings, net))
            if job is None:
                return None
            self._jobs[net.name] = job
        return self._jobs[net.name]

    def _clip(self, net: Net) -> prediction.Clip:
        return prediction.make_clip(self._settings, net)

    def _try(self, title: str, measure: Callable[[], T]) -> T | None:
        """Measure, and say what came out; what fails is a problem, and the rest goes on."""
        try:
            found = measure()
        except ChildError as error:
            self.problems.append(f"{title}: {error}")
            say(f"{title}: failed\n{error}")
            return None
        say(f"{title}{_shown(found)}")
        return found


def _shown(found: object) -> str:
    if not isinstance(found, Measured):
        return ""
    others = found.ran.neighbours
    loud = f", neighbours used {others:.1f} cores" if others is not None and others > LOUD else ""
    return f": {found.value:.3g}/s in {found.ran.seconds:.0f} s{loud}"


def say(text: str) -> None:
    """Something to the terminal, beside the results."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
