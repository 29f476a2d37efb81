"""The toy of notebook 31: an effect size says how separate two groups are, not how large their difference is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trustlab.config import option
from trustlab.fairness.association import weat
from trustlab.fairness.association.weat import associations
from trustlab.lab.figures import FONT_POINTS, GREY, PALETTE, Drawing, points
from trustlab.lab.panel import Answer, Panel

WORDS = 6  # in each set
LEANS = (0.0, 2.0, 5.0, 10.0, 20.0, 35.0)
SPREADS = (2.0, 6.0, 12.0, 24.0)
SETS = (("X", 0), ("Y", 1), ("A", 2), ("B", 3))  # and the place of each one's colour
POLES = 45.0  # the distance of A and B from the middle


@dataclass(frozen=True)
class ToyPosition:
    """The position of the toy."""

    lean: float = option(
        5.0, label="Lean", help="How far X leans to A and Y to B, on average.", unit="degrees", values=LEANS
    )
    spread: float = option(
        6.0, label="Spread", help="How far apart words of one set are.", unit="degrees", values=SPREADS
    )
    seed: int = option(0, label="Seed", help="Other words of the same kind.", values=(0, 1, 2))


def association_toy() -> Panel:
    """Return the toy.

    Examples
    --------
    >>> toy = association_toy()
    >>> near, far = (toy.set(lean=lean, spread=2.0).answer.verdict for lean in (5.0, 35.0))
    >>> "WEAT's effect size is 1.8" in near and "WEAT's effect size is 1.9" in far
    True
    """
    return Panel(
        ToyPosition(),
        title="What is an effect size the size of?",
        drawing=ToyDrawing(),
        answer=_answer,
        code="association_toy()",
    )


def vectors(at: ToyPosition) -> dict[str, np.ndarray]:
    """Return the words of each set as unit vectors [words, 2]; A is to the left of the middle, B to the right."""
    rng = np.random.default_rng(at.seed)
    middles = {"X": at.lean, "Y": -at.lean, "A": POLES, "B": -POLES}
    angles = {
        name: np.radians(90 + middle + at.spread * rng.standard_normal(WORDS)) for name, middle in middles.items()
    }
    return {name: np.column_stack([np.cos(each), np.sin(each)]) for name, each in angles.items()}


def _answer(at: ToyPosition) -> Answer:
    sets = vectors(at)
    found = weat(**sets)
    s = {name: associations(sets[name], sets["A"], sets["B"]) for name in ("X", "Y")}
    difference = f"{s['X'].mean() - s['Y'].mean():.2f}".replace("-", "−")
    verdict = (
        f"With a lean of {at.lean:g}° and a spread of {at.spread:g}°, X's mean association is {difference} above "
        f"Y's; WEAT's effect size is {found.effect_size:.2f} of at most 2, p = {found.p_value:.3f}."
    )
    rows: list[dict[str, Any]] = [
        {"set": name, "x": float(x), "y": float(y)} for name, each in sets.items() for x, y in each
    ]
    return Answer(rows, verdict, f"computed here, {WORDS} words a set, all {found.permutations} divisions counted")


class ToyDrawing(Drawing):
    """The words of all four sets as arrows on a half circle."""

    def __init__(self) -> None:
        super().__init__(width=560, height=330)
        self.axes = self.figure.add_axes((0.02, 0.03, 0.96, 0.94))
        circle = np.radians(np.linspace(0, 180, 100))
        self.axes.plot(np.cos(circle), np.sin(circle), color=GREY, linewidth=0.8)
        self._words = {}
        for (name, place), length in zip(SETS, (0.85, 0.85, 1.0, 1.0), strict=True):
            look = dict(color=PALETTE[place], linewidth=1.6 if length < 1 else 2.4)
            (line,) = self.axes.plot([], [], alpha=0.8, **look)
            label = self.axes.text(0, 0, name, color=PALETTE[place], ha="center", va="center", fontsize=FONT_POINTS + 3)
            self._words[name] = line, label, length
        self.axes.set(xlim=(-1.25, 1.25), ylim=(-0.03, 1.25))
        self.axes.set_aspect("equal")
        self.axes.axis("off")

    def draw(self, answer: Answer) -> None:
        """Turn the arrows."""
        for name, (line, label, length) in self._words.items():
            ends = np.array([(row["x"], row["y"]) for row in answer.numbers if row["set"] == name]) * length
            gap = np.full(len(ends), np.nan)
            line.set_data(*(np.column_stack([np.zeros(len(end)), end, gap]).ravel() for end in ends.T))
            middle = ends.mean(0) / np.linalg.norm(ends.mean(0))
            label.set_position(tuple((1.12 if length == 1 else 1.04) * middle))

    def shown(self) -> dict[str, Any]:
        """Return where the arrows of each set end."""
        return {name: points(line)[1::3] for name, (line, _, _) in self._words.items()}
