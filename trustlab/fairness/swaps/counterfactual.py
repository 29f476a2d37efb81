"""The same text about the other gender: every gendered word becomes its one counterpart, and nothing else changes.

Case and what an apostrophe joins to a word are kept. Whatever the swap cannot decide is named: a text without such a
word is *covered*, and swapping it twice gives the text back, character by character.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from trustlab.columns import as_texts
from trustlab.fairness.swaps.his_and_her import swap_pronoun
from trustlab.fairness.swaps.word_pairs import BY_RULE, CLITICS, OWN_PAIRS, WORD, WordPairs


class Swap(NamedTuple):
    """A word of the original text, ``original[start:end]``, and of the new one, ``text[new_start:new_end]``."""

    start: int
    end: int
    new_start: int
    new_end: int


class Counterfactual(NamedTuple):
    """A text and its original, with what was swapped.

    Attributes
    ----------
    text, original
        The text with its gendered words swapped, and as it was.
    swaps
        Where, from left to right; words of one place belong together.
    doubtful
        Words that keep the text from being covered, with the reason: "ms: no counterpart".
    """

    text: str
    original: str
    swaps: tuple[Swap, ...]
    doubtful: tuple[str, ...] = ()

    @property
    def covered(self) -> bool:
        """Whether every gendered word was swapped and swapping back gives the original."""
        return not self.doubtful

    @property
    def words(self) -> list[str]:
        """The new text's words where the original was given as words: as many, in the same places."""
        return self.text.split(" ")


def counterfactual(
    text: str | Sequence[str],
    *,
    tags: Sequence[str] | None = None,
    pairs: WordPairs = OWN_PAIRS,
    names: Sequence[tuple[str, str]] = (),
) -> Counterfactual:
    """Swap the gendered words of one text.

    Parameters
    ----------
    text
        A text, or the words of one (which stay as many: no counterpart has a space).
    tags
        Parts of speech of the words in the Penn Treebank's tags; they decide *her* and *his*. Without them the rule of
        :mod:`~trustlab.fairness.swaps.his_and_her` does.
    pairs
        Which words are swapped.
    names
        Pairs (female, male) of first names that are swapped too, only in the case in which they are written ("Will" and
        not "will"). None by default: a name is someone's, and lists differ in whose names they know.

    Raises
    ------
    ValueError
        If words have spaces in them or there is no tag for each, or a name occurs twice.

    Examples
    --------
    >>> counterfactual("The king gave HER his book; it was hers, she’s sure.").text
    'The queen gave HIM her book; it was his, he’s sure.'
    >>> found = counterfactual("Ms Reed saw him leave", names=[("Ada", "Alan")])
    >>> found.text, found.doubtful
    ('Ms Reed saw her leave', ('Ms: no counterpart', 'him: back again it would be a determiner'))
    >>> counterfactual(["Ada", "saw", "her", "leave"], tags=["NNP", "VBD", "PRP", "VB"], names=[("Ada", "Alan")]).words
    ['Alan', 'saw', 'him', 'leave']
    """
    joined, tag_at = _joined(text, tags)
    named = _names(names)
    pieces, swaps, doubtful, read, written = [], [], [], 0, 0
    for found in WORD.finditer(joined):
        start, end = found.span()
        whole = found.group().replace("’", "'")
        if whole.lower() not in pairs.counterpart and whole.lower() not in pairs.left_out:
            end = start + len(CLITICS.sub("", whole))
        word = joined[start:end]
        other, reason = _counterpart(word, joined[end:], tag_at(start), pairs, named)
        doubtful += [f"{word}: {reason}"] if reason else []
        if other is not None:
            pieces += [joined[read:start], other]
            begin = written + start - read
            swaps.append(Swap(start, end, begin, begin + len(other)))
            read, written = end, begin + len(other)
    return Counterfactual("".join([*pieces, joined[read:]]), joined, tuple(swaps), tuple(doubtful))


def _counterpart(
    word: str, rest: str, tag: str | None, pairs: WordPairs, names: dict[str, str]
) -> tuple[str | None, str]:
    """Return what a word becomes (None: it stays), and why swapping back would not give it, or an empty text."""
    if word in names:
        return names[word], ""
    folded, reason = word.lower().replace("’", "'"), ""
    if folded in BY_RULE:
        other, finds_back = swap_pronoun(folded, rest, tag)
        reason = "" if finds_back else "back again it would be a determiner"
    elif folded in pairs.counterpart:
        other = pairs.counterpart[folded]
    else:
        return None, "no counterpart" if folded in pairs.left_out else ""
    cased = _in_case_of(word, other)
    if cased in names or _in_case_of(cased, folded) != word:
        reason = "its case or its spelling would not come back"
    return cased, reason


def _in_case_of(word: str, other: str) -> str:
    """Return `other` (in lower case) in capitals, with a capital, or as it is, as `word` is written.

    Examples
    --------
    >>> _in_case_of("KING", "queen"), _in_case_of("King", "queen"), _in_case_of("kING", "queen")
    ('QUEEN', 'Queen', 'queen')
    """
    if word.isupper():
        return other.upper()
    return other[:1].upper() + other[1:] if word[:1].isupper() and word[1:].islower() else other


def _joined(text: str | Sequence[str], tags: Sequence[str] | None) -> tuple[str, Callable[[int], str | None]]:
    """Return one text, and a function that gives the tag of the word at a character, or None."""
    if isinstance(text, str):
        if tags is not None:
            raise ValueError("Expected the words of a text with their tags, got one text. Give a list of words.")
        return text, lambda place: None
    words = as_texts(text, "word")
    spaced = [word for word in words if not word or " " in word]
    if spaced:
        raise ValueError(
            f"Expected words without spaces, got {spaced[0]!r}. For several texts, call counterfactual on each."
        )
    if tags is None:
        return " ".join(words), lambda place: None
    known = as_texts(tags, "tag")
    if len(known) != len(words):
        raise ValueError(f"Expected a tag for each of {len(words)} words, got {len(known)}.")
    of_character = [tag for word, tag in zip(words, known, strict=True) for _ in range(len(word) + 1)]
    return " ".join(words), of_character.__getitem__


def _names(names: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the partner of each name, or refuse names that occur twice."""
    pairs = [tuple(as_texts(pair, "name of a pair")) for pair in names]
    every = [name for pair in pairs for name in pair]
    twice = sorted({name for name in every if every.count(name) > 1 or not WORD.fullmatch(name)})
    if twice or any(len(pair) != 2 for pair in pairs):
        raise ValueError(
            f"Expected pairs (female, male) of names, each a single word and once, got {twice[:5] or pairs[:2]}. "
            "Swapped back, a name with two partners would become another."
        )
    return dict(pairs) | {male: female for female, male in pairs}
