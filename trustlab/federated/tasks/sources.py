"""From corpora to the examples of a family.

The embedded assistant corpus gives all four: its intents are labels, its slots tags; a question asks for one slot of an
utterance, "which city", and the answer is its position; and the utterance is generated from intent and slots. Each
real corpus is of one family. The substitute for a label where a task has none is FedNLP's choice for tagging (the set
of entity types) and ours for the others; it matters to label skew only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from trustlab.federated.tasks.protocol import Example
from trustlab.models.evaluation import entities

Row = Mapping[str, Any]


def read(corpus: str, family: str, split: Iterable[Row], *, most: int | None = None) -> list[Example]:
    """Return the examples of `family` in a split of `corpus`.

    Parameters
    ----------
    corpus, family
        A key of :data:`SOURCES`.
    split
        Its rows, as :func:`trustlab.data.load` gives them.
    most
        Stop after so many examples.

    Raises
    ------
    ValueError
        If the corpus has no such examples.

    Examples
    --------
    >>> row = {"tokens": ["call", "ann"], "slots": ["O", "B-contact"], "intent": "call_contact", "device": 3}
    >>> read("assistant", "qa", [row])[0].question, read("assistant", "qa", [row])[0].target
    (('which', 'contact'), (1, 1))
    """
    if (corpus, family) not in SOURCES:
        known = ", ".join(f"{one} {two}" for one, two in SOURCES)
        raise ValueError(f"Expected a corpus and a family of {known}, got {corpus} {family}.")
    source = SOURCES[corpus, family]
    return list(islice((example for row in split for example in source(row)), most))


def _intent(row: Row) -> Iterator[Example]:
    yield Example(tuple(row["tokens"]), row["intent"], row["intent"], row["device"])


def _slots(row: Row) -> Iterator[Example]:
    yield Example(tuple(row["tokens"]), tuple(row["slots"]), _types(row["slots"]), row["device"])


def _which_slot(row: Row) -> Iterator[Example]:
    """Ask for each slot that the utterance has once: another question about the same words has another answer."""
    found = sorted(entities(row["slots"]), key=lambda entity: entity[1])
    kinds = [kind for kind, _, _ in found]
    for kind, first, last in found:
        if kinds.count(kind) == 1:
            question = ("which", *kind.split("_"))
            yield Example(tuple(row["tokens"]), (first, last), kind, row["device"], question)


def _say_it(row: Row) -> Iterator[Example]:
    source = [f"<{row['intent']}>"]
    for kind, first, last in sorted(entities(row["slots"]), key=lambda entity: entity[1]):
        source += [f"<{kind}>", *row["tokens"][first : last + 1]]
    yield Example(tuple(source), tuple(row["tokens"]), row["intent"], row["device"])


def _group(row: Row) -> Iterator[Example]:
    if row["tokens"]:
        yield Example(tuple(word.lower() for word in row["tokens"]), row["group"], row["group"], row["user"])


def _request(row: Row) -> Iterator[Example]:
    yield Example(tuple(row["tokens"]), row["intent"], row["intent"], row["domain"])


def _entities(row: Row) -> Iterator[Example]:
    yield Example(tuple(row["tokens"]), tuple(row["tags"]), _types(row["tags"]))


def _question(row: Row) -> Iterator[Example]:
    """Take the question's first word as its label, what or who or how. The whole context is read."""
    question = tuple(row["question"])
    yield Example(tuple(row["context"]), tuple(row["answer"]), question[0].lower(), row["article"], question)


def _restaurant(row: Row) -> Iterator[Example]:
    """Take the set of slots as the label, and the restaurant as the holder."""
    meaning = dict(zip(row["kinds"], row["values"], strict=True))
    source = [word for kind, value in meaning.items() for word in (f"<{kind}>", *value)]
    yield Example(tuple(source), tuple(row["tokens"]), frozenset(meaning), " ".join(meaning["name"]))


def _types(tags: Iterable[str]) -> frozenset[str]:
    return frozenset(tag[2:] for tag in tags if tag != "O")


# How rows of a corpus become examples of a family, by the names of both.
SOURCES: Mapping[tuple[str, str], Callable[[Row], Iterator[Example]]] = {
    ("assistant", "classification"): _intent,
    ("assistant", "tagging"): _slots,
    ("assistant", "qa"): _which_slot,
    ("assistant", "seq2seq"): _say_it,
    ("20newsgroups", "classification"): _group,
    ("clinc150", "classification"): _request,
    ("wnut17", "tagging"): _entities,
    ("xquad", "qa"): _question,
    ("e2e_nlg", "seq2seq"): _restaurant,
}
