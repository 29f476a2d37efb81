"""Ready before it is needed: what a training begins with is built in the background once a cell shows its panel."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

Result = TypeVar("Result")
KEPT = 4  # a notebook has one corpus or two


class Ahead:
    """One call, made in a background thread.

    Its error is not lost: the training makes the same call again and raises it there.

    Examples
    --------
    >>> made = []
    >>> ahead = Ahead(lambda: made.append("corpus"))
    >>> ahead.wait()
    >>> made
    ['corpus']
    """

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._thread = threading.Thread(target=self._run, name="trustlab-ahead", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait until the call has ended."""
        self._thread.join()

    def before(self, rows: Iterator[Any]) -> Iterator[Any]:
        """Yield `rows`, the first of them once the call has ended."""
        self.wait()
        yield from rows

    def _run(self) -> None:
        try:
            self._call()
        except Exception:
            return  # the training makes the same call and raises it there


def once(function: Callable[..., Result]) -> Callable[..., Result]:
    """Return `function` with its last results kept for the same arguments: the same objects, or equal plain values.

    A corpus cannot be hashed, so ``functools.lru_cache`` refuses it. A second caller waits for the first, and gets the
    same result: it must not be changed.

    Examples
    --------
    >>> calls = []
    >>> prepared = once(lambda corpus: calls.append(corpus) or len(corpus))
    >>> corpus = {"train": [1, 2]}
    >>> prepared(corpus), prepared(corpus), len(calls)
    (1, 1, 1)
    """
    lock = threading.Lock()
    kept: list[tuple[tuple[Any, ...], Result]] = []

    @functools.wraps(function)
    def remembering(*arguments: Any) -> Result:
        with lock:
            for known, result in kept:
                if len(known) == len(arguments) and all(map(_same, known, arguments)):
                    return result
            result = function(*arguments)
            kept.append((arguments, result))
            del kept[:-KEPT]
            return result

    return remembering


def _same(one: Any, other: Any) -> bool:
    return one is other or (isinstance(one, str | int | float) and type(one) is type(other) and one == other)
