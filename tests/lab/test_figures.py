import io
import math
import re

import numpy as np
import pytest
from PIL import Image

from trustlab.lab.answer import Answer
from trustlab.lab.curves import Curves
from trustlab.lab.figures import PALETTE, SHARPNESS, Drawing, css_size, new_figure, png, png_size, svg

GRID = (0.5, 1.0, 2.0, math.inf)


def rows(shift=0.0, methods=("DP-SGD", "EDP-SGD")):
    return [
        {"method": m, "epsilon": e, "accuracy": 0.5 + 0.1 * i + shift, "low": 0.45 + 0.1 * i, "high": 0.6 + 0.1 * i}
        for m in methods
        for i, e in enumerate(GRID)
    ]


def answer(numbers, **more):
    return Answer(numbers, "It rises.", "saved", **more)


def curves(**options):
    return Curves("epsilon", "accuracy", "method", x_label="ε", y_label="accuracy", **{"grid": GRID, **options})


def pixels(drawing):
    return np.asarray(Image.open(io.BytesIO(png(drawing.figure))).convert("RGB"))


def test_the_picture_is_sharp_white_and_has_the_size_it_says():
    drawing = curves()
    drawing.draw(answer(rows()))
    picture = pixels(drawing)
    width, height = css_size(drawing.figure)
    assert picture.shape == (round(SHARPNESS * height), round(SHARPNESS * width), 3)
    assert (picture[5, 5] == 255).all()


def test_a_series_keeps_its_exact_colour():
    drawing = curves()
    drawing.draw(answer(rows(methods=["DP-SGD"])))
    expected = [int(PALETTE[0][i : i + 2], 16) for i in (1, 3, 5)]
    assert (np.abs(pixels(drawing).astype(int) - expected).max(axis=2) <= 2).any()


def test_redrawing_moves_the_same_artists():
    drawing = curves()
    drawing.draw(answer(rows(), focus={"epsilon": 1.0, "method": "DP-SGD"}))
    artists, before = len(drawing.axes.get_children()), png(drawing.figure)
    drawing.draw(answer(rows(0.05), focus={"epsilon": 2.0, "method": "EDP-SGD"}))
    assert len(drawing.axes.get_children()) == artists
    assert png(drawing.figure) != before
    drawing.draw(answer(rows(), focus={"epsilon": 1.0, "method": "DP-SGD"}))
    assert png(drawing.figure) == before


def test_infinity_has_a_place_and_a_sign_at_equal_steps():
    drawing = curves()
    drawing.draw(answer(rows()))
    assert [label.get_text() for label in drawing.axes.get_xticklabels()] == ["0.5", "1", "2", "∞"]
    assert [x for x, _ in drawing.shown()["series"]["DP-SGD"]] == [0, 1, 2, 3]


def test_the_focus_is_ringed_and_other_series_step_back():
    drawing = curves()
    drawing.draw(answer(rows(), focus={"epsilon": 2.0, "method": "EDP-SGD"}))
    shown = drawing.shown()
    assert shown["ring"] == [(2.0, pytest.approx(0.7))]
    assert (shown["guide"], shown["faded"]) == (2.0, ["DP-SGD"])
    colours = [line.get_color() for line in drawing.axes.lines if len(line.get_xdata()) == len(GRID)]
    assert colours[0] != PALETTE[0] and colours[1] == PALETTE[1]
    drawing.draw(answer(rows()))
    shown = drawing.shown()
    assert (shown["ring"], shown["guide"], shown["faded"]) == ([], None, [])


def test_a_pane_whose_series_are_chosen_and_not_points_has_no_ring():
    drawing = curves(ringed=False)
    drawing.draw(answer(rows(), focus={"method": "EDP-SGD"}))
    assert (drawing.shown()["ring"], drawing.shown()["faded"]) == ([], ["DP-SGD"])


def test_live_points_have_their_place_between_grid_values_and_their_name():
    drawing = curves()
    drawing.draw(answer(rows(), live=[{"epsilon": 1.5, "accuracy": 0.9}]))
    assert drawing.shown()["live"] == [(1.5, 0.9)]
    assert drawing.shown()["legend"] == ["DP-SGD", "EDP-SGD", "yours"]
    drawing.draw(answer(rows()))
    assert drawing.shown()["legend"] == ["DP-SGD", "EDP-SGD"]


def test_a_long_run_has_few_marks_the_last_point_among_them_and_each_says_its_own_values():
    drawing = curves()
    run = [{"epsilon": 0.5 + 0.015 * i, "accuracy": 0.001 * i} for i in range(100)]
    drawing.draw(answer(rows(), live=run))
    assert len(drawing.shown()["live"]) == 100  # the line has all
    said = re.findall(r"<title>yours, [^=]+= ([^:<]+): ([^<]+)</title>", svg(drawing.figure, alt="A run."))
    marked = [(float(x), float(y)) for x, y in said]
    assert 20 <= len(set(marked)) <= 25
    assert marked[-1] == (pytest.approx(1.985, abs=0.01), 0.099)
    drawing.draw(answer(rows(), live=run[:3]))
    assert svg(drawing.figure, alt="A run.").count("<title>yours, ") == 3


def test_a_series_under_another_stands_out_around_it():
    drawing = curves()
    same = [{**row, "accuracy": 0.7 + 0.01 * (row["method"] == "EDP-SGD")} for row in rows()]
    other = [{**row, "method": "SGD", "accuracy": 0.2} for row in rows(methods=["SGD"])]
    drawing.draw(answer([*same, *other], focus={"method": "DP-SGD"}))
    hollow = [line.get_fillstyle() == "none" for line in drawing._lines.values()]
    sizes = [line.get_markersize() for line in drawing._lines.values()]
    assert hollow == [False, True, False]  # the one in focus is drawn last, over it
    assert sizes[1] > sizes[0] == sizes[2]
    drawing.draw(answer([{**row, "accuracy": 0.5 + 0.3 * (row["method"] == "EDP-SGD")} for row in same]))
    assert not any(line.get_fillstyle() == "none" for line in drawing._lines.values())


def test_a_series_that_is_gone_is_not_drawn_and_one_without_interval_has_no_band():
    drawing = curves()
    drawing.draw(answer(rows()))
    bare = [{"method": "DP-SGD", "epsilon": 1.0, "accuracy": 0.5}]
    assert drawing.shown()["bands"] == ["DP-SGD", "EDP-SGD"]
    drawing.draw(answer(bare))
    assert drawing.shown()["series"] == {"DP-SGD": [(1.0, 0.5)]}
    assert drawing.shown()["bands"] == []


@pytest.mark.parametrize("log_x", [False, True])
def test_without_a_grid_x_is_a_number(log_x):
    drawing = curves(grid=None, log_x=log_x, references={"guessing": 0.2})
    drawing.draw(answer([row for row in rows() if math.isfinite(row["epsilon"])]))
    low, high = drawing.axes.get_xlim()
    assert low < 0.5 < 2.0 < high
    assert drawing.axes.get_ylim()[0] < 0.2


def test_rounding_errors_are_not_drawn_as_differences():
    drawing = curves()
    drawing.draw(answer([{"method": "a", "epsilon": e, "accuracy": 1 + i * 1e-15} for i, e in enumerate(GRID)]))
    assert drawing.axes.get_ylim() == pytest.approx((0.9, 1.1))


def test_names_off_the_grid_are_refused():
    drawing = curves(grid=("iid", "skewed"))
    with pytest.raises(ValueError, match="to be one of 'iid', 'skewed'"):
        drawing.draw(answer([{"method": "a", "epsilon": "other", "accuracy": 1.0}]))


def test_fonts_are_ten_points_or_more():
    drawing = curves(references={"guessing": 0.4})
    drawing.draw(answer(rows(), live=[{"epsilon": 1.0, "accuracy": 0.9}]))
    axes = drawing.axes
    texts = [axes.xaxis.label, axes.yaxis.label, *axes.get_xticklabels(), *axes.get_yticklabels(), *axes.texts]
    assert min(text.get_fontsize() for text in [*texts, *axes.get_legend().get_texts()]) >= 10


def test_a_picture_needs_words():
    with pytest.raises(ValueError, match="alt text"):
        svg(curves().figure, alt=" ")
    assert 'aria-label="a &lt; &quot;b&quot;"' in svg(curves().figure, alt='a < "b"')


def test_a_stored_picture_carries_its_title_and_verdict_above_it():
    drawing = curves()
    drawing.draw(answer(rows()))
    bare, said = png(drawing.figure), png(drawing.figure, title="What does it cost?", verdict="A word. " * 40)
    (width, height), (wide, high) = png_size(bare).values(), png_size(said).values()
    assert (width, height) == css_size(drawing.figure)
    assert (wide, high > height + 60) == (width, True)
    picture = np.asarray(Image.open(io.BytesIO(said)).convert("RGB"))
    lines = len(picture) - len(pixels(drawing))  # of the heading, in image pixels
    heading = picture[:lines]
    dark = np.flatnonzero((heading.max(axis=2) < 60).any(axis=0))
    assert dark.min() >= 10 * SHARPNESS and dark.max() <= (width - 10) * SHARPNESS  # whole words, in the margins
    below = picture[lines:].astype(int)
    off = np.abs(below - pixels(drawing)).max(axis=2)  # the heading shares the palette of 64 colours
    assert (off > 24).mean() < 0.002


def test_a_drawing_draws():
    with pytest.raises(NotImplementedError):
        Drawing().draw(None)
    with pytest.raises(NotImplementedError):
        Drawing().shown()


def test_a_text_of_the_whole_figure_stays_where_its_panes_may_stack():
    figure = new_figure(800, 400)
    figure.subplots(1, 2)
    figure.text(0.01, 0.97, "a < above", va="center")
    figure.text(0.98, 0.02, "below", ha="right")
    shown = svg(figure, alt="Two panes.")
    assert shown.index("a &lt; above") < shown.index("<svg") < shown.rindex("</svg>") < shown.index(">below<")
