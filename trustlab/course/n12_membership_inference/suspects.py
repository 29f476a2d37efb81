"""Training steps under letters, each with one bug: who reads an audit's report says which it is."""

from __future__ import annotations

import html
import inspect
from typing import Any

from trustlab.privacy.auditing.planted_bugs import PLANTED
from trustlab.privacy.auditing.probe import Step

# What is planted in each; the exercise is to find it out.
BUG_OF = {
    "A": "same seed on every shard",
    "B": "micro-batches of sensitivity 1",
    "C": "the step before again",
    "D": "noise scaled by the batch",
    "E": "noise missing on one group",
}
# Bugs to choose from, the planted ones and three more, and what an audit would report of each.
REPORTED = {
    "clipped after averaging": "a sensitivity of several C: the batch's mean is turned, and multiplied by its size",
    "clipped in each layer": "a sensitivity of √3 C: each of three layers has a C of its own",
    "micro-batches of sensitivity 1": "a sensitivity of nearly 2 C: an example turns a clipped mean round",
    "noise drawn once": "the same noise in every step: a correlation of 1 between steps",
    "noise missing on one group": "one parameter with 0 times the declared noise",
    "noise scaled by the batch": "noise that is weaker in a large batch and stronger in a small one",
    "same seed on every shard": "the same noise in two parameters: a correlation of 1 between them",
    "the step before again": "long examples that move the step after theirs",
}


class Suspect:
    """A training step that does not say its bug."""

    def __init__(self, letter: str) -> None:
        self.letter, self._step = letter, PLANTED[BUG_OF[letter]]()

    def __call__(self, *arguments: Any) -> None:
        """Take the step."""
        self._step(*arguments)

    def __repr__(self) -> str:
        return f"suspect {self.letter}"


def suspect(letter: str) -> Step:
    """Return the training step with this letter, new each time: some steps remember.

    Raises
    ------
    ValueError
        For another letter.

    Examples
    --------
    >>> suspect("A")
    suspect A
    """
    if letter not in BUG_OF:
        raise ValueError(f"Expected suspect={letter!r} to be one of {', '.join(BUG_OF)}.")
    return Suspect(letter)


def folded_code(letter: str) -> str:
    """Return the step's code as HTML that is folded at first."""
    step = PLANTED[BUG_OF[letter]]()
    code = inspect.getsource(step if inspect.isfunction(step) else type(step))
    return f"<details><summary>The code of {letter}</summary><pre>{html.escape(code)}</pre></details>"
