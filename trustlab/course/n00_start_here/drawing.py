"""The picture of notebook 00: accuracy over ε on the left, sentences and what the model takes them for on the right."""

from __future__ import annotations

from typing import Any

from trustlab.course.budgets import EPSILONS
from trustlab.lab.curves import Curves
from trustlab.lab.display import per_cent
from trustlab.lab.figures import FONT_POINTS, GREY, PALETTE

WIDTH = 900
MOST_LETTERS = 52  # of a sentence, so that it fits the right half
TOP, LINE, BELOW = 0.86, 0.123, 0.053  # of the picture's height: first sentence, next sentence, its intent
INVITATION, YOURS = "Your sentence: type one above", " (yours)"


class FirstDrawing(Curves):
    """The curves on the left, sentences and what the model takes them for on the right, the reader's own on top.

    Parameters
    ----------
    without_privacy
        Accuracy of the model without privacy, a dashed line.
    typed
        Whether there is a line for a sentence of the reader's own.
    """

    def __init__(self, without_privacy: float, *, typed: bool = True) -> None:
        super().__init__(
            x="epsilon",
            y="accuracy",
            series="method",
            x_label="ε, the privacy budget (smaller is more private)",
            y_label="share of test sentences understood",
            y_limits=(0.0, 1.02),  # fixed: readers compare pictures
            grid=EPSILONS,
            references={"without privacy": without_privacy},
            width=WIDTH,
        )
        self.figure.subplots_adjust(right=0.50)
        self._right = self.figure.add_axes((0.54, 0.0, 0.46, 1.0))
        self._right.axis("off")
        self._right.text(0.0, 0.94, "What the model understands", fontsize=FONT_POINTS + 1, fontweight="bold")
        self._own = self._line(0) if typed else None
        self._texts: list[Any] = []

    def draw(self, answer: Any) -> None:
        """Move the curves, and rewrite what the model takes each sentence for."""
        super().draw(answer)
        while len(self._texts) < len(answer.utterances):
            self._texts.append(self._line(len(self._texts) + (self._own is not None)))
        for (said, heard), (text, true, guess) in zip(self._texts, answer.utterances, strict=True):
            right = true == guess
            said.set_text(f"“{text}”")
            heard.set_text(f"✓ {_words(guess)}" if right else f"✗ {_words(guess)}   (it is: {_words(true)})")
            heard.set_color(PALETTE[2] if right else PALETTE[1])
        if self._own is not None:
            self._draw_own(*self._own, answer.own)

    def shown(self) -> dict[str, Any]:
        """Return what the curves show, what is written of each sentence, and of the reader's own."""
        utterances = [tuple(text.get_text() for text in pair) for pair in self._texts]
        return {**super().shown(), "utterances": utterances, "own": tuple(text.get_text() for text in self._own or ())}

    def _line(self, at: int) -> tuple[Any, Any]:
        """Return the two texts of a line: what was said, and below it what the model takes it for."""
        y = TOP - LINE * at
        said = self._right.text(0.0, y, "", fontsize=FONT_POINTS)
        return said, self._right.text(0.02, y - BELOW, "", fontsize=FONT_POINTS)

    def _draw_own(self, said: Any, heard: Any, own: tuple[str, Any] | None) -> None:
        if own is None:
            said.set_text(INVITATION)
            said.set_color(GREY)
            heard.set_text("")
            return
        text, understood = own
        said.set_text(f"“{_cut(text, MOST_LETTERS - len(YOURS))}”{YOURS}")
        said.set_color("black")
        slots = "".join(f" · {_words(name)}: {words}" for name, words in understood.slots)
        understood_as = f"→ {_words(understood.intent)} ({per_cent(understood.share)}){slots}"
        heard.set_text(_cut(understood_as, MOST_LETTERS + 8))


def _words(name: str) -> str:
    return name.replace("_", " ")


def _cut(text: str, most: int = MOST_LETTERS) -> str:
    """Return `text`, its end left out where it is longer than `most` letters.

    Examples
    --------
    >>> _cut("a long sentence", 8)
    'a long …'
    """
    return text if len(text) <= most else f"{text[: most - 1]}…"
