"""The panels' look: one style sheet, ``panel.css``, and the blocks of text that it styles."""

from __future__ import annotations

from pathlib import Path

from trustlab.lab.display import inline

STYLE = f"<style>{(Path(__file__).parent / 'panel.css').read_text(encoding='utf-8')}</style>"
TEXT_PIXELS = 14  # the size of a notebook's text, to which sizes on the page are relative

# Screen readers read a verdict aloud when it changes, and an error immediately.
ROLES = {"verdict": ' role="status"', "error": ' role="alert"', "source": ""}


def em(pixels: float) -> str:
    """Return a size in CSS pixels as one that grows with the notebook's text.

    Examples
    --------
    >>> em(700)
    '50em'
    """
    return f"{pixels / TEXT_PIXELS:.4g}em"


def message_html(kind: str, text: str) -> str:
    """Return `text` as a block of `kind`: "verdict", "source" or "error".

    Examples
    --------
    >>> message_html("error", "Expected ε > 0.")
    '<div class="trustlab-error" role="alert">Expected ε &gt; 0.</div>'
    """
    return f'<div class="trustlab-{kind}"{ROLES[kind]}>{inline(text)}</div>'


def numbers_html(table: str) -> str:
    """Return a table as a region that scrolls, which a keyboard can reach."""
    return f'<div class="trustlab-numbers" role="region" aria-label="Numbers" tabindex="0">{table}</div>'
