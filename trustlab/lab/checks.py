"""Instant checks of exercises: they say what is wrong and do not reveal the answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from trustlab.lab.display import Display, inline, number, plain


class Checked(Display):
    """What is shown of a checked answer; ``right`` is True or False, None where there is no answer yet."""

    def __init__(self, sign: str, text: str) -> None:
        self.right = {RIGHT: True, WRONG: False, OPEN: None}[sign]
        style = f"border-left:4px solid {COLOURS[sign]};padding:4px 12px;max-width:760px;line-height:1.5"
        rich = f'<div style="{style}"><strong>{sign}</strong> {inline(text)}</div>'
        super().__init__(html=rich, text=f"{sign} {plain(text)}")


RIGHT, WRONG, OPEN = "✓", "✗", "…"
COLOURS = {RIGHT: "#009E73", WRONG: "#D55E00", OPEN: "var(--jp-border-color1,#bbb)"}

Wrong = Any  # a wrong value, or a predicate that recognises wrong values


def check(
    value: Any,
    expected: Any,
    *,
    rtol: float = 1e-3,
    because: Mapping[Any, str] | Sequence[tuple[Wrong, str]] | None = None,
    unit: str = "",
) -> Checked:
    """Check an exercise's answer at once and say what is wrong with it, without revealing the answer.

    Nothing is raised: a notebook with unsolved exercises still runs.

    Parameters
    ----------
    value
        The reader's answer; ``...`` and None mean "not answered yet".
    expected
        The right answer: a number, an array, or anything that compares with ``==``.
    rtol
        Relative tolerance of numbers.
    because
        Wrong answers with their explanation: a mapping, or pairs, of a wrong value or a predicate and a text. The
        first that fits is shown.
    unit
        Unit of the answer, for the texts.

    Examples
    --------
    >>> check(0.2, 0.1, because={0.2: "You counted both directions."})
    ✗ 0.2 is not right. You counted both directions.
    >>> check(50, 0.5)
    ✗ 50 is not right. It is 100 times too large: per cent instead of a share?
    >>> check(..., 0.5)
    … Not answered yet: replace ... by your answer.
    """
    if value is ... or value is None:
        return Checked(OPEN, "Not answered yet: replace `...` by your answer.")
    if same(value, expected, rtol):
        told = _short(value, unit)
        return Checked(RIGHT, f"{told} is right." if told else "That is right.")
    pairs = because.items() if isinstance(because, Mapping) else because or ()
    reasons = [text for wrong, text in pairs if _fits(wrong, value, rtol)]
    told = _short(value, unit)
    start = f"{told} is not right." if told else "That is not right."
    return Checked(WRONG, f"{start} {reasons[0] if reasons else difference(value, expected, rtol)}")


def _short(value: Any, unit: str) -> str:
    """Return a value as the reader gave it, nothing where it is too long to repeat."""
    text = number(value, digits=4)
    if len(text) > 40 or "\n" in text:
        return ""
    return f"{text} {unit}" if unit else text


def _numeric(value: Any) -> np.ndarray | None:
    """Return `value` as an array of floats, None where it is not made of numbers."""
    if isinstance(value, str | bytes | bool | set | dict):
        return None
    try:
        return np.asarray(value.detach() if hasattr(value, "detach") else value, dtype=float)
    except (TypeError, ValueError):
        return None


def same(value: Any, expected: Any, rtol: float) -> bool:
    """Return whether two answers are equal, numbers and arrays up to `rtol`."""
    left, right = _numeric(value), _numeric(expected)
    if left is not None and right is not None:
        return left.shape == right.shape and bool(np.allclose(left, right, rtol=rtol, atol=1e-12, equal_nan=True))
    if left is not None or right is not None:
        return False
    return bool(value == expected)


def _fits(wrong: Wrong | Callable[[Any], bool], value: Any, rtol: float) -> bool:
    if not callable(wrong):
        return same(value, wrong, rtol)
    try:
        return bool(wrong(value))
    except (TypeError, ValueError, AttributeError, IndexError, KeyError):
        return False  # the predicate is about another kind of answer


def difference(value: Any, expected: Any, rtol: float) -> str:
    """Say in what way `value` differs from `expected`."""
    left, right = _numeric(value), _numeric(expected)
    if right is None:
        same_kind = type(value) is type(expected)
        return "Read the question again." if same_kind else f"Expected a {type(expected).__name__}."
    if left is None:
        return f"Expected a number, got a {type(value).__name__}."
    if left.shape != right.shape:
        return f"Expected the shape {right.shape}, got {left.shape}."
    if np.isnan(left).any() and not np.isnan(right).any():
        return "There is a NaN in it: look for 0/0 or the logarithm of a negative number."
    if left.size != 1:
        wrong = ~np.isclose(left, right, rtol=rtol, atol=1e-12)
        return (
            f"{int(wrong.sum())} of {left.size} values differ, the first at position {int(np.flatnonzero(wrong)[0])}."
        )
    return _ratio(float(left.reshape(-1)[0]), float(right.reshape(-1)[0]))


def _ratio(value: float, expected: float) -> str:
    """Name the usual mistakes between two numbers (sign, per cent, inverse, complement), else too large or small."""
    slips = [
        (-expected, "The size is right, the sign is not."),
        (100 * expected, "It is 100 times too large: per cent instead of a share?"),
        (expected / 100, "It is 100 times too small: a share instead of per cent?"),
        (1 / expected if expected else math.inf, "It is the inverse of the answer."),
        (1 - expected, "It is one minus the answer."),
    ]
    for slip, text in slips:
        if math.isclose(value, slip, rel_tol=1e-3):
            return text
    return "It is too large." if value > expected else "It is too small."
