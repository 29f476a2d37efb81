"""A picture in the page is the picture that matplotlib itself draws, and its panes stand where there is room."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import sync_playwright

from trustlab.course.gallery import ALL
from trustlab.lab import figures
from trustlab.lab.curves import Curves
from trustlab.lab.figures import FONTS, css_size, new_figure, png, svg
from trustlab.lab.fragments import Fragments, joined

pytestmark = pytest.mark.browser

FINE = 2  # pixels per CSS pixel
BLOCK = 12  # pixels: two renderers agree on blocks of them, not on the edge of each letter


@pytest.fixture(scope="module")
def page(chromium):
    with sync_playwright() as playwright, pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "SHARPNESS", FINE)  # compared finer than pictures are stored
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield browser.new_page(viewport={"width": 1280, "height": 900}, device_scale_factor=FINE)
        browser.close()


def blocks(data):
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("L"), dtype=float)
    height, width = (size - size % BLOCK for size in pixels.shape)
    return pixels[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK).mean(axis=(1, 3))


@pytest.mark.parametrize("name", ALL)
def test_the_page_shows_what_matplotlib_draws(page, name):
    figure = ALL[name]().drawing.figure
    width, height = css_size(figure)
    inside = joined(Fragments(figure).pieces(figure))
    page.set_content(
        f'<body style="margin:0;background:#fff;color:#000;--trustlab-ground:#fff;font-family:{FONTS}">'
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" style="display:block">{inside}</svg>'
    )
    shown, drawn = blocks(page.locator("body > svg").screenshot()), blocks(png(figure))
    apart = np.abs(shown - drawn)
    assert apart.mean() < 3  # of 255: greys are a little darker in the page, and letters are not hinted
    assert np.quantile(apart, 0.99) < 40


def two_panes():
    """A figure of two pictures side by side on one scale, as panels have them."""
    figure = new_figure(860, 350)
    figure.subplots_adjust(left=0.08, right=0.985, bottom=0.213, top=0.797, wspace=0.08)
    names = ("DP-SGD", "eDP-SGD", "a third", "a fourth")
    rows = [
        {"epsilon": epsilon, "accuracy": accuracy, "low": accuracy - 0.1, "high": accuracy + 0.1, "method": name}
        for place, name in enumerate(names)
        for epsilon in (1.0, 8.0)
        for accuracy in (0.8 + epsilon / 80 - 0.2 * place,)
    ]
    for at, axes in enumerate(figure.subplots(1, 2, sharey=True)):
        look = {"y_label": "accuracy", "legend_at": 1.08} if at == 0 else {"legend_at": None}
        pane = Curves("epsilon", "accuracy", "method", x_label="ε", grid=(1.0, 8.0), axes=axes, **look)
        pane.draw(SimpleNamespace(numbers=rows, focus={}, live=()))
    return figure


def test_an_axis_that_is_missing_is_seen(page):
    figure = two_panes()
    drawn = blocks(png(figure))
    figure.axes[1].set_visible(False)
    assert np.quantile(np.abs(blocks(png(figure)) - drawn), 0.99) > 40


@pytest.mark.parametrize(("width", "rows"), [(1000, 1), (760, 1), (690, 2), (380, 2)])
def test_panes_stack_on_a_narrow_page_and_stay_in_it(page, width, rows):
    picture = svg(two_panes(), alt="Two panes.")
    page.set_content(
        f'<body style="margin:0"><div style="width:{width}px;padding:0 14px;--trustlab-ground:#fff">{picture}</div>'
    )
    boxes = [each.bounding_box() for each in page.locator(".trustlab-drawing > div > div:has(> svg)").all()]
    assert len({round(box["y"] + box["height"]) for box in boxes}) == rows
    assert all(box["x"] + box["width"] <= width + 15 for box in boxes)
    numbers = page.locator(".trustlab-alone text").first
    assert numbers.is_visible() == (rows == 2)  # alone, the second pane has the numbers of its axis
    if rows == 2:
        assert min(each.bounding_box()["x"] for each in page.locator(".trustlab-alone text").all()) >= 0


def test_the_mouse_is_told_the_value_of_a_point(page):
    page.set_content(svg(two_panes(), alt="Points."))
    titles = page.locator("title").evaluate_all("all => all.map(each => each.textContent)")
    assert any(title.startswith("DP-SGD, ε = 8: 0.9") for title in titles)
