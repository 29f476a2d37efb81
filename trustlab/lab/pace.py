"""A training that is over before it was seen: its rows are handed on no faster than a reader can watch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TypeVar

Item = TypeVar("Item")


def paced(rows: Iterator[Item], seconds: float) -> Iterator[Item]:
    """Yield `rows`, each at least `seconds` after the one before; a slow row is not waited for.

    Closing it closes `rows`.

    Examples
    --------
    >>> list(paced(iter([1, 2, 3]), 0.001))
    [1, 2, 3]
    """
    due = time.monotonic()
    try:
        for row in rows:
            time.sleep(max(0.0, due - time.monotonic()))
            due = max(due, time.monotonic()) + seconds
            yield row
    finally:
        close = getattr(rows, "close", None)
        if close is not None:
            close()
