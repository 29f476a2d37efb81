"""The picture of a partition: a bar of labels for each client, how far clients are apart, and how large they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_rgb

from trustlab.federated.partition import jensen_shannon
from trustlab.lab.answer import Answer
from trustlab.lab.figures import FONT_POINTS, GREY, PALETTE, Drawing, clean

DOTS = 240  # a bar is drawn in so many pieces: finer than the eye sees at this size
BINS = 12
SHADES = (0.0, 0.45, 0.7)  # how far a colour is moved towards white, for the second and third seven labels
LEVELS = 24  # of the distance: few colours make a small picture


@dataclass(frozen=True)
class PartitionAnswer(Answer):
    """An answer that also has the clients' label counts [K, L]."""

    counts: np.ndarray | None = None


class PartitionDrawing(Drawing):
    """Label bars on the left, client × client distances in the middle, sizes on the right."""

    def __init__(self) -> None:
        super().__init__(width=900, height=360)
        self.bars = self.figure.add_axes((0.075, 0.14, 0.36, 0.75))
        self.distances = self.figure.add_axes((0.485, 0.14, 0.29, 0.75))
        self.sizes = self.figure.add_axes((0.865, 0.14, 0.125, 0.75))
        self._strips = label_strips(self.bars)
        # Grey for a client without examples: it has no distribution, and no distance to any.
        distance = colormaps["Blues"].resampled(LEVELS).with_extremes(bad="#d9d9d9")
        self._matrix = self.distances.imshow(np.zeros((1, 1)), cmap=distance, vmin=0, vmax=1, interpolation="nearest")
        self._stairs = self.sizes.stairs(np.zeros(BINS), np.arange(BINS + 1.0), fill=True, color=PALETTE[0])
        self._dress()

    def draw(self, answer: PartitionAnswer) -> None:
        """Show ``answer.counts``, the clients in order of their commonest label."""
        counts = answer.counts
        if counts is None:
            raise ValueError("Expected counts [clients, labels] in the answer, got none. There is nothing to draw.")
        counts = counts[np.lexsort((-counts.max(axis=1), counts.argmax(axis=1)))]
        clients, sizes = len(counts), counts.sum(axis=1)
        show_strips(self._strips, counts)
        apart = jensen_shannon(counts)
        self._matrix.set_data(apart)
        self._matrix.set_extent((0, clients, clients, 0))
        self.distances.set(xlim=(0, clients), ylim=(clients, 0))
        heights, edges = np.histogram(sizes, bins=BINS, range=(0, sizes.max() * 1.02))
        self._stairs.set_data(heights, edges)
        self.sizes.set(xlim=(0, edges[-1]), ylim=(0, heights.max() * 1.06))

    def shown(self) -> dict[str, Any]:
        """Return which label's colour each piece of a bar has, the distances, and how many clients have which size."""
        sizes = self._stairs.get_data()
        return {
            "bars": np.asarray(self._strips.get_array()),
            "distances": np.ma.filled(self._matrix.get_array(), np.nan),
            "sizes": (sizes.values, sizes.edges),
        }

    def _dress(self) -> None:
        titles = {self.bars: "Each client's labels", self.distances: "How far apart", self.sizes: "Clients by size"}
        for axes, title in titles.items():
            clean(axes)
            axes.grid(visible=False)
            axes.set_title(title, fontsize=FONT_POINTS + 1, loc="left")
        for axes, x_label, y_label in (
            (self.bars, "examples, one colour per label", "client"),
            (self.distances, "client", ""),
            (self.sizes, "examples", ""),
        ):
            axes.set_xlabel(x_label, fontsize=FONT_POINTS)
            axes.set_ylabel(y_label, fontsize=FONT_POINTS)
            axes.locator_params(nbins=2 if axes is self.sizes else 4, integer=True)
        self.distances.set_aspect("auto")
        scale = self.figure.colorbar(self._matrix, ax=self.distances, fraction=0.05, pad=0.03, ticks=(0, 0.5, 1))
        scale.ax.tick_params(labelsize=FONT_POINTS, length=0)
        scale.outline.set_visible(False)
        scale.ax.text(0, 1.03, "JS", transform=scale.ax.transAxes, fontsize=FONT_POINTS, color=GREY)


def label_strips(axes: Axes) -> Any:
    """Return an empty picture of label bars in `axes`, for :func:`show_strips`."""
    colours = [tuple(1 - (1 - part) * (1 - shade) for part in to_rgb(c)) for shade in SHADES for c in PALETTE[:-1]]
    look = ListedColormap([*colours, (1.0, 1.0, 1.0, 0.0)])
    blank = np.full((1, DOTS), len(colours))
    return axes.imshow(blank, cmap=look, vmin=0, vmax=len(colours), interpolation="nearest", aspect="auto")


def show_strips(strips: Any, counts: np.ndarray) -> None:
    """Draw each client's examples [K, L] as one bar, its labels in their order, as long as the client is large.

    There are more labels than colours: neighbours in a bar differ, and what counts is how many pieces it has.
    """
    colours = strips.cmap.N - 1
    longest = max(int(counts.sum(axis=1).max()), 1)
    ends = counts.cumsum(axis=1)  # [K, L]
    at = (np.arange(DOTS) + 0.5) * longest / DOTS
    label = (ends[:, None, :] <= at[None, :, None]).sum(axis=2)  # [K, DOTS]: how many labels end before
    strips.set_data(np.where(label < counts.shape[1], label % colours, colours))
    strips.set_extent((0, longest, len(counts), 0))
    strips.axes.set(xlim=(0, longest), ylim=(len(counts), 0))
