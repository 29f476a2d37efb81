"""The toy of notebook 11: clip gradients of two dimensions, add noise, and ask whether Anna took part.

Everything is exact: the picture shows the sum with and without Anna's gradient, and the verdict the best possible
guess from one noisy sum. For two Gaussians of standard deviation s whose means are a distance d apart, the best guess
is right with probability Φ(d / 2s).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.patches import Circle
from scipy.stats import norm

from trustlab.config import option
from trustlab.lab.display import per_cent
from trustlab.lab.figures import FONT_POINTS, GREY, PALETTE, Drawing, clean, points
from trustlab.lab.panel import Answer, Panel

ANNA, OTHERS = PALETTE[1], PALETTE[0]
ANGLE = math.radians(35)  # the direction of Anna's gradient
DRAWS = 150  # noisy sums drawn on each side
ARROWS = dict(angles="xy", scale_units="xy", scale=1)
Clip = Callable[[np.ndarray, float], np.ndarray]  # gradients [B, D] and C to gradients [B, D]


@dataclass(frozen=True)
class ClippingPosition:
    """What can be moved in the toy."""

    clip_norm: float = option(
        1.0, label="C", help="Clipping norm: no gradient in the sum is longer than this.", low=0.1, high=3.0
    )
    noise_multiplier: float = option(
        1.0, label="σ", help="Noise multiplier: the noise has standard deviation σ·C.", low=0.0, high=4.0
    )
    length: float = option(
        3.0, label="Anna's gradient", help="Length of Anna's gradient before clipping.", low=0.5, high=3.5
    )


def others() -> np.ndarray:
    """Return the gradients of the nine other examples, [9, 2]."""
    angles = np.linspace(0, 2 * np.pi, 9, endpoint=False) + 0.3
    lengths = np.array([0.4, 0.9, 1.6, 0.7, 1.2, 0.5, 2.0, 0.8, 1.1])
    return lengths[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def anna(length: float) -> np.ndarray:
    """Return Anna's gradient [2]."""
    return length * np.array([math.cos(ANGLE), math.sin(ANGLE)])


def clip(gradients: np.ndarray, clip_norm: float) -> np.ndarray:
    """Shorten each row of `gradients` [B, D] to at most `clip_norm`: g · min(1, C/‖g‖)."""
    norms = np.linalg.norm(gradients, axis=1, keepdims=True)
    return gradients * (clip_norm / np.maximum(norms, clip_norm))


def best_guess(shift: float, noise_std: float) -> float:
    """Return the chance, from 0.5 to 1, that the best guess "with or without" is right: Φ(d / 2s).

    Examples
    --------
    >>> round(best_guess(1.0, 1.0), 3), best_guess(1.0, 0.0), best_guess(0.0, 0.0)
    (0.691, 1.0, 0.5)
    """
    if noise_std == 0:
        return 1.0 if shift > 0 else 0.5
    return float(norm.cdf(shift / (2 * noise_std)))


def answer(position: ClippingPosition) -> Answer:
    """Say what the panel's position hides, with the numbers behind it."""
    shift = min(position.length, position.clip_norm)
    noise_std = position.noise_multiplier * position.clip_norm
    right = best_guess(shift, noise_std)
    cut = f"clipped to {shift:.2f}" if position.length > position.clip_norm else "short enough not to be clipped"
    verdict = (
        f"Anna's gradient has length {position.length:.2f}, {cut}; the noise has standard deviation {noise_std:.2f}. "
        f"From one noisy sum, the best guess of whether she took part is right {per_cent(right)} of the time (coin: "
        f"{per_cent(0.5)})."
    )
    numbers = [
        {"quantity": "Anna's share of the sum", "value": shift},
        {"quantity": "standard deviation of the noise", "value": noise_std},
        {"quantity": "best guess is right", "value": right},
        {"quantity": "… at worst, for any gradient", "value": best_guess(position.clip_norm, noise_std)},
    ]
    return ToyAnswer(numbers, verdict, "computed here, exact; 150 draws on each side", position=position)


@dataclass(frozen=True)
class ToyAnswer(Answer):
    """An answer with its options, from which the picture is drawn."""

    position: ClippingPosition = ClippingPosition()


class ClippingDrawing(Drawing):
    """Left the gradients and the circle of radius C; right the noisy sums with Anna and without."""

    def __init__(self, clip: Clip = clip) -> None:
        super().__init__(width=820, height=390)
        self._clip = clip
        self.figure.subplots_adjust(left=0.06, right=0.985, bottom=0.12, top=0.89, wspace=0.16)
        left, right = self.figure.subplots(1, 2)
        for axes, title, reach in (
            (left, "One gradient per example", 3.4),
            (right, "What is released: the noisy sum", 5.4),
        ):
            clean(axes)
            axes.grid(axis="both", color="#e8e8e8", linewidth=0.8)
            axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
            axes.set_xticks(ticks := range(-2 * (round(reach) // 2), round(reach), 2))
            axes.set_yticks(ticks)
            axes.set_title(title, fontsize=FONT_POINTS + 1, loc="left")
        zeros = np.zeros(10)
        colours = [OTHERS] * 9 + [ANNA]
        faint = dict(color=colours, alpha=0.25, width=0.006, **ARROWS)
        self._whole = left.quiver(zeros, zeros, zeros, zeros, **faint)
        self._clipped = left.quiver(zeros, zeros, zeros, zeros, color=colours, width=0.009, zorder=3, **ARROWS)
        self._circle = left.add_patch(Circle((0, 0), 1, fill=False, color=GREY, linestyle="--", linewidth=1.4))
        box = dict(bbox=dict(facecolor="white", edgecolor="none", alpha=0.8, pad=2), zorder=4)
        key = "orange: Anna\npale: as computed\nstrong: clipped to C"
        left.text(0.02, 0.98, key, va="top", transform=left.transAxes, color=GREY, fontsize=FONT_POINTS, **box)
        look = dict(s=15, linewidths=0, alpha=0.55)
        self._without = right.scatter([], [], color=OTHERS, marker="o", label="without Anna", **look)
        self._with = right.scatter([], [], color=ANNA, marker="^", label="with Anna", **look)
        legend = dict(loc="upper left", frameon=False, fontsize=FONT_POINTS, handletextpad=0.2, borderaxespad=0.2)
        right.legend(**legend, markerscale=1.6)
        rng = np.random.default_rng(0)
        self.draws = rng.standard_normal((2, DRAWS, 2))  # the same noise at every position: only the options change

    def draw(self, answer: ToyAnswer) -> None:
        """Move arrows, circle and clouds to the options of `answer`."""
        position = answer.position
        whole = np.concatenate([others(), anna(position.length)[None]])  # [10, 2]
        clipped = np.asarray(self._clip(whole, position.clip_norm))
        self._whole.set_UVC(*whole.T)
        self._clipped.set_UVC(*clipped.T)
        self._circle.set_radius(position.clip_norm)
        noise = position.noise_multiplier * position.clip_norm * self.draws
        self._without.set_offsets(clipped[:-1].sum(0) + noise[0])
        self._with.set_offsets(clipped.sum(0) + noise[1])

    def shown(self) -> dict[str, Any]:
        """Return arrows, circle and clouds."""
        arrows = {"whole": self._whole, "clipped": self._clipped}
        clouds = {"without": points(self._without), "with": points(self._with)}
        return {
            **{name: np.column_stack([each.U, each.V]) for name, each in arrows.items()},
            **clouds,
            "radius": self._circle.get_radius(),
        }


def clipping_toy(clip: Clip = clip) -> Panel:
    """Return the panel: C, σ and the length of Anna's gradient, and how well an attacker can tell that she took part.

    Parameters
    ----------
    clip
        The function that shortens the gradients: the reader's, once it is right.

    Examples
    --------
    >>> panel = clipping_toy()
    >>> print(panel.set(noise_multiplier=0.5).answer.verdict)  # doctest: +ELLIPSIS
    Anna's gradient has length 3.00, ... is right 84 % of the time (coin: 50 %).
    """
    return Panel(
        ClippingPosition(),
        title="Clip, then add noise: can you tell whether Anna took part?",
        drawing=ClippingDrawing(clip),
        answer=answer,
        controls={"clip_norm": None, "noise_multiplier": None, "length": None},
        code="clipping_toy()",
    )
