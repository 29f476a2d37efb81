"""What a row of a corpus has to be before a tagger reads it: words, a tag for each, and an intent.

Refused by name and row, all of it before anything is encoded. A text instead of a list of words would be read letter by
letter, and a list of tags that is too short would leave words without one: both train, and mean nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple


class Utterance(NamedTuple):
    """A row that was looked at: as many tags as words."""

    words: list[str]
    tags: list[str]
    intent: Any


def utterances(split: Iterable[Mapping[str, Any]]) -> list[Utterance]:
    """Return the rows of a split, each with ``tokens``, ``slots`` and ``intent``.

    Raises
    ------
    ValueError
        If a row is none, lacks a column, has a text for a list, no word or an empty one, or another number of tags
        than of words.

    Examples
    --------
    >>> utterances([{"tokens": ["play", "jazz"], "slots": ["O", "B-genre"], "intent": "play"}])[0].tags
    ['O', 'B-genre']
    >>> utterances([{"tokens": "play jazz", "slots": ["O", "B-genre"], "intent": "play"}])
    Traceback (most recent call last):
    ValueError: Expected the tokens of utterance 0 to be a list of words, got the text 'play jazz'. Split it into words.
    """
    return [_utterance(i, row) for i, row in enumerate(split)]


def word_list(words: Any, what: str) -> list[str]:
    """Return words as a list of strings, from any container; `what` names them in an error.

    Raises
    ------
    ValueError
        If it is one text, or has no order, or something in it is no string.
    """
    if isinstance(words, str):
        raise ValueError(f"Expected {what} to be a list of words, got the text {words!r}. Split it into words.")
    if isinstance(words, bytes | Mapping | set | frozenset) or not isinstance(words, Iterable):
        raise ValueError(f"Expected {what} to be a list of words, got {type(words).__name__}.")
    listed = list(words)
    for word in listed:
        if not isinstance(word, str):
            raise ValueError(f"Expected {what} to be words, got {word!r} ({type(word).__name__}) among them.")
    return listed


def _utterance(i: int, row: Any) -> Utterance:
    if not isinstance(row, Mapping):
        raise ValueError(
            f"Expected utterance {i} to be a row with tokens, slots and intent, got {type(row).__name__}. Pass one "
            "split of a corpus, or a list of dictionaries."
        )
    if missing := [name for name in ("tokens", "slots", "intent") if name not in row]:
        raise ValueError(f"Expected utterance {i} to have tokens, slots and intent, got none of {', '.join(missing)}.")
    words = word_list(row["tokens"], f"the tokens of utterance {i}")
    tags = word_list(row["slots"], f"the slots of utterance {i}")
    if not words:
        raise ValueError(f"Expected at least one token in utterance {i}, got none. Leave empty utterances out.")
    if not all(words):
        raise ValueError(f"Expected words in utterance {i}, got an empty one at place {words.index('')}. Leave it out.")
    if len(tags) != len(words):
        raise ValueError(
            f"Expected as many slots as tokens in utterance {i}, got {len(tags)} for {len(words)}. A tag belongs to "
            "the word at its place: give every word one, 'O' where it is no part of a slot."
        )
    return Utterance(words, tags, row["intent"])


def check_columns(corpus: Any, names: Sequence[str] = ("tokens", "slots", "intent")) -> None:
    """Refuse what is no corpus with these columns in every split, and say how one's own rows become one.

    Raises
    ------
    ValueError
        If it is no mapping from splits to rows, has no split, or a split lacks a column.

    Examples
    --------
    >>> check_columns({"train": {"utterance": ["hi"], "label": ["greet"]}})
    Traceback (most recent call last):
    ValueError: Expected the columns tokens, slots, intent in every split, 'train' has no tokens, slots, intent; it \
has utterance, label. Make a corpus of rows of your own, and name their columns: trustlab.data.load_own(rows, \
text="utterance", intent="label").
    """
    way = (
        "Make a corpus of rows of your own, and name their columns: trustlab.data.load_own(rows, "
        'text="utterance", intent="label").'
    )
    if not isinstance(corpus, Mapping) or not corpus:
        kind = "nothing" if isinstance(corpus, Mapping) else type(corpus).__name__
        raise ValueError(f"Expected a corpus, a mapping from 'train' and others to their rows, got {kind}. {way}")
    for split, rows in corpus.items():
        there = getattr(rows, "column_names", None)
        there = list(rows) if there is None and isinstance(rows, Mapping) else there
        if there is None:
            raise ValueError(f"Expected rows with columns in {split!r}, got {type(rows).__name__}. {way}")
        if lacks := [name for name in names if name not in there]:
            raise ValueError(
                f"Expected the columns {', '.join(names)} in every split, {split!r} has no {', '.join(lacks)}; it has "
                f"{', '.join(map(str, there)) or 'none'}. {way}"
            )
