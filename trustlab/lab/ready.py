"""Ready before it is needed: what a training begins with is built in the background once a cell shows its panel."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any


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
