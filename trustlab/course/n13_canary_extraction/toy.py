"""The toy of notebook 13: four wheels that remember a little, turned by gradient descent, and what is left to guess."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from trustlab.config import option
from trustlab.course.n13_canary_extraction.defended import N
from trustlab.course.n13_canary_extraction.drawing import BITS, BY_CHANCE, CODES, THREE_GUESSES, CanaryAnswer, Digits
from trustlab.data.phrases import DIGITS
from trustlab.lab.display import number
from trustlab.lab.figures import FONT_POINTS, GREY, PALETTE, Drawing, clean, points
from trustlab.lab.panel import Panel
from trustlab.privacy.inversion import exposure, rank_of

MEMORIES, STEPS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0), (0, 5, 10, 20, 40, 80)
SECRET = (4, 7, 1, 1)
RATE, SEED = 0.08, 13


@dataclass(frozen=True)
class ToyPlace:
    """The position of the toy."""

    memory: float = option(
        2.0,
        label="Memory",
        help="By how much the true digit of a place has a smaller loss; the others differ by chance, about 1.",
        values=MEMORIES,
    )
    steps: int = option(20, label="Steps", help="Of gradient descent on the mixtures of digits.", values=STEPS)


def wheels_toy() -> Panel:
    """Return the toy.

    Examples
    --------
    >>> print(wheels_toy().set(memory=2.0).answer.verdict[:57])
    After 20 steps the wheels read 1711, 3 of 4 digits right.
    """
    return Panel(ToyPlace(), title="Four wheels", drawing=WheelsDrawing(), answer=_answer, code="wheels_toy()")


@functools.cache
def losses(memory: float) -> np.ndarray:
    """Return the loss of each digit at each place, [4, 10]: chance, less `memory` for the true one."""
    found = np.random.default_rng(SEED).normal(size=(N, len(DIGITS)))
    found[range(N), SECRET] -= memory
    return found


def turned(memory: float, steps: int) -> np.ndarray:
    """Return the mixtures [4, 10] after so many steps of gradient descent on their logits Z.

    The loss of mixtures p = softmax(Z) is Σ p · loss, and its gradient in Z is p · (loss − Σ p · loss).
    """
    logits = np.zeros((N, len(DIGITS)))
    for _ in range(steps):
        p = _softmax(logits)
        mean = (p * losses(memory)).sum(1, keepdims=True)
        logits -= RATE * p * len(DIGITS) * (losses(memory) - mean)
    return _softmax(logits)


def _softmax(logits: np.ndarray) -> np.ndarray:
    shares = np.exp(logits - logits.max(1, keepdims=True))
    return shares / shares.sum(1, keepdims=True)


def rank(memory: float) -> int:
    """Return at which guess the code comes, if all 10,000 are tried by rising loss."""
    table = losses(memory)
    every = functools.reduce(np.add.outer, table).ravel()
    return int(rank_of(every, int("".join(map(str, SECRET)))))


def _answer(at: ToyPlace) -> CanaryAnswer:
    mixtures, guess = turned(at.memory, at.steps), rank(at.memory)
    read = mixtures.argmax(1) if at.steps else [None] * N
    right = sum(digit == true for digit, true in zip(read, SECRET, strict=True))
    said = "".join(map(str, read)) if at.steps else "nothing yet: all digits are mixed evenly"
    verdict = (
        f"After {at.steps} steps the wheels read {said}, {right} of {N} digits right. Tried by rising loss the code is "
        f"guess number {guess:,} of {CODES:,}: {exposure(guess, CODES):.1f} of {BITS:.1f} bits are exposed."
    )
    rows = [
        {"place": place + 1, "digit": digit, "share": float(share), "true": digit == SECRET[place]}
        for place, row in enumerate(mixtures)
        for digit, share in enumerate(row)
    ]
    return CanaryAnswer(
        rows, verdict, "computed here, exact", focus={"memory": at.memory}, cells=mixtures.tolist(), secret=SECRET
    )


class WheelsDrawing(Drawing):
    """What is mixed at each place on the left; on the right what each memory exposes."""

    def __init__(self) -> None:
        super().__init__(width=860, height=320)
        self.digits = Digits(self.figure.add_axes((0.05, 0.17, 0.5, 0.68)))
        self.digits.axes.set_title("Share of each digit, %", fontsize=FONT_POINTS + 1, loc="left")
        self.bits = self.figure.add_axes((0.66, 0.17, 0.33, 0.68))
        clean(self.bits, x_label="memory", y_label="bits exposed")
        self.bits.set(xlim=(-0.2, MEMORIES[-1] + 0.2), ylim=(0, BITS + 0.6))
        self.bits.axhspan(0, BY_CHANCE, color="#efefef", zorder=0)
        self.bits.axhline(THREE_GUESSES, color=GREY, linewidth=1, linestyle=(0, (4, 3)))
        right = (MEMORIES[-1] + 0.15, BY_CHANCE - 0.9, "right", "chance (95 %)")
        for place, height, side, word in (right, (-0.15, THREE_GUESSES + 0.2, "left", "3 guesses")):
            self.bits.text(place, height, word, ha=side, color=GREY, fontsize=FONT_POINTS - 0.5)
        known = [exposure(rank(memory), CODES) for memory in MEMORIES]
        (self._all,) = self.bits.plot(MEMORIES, known, "o-", color=PALETTE[0], markersize=5, linewidth=1.4)
        (self._here,) = self.bits.plot(
            [], [], "o", markersize=13, fillstyle="none", color=PALETTE[1], markeredgewidth=2
        )

    def draw(self, answer: CanaryAnswer) -> None:
        """Shade the digits and ring the memory."""
        shares = np.array(answer.cells)
        words = [[number(float(f"{100 * share:.0f}")) if share >= 0.005 else "" for share in row] for row in shares]
        self.digits.show(shares, words, answer.secret)
        memory = (answer.focus or {})["memory"]
        self._here.set_data([memory], [exposure(rank(memory), CODES)])

    def shown(self) -> dict[str, Any]:
        """Return the shares as they are written, and the ringed point."""
        return {"shares": self.digits.shown(), "here": points(self._here)}
