"""What several rooms ask of a corpus: which of its intents are rare, and what a notebook does with a reader's own."""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from trustlab.data.own import is_own
from trustlab.data.serving import missing_for, serves
from trustlab.lab.saved import CORPUS_NAMES

if TYPE_CHECKING:
    import datasets

EMBEDDED = "assistant"  # the synthetic corpus, which is everywhere without a download


def rare_intents(corpus: datasets.DatasetDict) -> set[str]:
    """Return the quarter of the intents (at least one) that has the fewest training utterances.

    Examples
    --------
    >>> rare_intents({"train": {"intent": ["play", "play", "stop", "call", "call"]}})
    {'stop'}
    """
    counts = Counter(corpus["train"]["intent"][:])
    return {name for name, _ in counts.most_common()[-max(1, len(counts) // 4) :]}


def called(corpus: datasets.DatasetDict, name: str) -> str:
    """Return what a corpus is called in a sentence: "your corpus" for the reader's own."""
    return "your corpus" if is_own(corpus) else CORPUS_NAMES[name]


def results_for(corpus: datasets.DatasetDict, name: str, notebook: str, task: str = "") -> tuple[str, str]:
    """Return the name of the corpus whose saved results a notebook shows, and what to say about that.

    Of a reader's own corpus there are none: those of the embedded one are shown, and what is computed on the page is
    computed on the reader's. Of a corpus that has its own, there is nothing to say.

    Parameters
    ----------
    corpus, name
        What was loaded, and the name in the notebook's cell.
    notebook, task
        Its number, and a word of the task that it cannot be read without, as in :func:`trustlab.data.serves`; the first
        by default.

    Raises
    ------
    ValueError
        If the reader's own corpus lacks what that task needs: it says what, and what works without.

    Examples
    --------
    >>> from trustlab.data import load
    >>> results_for(load("assistant"), "assistant", "21")
    ('assistant', '')
    """
    if not is_own(corpus) and name in CORPUS_NAMES:
        return name, ""
    if missing := missing_for(corpus, notebook, task):
        raise ValueError(
            f"Expected a corpus for notebook {notebook}, yours lacks: {missing}. Name them in load_own, or put "
            "load('assistant') here: the pictures of saved results are of that corpus and need none of yours."
        )
    said = (
        f" It is your corpus. Saved results are of {CORPUS_NAMES[EMBEDDED]}; what is computed here is of yours, unless "
        "it says otherwise."
    )
    table = serves(corpus)
    for use in table[(table["notebook"] == notebook) & ~table["runs"]].itertuples():
        said += f" It cannot be used to {use.task}; missing: {use.missing}."
    return EMBEDDED, said


def noting_own(
    answer: Callable[[Any], Any], corpus: datasets.DatasetDict | None, button: str = "the button trains on it"
) -> Callable[[Any], Any]:
    """Return a panel's answers so that their source says what is saved of another corpus and what is trained.

    Parameters
    ----------
    answer
        From a position to what is saved there.
    corpus
        The notebook's; only of a reader's own something is said.
    button
        What the panel's button does with it.
    """
    return functools.partial(_noted, answer=answer, button=button) if is_own(corpus) else answer


def _noted(at: Any, *, answer: Callable[[Any], Any], button: str) -> Any:
    found = answer(at)
    note = f"{found.provenance}, of {CORPUS_NAMES[EMBEDDED]}; of yours nothing is saved, {button}"
    return dataclasses.replace(found, provenance=note)
