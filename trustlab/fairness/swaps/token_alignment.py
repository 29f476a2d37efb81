"""Which token of a text and which of its counterfactual stand at the same place, for any tokenizer.

A model that reads from left to right has read the same but for gender where a token of the one text and a token of the
other end at the same place. A swapped word of three sub-tokens whose counterpart has two is aligned at its end, and
what is inside has no partner.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from trustlab.fairness.swaps.counterfactual import Counterfactual


class TokenAlignment(NamedTuple):
    """Token ids of a text and of its counterfactual, and the places that belong together.

    Attributes
    ----------
    original, swapped
        Ids, special tokens included.
    places : int [M, 2]
        Places in `original` and in `swapped` of tokens that end at the same place, in order.
    """

    original: list[int]
    swapped: list[int]
    places: np.ndarray

    @property
    def one_to_one(self) -> bool:
        """Whether every token of both texts has a partner, at the same place."""
        return len(self.original) == len(self.swapped) == len(self.places)


def align_tokens(
    found: Sequence[Counterfactual], tokenizer: Any, *, refuse_changes: bool = False
) -> list[TokenAlignment]:
    """Tokenize texts and their counterfactuals, and say which tokens belong together.

    Parameters
    ----------
    found
        Of :func:`~trustlab.fairness.swaps.counterfactual.counterfactual`.
    tokenizer
        A fast tokenizer of ``transformers``: it knows where in the text each token is.
    refuse_changes
        Refuse a text of which a token has no partner, naming the words.

    Raises
    ------
    ValueError
        If the tokenizer does not know places, `found` is no list of counterfactuals, or by `refuse_changes`.

    Examples
    --------
    >>> from trustlab.fairness.swaps import counterfactual
    >>> from trustlab.models.pretrained import encoder_and_tokenizer
    >>> _, tokenizer = encoder_and_tokenizer()
    >>> (found,) = align_tokens([counterfactual("The spokeswoman sat.")], tokenizer)
    >>> tokenizer.convert_ids_to_tokens(found.original[1:5]), tokenizer.convert_ids_to_tokens(found.swapped[1:3])
    (['the', 'spoke', '##sw', '##oman'], ['the', 'spokesman'])
    >>> found.places.tolist()
    [[0, 0], [1, 1], [4, 2], [5, 3], [6, 4], [7, 5]]
    """
    if not getattr(tokenizer, "is_fast", False):
        raise ValueError(
            f"Expected a fast tokenizer, got {type(tokenizer).__name__}. Only those know which token is where in the "
            "text: load it with AutoTokenizer."
        )
    wrong = next((each for each in found if not isinstance(each, Counterfactual)), None)
    if wrong is not None or isinstance(found, Counterfactual):
        kind = type(found if wrong is None or isinstance(found, Counterfactual) else wrong).__name__
        raise ValueError(f"Expected a list of counterfactuals, got {kind}. Call counterfactual(text) on each text.")
    aligned = [_aligned(each, tokenizer) for each in found]
    changed = [each for each, tokens in zip(found, aligned, strict=True) if not tokens.one_to_one]
    if refuse_changes and changed:
        words = sorted({(each.original[a:b], each.text[c:d]) for each in changed for a, b, c, d in each.swaps})
        raise ValueError(
            f"Expected texts with as many tokens after a swap, got {len(changed)} of {len(found)} where that changes, "
            f"with swaps such as {', '.join(' to '.join(pair) for pair in words[:3])}. Leave such texts or pairs out, "
            "or take the places that are aligned."
        )
    return aligned


def _aligned(found: Counterfactual, tokenizer: Any) -> TokenAlignment:
    options = dict(return_offsets_mapping=True, return_special_tokens_mask=True, verbose=False)
    original, swapped = (tokenizer(text, **options) for text in (found.original, found.text))
    moved = [_moved(end, found) for _, end in original["offset_mapping"]]
    at_end: dict[tuple[int, int], list[int]] = defaultdict(list)
    for place, ((_, end), special) in enumerate(
        zip(swapped["offset_mapping"], swapped["special_tokens_mask"], strict=True)
    ):
        at_end[special, end].append(place)  # special tokens have no place in the text: they go by their order
    places = []
    for place, (end, special) in enumerate(zip(moved, original["special_tokens_mask"], strict=True)):
        partners = at_end.get((special, end), []) if end is not None else []
        if partners:
            places.append((place, partners.pop(0)))
    return TokenAlignment(original["input_ids"], swapped["input_ids"], np.array(places, int).reshape(-1, 2))


def _moved(place: int, found: Counterfactual) -> int | None:
    """Return which place of the counterfactual a place of the original is; None inside a swapped word."""
    shift = 0
    for start, end, _, new_end in found.swaps:
        if start < place < end:
            return None
        if place >= end:
            shift = new_end - end
    return place + shift
