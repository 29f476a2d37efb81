"""The trivial baselines of the four tasks: what their scores must reach before they say anything of an algorithm."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from trustlab.course.baselines import CLASSIFIERS, COPIED, FROZEN, MAJORITY, TFIDF, WORDS_TAG, copied_input, word_tags
from trustlab.federated.tasks import FAMILIES, Example

NO_MODEL = "none"  # in place of a model's name
BASELINES = {
    "classification": (MAJORITY, TFIDF, FROZEN),
    "tagging": (WORDS_TAG,),
    "qa": (WORDS_TAG,),
    "seq2seq": (COPIED,),
}


def baseline_row(task: str, name: str, known: Sequence[Example], asked: Sequence[Example]) -> dict[str, Any]:
    """Return what the row of a baseline says besides its key: the columns of a training, without any step."""
    started = time.perf_counter()
    scores = FAMILIES[task].scores(asked, baseline_answers(task, name, known, asked))
    return {
        **dict.fromkeys(("client_rate", "server_rate", "mu"), 0.0),
        "batch": 0,
        **scores,
        "curve": f"{scores['score']:.4f}",
        "clients": 1,
        **dict.fromkeys(("js_distance", "size_gini", "passes", "megabytes"), 0.0),
        "seconds": time.perf_counter() - started,
    }


def baseline_answers(task: str, name: str, known: Sequence[Example], asked: Sequence[Example]) -> list[Any]:
    """Return what a baseline answers to each of the examples `asked`, all data of `known` being in one place.

    Classification and tagging take the course's baselines as they are. In question answering a word's tag says whether
    it is mostly in the answer to such a question, and the answer is the first of the longest runs of such words. What
    is copied in seq2seq are the slots' words, without the names of intent and slots.

    Examples
    --------
    >>> known = [Example(("wake", "me", "at", "six"), (3, 3), "time", question=("which", "time"))]
    >>> asked = [Example(("six", "or", "so"), (0, 2), "time", question=("which", "time"))]
    >>> baseline_answers("qa", "word's tag", known, asked)
    [(0, 0)]
    """
    if task == "classification":
        return CLASSIFIERS[name](*_texts(known), _texts(asked)[0])
    if task == "tagging":
        tags = word_tags(
            *([getattr(e, side) for e in known] for side in ("source", "target")), [e.source for e in asked]
        )
        return [tuple(each) for each in tags]
    if task == "seq2seq":
        texts = [" ".join(word for word in e.source if not word.startswith("<")) for e in asked]
        return [tuple(text.split()) for text in copied_input(texts)]
    inside = [["I" if e.target[0] <= i <= e.target[1] else "O" for i in range(len(e.source))] for e in known]
    tagged = word_tags([_with_question(e) for e in known], inside, [_with_question(e) for e in asked])
    return [_longest_run(tags) for tags in tagged]


def _texts(examples: Sequence[Example]) -> tuple[list[str], list[str]]:
    return [example.text for example in examples], [example.target for example in examples]


def _with_question(example: Example) -> list[str]:
    """Return each word with the question: the same word answers one and not another."""
    asked = " ".join(example.question)
    return [f"{asked} {word}" for word in example.source]


def _longest_run(tags: Sequence[str]) -> tuple[int, int]:
    """Return the first and last place of the longest run of "I", the first word where there is none."""
    best, place = (0, 0, 0), 0
    for tag, run in groupby(tags):
        length = len(list(run))
        if tag == "I" and length > best[0]:
            best = (length, place, place + length - 1)
        place += length
    return best[1:]
