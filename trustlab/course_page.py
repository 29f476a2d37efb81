"""The first page of the app: the notebooks in the course's order, each with its title and its first sentences."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

from trustlab.without_code import without_code

CHAPTERS = {"0": "Start here", "1": "Privacy", "2": "Federated learning", "3": "Fairness", "4": "Trade-offs"}
OTHERS = "Other notebooks"
MOST_LETTERS = 170  # of a notebook's beginning
STYLE = """
:root { color-scheme: light dark; --ink: #1c2128; --soft: #535c67; --paper: #f5f6f8; --card: #fff; --line: #d5dae1;
  --accent: #0b57a4; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --soft: #a7b0bc; --paper: #111419; --card: #1a1e25;
  --line: #39414d; --accent: #8cc8ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1.25rem 3rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: clamp(1.7rem, 1.1rem + 2.6vw, 2.4rem); margin: 0; letter-spacing: -.01em; }
main > p { color: var(--soft); font-size: 1.1rem; margin: .4rem 0 0; max-width: 44rem; }
h2 { font-size: 1.1rem; margin: 1.6rem 0 .6rem; }
ul { list-style: none; margin: 0; padding: 0; display: grid; gap: .8rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); }
li { position: relative; background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: .8rem 1rem; }
li:hover, li:focus-within { border-color: var(--accent); }
li a { color: inherit; font-weight: 650; text-decoration: none; }
li a::after { content: ""; position: absolute; inset: 0; border-radius: 10px; }
a:focus-visible::after { outline: 3px solid var(--accent); outline-offset: 2px; }
li span { color: var(--soft); font-weight: 400; font-variant-numeric: tabular-nums; margin-right: .5em; }
li p { margin: .2rem 0 0; color: var(--soft); font-size: .92rem; }
"""


def course_page(folder: Path, address: str) -> str:
    """Return the HTML of the list.

    Parameters
    ----------
    folder
        Where the notebooks are.
    address
        What a notebook's name is put after, to open its page.
    """
    chapters: dict[str, list[str]] = {}
    for path in sorted(folder.glob("*.ipynb")):
        number = path.name[:2] if re.match(r"\d\d_", path.name) else ""
        chapters.setdefault(CHAPTERS.get(number[:1], OTHERS), []).append(_item(path, number, address))
    lists = "".join(f"<h2>{name}</h2><ul>{''.join(items)}</ul>" for name, items in chapters.items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>trustlab</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<style>{STYLE}</style></head><body><main><h1>Trustworthy language models</h1>"
        "<p>The notebooks as pages: move the panels, and train models while you watch. A page takes some seconds to "
        f"open, since its notebook runs.</p>{lists}</main></body></html>"
    )


def _item(path: Path, number: str, address: str) -> str:
    title, words = beginning(path)
    link = f'<a href="{html.escape(address + path.name)}">{html.escape(title)}</a>'
    said = f"<p>{html.escape(words)}</p>" if words else ""
    return f"<li>{f'<span>{number}</span>' if number else ''}{link}{said}</li>"


def beginning(path: Path) -> tuple[str, str]:
    """Return a notebook's title, and the first sentences of its text; its file's name where it has no title."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cells = [dict(cell, source="".join(cell["source"])) for cell in notebook["cells"]]
    texts = [cell["source"] for cell in without_code({"cells": cells})["cells"] if cell["cell_type"] == "markdown"]
    title, _, text = (texts[0] if texts else "").partition("\n")
    if not title.startswith("# "):
        return path.stem.replace("_", " "), ""
    paragraph = text.strip().split("\n\n")[0]
    plain = re.sub(r"<[^>]+>|[*`]|\[([^\]]+)\]\([^)]*\)", r"\1", paragraph).replace("\n", " ")
    first, *others = re.split(r"(?<=[.?!])\s+", plain)
    for sentence in others:
        if len(f"{first} {sentence}") > MOST_LETTERS:
            break
        first = f"{first} {sentence}"
    return title[2:], first
