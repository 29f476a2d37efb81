import base64
import io
import itertools

import numpy as np
import pandas as pd
import pytest
from ipywidgets.widgets.widget import _instances
from matplotlib.text import Text
from PIL import Image

from trustlab.lab.finding import Finding, dots, dumbbells, gauges
from trustlab.lab.finding import lines as over_an_option

ROWS = [
    {"who": "all", "way": "uniform", "right": 0.84, "low": 0.79, "high": 0.89},
    {"who": "all", "way": "by activity", "right": 0.86, "low": 0.8, "high": 0.9},
    {"who": "travellers", "way": "uniform", "right": 0.72, "low": 0.63, "high": 0.81},
    {"who": "travellers", "way": "by activity", "right": 0.03, "low": None, "high": float("nan")},
]
TEXTS = dict(title="Who is heard?", verdict="Travellers are not.", provenance="saved, seeds 0–2")


def lines(finding):
    """x and y of every line and marker in the picture."""
    return [np.asarray(line.get_xydata()) for line in finding.figure.axes[0].lines]


def test_dots_have_a_place_and_an_interval_per_series():
    finding = dots(ROWS, label="who", value="right", low="low", high="high", series="way", per_cent=True, **TEXTS)
    drawn = lines(finding)
    points, intervals = [xy for xy in drawn if len(xy) == 1], [xy for xy in drawn if len(xy) == 2]
    assert [xy[0, 0] for xy in points] == [0.84, 0.86, 0.72, 0.03]
    assert [tuple(xy[:, 0]) for xy in intervals] == [(0.79, 0.89), (0.8, 0.9), (0.63, 0.81)]  # none where it is missing
    first, second, third, _ = (xy[0, 1] for xy in points)
    assert first < second < third  # the first row at the top: the axis points down
    axes = finding.figure.axes[0]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["all", "travellers"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["uniform", "by activity"]
    assert axes.xaxis.get_major_formatter()(0.5, 0) == "50 %"


def test_a_picture_of_many_lines_stays_low_enough_for_a_low_window_to_show_large_letters():
    rows = [{**row, "who": f"{row['who']} {i}"} for i in range(7) for row in ROWS]
    figure = dots(rows, label="who", value="right", series="way", **TEXTS).figure
    assert figure.get_figheight() < 5.2  # inches of 96 CSS pixels: 14 lines in less than 500


def test_a_missing_value_draws_nothing_and_is_a_dash_in_the_table():
    rows = [{"who": "a", "right": 0.5}, {"who": "b", "right": None}]
    finding = dots(rows, label="who", value="right", reference={"chance": 0.25}, **TEXTS)
    assert sum(len(xy) == 1 for xy in lines(finding)) == 1
    assert finding.summary.splitlines()[-1].split() == ["b", "–"]


def test_dumbbells_go_from_an_open_dot_to_a_full_one_with_their_values():
    rows = [{"who": "travellers", "uniform": 0.72, "active": 0.03}, {"who": "all", "uniform": 0.8, "active": 0.8}]
    finding = dumbbells(pd.DataFrame(rows), label="who", start="uniform", end="active", per_cent=True, **TEXTS)
    axes = finding.figure.axes[0]
    faces = {line.get_xdata()[0]: line.get_markerfacecolor() for line in axes.lines if len(line.get_xdata()) == 1}
    assert faces[0.72] == "white" and faces[0.03] != "white"
    assert sorted(text.get_text() for text in axes.texts) == ["3 %", "72 %", "80 %"]  # one where both are the same


def test_a_gauge_shows_both_values_on_its_axis():
    finding = gauges(
        [{"β": "1", "claimed": 0.348, "true": 11.6}], label="β", claimed="claimed", true="true", log=True, **TEXTS
    )
    axes = finding.figure.axes[0]
    assert axes.get_xscale() == "log" and [t.get_text() for t in axes.texts] == ["0.348", "11.6"]


@pytest.mark.parametrize("draw", [dots, dumbbells, gauges])
def test_nothing_is_cut_off_at_the_edges(draw):
    names = {dots: dict(value="a"), dumbbells: dict(start="a", end="b"), gauges: dict(claimed="a", true="b")}[draw]
    rows = [{"who": f"a rather long label number {i}", "a": 0.1 * i, "b": 3.0 * i} for i in range(1, 12)]
    finding = draw(rows, label="who", x_label="something", **names, **TEXTS)
    image = np.asarray(Image.open(io.BytesIO(_png(finding))).convert("L"))
    border = np.concatenate([image[:, :2].ravel(), image[:, -2:].ravel(), image[-2:].ravel()])
    assert (border > 250).all()


def _png(finding):
    return base64.b64decode(finding._repr_mimebundle_()[0]["image/png"])


def test_what_is_stored_is_a_picture_and_the_numbers_as_text():
    finding = dots(ROWS, label="who", value="right", **TEXTS)
    data, _ = finding._repr_mimebundle_()
    assert {"image/png", "text/plain"} < set(data) and "text/html" not in data
    assert data["text/plain"].startswith("Who is heard?\nTravellers are not.\n(saved, seeds 0–2)\nwho ")
    assert "0.72" in data["text/plain"]
    assert _png(finding).startswith(b"\x89PNG")


def test_numbers_come_and_go_with_the_button():
    finding = dots(ROWS, label="who", value="right", **TEXTS)
    assert finding.numbers.layout.display == "none"
    finding.button.click()
    assert finding.numbers.layout.display is None and "<table" in finding.numbers.value
    finding.button.click()
    assert finding.numbers.layout.display == "none"


def test_a_finding_needs_rows_a_title_and_a_sentence():
    with pytest.raises(ValueError, match="at least one row to draw for 'T', got none"):
        dots([], label="who", value="right", title="T", verdict="V.")
    with pytest.raises(ValueError, match="title and a verdict"):
        dots(ROWS, label="who", value="right", title="T", verdict=" ")
    assert isinstance(dots(ROWS, label="who", value="right", title="T", verdict="V."), Finding)


SWEEP = [
    {"rate": rate, "way": way, "fleet": fleet, "right": right, "chosen": rate == 3}
    for fleet in ("mild", "steep")
    for way, scores in {"uniform": (0.5, 0.9, None), "by activity": (0.6, 0.8, float("nan"))}.items()
    for rate, right in zip((1, 3, 10), scores, strict=True)
]


def test_a_sweep_has_a_line_per_series_in_each_pane_and_marks_what_was_chosen_and_what_diverged():
    finding = over_an_option(SWEEP, x="rate", y="right", series="way", pane="fleet", chosen="chosen", log=True, **TEXTS)
    for axes in finding.figure.axes:
        joined = [line.get_xydata().tolist() for line in axes.lines if len(line.get_xdata()) > 1]
        assert joined == [[[1, 0.5], [3, 0.9]], [[1, 0.6], [3, 0.8]]]
        rings = [line.get_xydata().tolist() for line in axes.lines if line.get_markersize() == 14]
        assert rings == [[[3, 0.9]], [[3, 0.8]]]
        crosses = [line.get_xdata().tolist() for line in axes.lines if line.get_marker() == "x"]
        assert crosses == [[10], [10]]
    assert [axes.get_title(loc="left") for axes in finding.figure.axes] == ["mild", "steep"]
    (legend,) = finding.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["uniform", "by activity"]


def test_a_sweep_of_many_series_over_decades_stays_inside_its_picture():
    names = ["selection", "partition, sizes", "partition, labels", "accounting, system", "accounting, each"]
    rows = [
        {"n": n, "of": name, "s": s * (at + 1)} for at, name in enumerate(names) for n, s in ((1e4, 1e-3), (1e7, 10))
    ]
    figure = over_an_option(
        rows, x="n", y="s", series="of", log=True, log_y=True, y_label="seconds", title="Long?", verdict="Yes."
    ).figure
    (ax,) = figure.axes
    assert ax.get_yscale() == "log"
    drawn, page = figure.get_tightbbox(figure.canvas.get_renderer()), figure.bbox_inches
    assert page.x0 <= drawn.x0 and drawn.x1 <= page.x1 and page.y0 <= drawn.y0 and drawn.y1 <= page.y1


def test_the_series_of_a_sweep_keep_their_colours_where_one_is_missing():
    part = [row for row in SWEEP if row["fleet"] == "mild" or row["way"] == "by activity"]
    first, second = over_an_option(part, x="rate", y="right", series="way", pane="fleet", **TEXTS).figure.axes
    colours = [[line.get_color() for line in axes.lines if len(line.get_xdata()) > 1] for axes in (first, second)]
    assert colours[1] == colours[0][1:]


def test_a_finding_of_which_only_the_sentence_is_read_opens_no_widget():
    """Widgets that are closed as soon as they are opened are errors in the page."""
    before = set(_instances)
    finding = dots(ROWS, label="who", value="right", **TEXTS)
    assert finding.verdict and finding.summary and set(_instances) == before
    assert finding.view()["model_id"] in set(_instances) - before


@pytest.mark.parametrize(("most", "written"), [(724.0, ["20", "50", "100", "200", "500"]), (16e5, ["100", "1,000"])])
def test_a_logarithmic_axis_has_a_few_plain_numbers_that_do_not_overlap(most, written):
    values = np.geomspace(16, most, 9)  # more than are marked one by one
    rows = [{"ε": value, "right": 0.5, "way": "one"} for value in values]
    drawn = [
        over_an_option(rows, x="ε", y="right", series="way", log=True, **TEXTS),
        dots([{"who": str(i), "ε": each} for i, each in enumerate(values)], label="who", value="ε", log=True, **TEXTS),
    ]
    for figure in (each.figure for each in drawn):
        figure.canvas.draw()
        axis = figure.axes[0].xaxis
        low, high = sorted(axis.get_view_interval())
        major = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
        assert set(written) <= {tick.label1.get_text() for tick in major}
        assert not any(tick.label1.get_text() for tick in axis.get_minor_ticks())
        boxes = [tick.label1.get_window_extent() for tick in major if tick.label1.get_text()]
        assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def test_the_label_of_narrow_panes_is_written_once_and_fits():
    rows = [{"rate": rate, "way": "a", "at": f"pane {i}", "right": 0.5} for rate in (1, 3) for i in range(2)]
    told = "client's rate (the best of the server's rates tried with it)"
    finding = over_an_option(rows, x="rate", y="right", series="way", pane="at", x_label=told, **TEXTS)
    figure = finding.figure
    (label,) = [text for text in figure.findobj(Text) if text.get_text() == told]
    box = label.get_window_extent(figure.canvas.get_renderer())
    assert box.x0 > 0 and box.x1 < figure.bbox.width and box.y0 > 0
    assert all(box.y1 < text.get_window_extent().y0 for axes in figure.axes for text in axes.get_xticklabels())


NAMES = ("BiLSTM, words and characters", "the commonest intent", "each word's most frequent tag", "BiLSTMs",
         "pretrained encoders", "both", "counted words", "frozen encoder", "fourth layer trained")  # fmt: skip


def test_a_legend_that_is_wider_than_the_page_takes_more_rows_which_are_read_from_left_to_right():
    rows = [{"what": "intents", "who": name, "right": 0.5 + i / 50} for i, name in enumerate(NAMES)]
    few, figure = (dots(part, label="what", value="right", series="who", **TEXTS).figure for part in (rows[:2], rows))
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    legend = figure.axes[0].get_legend()
    boxes = {text.get_text(): text.get_window_extent(renderer) for text in legend.get_texts()}
    top = max(box.y1 for box in boxes.values())
    order = sorted(boxes, key=lambda name: (round((top - boxes[name].y1) / 20), boxes[name].x0))
    assert order == list(NAMES)
    around = legend.get_window_extent(renderer)
    assert around.x0 >= 0 and around.y1 <= figure.bbox.height
    (one_row, many_rows) = (each.axes[0].get_window_extent().y0 for each in (few, figure))
    assert one_row == pytest.approx(many_rows)  # room for the axis stays


def test_no_two_of_many_series_look_the_same():
    rows = [{"what": "intents", "who": name, "right": 0.5} for name in NAMES]
    axes = dots(rows, label="what", value="right", series="who", **TEXTS).figure.axes[0]
    for lines in (axes.lines, axes.get_legend().get_lines()):
        assert len({(line.get_color(), line.get_marker()) for line in lines}) == len(NAMES)


def test_the_longest_names_of_lines_are_not_cut():
    rows = [{"what": "the embedded corpus, perceptron: rare intents", "right": 0.5}]
    figure = dots(rows, label="what", value="right", **TEXTS).figure
    (label,) = figure.axes[0].get_yticklabels()
    assert label.get_window_extent(figure.canvas.get_renderer()).x0 >= 0
