"""The picture of notebook 33: equity against perplexity, and next to it what two students say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trustlab.course.n33_role_reversal.front import Front
from trustlab.course.n33_role_reversal.generation import WORDS_FEMALE, WORDS_MALE
from trustlab.lab.answer import Answer
from trustlab.lab.figures import FONT_POINTS, GREY, PALETTE, Drawing

FEMALE, MALE, BOTH = PALETTE[2], PALETTE[0], PALETTE[1]
LETTERS = 58  # of a continuation that are drawn
ROWS = 4
WHO = ("plain", "this")


@dataclass(frozen=True)
class SaidAnswer(Answer):
    """An answer with what is said after each opening.

    Attributes
    ----------
    said
        Rows with ``opening``, ``plain`` and ``this``: a text of the plain student, and one of the student shown.
    """

    said: Sequence[Mapping[str, str]] = ()


class SaidDrawing(Drawing):
    """On the left the front, a line per operation; on the right each opening and two ways to go on."""

    def __init__(self, references: Mapping[str, float]) -> None:
        super().__init__(width=960, height=380)
        self.front = Front(self.figure.add_axes((0.07, 0.15, 0.36, 0.63)), references)
        self.words = self.figure.add_axes((0.47, 0.03, 0.52, 0.94))
        self.words.set(xlim=(0, 1), ylim=(ROWS * 3 + 1, 0))
        self.words.axis("off")
        key = {"words of gender: female": FEMALE, "male": MALE, "both": BOTH, "none": GREY}
        for (name, tone), x in zip(key.items(), (0.03, 0.42, 0.52, 0.62), strict=True):
            self.words.text(x, 3 * ROWS + 0.5, name, fontsize=FONT_POINTS - 0.5, color=tone, va="center")
        self._openings = [self.words.text(0, 3 * i + 0.5, "", fontsize=FONT_POINTS, va="center") for i in range(ROWS)]
        self._said = [
            [self.words.text(0.13, 3 * i + j + 1.4, "", fontsize=FONT_POINTS, va="center") for j in range(2)]
            for i in range(ROWS)
        ]
        for i in range(ROWS):
            for j, who in enumerate(WHO):
                self.words.text(0.03, 3 * i + j + 1.4, who, fontsize=FONT_POINTS - 0.5, color=GREY, va="center")

    def draw(self, answer: SaidAnswer) -> None:
        """Move the ring, and write what is said; its colour is the gender of its words."""
        self.front.draw(answer)
        for i in range(ROWS):
            row = answer.said[i] if i < len(answer.said) else {"opening": "", "plain": "", "this": ""}
            self._openings[i].set_text(f"{row['opening']} …" if row["opening"] else "")
            for cell, who in zip(self._said[i], WHO, strict=True):
                cell.set_text(_short(row[who]))
                cell.set_color(colour(row[who]))

    def shown(self) -> dict[str, Any]:
        """Return what is written, and what the front shows."""
        said = [[opening.get_text(), *(cell.get_text() for cell in cells)]
                for opening, cells in zip(self._openings, self._said, strict=True)]  # fmt: skip
        return {"said": said, "front": self.front.shown()}


def colour(text: str) -> str:
    """Return the colour of a text by the gender of its words: two of them, a third for both, grey for none.

    Examples
    --------
    >>> colour("it rains") == GREY, colour("she sings") == FEMALE, colour("she lost his keys") == BOTH
    (True, True, True)
    """
    words = set(text.split())
    female, male = bool(words & {*WORDS_FEMALE}), bool(words & {*WORDS_MALE})
    return BOTH if female and male else FEMALE if female else MALE if male else GREY


def _short(text: str) -> str:
    return text if len(text) <= LETTERS else f"{text[: LETTERS - 1]}…"
