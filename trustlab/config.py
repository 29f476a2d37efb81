"""Options of an algorithm, described once, next to the algorithm.

A configuration is a frozen dataclass whose fields are made with :func:`option`. The field's metadata says what the
option is called, what it means, its unit and its range: :func:`check` refuses values outside it before any work
starts, and panels read their widgets from it.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Sequence
from typing import Any

WHOLE = (int, "int", "int | None")  # how a field says that it counts something


def option(
    default: Any,
    *,
    label: str,
    help: str,
    unit: str = "",
    values: Sequence[Any] | None = None,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
) -> Any:
    """Declare a dataclass field together with what a reader and a widget must know of it.

    Parameters
    ----------
    default
        The value a newcomer gets.
    label, help
        A name of a few words, and one sentence on what the option does and what moving it costs.
    unit
        Unit of the value, empty for pure numbers.
    values
        The only values allowed, in the order a slider shows them.
    low, high
        Closed range of a number; None leaves that side open.
    above
        Open lower bound of a number: the value must be greater.

    Examples
    --------
    >>> import dataclasses
    >>> @dataclasses.dataclass(frozen=True)
    ... class Clip:
    ...     clip_norm: float = option(1.0, label="C", help="Largest norm of one example's gradient.", above=0)
    >>> check(Clip(clip_norm=-1.0))
    Traceback (most recent call last):
    ...
    ValueError: Expected clip_norm=-1.0 > 0. Largest norm of one example's gradient.
    """
    metadata = dict(label=label, help=help, unit=unit, low=low, high=high, above=above)
    metadata["values"] = None if values is None else tuple(values)
    return dataclasses.field(default=default, metadata=metadata)


def check(config: Any) -> None:
    """Raise ``ValueError`` for the first field of `config` outside the range its :func:`option` declares.

    A field whose default is None may be None; NaN is never inside a range. NumPy's numbers are numbers; of what is
    counted, a fraction is none.
    """
    for field in dataclasses.fields(config):
        value, rule = getattr(config, field.name), field.metadata
        if not rule or (value is None and field.default is None):
            continue
        expected = _violated(value, rule, whole=field.type in WHOLE)
        if expected:
            raise ValueError(f"Expected {field.name}={value!r} {expected}. {rule['help']}")


def _violated(value: Any, rule: Any, *, whole: bool) -> str:
    """Return the part of `rule` that `value` breaks, in words; empty when it keeps them all."""
    if rule["values"] is not None:
        return "" if value in rule["values"] else f"to be one of {', '.join(map(repr, rule['values']))}"
    bounds = [rule[name] for name in ("low", "high", "above")]
    if all(bound is None for bound in bounds):
        return ""
    # NumPy's numbers are numbers too; its bool, like Python's, is none.
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or math.isnan(value):
        return "to be a number"
    if whole and not isinstance(value, numbers.Integral):
        return "to be a whole number"
    low, high, above = bounds
    if above is not None and not value > above:
        return f"> {above:g}"
    if low is not None and value < low:
        return f">= {low:g}"
    if high is not None and value > high:
        return f"<= {high:g}"
    return ""
