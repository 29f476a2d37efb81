import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from trustlab.lab.figures import PALETTE, new_figure, svg
from trustlab.lab.vector import GROUND, fade, keep_colours, name_points


@pytest.fixture
def axes():
    figure = new_figure(400, 200)
    axes = figure.add_axes((0.1, 0.1, 0.8, 0.8))
    axes.axis("off")
    axes.set(xlim=(0, 10), ylim=(0, 10))
    return axes


def drawn(axes):
    return svg(axes.figure, alt="a test")


@pytest.mark.parametrize(
    ("colour", "expected"),
    [("black", 'stroke="currentColor"'), ("white", f'stroke="{GROUND}"'), ("#123456", 'stroke="#123456"')],
)
def test_black_and_white_are_the_pages_and_colours_are_their_own(axes, colour, expected):
    axes.plot([1, 2], [1, 2], color=colour)
    assert expected in drawn(axes)


def test_a_darker_grey_is_more_opaque(axes):
    opacities = []
    for grey in ("0.2", "0.5", "0.9"):
        (line,) = axes.plot([1, 2], [1, 2], color=grey)
        opacities.append(float(re.search(r'stroke="currentColor" stroke-opacity="([\d.]+)"', drawn(axes)).group(1)))
        line.remove()
    assert 1 > opacities[0] > opacities[1] > opacities[2] > 0


def test_what_is_written_on_a_colour_keeps_its_own(axes):
    text = axes.text(5, 5, "42", color="white")
    assert "#ffffff" not in drawn(axes)
    keep_colours(text)
    text.set_text("43")
    assert 'fill="#ffffff">43<' in drawn(axes)


def test_a_faded_series_is_mixed_with_the_ground_of_the_page(axes):
    (line,) = axes.plot([1, 2], [1, 2])
    line.set_color(fade(line, PALETTE[1], 0.4))
    assert f"color-mix(in srgb,var(--trustlab-red,{PALETTE[1].lower()}) 40%,{GROUND})" in drawn(axes)
    line.set_color(fade(line, PALETTE[1], 1))
    assert "color-mix" not in drawn(axes)


def test_each_point_says_its_name_and_new_names_are_drawn(axes):
    (line,) = axes.plot([1, 2], [1, 2], "s")
    cloud = axes.scatter([3, 4], [3, 4], c=["#123456", "#654321"])
    name_points(line, ["a < b", "second"])
    name_points(cloud, ["third", "fourth"])
    assert re.findall("<title>(.*?)</title>", drawn(axes)) == ["third", "fourth", "a &lt; b", "second"]
    name_points(line, ["first", "second"])
    assert "<title>first</title>" in drawn(axes)


@pytest.mark.parametrize("upside_down", [False, True])
def test_an_image_has_one_pixel_a_cell_where_its_cell_is(axes, upside_down):
    cells = np.zeros((2, 3, 4))
    cells[0, 2] = 1, 0, 0, 1  # at the top right, with y downwards
    axes.imshow(cells, extent=(0, 9, 8, 0), aspect="auto")
    axes.set(xlim=(0, 9), ylim=(0, 8) if upside_down else (8, 0))
    x, y, width, height, data = re.search(
        r'<image x="(.*?)" y="(.*?)" width="(.*?)" height="(.*?)".*base64,(.*?)"', drawn(axes)
    ).groups()
    assert [float(each) for each in (x, y, width, height)] == [40, 20, 320, 160]
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    assert pixels.shape == (2, 3, 4)
    assert np.argwhere(pixels[..., 0] == 255).tolist() == [[1 if upside_down else 0, 2]]


def test_a_dot_is_where_the_data_say(axes):
    axes.scatter([2.5], [7.5], s=36, color=PALETTE[0], linewidths=0)
    place = re.search('<circle cx="(.*?)" cy="(.*?)" r="(.*?)"', drawn(axes)).groups()
    assert [float(each) for each in place] == pytest.approx([40 + 0.25 * 320, 20 + 0.25 * 160, 3 * 100 / 72], abs=0.01)


def test_another_renderer_in_between_leaves_nothing_of_an_old_state(axes):
    axes.plot([1, 2], [1, 2])
    bar = axes.bar([5], [3], color=PALETTE[1])[0]
    before = drawn(axes)
    bar.set_height(8)
    axes.figure.canvas.draw()  # takes the mark of the change away
    assert drawn(axes) != before
    bar.set_height(3)
    assert drawn(axes) == before
