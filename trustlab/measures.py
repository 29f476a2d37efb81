"""What a user's measure returns, read in one place: a flat dict of plain numbers, or an error that says what came."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping
from typing import Any

Measure = Callable[[Any, Any], Mapping[str, float]]  # evaluate(model, examples)


def as_measures(found: Any, *, taken: tuple[str, ...] = ()) -> dict[str, float]:
    """Return what ``evaluate(model, examples)`` found as floats by name: a row, and a checkpoint, hold nothing else.

    Parameters
    ----------
    found
        A dict of numbers: Python's, NumPy's, or tensors of one number; an empty one measures nothing.
    taken
        Columns that a row has already.

    Raises
    ------
    ValueError
        For anything else.

    Examples
    --------
    >>> as_measures({"accuracy": 1, "loss": 0.25})
    {'accuracy': 1.0, 'loss': 0.25}
    >>> as_measures(0.5)
    Traceback (most recent call last):
    ...
    ValueError: Expected evaluate to return a dict of numbers, got float. Name what is measured: {"accuracy": 0.9}.
    """
    if not isinstance(found, Mapping) or not all(isinstance(name, str) for name in found):
        raise ValueError(
            f"Expected evaluate to return a dict of numbers, got {type(found).__name__}. Name what is measured: "
            '{"accuracy": 0.9}.'
        )
    if double := sorted(set(found) & set(taken)):
        raise ValueError(f"Expected other names than {', '.join(map(repr, double))} from evaluate: a row has them.")
    return {name: _number(name, value) for name, value in found.items()}


def _number(name: str, value: Any) -> float:
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:  # NumPy's and torch's
        value = value.item()
    if not isinstance(value, numbers.Real):
        raise ValueError(
            f"Expected evaluate to return one number for {name!r}, got {type(value).__name__}. A row is flat: take the "
            "mean, or give each its own name."
        )
    return float(value)
