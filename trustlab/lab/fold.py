"""The numbers behind a picture: a table that is written only while it is open, and the button that opens it."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets

from trustlab.lab.look import numbers_html
from trustlab.lab.shown import weakly
from trustlab.lab.turns import in_turn


class Numbers:
    """A table, folded away at first: it is longer than the picture.

    Parameters
    ----------
    tables
        Returns the HTML of what is shown now, empty for nothing. It must not hold the owner of these widgets.

    Examples
    --------
    >>> numbers = Numbers(lambda: "<table></table>")
    >>> numbers.button.click()
    >>> "<table></table>" in numbers.table.value, numbers.button.description
    (True, 'Hide numbers')
    """

    def __init__(self, tables: Callable[[], str]) -> None:
        self._tables = tables
        self.table = ipywidgets.HTML(layout={"display": "none"})
        tooltip = "The rounded numbers behind the picture."
        self.button = ipywidgets.Button(description="Show numbers", tooltip=tooltip, layout={"width": "auto"})
        self.button.on_click(weakly(self._pressed))

    @in_turn
    def fill(self) -> None:
        """Write what is shown now, if the table is open."""
        tables = self._tables() if self.table.layout.display != "none" else ""
        self.table.value = numbers_html(tables) if tables else ""

    @in_turn
    def _pressed(self, _: ipywidgets.Button) -> None:
        opened = self.table.layout.display == "none"
        self.table.layout.display = None if opened else "none"
        self.button.description = "Hide numbers" if opened else "Show numbers"
        self.fill()
