"""Line charts as geometry: where lines, ticks and marks lie. The template draws them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dlcore.engine.curves import TOTAL, Curves, panels, totals_first
from dlcore.runs.record import StageRecord

WIDTH, HEIGHT = 420, 230
"""Of a chart; small, so that its text is still readable where it fills a phone."""
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 14, 34

_COLOURS = 6
_MOST_POINTS = 400
_FEW_POINTS = 40
_MUCH = 4
"""From this factor between the least and the greatest value on, an axis may be logarithmic."""
_TITLES = {"loss": "Loss", "pixels": "Error", "percent": "Precision and recall", "value": "Other"}
_UNITS = {"loss": "", "pixels": "pixels", "percent": "%", "value": ""}
_SPLITS = {"eval": "test"}


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Attributes:
        name: For the legend.
        style: Classes of its colour and its dashes: "c2 dash1".
        points: As an SVG polyline has them.
        dots: Centres of points that are marked; empty where they are too many.
        summary: The numbers in words, for who cannot see the line.
    """

    name: str
    style: str
    points: str
    dots: list[tuple[str, str]]
    summary: str


@dataclass(frozen=True)
class Chart:
    """One chart.

    Attributes:
        title: What is drawn.
        unit: Of the values; may be empty.
        lines: At least one.
        x_ticks: Place and text.
        y_ticks: Place and text.
        mark: Place and text of the epoch that is marked.
        logarithmic: Whether the values are.
    """

    title: str
    unit: str
    lines: list[Line]
    x_ticks: list[tuple[str, str]]
    y_ticks: list[tuple[str, str]]
    mark: tuple[str, str] | None
    logarithmic: bool


Series = tuple[Sequence[int], Sequence[float]]


def stage_charts(stage: StageRecord, rates: Mapping[int, float]) -> list[Chart]:
    """The charts of a stage: losses, metrics in pixels, in percent, others, learning rate.

    Args:
        stage: With its table.
        rates: Learning rate by epoch; empty where unknown.
    """
    charts = []
    best = stage.best_epoch
    for kind, curves in panels(stage.curves).items():
        if kind == "loss":
            charts += _loss_charts(curves, best)
        elif curves:
            named = {name.removeprefix("test."): series for name, series in curves.items()}
            named = named if len(named) == len(curves) else curves
            charts += _chart(_TITLES[kind], named, unit=_UNITS[kind], mark=best)
    if rates:
        series = (list(rates), list(rates.values()))
        charts += _chart("Learning rate", {"learning rate": series}, logarithmic=True)
    return charts


def speed_chart(speeds: Mapping[int, float]) -> list[Chart]:
    """Images per second over the epochs; nothing where there are none."""
    if len(speeds) < 2:
        return []
    series = (list(speeds), list(speeds.values()))
    return _chart("Speed of training", {"images/s": series}, unit="images/s", zero=True)


def _loss_charts(curves: Curves, best: int | None) -> list[Chart]:
    totals: dict[str, Series] = {}
    parts: dict[str, Series] = {}
    colours: dict[str, int] = {}
    styles = {}
    for name, series in totals_first(curves).items():
        split, _, part = name.partition(".")
        split = _SPLITS.get(split, split)
        if part == TOTAL:
            totals[split] = series
        else:
            name = f"{part} ({split})"
            parts[name] = series
            colour = colours.setdefault(part, len(colours))
            styles[name] = _style(colour, dashed=split != "train")
    charts = _chart("Loss", totals, logarithmic=True, mark=best) if totals else []
    if parts:
        charts += _chart("Parts of the loss", parts, logarithmic=True, styles=styles)
    return charts


def _chart(
    title: str,
    curves: Mapping[str, Series],
    *,
    unit: str = "",
    logarithmic: bool = False,
    mark: int | None = None,
    zero: bool = False,
    styles: Mapping[str, str] | None = None,
) -> list[Chart]:
    """A chart of the curves that hold something, in a list; empty if none does."""
    curves = {name: series for name, series in curves.items() if series[0]}
    if not curves:
        return []
    values = [value for _, ys in curves.values() for value in ys]
    epochs = [epoch for xs, _ in curves.values() for epoch in xs]
    y = _log_axis(values) if logarithmic else _linear_axis(values, zero=zero)
    logarithmic = logarithmic and y.logarithmic
    x = _Axis(min(epochs), max(max(epochs), min(epochs) + 1), LEFT, WIDTH - RIGHT)
    lines = [
        _line(name, (styles or {}).get(name) or _style(number), series, x, y)
        for number, (name, series) in enumerate(curves.items())
    ]
    x_ticks = [
        (_place(x(tick)), f"{tick:g}")
        for tick in _nice_ticks(x.low, x.high, 6)
        if tick == int(tick) and x.low <= tick <= x.high
    ]
    y_ticks = list(zip(map(_place, map(y, y.ticks)), _tick_texts(y.ticks), strict=True))
    marked = None
    if mark is not None and x.low <= mark <= x.high:
        marked = (_place(x(mark)), f"best: epoch {mark}")
    return [Chart(title, unit, lines, x_ticks, y_ticks, marked, logarithmic)]


@dataclass(frozen=True)
class _Axis:
    """From values to places."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False
    ticks: tuple[float, ...] = ()

    def __call__(self, value: float) -> float:
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return self.start + (value - low) / (high - low) * (self.end - self.start)


def _linear_axis(values: Sequence[float], *, zero: bool) -> _Axis:
    low, high = min(values), max(values)
    low = min(low, 0.0) if zero else low
    if high - low <= 1e-9 * max(abs(high), abs(low)):
        low, high = low - abs(low) * 0.1, high + (abs(high) * 0.1 or 1.0)
    ticks = _nice_ticks(low, high, 5)
    return _Axis(ticks[0], ticks[-1], HEIGHT - BOTTOM, TOP, ticks=tuple(ticks))


def _log_axis(values: Sequence[float]) -> _Axis:
    """A logarithmic axis; a linear one where values are not positive or do not differ much."""
    low, high = min(values), max(values)
    if low <= 0 or high < _MUCH * low:
        return _linear_axis(values, zero=False)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1,), (1, 3), (1, 2, 5)):
        ticks = [step * 10.0**decade for decade in decades for step in steps]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) >= 3:
            break
    return _Axis(low / 1.08, high * 1.08, HEIGHT - BOTTOM, TOP, True, tuple(ticks))


def _nice_ticks(low: float, high: float, wanted: int) -> list[float]:
    """Round numbers that reach over both ends."""
    raw = (high - low) / wanted
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def _style(number: int, *, dashed: bool = False) -> str:
    """Classes for colour and dashes; colours come again with other dashes."""
    dashes = number // _COLOURS % 2 * 2 + dashed
    return f"c{number % _COLOURS}" + (f" dash{dashes}" if dashes else "")


def _line(name: str, style: str, series: Series, x: _Axis, y: _Axis) -> Line:
    xs, ys = _thinned(*series)
    places = [(_place(x(a)), _place(y(b))) for a, b in zip(xs, ys, strict=True)]
    return Line(
        name,
        style,
        " ".join(",".join(place) for place in places),
        places if len(places) <= _FEW_POINTS else [],
        _summary(name, *series),
    )


def _thinned(xs: Sequence[int], ys: Sequence[float]) -> Series:
    """At most some hundred points: of each stretch its least and its greatest."""
    if len(xs) <= _MOST_POINTS:
        return xs, ys
    stretch = -(-2 * len(xs) // _MOST_POINTS)
    kept = {0, len(xs) - 1}
    for start in range(0, len(xs), stretch):
        places = range(start, min(start + stretch, len(xs)))
        kept |= {min(places, key=ys.__getitem__), max(places, key=ys.__getitem__)}
    order = sorted(kept)
    return [xs[i] for i in order], [ys[i] for i in order]


def _summary(name: str, xs: Sequence[int], ys: Sequence[float]) -> str:
    if len(xs) == 1:
        return f"{name}: {ys[0]:.4g} at epoch {xs[0]}"
    return (
        f"{name}: from {ys[0]:.4g} at epoch {xs[0]} to {ys[-1]:.4g} at epoch {xs[-1]}, "
        f"least {min(ys):.4g}, greatest {max(ys):.4g}"
    )


def _tick_texts(ticks: Sequence[float]) -> list[str]:
    """Short, and all in the same notation."""
    if all(tick == 0 or 1e-3 <= abs(tick) < 1e5 for tick in ticks):
        return [f"{tick:.6g}" for tick in ticks]
    texts = []
    for tick in ticks:
        mantissa, _, exponent = f"{tick:.1e}".partition("e")
        texts.append(f"{mantissa.removesuffix('.0')}e{int(exponent)}" if tick else "0")
    return texts


def _place(value: float) -> str:
    return f"{value:.1f}"
