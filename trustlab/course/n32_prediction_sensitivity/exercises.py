"""The exercises of notebook 32: what is right, and what each usual slip means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from trustlab.course.found import exercise
from trustlab.lab.checks import Checked, check
from trustlab.lab.functions import check_function
from trustlab.lab.teaching import Hints

RANDOM_CASES = 20
ODDS, SURE = 2.0, 0.98  # norm of the log odds' gradient, and the probability
MOVES = 0.3  # J of the predicted class, of two


@exercise("32", "P of one example")
def sensitivity_of_one(mine: Any) -> Checked:
    """Check the reader's function ``(gradients [K, T, D], w [K], v [T]) -> P``, with the Euclidean norm.

    Examples
    --------
    >>> sensitivity_of_one(lambda g, w, v: np.linalg.norm(np.einsum("k,t,ktd->d", w, v, g)))  # doctest: +ELLIPSIS
    ✗ You took the norm of a sum: gradients of different words cancel there. Your function returned ...
    """
    return check_function(mine, _cases(), right=by_norms, properties=_PROPERTIES, because=_SLIPS)


def by_norms(gradients: np.ndarray, w: np.ndarray, v: np.ndarray) -> float:
    """Return Σ_k Σ_i w_k v_i ‖∂f_k/∂x_i‖.

    Examples
    --------
    >>> by_norms(np.array([[[3.0, 4.0], [0.0, 1.0]]]), np.array([1.0]), np.array([0.5, 0.5]))
    3.0
    """
    return float(w @ np.linalg.norm(gradients, axis=-1) @ v)


def _cases() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield one class with two words, and then random ones; weights have the sum 1."""
    yield np.array([[[3.0, 4.0], [0.0, 1.0]]]), np.array([1.0]), np.array([0.5, 0.5])
    rng = np.random.default_rng(32)
    for _ in range(RANDOM_CASES):
        classes, words, width = (int(rng.integers(2, 6)) for _ in range(3))
        yield rng.normal(size=(classes, words, width)), rng.dirichlet(np.ones(classes)), rng.dirichlet(np.ones(words))


_PROPERTIES = [
    (lambda given, got: np.shape(got) == (), "Expected one number."),
    (lambda given, got: got >= 0, "A norm is never negative, and neither are the weights."),
    (
        lambda given, got: got <= np.linalg.norm(given[0], axis=-1).max() * (1 + 1e-9),
        "P is a weighted mean of the norms: it cannot be above the largest.",
    ),
]
_SLIPS = [
    (
        lambda g, w, v: np.linalg.norm(np.einsum("k,t,ktd->d", w, v, g)),
        "You took the norm of a sum: gradients of different words cancel there.",
    ),
    (lambda g, w, v: float(w @ (g**2).sum(-1) @ v), "Those are squared norms. Take the root of each."),
    (lambda g, w, v: float(np.linalg.norm(g, axis=-1).sum()), "Where are the weights w and v?"),
    (lambda g, w, v: float(w @ np.linalg.norm(g, axis=-1).mean(-1)), "You weighted all words alike. Use v."),
    (lambda g, w, v: float(np.linalg.norm(g, axis=-1).mean(0) @ v), "You weighted all classes alike. Use w."),
    (lambda g, w, v: float(w @ abs(g.sum(-1)) @ v), "Summing a gradient's entries lets them cancel. Take its norm."),
]


@exercise("32", "A sure model")
def saturated_gradient(answer: Any) -> Checked:
    """Check the norm of the gradient of a probability of 0.98, where that of its log odds is 2.

    Examples
    --------
    >>> saturated_gradient(2)
    ✗ 2 is not right. That is the log odds' gradient. A probability moves by p(1 − p) for one unit of them.
    """
    slips = {
        ODDS: "That is the log odds' gradient. A probability moves by p(1 − p) for one unit of them.",
        ODDS * SURE: "You multiplied by p. The slope of the sigmoid is p(1 − p).",
        ODDS * (1 - SURE): "You multiplied by 1 − p alone. The slope of the sigmoid is p(1 − p).",
        SURE * (1 - SURE): "That is the slope of the sigmoid. Multiply it by the log odds' gradient.",
        ODDS / 4: "That is where p = 0.5, the steepest place.",
    }
    return check(answer, ODDS * SURE * (1 - SURE), because=slips)


@exercise("32", "Two classes")
def uniform_of_two(answer: Any) -> Checked:
    """Check P of a model of two classes with uniform w, where J of the predicted class is 0.3 at every word.

    Examples
    --------
    >>> uniform_of_two(0.15)
    ✗ 0.15 is not right. The other class moves as well: two probabilities have a sum of 1.
    """
    slips = {
        MOVES / 2: "The other class moves as well: two probabilities have a sum of 1.",
        2 * MOVES: "w has a sum of 1, so it is a mean over the classes.",
        0: "One gradient is the other's opposite, but norms are never negative and do not cancel.",
    }
    return check(answer, MOVES, because=slips)


hints = Hints({
    sensitivity_of_one: (
        "First the size of each gradient: J[k, i] is the Euclidean norm of gradients[k, i].",
        "np.linalg.norm(gradients, axis=-1) is J, of shape [K, T].",
        "P is w @ J @ v.",
    ),
    saturated_gradient: (
        "The probability is the sigmoid of its log odds. What is the sigmoid's slope?",
        "The slope is p(1 − p), and the chain rule multiplies.",
        "2 · 0.98 · 0.02.",
    ),
    uniform_of_two: (
        "The probabilities of two classes have the sum 1. What is the sum of their gradients?",
        "It is 0: one gradient is the other's opposite, and both have the same norm.",
        "P is half of 0.3 and half of 0.3.",
    ),
})  # fmt: skip
