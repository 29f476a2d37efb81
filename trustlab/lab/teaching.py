"""The teaching parts of a notebook around its panels: opening card, predictions and hints; checks and claims.

Each is something a cell shows. Untouched, it shows the same text on every machine, so an unanswered notebook runs
headless and can be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets

from trustlab.lab.checks import check
from trustlab.lab.claims import claims
from trustlab.lab.display import Display, inline, plain
from trustlab.lab.inputs import Chooser
from trustlab.lab.look import STYLE, em, message_html
from trustlab.lab.shown import Shown, weakly
from trustlab.lab.turns import in_turn

__all__ = ["Hints", "card", "check", "claims", "hint", "predict"]


def card(
    able: Sequence[str],
    need: str | Sequence[str],
    time: str,
    data: str,
    correctness: str | Sequence[str],
    files: Sequence[str] = (),
    glossary: str = "",
) -> Display:
    """Show a notebook's opening card.

    Parameters
    ----------
    able
        What the reader can do afterwards, one verb each.
    need
        What to know or to have run before.
    time
        Minutes of reading, and of running on two cores.
    data
        Which data, under which licence.
    correctness
        Which printed guarantees really hold, and what is simplified.
    files
        The files that the notebook runs, experiment first, as paths inside ``trustlab/``. Each becomes a link that
        works from the folder ``notebooks/``.
    glossary
        Path from the notebook to the glossary, linked below the card; empty for none.

    Returns
    -------
    Display
        The headings, the same in every notebook. Text may use ``code``, **bold** and [links](https://…).

    Examples
    --------
    >>> card(["count"], "Nothing.", "A minute.", "None.", "Exact.", files=["lab/teaching.py"])
    You will be able to
      count
    You need
      Nothing.
    Time
      A minute.
    Data and licence
      None.
    Correctness status
      Exact.
    Files behind this page
      trustlab/lab/teaching.py
    """
    parts = {
        "You will be able to": able,
        "You need": need,
        "Time": time,
        "Data and licence": data,
        "Correctness status": correctness,
    }
    rich, text = [], []
    for heading, body in parts.items():
        items = [body] if isinstance(body, str) else list(body)
        rich.append(_row(heading, _items(items)))
        text += [heading, *(f"  {plain(item)}" for item in items)]
    if files:
        links = [f"[{name}](../trustlab/{name})" for name in files]
        rich.append(_row(FILES, inline(" · ".join(links))))
        text += [FILES, *(f"  trustlab/{name}" for name in files)]
    if glossary:
        rich.append(_row("New words", inline(f"[Glossary]({glossary})")))
        text += ["New words", "  GLOSSARY.md"]
    return Display(html=f'<div style="{_CARD}">{"".join(rich)}</div>', text="\n".join(text))


FILES = "Files behind this page"

# Inline, on JupyterLab's variables: viewers that drop style sheets still show five readable lines.
_CARD = (
    "display:grid;grid-template-columns:max-content 1fr;gap:8px 20px;max-width:720px;padding:12px 16px;line-height:1.5;"
    "border:1px solid var(--jp-border-color2,#ddd);border-left:4px solid #0072B2;border-radius:6px"
)


def _row(heading: str, body: str) -> str:
    return f'<div style="font-weight:600">{heading}</div><div>{body}</div>'


def _items(items: Sequence[str]) -> str:
    if len(items) == 1:
        return inline(items[0])
    return f'<ul style="margin:0;padding-left:20px">{"".join(f"<li>{inline(item)}</li>" for item in items)}</ul>'


class predict(Shown):
    """Ask for a prediction before the result is shown; committing to one reveals the explanation.

    Parameters
    ----------
    question
        One question about a result that comes later in the notebook.
    choices
        What might happen; none is chosen at first.
    answer
        The position of the right choice.
    because
        Why it is so: one text for all, or one per choice.
    then
        Called with the choice and whether it is right, once the reader has committed.

    Raises
    ------
    ValueError
        If `answer` is no position in `choices`, or `because` has another length.

    Examples
    --------
    >>> q = predict("Does noise help?", ["yes", "no"], answer=1, because="It hides, and it costs accuracy.")
    >>> print(q.choose(0))
    Does noise help?
      (x) yes
      ( ) no
    Not this time: you chose “yes”, it is “no”. It hides, and it costs accuracy.
    """

    def __init__(
        self,
        question: str,
        choices: Sequence[str],
        answer: int,
        because: str | Sequence[str],
        then: Callable[[int, bool], Any] = lambda choice, right: None,
    ) -> None:
        if not 0 <= answer < len(choices):
            raise ValueError(f"Expected answer={answer} to be a position from 0 to {len(choices) - 1}.")
        reasons = [because] * len(choices) if isinstance(because, str) else list(because)
        if len(reasons) != len(choices):
            raise ValueError(f"Expected one reason for each of {len(choices)} choices, got {len(reasons)}.")
        self.question, self.choices, self._right, self._reasons = question, list(choices), answer, reasons
        self.chosen: int | None = None
        self._then = then
        options = [(plain(choice), i) for i, choice in enumerate(self.choices)]
        self.radio = Chooser(options, None, kind="radios", description=plain(question))
        self.commit = ipywidgets.Button(description="Commit", disabled=True, tooltip="Then see what happens, and why.")
        self.explanation = ipywidgets.HTML()
        self.radio.observe(weakly(self._picked), names="index")
        self.commit.on_click(weakly(self._committed))
        asked = ipywidgets.HTML(f'{STYLE}<div class="trustlab-title">{inline(question)}</div>')
        self.widget = ipywidgets.VBox(
            [asked, self.radio, self.commit, self.explanation],
            layout={"max_width": em(756), "align_items": "flex-start"},
        )
        self.widget.add_class("trustlab-panel")
        self._own()

    @in_turn
    def _picked(self, change: Any) -> None:
        self.commit.disabled = change["new"] is None

    def _committed(self, _: ipywidgets.Button) -> None:
        self.choose(self.radio.index)

    @property
    def summary(self) -> str:
        """Question, choices and, once committed, the explanation."""
        marks = ["x" if i == self.chosen else " " for i in range(len(self.choices))]
        lines = [f"  ({mark}) {plain(choice)}" for mark, choice in zip(marks, self.choices, strict=True)]
        return "\n".join([plain(self.question), *lines, plain(self._told()) or "Choose one before you read on."])

    @in_turn
    def choose(self, choice: int) -> predict:
        """Commit to the choice at this position and return the question with its explanation.

        Raises
        ------
        ValueError
            If there is no such choice.
        """
        if choice not in range(len(self.choices)):
            raise ValueError(f"Expected a choice from 0 to {len(self.choices) - 1}, got {choice!r}.")
        self.chosen = int(choice)
        self.radio.index = self.chosen
        self.radio.disabled = self.commit.disabled = True
        self.explanation.value = message_html("verdict", self._told())
        self._then(self.chosen, self.choices[self.chosen] == self.choices[self._right])
        return self

    def _told(self) -> str:
        if self.chosen is None:
            return ""
        mine, right = self.choices[self.chosen], self.choices[self._right]
        start = "**Yes.**" if mine == right else f"**Not this time:** you chose “{mine}”, it is “{right}”."
        return f"{start} {self._reasons[self.chosen]}"


class hint(Shown):
    """Offer hints, one more at each press, from a nudge to nearly the solution.

    Parameters
    ----------
    texts
        The hints, weakest first.

    Examples
    --------
    >>> print(hint("Which rows belong together?", "Use `groupby`.").reveal())
    Hint 1 of 2: Which rows belong together?
    """

    def __init__(self, *texts: str) -> None:
        if not texts:
            raise ValueError("Expected at least one hint, got none.")
        self._texts, self.shown = texts, 0
        self.button = ipywidgets.Button(layout={"width": "auto"}, tooltip="Shows one more hint.")
        self.button.on_click(weakly(self._pressed))
        self.listed = ipywidgets.HTML()
        style = ipywidgets.HTML(STYLE, layout={"display": "none"})
        self.widget = ipywidgets.VBox(
            [style, self.button, self.listed], layout={"max_width": em(756), "align_items": "flex-start"}
        )
        for name in ("panel", "hints"):
            self.widget.add_class(f"trustlab-{name}")
        self._label()
        self._own()

    def _pressed(self, _: ipywidgets.Button) -> None:
        self.reveal()

    @property
    def summary(self) -> str:
        """The hints revealed so far."""
        lines = [f"Hint {i} of {len(self._texts)}: {plain(text)}" for i, text in self._revealed()]
        return "\n".join(lines) or f"{len(self._texts)} hint{'s' * (len(self._texts) > 1)}, none shown yet."

    @in_turn
    def reveal(self) -> hint:
        """Show the next hint, if one is left, and return all shown so far."""
        self.shown = min(self.shown + 1, len(self._texts))
        self.listed.value = "".join(message_html("verdict", f"**Hint {i}.** {text}") for i, text in self._revealed())
        self._label()
        return self

    def _revealed(self) -> list[tuple[int, str]]:
        return list(enumerate(self._texts[: self.shown], start=1))

    def _label(self) -> None:
        left = self.shown < len(self._texts)
        self.button.description = f"Hint {self.shown + 1} of {len(self._texts)}" if left else "No more hints"
        self.button.disabled = not left


class Hints(dict[Callable[..., Any], tuple[str, ...]]):
    """The hints of a notebook's exercises, by exercise.

    Examples
    --------
    >>> Hints({abs: ("Which sign?", "No sign at all.")})(abs)
    2 hints, none shown yet.
    """

    def __call__(self, exercise: Callable[..., Any]) -> hint:
        """Offer the hints of `exercise`, none of them shown yet."""
        return hint(*self[exercise])
