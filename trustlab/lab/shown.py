"""How long widgets live: as long as a cell shows them or a variable holds what they belong to.

ipywidgets keeps every widget until it is closed. Here a widget's owner (a panel, a question, a hint) is held by the
cell that shows it; its widgets hold it weakly. So its widgets are closed

- when the owner has no references any more, and
- when every cell that showed it was run again and shows something else. A cell is known by the id that the front end
  sends, or else by its text. What was shown from a button's callback or into an ``Output`` belongs to no cell, and
  stays.

Closed widgets can be opened again: an owner that is still in a variable is shown as before, with new views.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import ipywidgets
from ipywidgets.widgets.widget import _instances  # the public name of this registry warns that it is deprecated


class Shown:
    """Something that a cell shows as a widget, with a text for viewers that have none.

    A subclass makes its ``widget`` and then calls :meth:`_own`.
    """

    widget: ipywidgets.Widget
    summary: str

    def _own(self, at_the_end: Callable[[], Any] | None = None) -> None:
        """Close the widgets when this object is gone; `at_the_end` must not hold it."""
        tree = list(_below(self.widget))  # children first
        weakref.finalize(self, _end, tree, at_the_end).atexit = False
        _listen()

    def __repr__(self) -> str:
        return self.summary

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None, **kwargs: Any) -> Any:
        """Give Jupyter the widget, and viewers without a kernel the text."""
        return {"application/vnd.jupyter.widget-view+json": self.view(), "text/plain": self.summary}

    def view(self) -> dict[str, Any]:
        """Return the reference to the widget that a cell shows, and hold this object for that cell."""
        if self.widget.comm is None:
            for widget in _below(self.widget):
                widget.open()
        _note(self)
        return {"version_major": 2, "version_minor": 0, "model_id": self.widget.model_id}

    def _close(self) -> None:
        """Close the widgets; what they show is kept, so that they can be opened again."""
        for widget in _below(self.widget):
            widget.close()


def weakly(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that calls a bound `method` while its object lives: a widget must not keep its owner alive.

    Examples
    --------
    >>> class Counter:
    ...     def more(self):
    ...         return 1
    >>> counter = Counter()
    >>> call = weakly(counter.more)
    >>> del counter
    >>> call() is None
    True
    """
    reference = weakref.WeakMethod(method)

    def call(*arguments: Any) -> Any:
        bound = reference()
        return None if bound is None else bound(*arguments)

    return call


def _below(widget: ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
    """Yield the widgets that `widget` is made of (children, layout, style), each before what holds it, then itself."""
    for name in widget.keys:
        value = getattr(widget, name)
        for part in value if isinstance(value, list | tuple) else [value]:
            if isinstance(part, ipywidgets.Widget):
                yield from _below(part)
    yield widget


def _end(tree: list[ipywidgets.Widget], at_the_end: Callable[[], Any] | None) -> None:
    if at_the_end is not None:
        at_the_end()
    for widget in tree:
        widget.close()


# What cells show, by the cell; and what the cell that runs now has shown so far.
_cells: dict[str, list[Shown]] = {}
_now: list[Shown] = []
_for_good: list[Shown] = []
_shells: weakref.WeakSet[Any] = weakref.WeakSet()


def _shell() -> Any:
    """Return the IPython shell of a notebook; None in a plain Python."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def _listen() -> None:
    """Listen for the end of each cell."""
    shell = _shell()
    if shell is not None and shell not in _shells:
        _shells.add(shell)
        shell.events.register("post_run_cell", _cell_ended)


def _note(shown: Shown) -> None:
    shell = _shell()
    if shell is None:
        return  # not shown: a test or a script asked for the picture
    captured = any(isinstance(w, ipywidgets.Output) and w.msg_id for w in _instances.values())
    (_now if _in_a_cell(shell) and not captured else _for_good).append(shown)


def _in_a_cell(shell: Any) -> bool:
    """Return whether the kernel answers a request to run a cell, and not a press on a button."""
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    return parent.get("header", {}).get("msg_type", "execute_request") == "execute_request"


def _cell_ended(result: Any) -> None:
    """Keep what the cell shows now in the place of what it showed before, and close what no cell shows any more."""
    info = result.info
    cell = getattr(info, "cell_id", None) or info.raw_cell
    former, _cells[cell] = _cells.pop(cell, []), _now.copy()
    _now.clear()
    still = {id(shown) for each in (*_cells.values(), _for_good) for shown in each}
    for shown in {id(shown): shown for shown in former}.values():
        if id(shown) not in still:
            shown._close()
            _forget(shown)
    if not _cells[cell]:
        del _cells[cell]


def _forget(gone: Shown) -> None:
    """Remove what was closed from IPython's history of results (``Out``, ``_``, ``_5``): it holds a figure of 7 MB."""
    shell = _shell()
    results, hook = shell.user_ns.get("_oh", {}), shell.displayhook
    counts = [count for count, value in results.items() if value is gone]
    for count in counts:
        del results[count]
    for name in ("_", "__", "___"):
        if getattr(hook, name, None) is gone:
            setattr(hook, name, "")  # what IPython starts with; it compares these three first
    for names in (shell.user_ns, shell.user_ns_hidden):
        for count in counts:
            names.pop(f"_{count}", None)
        for name in ("_", "__", "___"):
            if names.get(name) is gone:
                names[name] = ""
