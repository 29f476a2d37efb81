"""Check a function that the reader wrote: on random inputs, by its properties, and against the usual slips."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from trustlab.lab.checks import OPEN, RIGHT, WRONG, Checked, difference, same

Case = tuple[Any, ...]
LONGEST_INPUT = 320  # characters of an input that a message repeats


class _NotWrittenError(Exception):
    """The function returns nothing: it is the stub that the exercise gave."""


def check_function(
    mine: Any,
    cases: Iterable[Case],
    *,
    right: Callable[..., Any],
    properties: Sequence[tuple[Callable[[Case, Any], bool], str]] = (),
    because: Sequence[tuple[Callable[..., Any], str]] = (),
    rtol: float = 1e-6,
) -> Checked:
    """Check a reader's function at once; say on which input it is wrong and why, without revealing the code.

    Nothing is raised: a notebook with unsolved exercises still runs.

    Parameters
    ----------
    mine
        The reader's function; ``...``, None, or a function that returns one of them is not written yet.
    cases
        Tuples of arguments. The function gets copies, and must leave them as they are.
    right
        The right result for the same arguments.
    properties
        Pairs of a predicate over (arguments, result) and the sentence to show where it is False. They say more than a
        number that differs; the first that fails is shown.
    because
        Pairs of a wrong function, a usual slip, and its sentence. A slip is recognised where its result on the input
        that failed is the reader's; it says most and is shown before a property.
    rtol
        Relative tolerance of numbers.

    Raises
    ------
    ValueError
        If there is no case.

    Examples
    --------
    >>> def clip(gradient, norm):
    ...     return gradient / np.linalg.norm(gradient) * norm
    >>> cases = [(np.array([3.0, 4.0]), 1.0), (np.array([0.3, 0.4]), 1.0)]
    >>> check_function(
    ...     clip, cases,
    ...     right=lambda g, c: g * min(1, c / np.linalg.norm(g)),
    ...     properties=[(lambda a, r: np.linalg.norm(r) <= np.linalg.norm(a[0]), "Clipping never makes longer.")],
    ... )
    ✗ Clipping never makes longer. Your function returned [0.6, 0.8] for ([0.3, 0.4], 1).
    """
    listed = list(cases)
    if not listed:
        raise ValueError("Expected at least one case to check the function on, got none.")
    if mine is ... or mine is None:
        return Checked(OPEN, "Not written yet: replace `...` by your function.")
    if not callable(mine):
        return Checked(WRONG, f"Expected a function, got {_short(mine)}. Give its name without brackets after it.")
    for case in listed:
        try:
            trouble = _trouble(mine, case, right, properties, because, rtol)
        except _NotWrittenError:
            advice = "Replace `...` by its body." if _is_stub(mine) else "Does it end with `return`?"
            return Checked(OPEN, f"Not written yet: your function returns nothing. {advice}")
        if trouble:
            return Checked(WRONG, trouble)
    return Checked(RIGHT, f"Your function is right on {len(listed)} inputs.")


def _is_stub(mine: Any) -> bool:
    """Return whether a function without a result has nothing but `...`, and perhaps a sentence, as its body."""
    code = getattr(mine, "__code__", None)
    return code is not None and not code.co_names and code.co_nlocals == code.co_argcount


def _trouble(mine: Any, case: Case, right: Any, properties: Any, because: Any, rtol: float) -> str:
    """Return what is wrong with the function on one input, empty where nothing is."""
    given = copy.deepcopy(case)
    try:
        result = mine(*given)
    except Exception as error:
        return f"For {_short(case)} your function raised {type(error).__name__}: {error}"
    if result is None or result is ...:
        raise _NotWrittenError
    if hasattr(result, "detach"):  # a tensor that still knows its gradient
        result = result.detach()
    if not all(_unchanged(before, after) for before, after in zip(case, given, strict=True)):
        return f"Your function changed its input {_short(case)}. Work on a copy: who calls it may need the input again."
    expected = right(*copy.deepcopy(case))
    if same(result, expected, rtol):
        return ""
    slips = [sentence for wrong, sentence in because if _gives(wrong, case, result, rtol)]
    broken = [sentence for holds, sentence in properties if not _holds(holds, case, result)]
    reason = [*slips, *broken, difference(result, expected, rtol)][0]
    return f"{reason} Your function returned {_short(result)} for {_short(case)}."


def _holds(predicate: Any, case: Case, result: Any) -> bool:
    try:
        return bool(predicate(case, result))
    except (TypeError, ValueError, AttributeError, IndexError, KeyError):
        return True  # another kind of result: the comparison says which was expected


def _gives(wrong: Any, case: Case, result: Any, rtol: float) -> bool:
    try:
        return same(result, wrong(*copy.deepcopy(case)), rtol)
    except Exception:
        return False  # the slip has no result on this input


def _unchanged(before: Any, after: Any) -> bool:
    if isinstance(before, np.ndarray) or hasattr(before, "detach"):
        return bool(np.array_equal(np.asarray(before), np.asarray(after), equal_nan=True))
    try:
        return bool(before == after)
    except (TypeError, ValueError):
        return True


def _short(value: Any) -> str:
    """Write a value as one would type it, numbers rounded, nothing longer than a line or two."""
    text = _written(value)
    return text if len(text) <= LONGEST_INPUT else f"{text[:LONGEST_INPUT]} …"


def _written(value: Any) -> str:
    if hasattr(value, "detach"):
        value = value.detach().numpy()
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        inside = ", ".join(map(_written, value))
        return f"({inside})" if isinstance(value, tuple) else f"[{inside}]"
    if callable(value):
        return f"the function {getattr(value, '__name__', 'without a name')}"
    return repr(value)
