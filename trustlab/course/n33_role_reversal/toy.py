"""The toy of notebook 33: two predictions of one word, and what a student learns of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trustlab.config import option
from trustlab.course.n33_role_reversal.experiment import AS_THEY_ARE, EXCHANGED
from trustlab.fairness.distillation import REVERSALS, reverse
from trustlab.lab.display import per_cent
from trustlab.lab.figures import FONT_POINTS, GREY, PALETTE, Drawing, clean
from trustlab.lab.panel import Answer, Panel

BEFORE, AFTER = "the nurse said that …", "the nurse said that she lost …"
WORDS = {BEFORE: ("she", "he", "everyone"), AFTER: ("her", "his", "everything")}
OTHER, AGREES = 0.10, 0.97  # probability of the last word; of the pronoun that agrees with the one before
KINDS = ("teacher", "swapped text", "student learns")


@dataclass(frozen=True)
class ToyPosition:
    """The position of the toy."""

    place: str = option(BEFORE, label="Text", help="Before or after the first word of gender.", values=tuple(WORDS))
    share: float = option(
        0.9, label="P(she)", help="Of she and he after “the nurse said that”.", values=(0.5, 0.6, 0.7, 0.8, 0.9)
    )
    words: str = option(
        AS_THEY_ARE,
        label="Words",
        help="Exchanged: she and he, her and his trade places in the swapped text's prediction.",
        values=(AS_THEY_ARE, EXCHANGED),
    )
    reversal: str = option("mean", label="Operation", help="What becomes of the two predictions.", values=REVERSALS)


def reversal_toy() -> Panel:
    """Return the toy.

    Examples
    --------
    >>> toy = reversal_toy()
    >>> [f"{toy.set(words=words).numbers['student learns'][0]:.2f}" for words in ("as they are", "exchanged")]
    ['0.81', '0.42']
    """
    return Panel(
        ToyPosition(),
        title="What does a student learn of two predictions?",
        drawing=BarsDrawing(),
        answer=_answer,
        code="reversal_toy()",
    )


def predictions(at: ToyPosition) -> tuple[np.ndarray, np.ndarray]:
    """Return the teacher's prediction [3] of the next word, and the one of the swapped text as it is read.

    Examples
    --------
    >>> p, q = predictions(ToyPosition())  # nothing of gender was read yet: both are the same
    >>> p.round(2).tolist(), q.round(2).tolist()
    ([0.81, 0.09, 0.1], [0.81, 0.09, 0.1])
    """
    first = at.share if at.place == BEFORE else AGREES
    p = np.array([first * (1 - OTHER), (1 - first) * (1 - OTHER), OTHER])
    q = p if at.place == BEFORE else p[[1, 0, 2]]  # on the swapped text, after “he lost”, the teacher says his
    return p, q[[1, 0, 2]] if at.words == EXCHANGED else q


def _answer(at: ToyPosition) -> Answer:
    import torch

    p, q = predictions(at)
    learned = reverse(*(torch.from_numpy(each).log() for each in (p, q)), at.reversal).exp().numpy()
    rows: list[dict[str, Any]] = [
        {"word": word, **dict(zip(KINDS, map(float, each), strict=True))}
        for word, *each in zip(WORDS[at.place], p, q, learned, strict=True)
    ]
    female, male, _ = WORDS[at.place]
    share = learned[0] / (learned[0] + learned[1])
    verdict = (
        f"After “{at.place}” the student learns “{female}” in {per_cent(share)} of “{female}” and “{male}” together."
    )
    if at.place == AFTER and share < 0.9:
        verdict += " So a text about a woman continues about a man."
    return Answer(rows, verdict, "computed here, exact, invented probabilities")


class BarsDrawing(Drawing):
    """A group of three bars for each word."""

    def __init__(self) -> None:
        super().__init__(width=760, height=320)
        self.axes = self.figure.add_axes((0.08, 0.12, 0.9, 0.72))
        clean(self.axes, y_label="probability")
        self.axes.set(xlim=(-0.5, 2.5), ylim=(0, 1.08))
        self._bars = [
            self.axes.bar(np.arange(3) + 0.27 * (k - 1), np.zeros(3), width=0.25, color=PALETTE[k], label=kind)
            for k, kind in enumerate(KINDS)
        ]
        self._told = [[self.axes.text(bar.get_x() + 0.125, 0, "", ha="center", va="bottom", fontsize=FONT_POINTS - 0.5,
                                      color=GREY) for bar in bars] for bars in self._bars]  # fmt: skip
        self.axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=3, frameon=False, fontsize=FONT_POINTS)

    def draw(self, answer: Answer) -> None:
        """Set the heights, and name the words."""
        self.axes.set_xticks(range(3), [str(row["word"]) for row in answer.numbers])
        for kind, bars, told in zip(KINDS, self._bars, self._told, strict=True):
            for bar, text, row in zip(bars, told, answer.numbers, strict=True):
                bar.set_height(float(row[kind]))
                text.set_text(per_cent(float(row[kind])))
                text.set_y(float(row[kind]) + 0.01)

    def shown(self) -> dict[str, Any]:
        """Return the words and the heights of their bars."""
        words = [label.get_text() for label in self.axes.get_xticklabels()]
        heights = {
            kind: [round(float(bar.get_height()), 4) for bar in bars]
            for kind, bars in zip(KINDS, self._bars, strict=True)
        }
        return {"words": words, **heights}
