"""One at a time: what a reader does on the page, what a cell does, and what a job shows.

A notebook's kernel handles widgets in more than one thread: JupyterLab sends their messages to a subshell, and
ipykernel hands each to the thread in which its widget was used last. So two controls of one panel can be heard at once,
while a cell moves a third. A thread that changes what a panel shows holds the one lock from reading the position to the
picture.

A thread that holds it must not wait for another one of ours.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

TURN = threading.RLock()

Self = TypeVar("Self")
Options = ParamSpec("Options")
Result = TypeVar("Result")


def in_turn(method: Callable[Concatenate[Self, Options], Result]) -> Callable[Concatenate[Self, Options], Result]:
    """Return a method that waits until no other one marked so runs in another thread.

    Examples
    --------
    >>> class Counter:
    ...     count = 0
    ...     @in_turn
    ...     def more(self):
    ...         self.count += 1
    ...         return self.count
    >>> Counter().more()
    1
    """

    @functools.wraps(method)
    def taking_its_turn(self: Self, *arguments: Options.args, **options: Options.kwargs) -> Result:
        with TURN:
            return method(self, *arguments, **options)

    return taking_its_turn
