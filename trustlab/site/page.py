"""One page: the panel at its start as plain HTML, and its controls, which a few lines of script move."""

from __future__ import annotations

import dataclasses
import html
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from trustlab.lab.display import inline
from trustlab.lab.panel import Panel
from trustlab.site.states import Choice, State, count, strides

MOST_IN_A_FILE = 120  # states


@dataclasses.dataclass(frozen=True)
class Explorable:
    """A panel that becomes a page.

    Parameters
    ----------
    name
        Of the page: ``"23-continual-learning"``.
    notebook
        The notebook that explains the panel, without its ending.
    sentence
        What a visitor can find out, for the list of all pages and under the title.
    panel
        Makes the panel; the slow part, so it is called when the page is written.
    only
        Control → the values that the page offers, see :func:`trustlab.site.states.choices`.
    script
        Plain script that computes the states in the page, for a panel whose answers are a formula.
    given
        What `script` reads as ``given``, from one source with the panel.
    ranges
        Control → (lowest value, highest value, step) in a page that computes its states, where the panel has steps.
    """

    name: str
    notebook: str
    sentence: str
    panel: Callable[[], Panel]
    only: Mapping[str, Sequence[Any]] = dataclasses.field(default_factory=dict)
    script: Path | None = None
    given: Callable[[Panel], Mapping[str, Any]] | None = None
    ranges: Mapping[str, tuple[float, float, float]] = dataclasses.field(default_factory=dict)


def per_file(chosen: Sequence[Choice]) -> int:
    """Return how many states a file has: those of a slider's steps at least, and of more controls where they fit.

    Examples
    --------
    >>> def choice(n):
    ...     return Choice("x", "x", "", "slider", tuple(range(n)), tuple("x" * n), 0)
    >>> per_file([choice(5), choice(20), choice(6)]), per_file([choice(200)])
    (120, 200)
    """
    sizes = sorted((step, len(each.values)) for each, step in zip(chosen, strides(chosen), strict=True))
    fitting = [step * size for step, size in sizes if step * size <= MOST_IN_A_FILE]
    return max(fitting, default=sizes[0][1])


def page(
    explorable: Explorable,
    title: str,
    controls: Sequence[Choice],
    first: State,
    *,
    given: Mapping[str, Any] | None = None,
    before: tuple[str, str] | None,
    after: tuple[str, str] | None,
) -> str:
    """Return the HTML of one page.

    Parameters
    ----------
    explorable, title, controls
        What the page is about.
    first
        The state at the start, which is there before any script has run, and without script.
    given
        What the page's script reads; None for a page whose states are in files.
    before, after
        The name and the title of the neighbouring pages; None at the ends.
    """
    return "\n".join([
        head(title, explorable.sentence),
        _top(before, after),
        "<main>",
        f"<h1>{html.escape(title)}</h1>",
        f'<p class="lead">{inline(explorable.sentence)}</p>',
        '<section class="trustlab-panel" aria-label="Explorable">',
        _controls(controls),
        '<noscript><p class="trustlab-error">Moving the controls needs JavaScript; this is the start.</p></noscript>',
        f'<div class="trustlab-verdict" id="verdict" role="status" aria-live="polite">{first.verdict}</div>',
        f'<div class="picture" id="picture">{first.picture}</div>',
        _foot(controls, first),
        "</section>",
        "</main>",
        _bottom(explorable),
        f'<script type="application/json" id="about">{_about(explorable, controls)}</script>',
        '<script src="explorable.js"></script>',
        "" if given is None else _computing(explorable, given),
        "</body></html>\n",
    ])  # fmt: skip


def head(title: str, description: str) -> str:
    """Return what every page of the site begins with."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n"
        f'<meta name="description" content="{html.escape(description)}">\n'
        '<link rel="icon" href="data:,">\n<link rel="stylesheet" href="explorable.css">\n</head><body>'
    )


def _top(before: tuple[str, str] | None, after: tuple[str, str] | None) -> str:
    ways = [
        f'<a href="{name}.html" rel="{rel}" title="{html.escape(title)}">{words}</a>'
        for place, rel, words in ((before, "prev", "← Previous"), (after, "next", "Next →"))
        if place
        for name, title in [place]
    ]
    home = '<a class="home" href="index.html">trustlab</a>'
    return f'<header class="top">{home}<nav class="ways" aria-label="Explorables">{"".join(ways)}</nav></header>'


def _controls(controls: Sequence[Choice]) -> str:
    """Return the controls, as a notebook shows them; they can be moved as soon as the script runs."""
    inside = "".join({"slider": _slider, "buttons": _buttons, "list": _list}[each.kind](each) for each in controls)
    reset = '<button type="button" class="trustlab-choice" id="reset">Reset</button>'
    return f'<fieldset id="controls" disabled><div class="row">{inside}{reset}</div></fieldset>'


def _named(choice: Choice, chosen: str) -> str:
    name = f'<span class="trustlab-name">{html.escape(choice.label)}</span>'
    return f'<label class="trustlab-label">{name}{chosen}</label>'


def _slider(choice: Choice) -> str:
    text = html.escape(choice.written)
    ends = f'min="{choice.low:g}" max="{choice.high:g}" step="{choice.step or 1:g}" value="{choice.start:g}"'
    chosen = f'<input type="range" name="{choice.name}" {ends} aria-valuetext="{text}">'
    widest = max(len(each) for each in (*choice.labels, choice.written))
    readout = f'<span class="trustlab-readout" aria-hidden="true" style="min-width:{widest}ch">{text}</span>'
    return f'<div class="trustlab-control">{_named(choice, chosen)}{readout}</div>'


def _buttons(choice: Choice) -> str:
    each = "".join(
        f'<button type="button" class="trustlab-choice" name="{choice.name}" value="{i}" '
        f'aria-pressed="{"true" if i == choice.start else "false"}">{html.escape(label)}</button>'
        for i, label in enumerate(choice.labels)
    )
    label = html.escape(choice.label)
    group = f'<div class="trustlab-choices" role="group" aria-label="{label}">{each}</div>'
    return f'<div class="trustlab-control"><span class="trustlab-name">{label}</span>{group}</div>'


def _list(choice: Choice) -> str:
    each = "".join(
        f"<option{' selected' * (i == choice.start)}>{html.escape(label)}</option>"
        for i, label in enumerate(choice.labels)
    )
    chosen = f'<select name="{choice.name}">{each}</select>'
    return f'<div class="trustlab-control">{_named(choice, chosen)}</div>'


def _foot(controls: Sequence[Choice], first: State) -> str:
    meant = "".join(f"<dt>{html.escape(c.label)}</dt><dd>{html.escape(c.help)}</dd>" for c in controls)
    numbers = (
        f'<div class="trustlab-numbers" id="numbers" tabindex="0" role="region" aria-label="Numbers">{first.numbers}'
    )
    hidden = "" if first.numbers else " hidden"
    return (
        f'<div class="foot"><span class="trustlab-source" id="source">{first.source}</span>'
        f'<details class="trustlab-about" id="table"{hidden}><summary>Show numbers</summary>{numbers}</div></details>'
        f'<details class="trustlab-about"><summary>About the controls</summary><dl>{meant}</dl></details></div>'
    )


def _bottom(explorable: Explorable) -> str:
    return (
        f'<footer class="bottom"><p>The notebook <code>{explorable.notebook}.ipynb</code> explains this page, tests '
        "its claims and lets you train models. <code>make lab</code> opens the course in JupyterLab.</p>"
        '<p><a href="index.html">All explorables</a></p></footer>'
    )


def _about(explorable: Explorable, controls: Sequence[Choice]) -> str:
    """Return what the script knows of the page."""
    known = [
        {"name": c.name, "kind": c.kind, "start": c.start, "low": c.low, "high": c.high, "labels": c.labels,
         "stride": step} | ({"digits": c.digits, "unit": c.unit} if c.step else {})
        for c, step in zip(controls, strides(controls), strict=True)
    ]  # fmt: skip
    about: dict[str, Any] = {"controls": known}
    if explorable.script is not None:
        for control, choice in zip(known, controls, strict=True):
            control["values"] = choice.values
    else:
        each = per_file(controls)
        about |= {"folder": explorable.name, "each": each, "files": count(controls) // each}
    return data(about)


def data(content: Any) -> str:
    """Return JSON that a page can hold."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")


def _computing(explorable: Explorable, given: Mapping[str, Any]) -> str:
    """Return what a page needs that computes its states: numbers, and two files of script."""
    return (
        f'<script type="application/json" id="given">{data(given)}</script>\n'
        f'<script src="computing.js"></script>\n<script src="{explorable.name}.js"></script>'
    )
