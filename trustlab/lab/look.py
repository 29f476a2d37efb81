"""The panels' look: one style sheet on JupyterLab's own variables, so that it follows the light and the dark theme."""

from __future__ import annotations

from trustlab.lab.display import inline

STYLE = """<style>
.trustlab-panel { padding: 12px 16px; border: 1px solid var(--jp-border-color2, #ddd); border-radius: 6px;
  color: var(--jp-ui-font-color1, #222); box-sizing: border-box; }
.trustlab-panel > * { overflow: visible; margin: 2px 0; }
.trustlab-panel .widget-html-content { line-height: 1.45; }
.trustlab-title { font-size: 16px; font-weight: 600; margin-bottom: 4px; }
.trustlab-picture { padding: 4px 0; }
.trustlab-verdict { font-size: 15px; max-width: 720px; }
.trustlab-panel .widget-toggle-buttons { display: flex; align-items: center; gap: 8px; width: auto; }
.trustlab-source, .trustlab-about { font-size: 12.5px; color: var(--jp-ui-font-color2, #555); }
.trustlab-error { font-size: 14px; max-width: 720px; padding: 8px 12px; border-left: 4px solid #D55E00;
  background: var(--jp-layout-color2, #f3f3f3); }
.trustlab-numbers table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
.trustlab-numbers th, .trustlab-numbers td { padding: 2px 14px 2px 0; }
.trustlab-numbers thead { border-bottom: 1px solid var(--jp-border-color1, #bbb); }
.trustlab-about summary { cursor: pointer; }
.trustlab-about dl { margin: 4px 0 0; display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; }
.trustlab-about dl > * { float: none; width: auto; margin: 0; padding: 0; }
.trustlab-about dt { font-weight: 600; }
</style>"""

# Screen readers read a verdict aloud when it changes, and an error immediately.
ROLES = {"verdict": ' role="status"', "error": ' role="alert"', "source": ""}


def message_html(kind: str, text: str) -> str:
    """Return `text` as a block of `kind`: "verdict", "source" or "error".

    Examples
    --------
    >>> message_html("error", "Expected ε > 0.")
    '<div class="trustlab-error" role="alert">Expected ε &gt; 0.</div>'
    """
    return f'<div class="trustlab-{kind}"{ROLES[kind]}>{inline(text)}</div>'
