"""The site: a page for each panel, the files of its states, and the list of all pages."""

from __future__ import annotations

import dataclasses
import html
import itertools
import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from trustlab.durable import write_whole
from trustlab.lab import look
from trustlab.lab.display import inline
from trustlab.lab.figures import FONTS, css_size
from trustlab.lab.fragments import Fragments, joined
from trustlab.lab.panel import Panel
from trustlab.site.page import Explorable, head, page, per_file
from trustlab.site.sharing import share
from trustlab.site.states import Choice, State, choices, count, places, positions, state

STYLE, SCRIPT, COMPUTING = "explorable.css", "explorable.js", "computing.js"
HERE = Path(__file__).parent
PANELS = Path(look.__file__).parent / "panel.css"  # a page's panel looks as in a notebook
ASIDE = ".aside"
LIGHT, DIM = "color:#1c2128", "color:#e6e9ee;--jp-layout-color0:#1a1e25"  # as in the style sheet
DARK = re.compile(r'\[data-jp-theme-light="false"\] ([^{]+)\{([^}]*)\}')  # a rule of JupyterLab's dark theme


@dataclasses.dataclass(frozen=True)
class Chapter:
    """Pages under one heading of the list."""

    title: str
    pages: Sequence[Explorable]


def write(chapters: Sequence[Chapter], out: Path, *, title: str, lead: str) -> Iterator[dict[str, str | float]]:
    """Write the site into the folder `out`, which is replaced as a whole at the end; yield a row for each page.

    Parameters
    ----------
    chapters
        The pages in their order.
    out
        A new folder, an empty one, or an earlier site.
    title, lead
        Of the list of all pages.

    Yields
    ------
    dict
        ``page``, ``states``, ``kB at first`` (before the first touch) and ``kB`` (in all).

    Raises
    ------
    ValueError
        If `out` holds anything else than a site.
    """
    if out.exists() and not (out / STYLE).is_file() and any(out.iterdir()):
        raise ValueError(f"Expected {out} to be new, empty or an earlier site, got a folder with other files.")
    aside = out.with_name(out.name + ASIDE)
    shutil.rmtree(aside, ignore_errors=True)
    try:
        yield from _write_all(chapters, aside, title, lead)
        shutil.rmtree(out, ignore_errors=True)
        aside.rename(out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _write_all(chapters: Sequence[Chapter], folder: Path, title: str, lead: str) -> Iterator[dict[str, str | float]]:
    write_whole(folder / STYLE, _style())
    for name in (SCRIPT, COMPUTING):
        write_whole(folder / name, (HERE / name).read_bytes())
    panels = {each.name: each.panel() for chapter in chapters for each in chapter.pages}
    write_whole(folder / "index.html", index(chapters, panels, title, lead))
    around = [None, *((name, panel.title) for name, panel in panels.items()), None]
    for each, before, after in zip(_pages(chapters), around, around[2:], strict=False):
        yield _write_page(each, panels[each.name], folder, before, after)


def _style() -> str:
    """Return the style sheets of panels and of the page: what JupyterLab makes dark, here the reader's system does."""
    panels = PANELS.read_text(encoding="utf-8")
    dark = "".join(f"{selector}{{{look}}}" for selector, look in DARK.findall(panels))
    page = (HERE / STYLE).read_text(encoding="utf-8")
    return f"{DARK.sub('', panels)}@media (prefers-color-scheme: dark) {{ {dark} }}\n{page}"


def _pages(chapters: Sequence[Chapter]) -> Iterator[Explorable]:
    for chapter in chapters:
        yield from chapter.pages


def _write_page(explorable: Explorable, panel: Panel, folder: Path, before: Any, after: Any) -> dict[str, str | float]:
    """Write a page and the files of its states, and return how large they are."""
    computes = explorable.script is not None
    controls = choices(panel, explorable.only, ranges=explorable.ranges if computes else None)
    first = state(panel, {})
    write_whole(folder / explorable.name / "first.svg", thumbnail(panel.drawing.figure))
    given = {**places(panel), **explorable.given(panel)} if explorable.given else None
    written = [folder / f"{explorable.name}.html"]
    write_whole(written[0], page(explorable, panel.title, controls, first, given=given, before=before, after=after))
    loaded = [*written, folder / STYLE, folder / SCRIPT]
    if not computes:
        states = count(controls)
        written += _write_states(panel, controls, folder / explorable.name)
    else:
        states = 1
        written.append(folder / f"{explorable.name}.js")
        write_whole(written[-1], Path(explorable.script).read_bytes())
        loaded += [written[-1], folder / COMPUTING]
    kilo = {"kB at first": loaded, "kB": written}
    sizes = {name: round(sum(path.stat().st_size for path in paths) / 1000, 1) for name, paths in kilo.items()}
    return {"page": explorable.name, "states": states, **sizes}


def _write_states(panel: Panel, controls: Sequence[Choice], folder: Path) -> list[Path]:
    """Draw every state and write them, so many to a file; return the files."""
    each = per_file(controls)
    every = (state(panel, position) for position in positions(controls))
    written = []
    for number in range(count(controls) // each):
        written.append(folder / f"{number}.js")
        write_whole(written[-1], states_file(number, list(itertools.islice(every, each))))
    return written


def states_file(number: int, states: Sequence[State]) -> str:
    """Return the script that hands the states of file `number` to the page, what they have in common stored once."""
    texts = [state.picture for state in states] + [state.numbers for state in states]
    pieces, numbers = share(texts)
    content: dict[str, Any] = {"marks": [state.mark for state in states], "pieces": pieces}
    content |= {"pictures": numbers[: len(states)], "numbers": numbers[len(states) :]}
    for name in ("verdict", "source"):
        every = [getattr(state, name) for state in states]
        content[f"{name}s"] = different = list(dict.fromkeys(every))
        content[name] = [different.index(text) for text in every]
    return f"explorable.add({number},{json.dumps(content, ensure_ascii=False, separators=(',', ':'))});\n"


def index(chapters: Sequence[Chapter], panels: Mapping[str, Panel], title: str, lead: str) -> str:
    """Return the HTML of the list of all pages."""
    parts = [head(title, lead), '<main><header class="hero">', f"<h1>{html.escape(title)}</h1><p>{inline(lead)}</p>"]
    parts.append("</header>")
    for chapter in chapters:
        parts.append(f'<h2>{html.escape(chapter.title)}</h2><ul class="cards">')
        parts += [_card(each, panels[each.name].title) for each in chapter.pages]
        parts.append("</ul>")
    parts.append(
        '</main><footer class="bottom"><p>Each page is a panel of a notebook, drawn by that panel in every state.'
    )
    parts.append("The notebooks explain it, test its claims and train models: <code>make lab</code>.</p></footer>")
    return "\n".join([*parts, "</body></html>\n"])


def _card(explorable: Explorable, title: str) -> str:
    return (
        f'<li class="card"><img src="{explorable.name}/first.svg" alt="" loading="lazy">'
        f'<div><h3><a href="{explorable.name}.html">{html.escape(title)}</a></h3>'
        f'<p>{inline(explorable.sentence)}</p><p class="from">Notebook {explorable.notebook}</p></div></li>'
    )


def thumbnail(figure: Figure) -> str:
    """Return what a panel shows as an SVG file of its own, which follows the theme too."""
    (look,) = (look for selector, look in DARK.findall(PANELS.read_text(encoding="utf-8")) if "panel" in selector)
    themes = [f"svg{{{LIGHT}}}", f"@media(prefers-color-scheme:dark){{svg{{{look}{DIM}}}}}"]
    width, height = css_size(figure)
    start = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="{FONTS}">'
    return f"{start}<style>{''.join(themes)}</style>{joined(Fragments(figure).pieces(figure))}</svg>"
