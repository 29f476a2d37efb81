"""The toy of notebook 14: twelve words on a map, and what is said for one of them."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from trustlab.config import option
from trustlab.course.n14_private_text.word_mechanisms import EXPONENTIAL, LAPLACE
from trustlab.lab.display import per_cent
from trustlab.lab.figures import FONT_POINTS, GREY, PALETTE, Drawing
from trustlab.lab.panel import Answer, Panel
from trustlab.privacy.text import NoisyVectors, TruncatedExponential, WordTable, exact_deniability

PLACES = {
    "tea": (1.0, 2.2), "coffee": (1.3, 2.45), "cocoa": (0.75, 2.6), "juice": (1.45, 2.0), "water": (0.9, 1.8),
    "milk": (0.5, 2.15), "train": (3.3, 2.5), "bus": (3.7, 2.2), "tram": (3.45, 1.85), "pay": (2.6, 0.7),
    "owe": (3.1, 0.55), "xylophone": (0.6, 0.3),
}  # fmt: skip
DRAWS = 4000
PER = 100  # draws of S_w
EPSILONS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


@dataclass(frozen=True)
class ToyPosition:
    """The position of the toy."""

    word: str = option("tea", label="You say", help="The word to hide.", values=("tea", "train", "pay", "xylophone"))
    epsilon: float = option(4.0, label="ε", help="Per unit of the map: small hides a word widely.", values=EPSILONS)
    mechanism: str = option(
        LAPLACE,
        label="Mechanism",
        help="Noise on the word's place and then the nearest word, or a word chosen by its distance.",
        values=(LAPLACE, EXPONENTIAL),
    )


def hiding_toy() -> Panel:
    """Return the toy.

    Examples
    --------
    >>> toy = hiding_toy()
    >>> crowded, alone = (toy.set(word=word).numbers["said"].max() for word in ("tea", "xylophone"))
    >>> bool(crowded < alone)
    True
    """
    return Panel(
        ToyPosition(),
        title="Among how many words does a word hide?",
        drawing=MapDrawing(),
        answer=_answer,
        code="hiding_toy()",
    )


@functools.cache
def _table() -> WordTable:
    return WordTable.of(PLACES)


@functools.lru_cache(maxsize=256)
def chances(word: str, epsilon: float, mechanism: str) -> tuple[tuple[float, ...], float]:
    """Return how often each word of the map is said for `word`, and how many different ones in 100 draws.

    Examples
    --------
    >>> said, different = chances("xylophone", 16.0, "exponential")
    >>> round(max(said), 2), round(different, 1)
    (1.0, 1.1)
    """
    table = _table()
    ids = table.ids([word])
    if mechanism == EXPONENTIAL:
        chosen = TruncatedExponential(table, epsilon)
        return tuple(np.exp(chosen.log_probabilities(ids))[0].tolist()), float(exact_deniability(chosen, [word])[1][0])
    said = NoisyVectors(table, epsilon).draw(np.repeat(ids, DRAWS), np.random.default_rng(14))
    different = np.mean([len(np.unique(part)) for part in said.reshape(-1, PER)])
    return tuple((np.bincount(said, minlength=len(table)) / DRAWS).tolist()), float(different)


def _answer(at: ToyPosition) -> Answer:
    said, different = chances(at.word, at.epsilon, at.mechanism)
    rows: list[dict[str, Any]] = [
        {"word": word, "said": share, "distance": float(np.hypot(*np.subtract(PLACES[word], PLACES[at.word])))}
        for word, share in zip(PLACES, said, strict=True)
    ]
    kept = said[list(PLACES).index(at.word)]
    verdict = (
        f"At ε = {at.epsilon:g}, “{at.word}” is said as it is in {per_cent(kept)} of the draws (N_w); in {PER} draws "
        f"{different:.1f} different words are said for it (S_w)."
    )
    how = "exact" if at.mechanism == EXPONENTIAL else f"{DRAWS:,} draws"
    return Answer(rows, verdict, f"computed here, {how}, {len(PLACES)} words on a map", focus={"word": at.word})


class MapDrawing(Drawing):
    """Words at their places, a disc around each whose area is how often it is said."""

    def __init__(self) -> None:
        super().__init__(width=760, height=360)
        self.axes = self.figure.add_axes((0.02, 0.03, 0.96, 0.94))
        places = np.array(list(PLACES.values()))
        self.axes.set(xlim=(0.0, 4.3), ylim=(-0.1, 3.1))
        self.axes.axis("off")
        self._discs = [
            self.axes.plot(*place, "o", color=PALETTE[0], alpha=0.35, mec="none", markersize=0.1)[0] for place in places
        ]
        (self._chosen,) = self.axes.plot([], [], "o", color=PALETTE[1], markersize=7)
        self.axes.plot(*places.T, "o", color=GREY, markersize=3)
        self._told = [
            self.axes.text(x, y + 0.1, word, ha="center", va="bottom", fontsize=FONT_POINTS)
            for word, (x, y) in PLACES.items()
        ]

    def draw(self, answer: Answer) -> None:
        """Size the discs, and mark the word that is hidden."""
        for disc, told, row in zip(self._discs, self._told, answer.numbers, strict=True):
            disc.set_markersize(0.1 + 75 * float(row["said"]) ** 0.5)
            told.set_text(row["word"] if row["said"] < 0.005 else f"{row['word']} {per_cent(row['said'])}")
        self._chosen.set_data(*np.array(PLACES[(answer.focus or {})["word"]])[:, None])

    def shown(self) -> dict[str, Any]:
        """Return what is written at each place."""
        return {"map": [told.get_text() for told in self._told]}
