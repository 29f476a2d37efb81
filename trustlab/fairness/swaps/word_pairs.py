"""Pairs of a female and a male word in which every word occurs once, so that swapping twice changes nothing.

The pronouns *her*, *his*, *him* and *hers* are in no pair: which is whose counterpart depends on the sentence, see
:mod:`trustlab.fairness.swaps.his_and_her`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from trustlab.columns import as_texts
from trustlab.data import load

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
CLITICS = re.compile(r"(?:['’](?:s|ll|d|re|ve|m))+$", re.IGNORECASE)  # "she's", "he'd've"; n't is not cut off
BY_RULE = frozenset(("her", "his", "him", "hers"))

# Ours, and short: pronouns, titles, family, and occupations whose name has a gender.
_OWN = (
    "she he, herself himself, woman man, women men, girl boy, girls boys, female male, females males, lady gentleman, "
    "ladies gentlemen, mrs mr, madam sir, mother father, mothers fathers, mom dad, moms dads, mommy daddy, "
    "daughter son, daughters sons, sister brother, sisters brothers, wife husband, wives husbands, aunt uncle, "
    "aunts uncles, niece nephew, nieces nephews, grandmother grandfather, grandmothers grandfathers, grandma grandpa, "
    "granddaughter grandson, granddaughters grandsons, stepmother stepfather, stepdaughter stepson, "
    "godmother godfather, bride groom, brides grooms, widow widower, widows widowers, girlfriend boyfriend, "
    "girlfriends boyfriends, queen king, queens kings, princess prince, princesses princes, duchess duke, "
    "empress emperor, goddess god, goddesses gods, heroine hero, heroines heroes, actress actor, actresses actors, "
    "waitress waiter, waitresses waiters, hostess host, hostesses hosts, heiress heir, landlady landlord, "
    "stewardess steward, policewoman policeman, policewomen policemen, businesswoman businessman, "
    "businesswomen businessmen, spokeswoman spokesman, chairwoman chairman, congresswoman congressman, nun monk, "
    "nuns monks, priestess priest, witch wizard, witches wizards, mare stallion, hen rooster, lioness lion, "
    "motherhood fatherhood, sisterhood brotherhood, maternal paternal"
)
_OWN_LEFT_OUT = (
    "ms",
    "miss",
    "ma'am",
    "lord",
    "lords",
    "bridegroom",
    "guy",
    "guys",
    "gal",
    "gals",
    "spinster",
    "bachelor",
)


@dataclass(frozen=True)
class WordPairs:
    """Pairs of words, one to one, and the gendered words that have no place in them.

    Attributes
    ----------
    pairs
        (female, male), in lower case and without spaces; every word once.
    left_out
        Gendered words whose counterpart is another word's too, such as "ms" where "mr" is paired with "mrs". They are
        not swapped, and a text with one of them is not covered.

    Raises
    ------
    ValueError
        If there is no pair, a word occurs twice, is no single word in lower case, or is one that a rule decides.

    Examples
    --------
    >>> WordPairs((("queen", "king"),)).counterpart
    {'queen': 'king', 'king': 'queen'}
    """

    pairs: tuple[tuple[str, str], ...]
    left_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        pairs = tuple(tuple(as_texts(pair, "word of a pair")) for pair in self.pairs)
        words = [word for pair in pairs for word in pair] + as_texts(self.left_out, "word")
        if not pairs or any(len(pair) != 2 for pair in pairs):
            raise ValueError(
                f"Expected pairs (female, male) of words, got {self.pairs!r}. Without one nothing is swapped."
            )
        for word in words:
            if word != word.lower() or not WORD.fullmatch(word) or word in BY_RULE:
                raise ValueError(
                    f"Expected single words in lower case, and none of {', '.join(sorted(BY_RULE))}, which a rule "
                    f"decides, got {word!r}. Texts are read word by word, in lower case."
                )
        if twice := sorted({word for word in words if words.count(word) > 1}):
            raise ValueError(
                f"Expected every word once, got {', '.join(twice[:5])} twice or more. Swapped back, one of its "
                "partners would become another: choose by one_to_one."
            )
        object.__setattr__(self, "pairs", pairs)

    @cached_property
    def counterpart(self) -> dict[str, str]:
        """The partner of each word, in both directions."""
        return dict(self.pairs) | {male: female for female, male in self.pairs}


# The pairs of words with a gender that were collected here, and the words left out of them.
OWN_PAIRS = WordPairs(tuple(tuple(pair.split()) for pair in _OWN.split(", ")), _OWN_LEFT_OUT)


def one_to_one(pairs: Sequence[Sequence[str]], *others: Iterable[Sequence[str]]) -> WordPairs:
    """Choose pairs so that every word keeps at most one partner.

    The rule: of all one-to-one choices the one whose pairs are in the most lists, counted together (a maximum-weight
    matching); of equal ones, that with pairs earlier in the list. A word that is left without a partner is left out.

    Parameters
    ----------
    pairs
        (female, male) in lower case; a pair may occur twice.
    others
        Further lists of pairs, in either order and any case: they add weight to the pairs that they have in common.

    Raises
    ------
    ValueError
        If a word is female in one pair and male in another.

    Examples
    --------
    >>> found = one_to_one([("lady", "lord"), ("lady", "gentleman"), ("nun", "priest")], [("gentleman", "lady")])
    >>> found.pairs, found.left_out
    ((('lady', 'gentleman'), ('nun', 'priest')), ('lord',))
    """
    from scipy.optimize import linear_sum_assignment

    unique = list(dict.fromkeys((female, male) for female, male in pairs))
    females, males = (list(dict.fromkeys(side)) for side in zip(*unique, strict=True))
    if both := set(females) & set(males):
        raise ValueError(f"Expected a word on one side of its pairs, got {sorted(both)[:5]} as female and as male.")
    lists = [{frozenset(map(str.lower, pair)) for pair in other} for other in others]
    weight = np.zeros((len(females), len(males)))
    for place, (female, male) in enumerate(unique):
        named = 1 + sum(frozenset((female, male)) in each for each in lists)
        weight[females.index(female), males.index(male)] = named - place / len(unique) ** 2 / 2
    chosen = {(females[i], males[j]) for i, j in zip(*linear_sum_assignment(weight, maximize=True), strict=True)}
    kept = tuple(pair for pair in unique if pair in chosen)
    words = {word for pair in kept for word in pair}
    return WordPairs(kept, tuple(word for word in (*females, *males) if word not in words))


def public_pairs(directory: str | os.PathLike[str] | None = None) -> WordPairs:
    """Return the 222 pairs of Zhao et al. (2018), "GN-GloVe", made one to one by :func:`one_to_one`.

    25 of their words have more than one partner; the lists of WinoBias and of Bolukbasi et al. decide with them. Left
    aside are phrases, and the pairs of *her* and *hers*, which a rule decides. The list has spelling mistakes, body
    parts and hormones: it is for comparison with work that used it.

    Parameters
    ----------
    directory
        As :func:`trustlab.data.load`, for the corpus "gender_words".
    """
    table = load("gender_words", directory=directory)["test"].to_pandas()
    words = {
        name: [(word.lower().rstrip(".'"), other.lower().rstrip(".'")) for word, other in rows.to_numpy().tolist()]
        for name, rows in table.groupby("list", sort=False)[["word", "counterpart"]]
    }
    aligned = [pair for pair in words["aligned"] if all(WORD.fullmatch(word) for word in pair)]
    return one_to_one(
        [pair for pair in aligned if not BY_RULE & set(pair)], *(words[name] for name in ("equalize", "swaps"))
    )
