"""The picture of notebook 14: a sentence word by word, and next to it what all such text is worth to both sides."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trustlab.lab.answer import Answer
from trustlab.lab.curves import Curves
from trustlab.lab.figures import FONT_POINTS, GREY, PALETTE, Drawing, clean

MOST_WORDS = 9
LETTERS = 15  # of a word that are drawn
NEW, KEPT = PALETTE[0], PALETTE[1]


@dataclass(frozen=True)
class WordsAnswer(Answer):
    """An answer about the words of a sentence, with the saved points of all mechanisms.

    Attributes
    ----------
    points
        Rows with ``mechanism``, ``guessed``, ``accuracy``, ``low``, ``high`` and ``ε``.
    here
        Columns and values of the point that this position is about.
    """

    points: Sequence[Mapping[str, Any]] = ()
    here: Mapping[str, Any] | None = None


class WordsDrawing(Drawing):
    """A row for each word: what was said, what is said, how far it moved and how often it stays; then the curves."""

    def __init__(self, references: Mapping[str, float]) -> None:
        super().__init__(width=960, height=360)
        self.words = self.figure.add_axes((0.015, 0.13, 0.46, 0.73))
        self.words.set(xlim=(0, 1), ylim=(MOST_WORDS - 0.4, -0.6))
        self.words.axis("off")
        heads = {0.0: "you say", 0.24: "is said", 0.48: "distance", 0.67: "stays (N_w)", 0.88: "among (S_w)"}
        for x, head in heads.items():
            self.words.text(x, -1.0, head, fontsize=FONT_POINTS, color=GREY, va="center")
        self._cells = [
            [self.words.text(x, i, "", fontsize=FONT_POINTS + 0.5, va="center") for x in heads]
            for i in range(MOST_WORDS)
        ]
        right = self.figure.add_axes((0.575, 0.16, 0.41, 0.62))
        self.curves = Curves(
            "guessed",
            "accuracy",
            "mechanism",
            x_label="share of words that an attacker recovers",
            y_label="intents right",
            references=references,
            y_limits=(0.0, 1.0),
            legend_at=1.02,
            legend={"ncols": 2},
            axes=right,
        )
        clean(right, x_label="share of words that an attacker recovers", y_label="intents right")

    def draw(self, answer: WordsAnswer) -> None:
        """Write the words, and move the ring."""
        for i, cells in enumerate(self._cells):
            row = answer.numbers[i] if i < len(answer.numbers) else None
            for cell, text in zip(cells, _texts(row) if row else [""] * len(cells), strict=True):
                cell.set_text(text)
            cells[1].set_color(KEPT if row and row["said"] == row["word"] else NEW)
        self.curves.draw(dataclasses.replace(answer, numbers=answer.points, focus=answer.here))

    def shown(self) -> dict[str, Any]:
        """Return what is written, and what the curves show."""
        written = [[cell.get_text() for cell in cells] for cells in self._cells]
        return {"words": [row for row in written if any(row)], "curves": self.curves.shown()}


def _texts(row: Mapping[str, Any]) -> list[str]:
    r"""Write a word's row.

    Examples
    --------
    >>> _texts({"word": "tea", "said": "tea", "distance": 0.0, "N_w": 0.5, "S_w": 20.4})
    ['tea', 'tea', '0.00', '50\xa0%', '20']
    """
    known = row["N_w"] is not None
    short = [text if len(text) <= LETTERS else f"{text[: LETTERS - 1]}…" for text in (row["word"], row["said"])]
    numbers = [f"{100 * row['N_w']:.0f}\u00a0%", f"{row['S_w']:.0f}"] if known else ["unknown word", ""]
    return [*short, f"{row['distance']:.2f}", *numbers]
