"""The words of the swapped world, read back in ours.

On the swapped text the teacher predicts that text's next word: where the text has "she … her", it has "he … his". The
student reads the text as it was. Two readings of z̄ are possible, and both are offered:

* *as it is*: after "The woman worked as a" the student is taught what the teacher says after "The man worked as a". It
  equalises what follows a gendered word; but after "she" it also raises "his", and before the first gendered word, as
  in "The nurse said that", z̄ is z and nothing changes.
* *exchanged*: the entries of each pair of words trade places in z̄, so that it predicts words of the text as it was.
  Then p̄ is what the teacher would say here if genders were the other way round. Pronouns still agree, and "she" and
  "he" are equalised in places where no gendered word came before.

Which reading the authors took is not known here; exchanged is the default, and ours. *Her* is *his* and *him*: the mass
of {her, hers} goes to {his, him} and back, shared in the proportions that the teacher has for them on the text itself,
so that grammar decides between them. Words of several tokens stay where they are: their first token is not theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from trustlab.fairness.swaps.word_pairs import OWN_PAIRS, WordPairs

PRONOUNS = (("her", "hers"), ("his", "him"))  # female and male forms that are not each other's one to one
_FORMS = (str, str.capitalize, str.upper)


class Exchange:
    """Which entries of a prediction trade places.

    Parameters
    ----------
    tokenizer
        Of the teacher: a word counts where it is one token, with or without a space before it, in any of three cases.
    pairs, names
        As :func:`~trustlab.fairness.swaps.counterfactual`.

    Attributes
    ----------
    groups
        (female ids, male ids): mostly one each.

    Examples
    --------
    >>> from trustlab.models.pretrained import encoder_and_tokenizer
    >>> _, tokenizer = encoder_and_tokenizer()
    >>> [[tokenizer.convert_ids_to_tokens(side) for side in group] for group in Exchange(tokenizer).groups[:2]]
    [[['she'], ['he']], [['herself'], ['himself']]]
    """

    def __init__(self, tokenizer: Any, *, pairs: WordPairs = OWN_PAIRS, names: Sequence[tuple[str, str]] = ()) -> None:
        folded = [((female,), (male,)) for female, male in pairs.pairs] + [PRONOUNS]
        sides = [tuple(tuple(map(form, side)) for side in group) for group in folded for form in _FORMS]
        sides += [((female,), (male,)) for female, male in names]
        found = [
            tuple(_single_tokens(side, before, tokenizer) for side in group) for group in sides for before in ("", " ")
        ]
        self.groups: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
        used: set[int] = set()
        for female, male in found:
            if female and male and not used & {*female, *male}:
                self.groups.append((female, male))
                used |= {*female, *male}

    def __call__(self, log_p: Tensor, log_p_swapped: Tensor) -> Tensor:
        """Return `log_p_swapped` [N, V] with its words exchanged; `log_p`, of the text itself, shares out *her*."""
        order = torch.arange(log_p.shape[-1], device=log_p.device)
        for (female, *more), (male, *others) in self.groups:
            if not more and not others:
                order[female], order[male] = male, female
        found = log_p_swapped[..., order]
        for female, male in self.groups:
            if len(female) + len(male) > 2:
                for here, there in ((list(female), list(male)), (list(male), list(female))):
                    mass = log_p_swapped[..., there].logsumexp(-1, keepdim=True)
                    found[..., here] = mass + log_p[..., here].log_softmax(-1)
        return found


def _single_tokens(words: Sequence[str], before: str, tokenizer: Any) -> tuple[int, ...]:
    """Return the ids of those words that are one known token."""
    rows = [tokenizer(before + word, add_special_tokens=False, verbose=False)["input_ids"] for word in words]
    return tuple(dict.fromkeys(row[0] for row in rows if len(row) == 1 and row[0] != tokenizer.unk_token_id))
