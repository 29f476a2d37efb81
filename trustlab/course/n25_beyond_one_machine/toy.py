"""The toy of notebook 25: eight devices send numbers that tell the server nothing, and their sum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trustlab.config import option
from trustlab.lab.figures import FONT_POINTS, GREY, PALETTE, Drawing, clean
from trustlab.lab.panel import Answer, Panel

DEVICES, MODULUS = 8, 1000
LOST = (0, 1, 2)
SENT, MASKED = "their own numbers", "masked numbers"
LEFT, REMOVED = "left in", "removed"


@dataclass(frozen=True)
class MasksPosition:
    """The position of the toy."""

    sent: str = option(SENT, label="Devices send", help="What reaches the server.", values=(SENT, MASKED))
    lost: int = option(0, label="Lost devices", help="They agree on masks, and never send.", values=LOST)
    masks: str = option(
        LEFT,
        label="Masks of lost devices",
        help="Removed: the other devices give the server what it needs to compute them.",
        values=(LEFT, REMOVED),
    )


def masks_toy() -> Panel:
    """Return the toy.

    Examples
    --------
    >>> toy = masks_toy().set(sent="masked numbers", lost=1)
    >>> [toy.set(masks=way).answer.verdict.endswith("right.") for way in ("left in", "removed")]
    [False, True]
    """
    return Panel(
        MasksPosition(),
        title="What does the server see?",
        drawing=MasksDrawing(),
        answer=answer,
        code="masks_toy()",
    )


def pairs(devices: int, modulus: int, seed: int = 25) -> np.ndarray:
    """Return the number that devices i and j have in common, int64 [K, K], symmetric and 0 on the diagonal.

    Examples
    --------
    >>> shared = pairs(3, 10)
    >>> bool((shared == shared.T).all()), shared.diagonal().tolist()
    (True, [0, 0, 0])
    """
    upper = np.triu(np.random.default_rng(seed).integers(1, modulus, (devices, devices)), 1)
    return upper + upper.T


def masks_of(shared: np.ndarray, modulus: int) -> np.ndarray:
    """Return each device's mask [K]: plus the numbers of its pairs with later devices, minus those with earlier ones.

    Examples
    --------
    >>> int(masks_of(pairs(5, 100), 100).sum() % 100)
    0
    """
    return (np.triu(shared).sum(axis=1) - np.tril(shared).sum(axis=1)) % modulus


def answer(at: MasksPosition) -> Answer:
    """Return what the server receives, and what its sum is worth."""
    own = np.random.default_rng(7).integers(20, 90, DEVICES)
    shared = pairs(DEVICES, MODULUS)
    received = own if at.sent == SENT else (own + masks_of(shared, MODULUS)) % MODULUS
    here = np.arange(DEVICES) < DEVICES - at.lost
    total = int(received[here].sum())
    if at.sent == MASKED and at.masks == REMOVED:
        total -= int(_between(shared, here))
    total, true = total % MODULUS, int(own[here].sum())
    rows: list[dict[str, Any]] = [
        {"device": device + 1, "own number": int(n), "received": int(r) if arrived else None}
        for device, (n, r, arrived) in enumerate(zip(own, received, here, strict=True))
    ]
    rows.append({"device": "sum", "own number": true, "received": total})
    return Answer(rows, _verdict(at, total, true), "computed here, exact, invented numbers")


def _between(shared: np.ndarray, here: np.ndarray) -> int:
    """Return what masks of devices that arrived share with those that did not."""
    signs = np.sign(np.arange(len(here))[None, :] - np.arange(len(here))[:, None])
    return (signs * shared)[here][:, ~here].sum()


def _verdict(at: MasksPosition, total: int, true: int) -> str:
    arrived = DEVICES - at.lost
    if at.sent == SENT:
        return f"The server reads the number of each of {arrived} devices. Their sum is {true}."
    start = f"The server receives {arrived} numbers below {MODULUS} that say nothing about any device"
    if total == true:
        return f"{start}. The masks cancel in their sum, {total}: it is right."
    return f"{start}. Their sum is {total} instead of {true}: masks shared with the lost are still in it."


class MasksDrawing(Drawing):
    """Two bars for each device and for the sum: its own number, and what the server receives."""

    def __init__(self) -> None:
        super().__init__(width=760, height=300)
        self.axes = self.figure.add_axes((0.105, 0.14, 0.885, 0.72))
        clean(self.axes, y_label=f"number, below {MODULUS}")
        self.axes.set(xlim=(-0.6, DEVICES + 0.6), ylim=(0, 1.1 * MODULUS))
        self.axes.set_xticks(range(DEVICES + 1), [*(f"device {i + 1}" for i in range(DEVICES)), "sum"])
        self._bars, self._told = {}, {}
        for k, (name, column) in enumerate((("on the device", "own number"), ("at the server", "received"))):
            places = np.arange(DEVICES + 1) + 0.4 * (k - 0.5)
            bars = self.axes.bar(places, np.zeros(DEVICES + 1), width=0.38, color=PALETTE[k], label=name)
            self._bars[column] = bars
            self._told[column] = [self.axes.text(x, 0, "", ha="center", va="bottom", fontsize=FONT_POINTS - 1.5,
                                                 color=GREY) for x in places]  # fmt: skip
        self.axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=2, frameon=False, fontsize=FONT_POINTS)

    def draw(self, answer: Answer) -> None:
        """Set the heights; a device that was lost has no bar at the server."""
        for column, bars in self._bars.items():
            for bar, text, row in zip(bars, self._told[column], answer.numbers, strict=True):
                value = row[column]
                bar.set_height(value or 0)
                text.set_text("lost" if value is None else str(value))
                text.set_y((value or 0) + 12)

    def shown(self) -> dict[str, Any]:
        """Return the heights of the bars and what is written over them."""
        return {
            column: [(float(bar.get_height()), text.get_text()) for bar, text in zip(bars, told, strict=True)]
            for (column, bars), told in zip(self._bars.items(), self._told.values(), strict=True)
        }
