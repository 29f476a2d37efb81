"""A picture of a finding: its sentence above it, its numbers behind *Show numbers*.

Four pictures say most of what tables say: dots with intervals, dumbbells from one value to another, a claimed value
against the true one, and lines over an option. A cell that ends with one shows it; stored are a PNG and, as text, the
rounded table.
"""

from __future__ import annotations

import functools
import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets
from matplotlib.figure import Figure

from trustlab.lab import marks
from trustlab.lab.display import plain, table_html, table_text
from trustlab.lab.exports import Exports, csv_file
from trustlab.lab.figures import css_size, png, svg, with_picture
from trustlab.lab.fold import Numbers
from trustlab.lab.look import STYLE, em, message_html
from trustlab.lab.shown import Shown, weakly
from trustlab.lab.sweeps import swept

Rows = Sequence[Mapping[str, Any]]


class Finding(Shown):
    """A title, a sentence, a picture, and the numbers behind it.

    Parameters
    ----------
    figure
        The picture.
    rows
        The numbers, shown rounded behind *Show numbers* and stored as text.
    title
        A few words.
    verdict
        One sentence that says what the picture shows; it is the picture's alt text too.
    provenance
        Where the numbers come from: "saved, seeds 0–4"; empty where the cell says it.
    digits
        Significant digits of the table.

    Raises
    ------
    ValueError
        If there are no rows, or title or verdict is empty.
    """

    def __init__(
        self, figure: Figure, rows: Rows, *, title: str, verdict: str, provenance: str = "", digits: int = 3
    ) -> None:
        if not (title.strip() and verdict.strip()):
            raise ValueError("Expected a title and a verdict of one sentence, which is the alt text, got an empty one.")
        self.figure, self.rows, self.title, self.verdict = figure, list(rows), title, verdict
        self.provenance, self._digits = provenance, digits

    @functools.cached_property
    def widget(self) -> ipywidgets.VBox:
        """The widgets, made when they are first shown: a finding that is only read sends none to the page."""
        heading = (
            f'{STYLE}<div class="trustlab-title">{html.escape(self.title)}</div>{message_html("verdict", self.verdict)}'
        )
        width, _ = css_size(self.figure)
        layout = {"width": em(width), "max_width": "100%"}
        picture = ipywidgets.HTML(svg(self.figure, alt=plain(self.verdict)), layout=layout)
        foot = ipywidgets.HBox([self.button, Exports(weakly(self._csv))])
        if self.provenance:
            foot.children = (ipywidgets.HTML(message_html("source", self.provenance)), *foot.children)
        for name in ("row", "foot"):
            foot.add_class(f"trustlab-{name}")
        layout = {"max_width": em(width + 36), "align_items": "flex-start"}
        box = ipywidgets.VBox([ipywidgets.HTML(heading), picture, foot, self.numbers], layout=layout)
        box.add_class("trustlab-panel")
        box.add_class("trustlab-finding")
        self.__dict__["widget"] = box  # there before its end is arranged
        self._own()
        return box

    @functools.cached_property
    def _folded(self) -> Numbers:
        return Numbers(functools.partial(table_html, self.rows, digits=self._digits))

    @property
    def numbers(self) -> ipywidgets.HTML:
        """The table behind *Show numbers*."""
        return self._folded.table

    @property
    def button(self) -> ipywidgets.Widget:
        """The button *Show numbers*."""
        return self._folded.button

    @property
    def summary(self) -> str:
        """Title, sentence, provenance and the rounded numbers as text: what nbval compares."""
        source = [f"({self.provenance})"] if self.provenance else []
        return "\n".join([self.title, plain(self.verdict), *source, table_text(self.rows, self._digits)])

    def _csv(self) -> tuple[str, str]:
        return csv_file(self.title, self.rows)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None, **kwargs: Any) -> tuple[dict, dict]:
        picture = png(self.figure, title=self.title, verdict=plain(self.verdict))
        return with_picture(super()._repr_mimebundle_(), picture)


def _finding(draw: Callable[..., Figure]) -> Callable[..., Finding]:
    """Return `draw`, which makes a figure of rows, as a function that returns the finding around it."""

    @functools.wraps(draw)
    def shown(rows: Any, *, title: str, verdict: str, provenance: str = "", digits: int = 3, **options: Any) -> Finding:
        records = rows.to_dict("records") if hasattr(rows, "to_dict") else [dict(row) for row in rows]
        if not records:
            raise ValueError(f"Expected at least one row to draw for {title!r}, got none.")
        figure = draw(records, **options)
        return Finding(figure, records, title=title, verdict=verdict, provenance=provenance, digits=digits)

    return shown


@_finding
def dots(
    rows: Rows,
    *,
    label: str,
    value: str,
    low: str | None = None,
    high: str | None = None,
    series: str | None = None,
    x_label: str = "",
    reference: Mapping[str, float] | None = None,
    per_cent: bool = False,
    log: bool = False,
) -> Figure:
    """Draw a line of the page for each `label`, with a dot at `value` for each `series` and its interval.

    Parameters
    ----------
    rows
        A DataFrame or mappings, one per dot; a value of None or NaN draws nothing and is in the table as a dash.
    label, value, low, high, series
        Names of columns; without `series` all dots are alike.
    x_label
        What the axis measures, with its unit.
    reference
        Name → place of a dashed line, such as chance.
    per_cent
        Whether values are shares that the axis writes in per cent.
    log
        Whether the axis is logarithmic.
    title, verdict, provenance, digits
        As for :class:`Finding`.

    Examples
    --------
    >>> rows = [{"who": "all", "accuracy": 0.7, "low": 0.6, "high": 0.8}, {"who": "travellers", "accuracy": 0.03}]
    >>> dots(rows, label="who", value="accuracy", low="low", high="high", title="Who is heard?", verdict="Few are.")
    Who is heard?
    Few are.
    who         accuracy  low  high
    all              0.7  0.6   0.8
    travellers      0.03    –     –
    """
    page = marks.Page(rows, label, x_label=x_label, per_cent=per_cent, log=log)
    names = list(dict.fromkeys(str(row[series]) for row in rows)) if series else [""]
    on_line: dict[str, list[str]] = {}  # a line with one series has its dot in the middle
    for row in rows:
        on_line.setdefault(str(row[label]), []).append(str(row[series]) if series else "")
    for row in rows:
        name, own = str(row[series]) if series else "", on_line[str(row[label])]
        page.dot(row, value, names.index(name), place=own.index(name), of=len(own), low=low, high=high)
    return page.finished(names if series else [], reference)


@_finding
def dumbbells(
    rows: Rows,
    *,
    label: str,
    start: str,
    end: str,
    start_label: str | None = None,
    end_label: str | None = None,
    x_label: str = "",
    reference: Mapping[str, float] | None = None,
    per_cent: bool = False,
    log: bool = False,
) -> Figure:
    """Draw a line for each `label` from an open dot at `start` to a full one at `end`: what changed, line by line.

    Parameters
    ----------
    rows
        A DataFrame or mappings, one per line.
    label, start, end
        Names of columns.
    start_label, end_label
        The names of both dots in the legend; default the columns' names.
    x_label, reference, per_cent, log, title, verdict, provenance, digits
        As for :func:`dots`.

    Examples
    --------
    >>> rows = [{"who": "all", "uniform": 84, "active": 86}, {"who": "travellers", "uniform": 72, "active": 3}]
    >>> dumbbells(rows, label="who", start="uniform", end="active", title="Who pays?", verdict="Travellers pay.")
    Who pays?
    Travellers pay.
    who         uniform  active
    all              84      86
    travellers       72       3
    """
    page = marks.Page(rows, label, x_label=x_label, per_cent=per_cent, log=log)
    for row in rows:
        page.dumbbell(row, start, end)
    return page.finished([start_label or start, end_label or end], reference, open_first=True)


@_finding
def gauges(
    rows: Rows,
    *,
    label: str,
    claimed: str,
    true: str,
    x_label: str = "",
    per_cent: bool = False,
    log: bool = False,
) -> Figure:
    """Draw for each `label` a bar up to what was claimed and a mark at what is true, the distance between them red.

    Parameters
    ----------
    rows
        A DataFrame or mappings, one per line.
    label, claimed, true
        Names of columns.
    x_label, per_cent, log, title, verdict, provenance, digits
        As for :func:`dots`.

    Examples
    --------
    >>> rows = [{"β": "1", "claimed": 0.348, "true": 11.6}]
    >>> gauges(rows, label="β", claimed="claimed", true="true", x_label="ε", log=True,
    ...        title="Whose ε?", verdict="The most active client has 11.6.")
    Whose ε?
    The most active client has 11.6.
    β  claimed  true
    1    0.348  11.6
    """
    page = marks.Page(rows, label, x_label=x_label, per_cent=per_cent, log=log)
    for row in rows:
        page.gauge(row, claimed, true)
    return page.finished([], None, gauge=(claimed, true))


@_finding
def lines(
    rows: Rows,
    *,
    x: str,
    y: str,
    series: str,
    pane: str | None = None,
    chosen: str | None = None,
    x_label: str = "",
    y_label: str = "",
    per_cent: bool = False,
    log: bool = False,
    log_y: bool = False,
) -> Figure:
    """Draw an outcome over an option, one line for each `series`: how much a comparison depends on the option.

    Parameters
    ----------
    rows
        A DataFrame or mappings, one per point. A `y` of None or NaN, a training that diverged, is a cross at the foot.
    x, y, series
        Names of columns; `x` holds numbers.
    pane
        A column whose values get a picture each, side by side, with one scale.
    chosen
        A column that is true where a search chose the point: it gets a ring.
    x_label, y_label
        What the axes measure, with their units.
    log
        Whether the axis of `x` is logarithmic.
    log_y
        Whether that of `y` is, whose values are then above 0.
    per_cent, title, verdict, provenance, digits
        As for :func:`dots`; `per_cent` is about `y`.

    Examples
    --------
    >>> rows = [{"rate": 3, "way": "uniform", "right": 0.76}, {"rate": 15, "way": "uniform", "right": 0.89},
    ...         {"rate": 3, "way": "active", "right": 0.86}, {"rate": 15, "way": "active", "right": 0.9}]
    >>> lines(rows, x="rate", y="right", series="way", log=True, title="Whose rate?", verdict="The gain shrinks.")
    Whose rate?
    The gain shrinks.
    rate  way      right
       3  uniform   0.76
      15  uniform   0.89
       3  active    0.86
      15  active     0.9
    """
    return swept(
        rows, x=x, y=y, series=series, pane=pane, chosen=chosen, x_label=x_label, y_label=y_label, per_cent=per_cent,
        log=log, log_y=log_y,
    )  # fmt: skip
