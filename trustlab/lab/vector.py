"""SVG from matplotlib's artists: short, without ids, in the colours of the page around it.

matplotlib's own SVG writer names its parts by ids, so that two pictures on a page clash, and fixes black on white. Here

- text stays text, in the same font as the measured one where the reader has it;
- black and grey become ``currentColor``, more or less opaque, and white becomes the page's ground: a picture follows
  the theme. What is written on a coloured cell keeps its colour (:func:`keep_colours`);
- a point says its name when the mouse rests on it (:func:`name_points`).
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.backend_bases import GraphicsContextBase, RendererBase
from matplotlib.colors import to_hex, to_rgb
from matplotlib.image import AxesImage
from matplotlib.path import Path
from PIL import Image

PIXELS_PER_INCH = 100  # CSS pixels: 7.2 inches are 720 px wide on the page
PIXELS_PER_POINT = PIXELS_PER_INCH / 72
# What a dark theme may make brighter: the style sheet of panels does.
THEMED = {
    "#0072b2": "blue",
    "#d55e00": "red",
    "#009e73": "green",
    "#cc79a7": "pink",
    "#e69f00": "amber",
    "#56b4e9": "sky",
}
GROUND = "var(--trustlab-ground,var(--jp-layout-color0,#fff))"
ACHROMATIC = 0.02  # the spread of red, green and blue up to which a colour is a grey
COMMANDS = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C", Path.CLOSEPOLY: "Z"}
ANCHORS = {"left": "start", "center": "middle", "right": "end"}


def keep_colours(artist: Artist) -> None:
    """Keep black black and white white: for what is written on a coloured ground."""
    artist._trustlab_keeps_colours = True


def fade(artist: Artist, colour: str, share: float) -> Any:
    """Return `colour` as faint as its `share`, opaque: mixed with white where stored, with the page's ground there."""
    artist._trustlab_faded = None if share == 1 else (colour, share)
    return colour if share == 1 else tuple(share * part + 1 - share for part in to_rgb(colour))


def name_points(artist: Artist, names: Sequence[str]) -> None:
    """Give each point of a line or of a cloud of markers, or a bar, the text that the mouse shows."""
    if tuple(names) != getattr(artist, "_trustlab_names", ()):
        artist._trustlab_names = tuple(names)
        artist.stale = True


class Writer(RendererBase):
    """Draws artists as pieces of SVG: a list of (clip rectangle or None, text) each.

    Parameters
    ----------
    width, height
        Of the picture, in CSS pixels.
    """

    def __init__(self, width: float, height: float) -> None:
        super().__init__()
        self.width, self.height = width, height
        self._pieces: list[tuple[tuple[float, ...] | None, str]] = []
        self._names: Sequence[str] = ()
        self._keeps_colours = False
        self._faded: tuple[str, float] | None = None

    def pieces_of(self, artist: Artist) -> list[tuple[tuple[float, ...] | None, str]]:
        """Draw one artist."""
        self._pieces = []
        self._names = getattr(artist, "_trustlab_names", ())
        self._keeps_colours = getattr(artist, "_trustlab_keeps_colours", False)
        self._faded = getattr(artist, "_trustlab_faded", None)
        artist.draw(self)
        return self._pieces

    def pieces_of_image(self, image: AxesImage) -> list[tuple[tuple[float, ...] | None, str]]:
        """Draw an image cell by cell instead of resampled for one size of the screen."""
        self._pieces = []
        values = image.get_array()
        left, right, bottom, top = image.get_extent()
        corners = image.get_transform().transform([(left, bottom), (right, top)])
        pixels = image.to_rgba(values, bytes=True)
        pixels = pixels[::-1] if image.origin == "upper" else pixels
        gc = self.new_gc()
        image._set_gc_clip(gc)
        self.draw_pixels(gc, pixels, tuple(corners.ravel()))
        image.stale = False
        return self._pieces

    # What matplotlib asks of a renderer

    def flipy(self) -> bool:
        """Return that y grows downwards."""
        return True

    def get_canvas_width_height(self) -> tuple[float, float]:
        """Return the size in pixels."""
        return self.width, self.height

    def points_to_pixels(self, points: Any) -> Any:
        """Return lengths in CSS pixels."""
        return points * PIXELS_PER_POINT

    def option_image_nocomposite(self) -> bool:
        """Return that images are not melted into one."""
        return True

    def draw_path(self, gc: GraphicsContextBase, path: Path, transform: Any, rgbFace: Any = None) -> None:
        """Draw one path."""
        look = self._look(gc, rgbFace)
        if look and (data := self._data(path, transform)):
            self._put(gc, f'<path d="{data}"{look}{self._closed("path", 0)}')

    def draw_markers(
        self, gc: GraphicsContextBase, marker_path: Path, marker_trans: Any, path: Path, trans: Any, rgbFace: Any = None
    ) -> None:
        """Draw the same marker at each point of `path`."""
        look = self._look(gc, rgbFace)
        tag, shape = self._mark(marker_path.transformed(marker_trans))
        if look and shape:
            marks = []
            for i, (x, y) in enumerate(trans.transform(path.vertices)):
                if np.isfinite(x) and np.isfinite(y):
                    marks.append(shape % (_short(x), _short(self.height - y)) + self._closed(tag, i))
            self._put(gc, f"<g{look}>{''.join(marks)}</g>")

    def draw_path_collection(
        self, gc: Any, master_transform: Any, paths: Any, all_transforms: Any, offsets: Any, offset_trans: Any,
        facecolors: Any, edgecolors: Any, linewidths: Any, linestyles: Any, antialiaseds: Any, urls: Any,
        offset_position: Any, **options: Any,
    ) -> None:  # fmt: skip
        """Draw many paths, each with its own name; dots of one look together."""
        looks = facecolors, edgecolors, linewidths, linestyles, antialiaseds, urls, offset_position
        if len(paths) != 1:
            super().draw_path_collection(gc, master_transform, paths, all_transforms, offsets, offset_trans, *looks)
            return
        shapes = [
            self._mark(path.transformed(transform))
            for path, transform in self._iter_collection_raw_paths(master_transform, paths, all_transforms)
        ]
        drawn = self._iter_collection(gc, shapes, offsets, offset_trans, *looks, hatchcolors=[])
        groups: list[tuple[str, list[str]]] = []
        for i, (x, y, (tag, shape), own, face) in enumerate(drawn):
            look = self._look(own, face)
            if not groups or groups[-1][0] != look:
                groups.append((look, []))
            groups[-1][1].append(shape % (_short(x), _short(self.height - y)) + self._closed(tag, i))
        self._put(gc, "".join(f"<g{look}>{''.join(marks)}</g>" for look, marks in groups if look))

    def _mark(self, shape: Path) -> tuple[str, str]:
        """Return a marker's element, with room for its place, and the element's name."""
        radius = _radius(shape)
        if radius is not None:
            return "circle", f'<circle cx="%s" cy="%s" r="{radius}"'
        data = self._data(shape, None)
        return "path", f'<path d="{data}" transform="translate(%s %s)"' if data else ""

    def draw_quad_mesh(
        self,
        gc: Any,
        master_transform: Any,
        meshWidth: int,
        meshHeight: int,
        coordinates: Any,
        offsets: Any,
        offsetTrans: Any,
        facecolors: Any,
        *look: Any,
    ) -> None:
        """Draw a regular mesh, such as a colour bar, as a picture of one pixel each."""
        (left, bottom), (right, top) = master_transform.transform([coordinates[0, 0], coordinates[-1, -1]])
        pixels = np.round(255 * np.asarray(facecolors)).astype(np.uint8).reshape(meshHeight, meshWidth, 4)
        self.draw_pixels(gc, pixels, (left, bottom, right, top))

    def draw_image(self, gc: Any, x: float, y: float, im: np.ndarray, transform: Any = None) -> None:
        """Draw an image as it was computed for the screen."""
        height, width = im.shape[:2]
        self.draw_pixels(gc, im[::-1], (x, y, x + width, y + height))

    def draw_pixels(self, gc: Any, pixels: np.ndarray, box: tuple[float, float, float, float]) -> None:
        """Draw pixels [height, width, 4], the lowest row first, each as a rectangle, in (left, bottom, right, top)."""
        left, bottom, right, top = box
        step = (1 if top < bottom else -1), (1 if left < right else -1)
        buffer = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(pixels[:: step[0], :: step[1]])).save(buffer, "png", compress_level=6)
        data = base64.b64encode(buffer.getvalue()).decode("ascii")
        place = f'x="{_short(min(left, right))}" y="{_short(self.height - max(bottom, top))}"'
        size = f'width="{_short(abs(right - left))}" height="{_short(abs(top - bottom))}"'
        style = 'preserveAspectRatio="none" style="image-rendering:pixelated"'
        self._put(gc, f'<image {place} {size} {style} href="data:image/png;base64,{data}"/>')

    def draw_text(self, gc: Any, x: float, y: float, s: str, prop: Any, angle: float, ismath: Any = False,
                  mtext: Any = None) -> None:  # fmt: skip
        """Write text, anchored where the artist is: the reader's font may be wider than the measured one."""
        anchor = "start"
        if mtext is not None and (angle == 0 or mtext.get_rotation_mode() == "anchor"):
            at_x, at_y = mtext.get_transform().transform(mtext.get_unitless_position())
            at_y = self.height - at_y
            turn = np.deg2rad(angle)
            down = np.array([np.sin(turn), np.cos(turn)])
            x, y = np.array([at_x, at_y]) + down * (down @ [x - at_x, y - at_y])
            anchor = ANCHORS[mtext.get_ha()]
        alpha = gc.get_alpha() if gc.get_forced_alpha() else gc.get_rgb()[3]
        colour, alpha = self._paint(gc.get_rgb(), alpha)
        look = f' font-size="{_short(self.points_to_pixels(prop.get_size_in_points()))}" fill="{colour}"'
        look += "" if alpha == 1 else f' fill-opacity="{alpha:.3g}"'
        look += "" if anchor == "start" else f' text-anchor="{anchor}"'
        look += "" if prop.get_weight() in ("normal", 400) else f' font-weight="{prop.get_weight()}"'
        look += "" if not angle else f' transform="rotate({_short(-angle)} {_short(x)} {_short(y)})"'
        self._put(gc, f'<text x="{_short(x)}" y="{_short(y)}"{look}>{html.escape(s, quote=False)}</text>')

    # What these need

    def _put(self, gc: GraphicsContextBase, text: str) -> None:
        box = gc.get_clip_rectangle()
        clip = None if box is None else (box.x0, self.height - box.y1, box.width, box.height)
        self._pieces.append((clip, text))

    def _closed(self, tag: str, i: int) -> str:
        """Return the end of an element: with the name of the point `i`, if it has one."""
        return f"><title>{html.escape(self._names[i])}</title></{tag}>" if i < len(self._names) else "/>"

    def _paint(self, rgb: Sequence[float], alpha: float) -> tuple[str, float]:
        """Return a colour of the page and its opacity."""
        if self._keeps_colours:
            return to_hex(rgb[:3]), alpha
        if max(rgb[:3]) - min(rgb[:3]) > ACHROMATIC:
            if self._faded is None:
                return _themed(to_hex(rgb[:3])), alpha
            colour, share = self._faded
            return f"color-mix(in srgb,{_themed(colour.lower())} {100 * share:.0f}%,{GROUND})", alpha
        if rgb[1] > 1 - ACHROMATIC:
            return GROUND, alpha
        return "currentColor", alpha * (1 - rgb[1] ** 1.5)  # themes' text is not quite black: darker than 1 - green

    def _look(self, gc: GraphicsContextBase, face: Any) -> str:
        """Return the attributes of a path's fill and stroke; "" where there is nothing to see."""
        forced = gc.get_alpha() if gc.get_forced_alpha() else None
        fill, look = ' fill="none"', ""
        if face is not None:
            colour, alpha = self._paint(face, (face[3] if len(face) > 3 else 1.0) if forced is None else forced)
            if alpha > 0:
                fill = f' fill="{colour}"' + ("" if alpha == 1 else f' fill-opacity="{alpha:.3g}"')
        colour, alpha = self._paint(gc.get_rgb(), gc.get_rgb()[3] if forced is None else forced)
        if gc.get_linewidth() > 0 and alpha > 0:
            look = f' stroke="{colour}"' + ("" if alpha == 1 else f' stroke-opacity="{alpha:.3g}"')
            look += f' stroke-width="{_short(self.points_to_pixels(gc.get_linewidth()))}"'
            start, dashes = gc.get_dashes()
            if dashes is not None:
                look += f' stroke-dasharray="{" ".join(_short(self.points_to_pixels(each)) for each in dashes)}"'
                look += "" if not start else f' stroke-dashoffset="{_short(self.points_to_pixels(start))}"'
            look += "" if gc.get_joinstyle() == "miter" else f' stroke-linejoin="{gc.get_joinstyle()}"'
            cap = {"projecting": "square"}.get(gc.get_capstyle(), gc.get_capstyle())
            look += "" if cap == "butt" else f' stroke-linecap="{cap}"'
        return f"{fill}{look}" if look or "none" not in fill else ""

    def _data(self, path: Path, transform: Any) -> str:
        """Return a path's ``d``; without a transform it is a marker around its middle, and only turned over."""
        height = 0.0 if transform is None else self.height
        parts = []
        for points, code in path.iter_segments(transform, simplify=False):
            numbers = [_short(height - value if i % 2 else value) for i, value in enumerate(points)]
            parts.append(COMMANDS[code] + (" ".join(numbers) if code != Path.CLOSEPOLY else ""))
        return "".join(parts)


def _themed(colour: str) -> str:
    return f"var(--trustlab-{THEMED[colour]},{colour})" if colour in THEMED else colour


def _short(value: float) -> str:
    """Write a length of a picture, to a hundredth of a pixel.

    Examples
    --------
    >>> _short(12.0), _short(0.5), _short(123.456)
    ('12', '0.5', '123.46')
    """
    return f"{value:.5g}"


def _radius(shape: Path) -> str | None:
    """Return the radius of a circle around the middle, None for other shapes."""
    if shape.codes is None or len(shape.codes) != len(Path.unit_circle().codes) or shape.codes[1] != Path.CURVE4:
        return None
    return _short(float(shape.vertices.max()))
