"""Ctrl-C, remembered: Python drops a ``KeyboardInterrupt`` raised in ``__del__`` or a weak reference's callback.

It prints "Exception ignored in" then, and the program continues. A loop that may wait for minutes looks here too.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def interrupts() -> Iterator[threading.Event]:
    """Give an event that is set when Ctrl-C comes, which raises ``KeyboardInterrupt`` as ever.

    In a thread that is not the main one, or where Ctrl-C does something else already, it is never set.

    Examples
    --------
    >>> before = signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a terminal
    >>> with interrupts() as came:
    ...     try:
    ...         signal.raise_signal(signal.SIGINT)
    ...     except KeyboardInterrupt:
    ...         came.is_set()
    True
    >>> _ = signal.signal(signal.SIGINT, before)
    """
    came = threading.Event()

    def note(number: int, frame: Any) -> None:
        came.set()
        signal.default_int_handler(number, frame)

    main = threading.current_thread() is threading.main_thread()
    usual = main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if usual:
        signal.signal(signal.SIGINT, note)
    try:
        yield came
    finally:
        if usual and signal.getsignal(signal.SIGINT) is note:
            with contextlib.suppress(ValueError):  # a generator may be closed by another thread
                signal.signal(signal.SIGINT, signal.default_int_handler)
