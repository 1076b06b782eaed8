from __future__ import annotations

import pytest

from dlcore.runs.record import StageRecord
from dlcore.runs.report.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, stage_charts
from dlcore.runs.report.charts import speed_chart as draw_speed


def stage(**curves):
    found = {
        name: (list(range(1, len(values) + 1)), list(values)) for name, values in curves.items()
    }
    return StageRecord("pose", None, 3, 3, "test.mAP", True, found)


def places(line):
    return [tuple(map(float, point.split(","))) for point in line.points.split()]


LOSSES = {
    "losses/train.total_loss": (1.0, 0.1, 0.01),
    "losses/eval.total_loss": (1.2, 0.3, 0.2),
    "losses/train.heatmap": (0.9, 0.05, 0.006),
    "losses/train.bodypart_total_loss": (1.0, 0.1, 0.01),
}
METRICS = {"metrics/test.mAP": (10.0, 90.0, 50.0), "metrics/test.rmse": (9.0, 5.0, 4.0)}


def test_losses_metrics_and_rates_have_charts_of_their_own():
    charts = stage_charts(stage(**LOSSES, **METRICS), {1: 1e-3, 2: 1e-3, 3: 1e-4})
    found = {chart.title: [line.name for line in chart.lines] for chart in charts}

    assert found == {
        "Loss": ["train", "test"],
        "Parts of the loss": ["heatmap (train)"],
        "Error": ["rmse"],
        "Precision and recall": ["mAP"],
        "Learning rate": ["learning rate"],
    }
    assert {chart.title: chart.unit for chart in charts}["Error"] == "pixels"


def test_a_part_of_the_loss_has_one_colour_and_is_dashed_in_testing():
    losses = {f"losses/{split}.{part}": (1.0, 0.1) for split in ("train", "eval") for part in "ab"}
    [chart] = stage_charts(stage(**losses), {})
    assert {line.name: line.style for line in chart.lines} == {
        "a (train)": "c0",
        "b (train)": "c1",
        "a (test)": "c0 dash1",
        "b (test)": "c1 dash1",
    }


def test_lines_fill_the_frame_and_never_leave_it():
    for chart in stage_charts(stage(**LOSSES, **METRICS), {1: 1e-3, 2: 1e-3, 3: 1e-4}):
        points = [point for line in chart.lines for point in places(line)]
        assert all(LEFT <= x <= WIDTH - RIGHT for x, _ in points)
        assert all(TOP <= y <= HEIGHT - BOTTOM for _, y in points)
        assert (min(points)[0], max(points)[0]) == (LEFT, WIDTH - RIGHT)
        assert all(TOP <= float(y) <= HEIGHT - BOTTOM for y, _ in chart.y_ticks)
        assert len(chart.y_ticks) >= 3


def test_greater_values_are_higher_and_ticks_are_where_their_values_are():
    [chart] = stage_charts(stage(**{"metrics/test.mAP": (0.0, 100.0, 50.0)}), {})
    (_, low), (_, high), (_, middle) = places(chart.lines[0])
    ticks = {text: float(y) for y, text in chart.y_ticks}

    assert (ticks["0"], ticks["100"]) == (low, high)
    assert middle == pytest.approx((low + high) / 2, abs=0.1)
    assert {text: float(x) for x, text in chart.x_ticks}["2"] == places(chart.lines[0])[1][0]


def test_a_logarithmic_axis_has_the_same_room_for_each_decade():
    loss = stage_charts(stage(**{"losses/train.total_loss": (1.0, 0.1, 0.01)}), {})[0]
    (_, a), (_, b), (_, c) = places(loss.lines[0])

    assert loss.logarithmic
    assert b - a == pytest.approx(c - b, abs=0.1)


@pytest.mark.parametrize("values", [(1.0, 0.0, 2.0), (1.0, 0.9, 0.8)])
def test_an_axis_is_linear_where_logarithms_say_nothing(values):
    found = stage_charts(stage(**{"losses/train.total_loss": values}), {})
    assert not any(chart.logarithmic for chart in found)


@pytest.mark.parametrize("values", [(5.0,), (0.0, 0.0), (3.0, 3.0), (-2.0, -2.0), (1e-30, 1e30)])
def test_any_values_can_be_drawn(values):
    for chart in stage_charts(stage(**{"metrics/test.other": values}), {}):
        assert len(places(chart.lines[0])) == len(values)
        assert len(chart.y_ticks) >= 2


def test_the_best_epoch_is_marked_where_the_model_is_measured():
    charts = stage_charts(stage(**LOSSES, **METRICS), {1: 0.1, 2: 0.1})
    marks = {chart.title: chart.mark and chart.mark[1] for chart in charts}

    assert marks["Precision and recall"] == marks["Loss"] == "best: epoch 2"
    assert marks["Learning rate"] is None


def test_the_numbers_are_told_in_words_too():
    [chart] = stage_charts(stage(**{"metrics/test.mAP": (10.0, 90.0, 50.0)}), {})
    assert chart.lines[0].summary == (
        "mAP: from 10 at epoch 1 to 50 at epoch 3, least 10, greatest 90"
    )


def test_long_runs_are_thinned_but_keep_their_peaks():
    values = [float(epoch % 7) for epoch in range(5000)]
    values[1234] = 99.0
    [chart] = stage_charts(stage(**{"metrics/test.mAP": values}), {})
    points = places(chart.lines[0])

    assert len(points) < 500
    assert min(y for _, y in points) < TOP + 5
    assert (points[0][0], points[-1][0]) == (LEFT, WIDTH - RIGHT)


def test_speeds_start_at_zero():
    [chart] = draw_speed({1: 10.0, 2: 12.0})
    assert "0" in [text for _, text in chart.y_ticks]
    assert draw_speed({}) == draw_speed({1: 3.0}) == []
