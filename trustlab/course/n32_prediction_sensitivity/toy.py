"""The toy of notebook 32: three words, a known bias, and what a gradient can and cannot see of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from trustlab.config import option
from trustlab.lab.curves import Curves
from trustlab.lab.panel import Answer, Panel

# Embeddings: sentiment, gender. The sentence is "she sings well"; swapped, it begins with "he".
WORDS = {"she": (0.0, 1.0), "sings": (0.3, 0.0), "well": (1.0, 0.0)}
OTHER = (0.0, -1.0)  # he
BIASES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
SHARPNESS = (0.5, 1.0, 2.0, 4.0, 8.0)
SENSITIVE, SWAPPED, DIRECTED = "P", "change by the swap", "gradient towards the swap"


@dataclass(frozen=True)
class ToyPosition:
    """The position of the toy."""

    bias: float = option(0.0, label="Bias", help="How much a word's gender adds, next to its sentiment.", values=BIASES)
    sharpness: float = option(1.0, label="Sharpness", help="Multiplies all: a sharp model is sure.", values=SHARPNESS)
    of: str = option(
        "probabilities", label="Of", help="What is differentiated and compared.", values=("probabilities", "log odds")
    )


def bias_toy() -> Panel:
    """Return the toy.

    Examples
    --------
    >>> toy = bias_toy()
    >>> [round(row["value"], 2) for row in toy.set(bias=0.0).answer.numbers if row["bias"] == 0.0]
    [0.17, 0.0, 0.0]
    """
    return Panel(
        ToyPosition(),
        title="What does a gradient see of a bias?",
        drawing=Curves("bias", "value", "measure", x_label="planted bias of gender", y_label="measure", width=760),
        answer=_answer,
        code="bias_toy()",
    )


def measured(bias: float, sharpness: float, of: str) -> dict[str, float]:
    """Return P with all weight on "she", the change by the swap, and the gradient's part in the swap's direction.

    The model is σ(a·Σ_i(sentiment_i + bias·gender_i)). It is additive, so its gradient is the same at every word: P is
    the same for any weights of tokens, and is above 0 without any bias, because a changed sentiment would move it.

    Examples
    --------
    >>> {name: round(value, 3) for name, value in measured(0.5, 2.0, "log odds").items()}
    {'P': 2.236, 'change by the swap': 2.0, 'gradient towards the swap': 2.0}
    """
    direction = sharpness * np.array([1.0, bias])  # of the log odds, at every word
    she, he = np.array(WORDS["she"]), np.array(OTHER)
    z = float(sum(direction @ np.array(word) for word in WORDS.values()))
    swapped = z + float(direction @ (he - she))
    slope = _sigmoid(z) * (1 - _sigmoid(z)) if of == "probabilities" else 1.0
    ends = (_sigmoid(z), _sigmoid(swapped)) if of == "probabilities" else (z, swapped)
    return {
        SENSITIVE: slope * float(np.linalg.norm(direction)),
        SWAPPED: abs(ends[0] - ends[1]),
        DIRECTED: slope * abs(float(direction @ (he - she))),
    }


def _sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def _answer(at: ToyPosition) -> Answer:
    rows: list[dict[str, Any]] = [
        {"bias": bias, "measure": name, "value": value}
        for bias in BIASES
        for name, value in measured(bias, at.sharpness, at.of).items()
    ]
    here = measured(at.bias, at.sharpness, at.of)
    verdict = (
        f"With a bias of {at.bias:g} and a sharpness of {at.sharpness:g}, P of the {at.of} is {here[SENSITIVE]:.3f}, "
        f"the swap changes them by {here[SWAPPED]:.3f}."
    )
    return Answer(rows, verdict, "computed here, exact", focus={"bias": at.bias})
