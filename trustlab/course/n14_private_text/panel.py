"""The panel of notebook 14: the reader's own sentence, word by word, and what all such text is worth to both sides."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from trustlab.config import option
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n14_private_text.drawing import MOST_WORDS, WordsAnswer, WordsDrawing
from trustlab.course.n14_private_text.experiment import CANDIDATES, COMPARED, DRAWS
from trustlab.course.n14_private_text.results import baselines, points, saved
from trustlab.course.n14_private_text.word_mechanisms import LAPLACE, MAKE, RANDOM, lowered, public_table
from trustlab.lab.display import per_cent
from trustlab.lab.panel import Panel
from trustlab.lab.saved import seeds_of
from trustlab.privacy.text import Attacker, Language, deniability

LEVELS = len(COMPARED[LAPLACE])
SENTENCE = "please play some jazz at seven in the kitchen"
Row = dict[str, Any]


@dataclass(frozen=True)
class WordsPosition:
    """The position of the panel."""

    sentence: str = option(SENTENCE, label="Your sentence", help=f"Its first {MOST_WORDS} words are rewritten.")
    mechanism: str = option(LAPLACE, label="Mechanism", help="How words are replaced.", values=tuple(COMPARED))
    level: int = option(
        3,
        label="ε",
        help="Each mechanism has values of its own, strongest noise first; the verdict names it.",
        values=tuple(range(1, LEVELS + 1)),
    )
    draw: int = option(0, label="Draw", help="Another draw of the noise.", values=(0, 1, 2, 3, 4))

    @property
    def epsilon(self) -> float:
        """The mechanism's ε at this level."""
        values = COMPARED[self.mechanism]
        return values[(self.level - 1) * len(values) // LEVELS]


def words_panel() -> Panel:
    """Return the panel.

    Examples
    --------
    >>> panel = words_panel()
    >>> bool(panel.set(sentence="Play xqzt", level=5).numbers["said"].isin(["xqzt"]).any())
    False
    """
    own = baselines()
    return Panel(
        WordsPosition(),
        title="What is said for your words, and who guesses them?",
        drawing=WordsDrawing({"text as it is": own["tf-idf"], "random words": own[RANDOM]}),
        answer=_answer,
        controls={"sentence": None, "mechanism": None, "level": _levels(), "draw": None},
        code="words_panel()",
    )


def _levels() -> list[tuple[str, int]]:
    words = {1: " (strong)", LEVELS: " (weak)"}
    return [(f"{level} of {LEVELS}{words.get(level, '')}", level) for level in range(1, LEVELS + 1)]


@functools.lru_cache(maxsize=32)
def mechanism_at(name: str, epsilon: float) -> Any:
    """Return a mechanism on the public table, made once."""
    return MAKE[name](public_table(), epsilon)


@functools.cache
def language() -> Language:
    """Return what an attacker knows of how people ask an assistant: the embedded corpus' validation split."""
    from trustlab.data import load

    return Language.of(lowered(load(EMBEDDED)["validation"]["tokens"][:]), most=CANDIDATES)


@functools.lru_cache(maxsize=32)
def attacker_at(name: str, epsilon: float) -> Attacker:
    """Return an attacker who knows a mechanism and its ε as well as in the experiment."""
    rng = np.random.default_rng(0)
    return Attacker.on(mechanism_at(name, epsilon), language(), draws=DRAWS, exact=False, rng=rng)


@functools.lru_cache(maxsize=4096)
def _denied(name: str, epsilon: float, word: str) -> tuple[float | None, float | None]:
    """Return N_w and S_w of a word; of one outside the table there are none."""
    mechanism = mechanism_at(name, epsilon)
    if word not in mechanism.table.index:
        return None, None
    (row,) = deniability(mechanism, [word], rounds=2, rng=np.random.default_rng(0))
    return row["kept"], row["distinct"]


def _answer(at: WordsPosition) -> WordsAnswer:
    """Rewrite the sentence, attack it, and read the saved results at this ε."""
    (words,) = lowered([re.findall(r"[^\W_]+", at.sentence)[:MOST_WORDS]])
    table, mechanism = public_table(), mechanism_at(at.mechanism, at.epsilon)
    ids = table.ids(words)
    said = mechanism.draw(ids, np.random.default_rng(at.draw))
    moved = np.linalg.norm(table.points(ids) - table.points(said), axis=1)
    rows: list[Row] = []
    for word, number, distance in zip(words, said, moved, strict=True):
        kept, distinct = _denied(at.mechanism, at.epsilon, word)
        rows.append(
            {"word": word, "said": table.words[number], "distance": float(distance), "N_w": kept, "S_w": distinct}
        )
    (here,) = (row for row in points() if row["mechanism"] == at.mechanism and row["ε"] == at.epsilon)
    verdict = f"{at.mechanism}, ε = {at.epsilon:g}. {_of_sentence(at, rows)} {_of_corpus(here)}"
    provenance = f"words: computed here, yours; curves: saved, {seeds_of(saved()[1])}"
    focus = {"mechanism": at.mechanism, "guessed": here["guessed"]}
    return WordsAnswer(rows, verdict, provenance, points=points(), here=focus)


def _of_sentence(at: WordsPosition, rows: list[Row]) -> str:
    """Say how many of the reader's words stay, and what an attacker makes of what is said."""
    if not rows:
        return "Type a sentence."
    words, said = ([row[name] for row in rows] for name in ("word", "said"))
    (guess,) = attacker_at(at.mechanism, at.epsilon).sentences([said])
    stay, found = (sum(a == b for a, b in zip(words, other, strict=True)) for other in (said, guess))
    return f"Of your {len(words)} words {stay} stay; the attacker finds {found}: “{' '.join(guess)}”."


def _of_corpus(here: Row) -> str:
    return (
        f"On the embedded corpus it recovers {per_cent(here['guessed'])} of all words, and a classifier of such text "
        f"gets {per_cent(here['accuracy'])} of the intents right."
    )
