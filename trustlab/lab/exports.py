"""What leaves a panel: a line of Python that makes its position again, and the numbers behind its picture as a file."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import traitlets

from trustlab.lab.inputs import Input

Rows = Sequence[Mapping[str, Any]]
GREEK = {"α": "alpha", "β": "beta", "γ": "gamma", "ε": "epsilon", "σ": "sigma"}  # in names of files


class Exports(Input):
    """Two buttons: *Copy as code* copies ``code``, and *CSV* saves a file that is made when it is pressed.

    Parameters
    ----------
    csv
        Returns the file's name and its text.
    """

    code = traitlets.Unicode().tag(sync=True)

    def __init__(self, csv: Callable[[], tuple[str, str] | None]) -> None:
        super().__init__(kind="exports", tooltip="Copy a line of Python that makes this position again.")
        self._csv = csv
        self.on_msg(_asked)


def _asked(widget: Exports, content: Any, buffers: Any) -> None:
    made = widget._csv() if content == "csv" else None
    if made is not None:
        name, text = made
        widget.send({"name": name, "text": text})


def csv_file(title: str, rows: Rows, live: Rows = (), position: str = "") -> tuple[str, str]:
    r"""Return a file's name and its text: every row behind the picture, unrounded, and the reader's own as such.

    Parameters
    ----------
    title
        Of the panel; the file's name is made of it.
    rows, live
        The rows behind the picture, and those of the reader's own run.
    position
        Where the controls stood: what the reader's own run was trained at.

    Examples
    --------
    >>> rows = [{"ε": 1.0, "accuracy": 1 / 3}]
    >>> name, text = csv_file("What does ε cost?", rows, live=[{"ε": 1.0, "accuracy": 0.5}], position="rule: flat")
    >>> print(name, text, sep="\n")
    what-does-epsilon-cost.csv
    ε,accuracy,run,position
    1.0,0.3333333333333333,saved,
    1.0,0.5,yours,rule: flat
    <BLANKLINE>
    """
    import pandas

    numbers = pandas.DataFrame([dict(row) for row in rows])
    if live:
        own = pandas.DataFrame([dict(row) for row in live])
        numbers = pandas.concat([numbers.assign(run="saved"), own.assign(run="yours", position=position)])
    words = "".join(GREEK.get(letter, letter) for letter in title.lower())
    return f"{re.sub(r'[^a-z0-9]+', '-', words).strip('-')}.csv", numbers.to_csv(index=False)


def call(code: str, values: Mapping[str, Any]) -> str:
    """Return the code that makes a panel and moves it to `values`.

    Examples
    --------
    >>> print(call("budget_panel(corpus)", {"epsilon": 3.0, "method": "edp-sgd"}))
    budget_panel(corpus).set(epsilon=3.0, method="edp-sgd")
    """
    if not code or not values:
        return code
    return f"{code}.set({', '.join(f'{name}={_literal(value)}' for name, value in values.items())})"


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return f'float("{value}")' if isinstance(value, float) and not math.isfinite(value) else repr(value)
