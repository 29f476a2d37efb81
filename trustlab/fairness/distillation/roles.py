"""Texts and their counterfactuals as tokens, and which token of the one stands where which of the other stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from trustlab.columns import as_texts
from trustlab.fairness.swaps import OWN_PAIRS, TokenAlignment, WordPairs, align_tokens, counterfactual


class Role(NamedTuple):
    """One text that the student reads, and the one that the teacher reads too.

    Attributes
    ----------
    ids
        Tokens of the text.
    partner
        Tokens of its counterfactual, None where that is the same text.
    places : int [M, 2]
        Places of tokens in `ids` and in `partner` that belong together. At others the student is not distilled.
    """

    ids: list[int]
    partner: list[int] | None
    places: np.ndarray


def read_roles(
    texts: Sequence[str],
    tokenizer: Any,
    *,
    augmentation: float = 0.0,
    max_length: int = 32,
    start: str | None = None,
    pairs: WordPairs = OWN_PAIRS,
    names: Sequence[tuple[str, str]] = (),
    seed: int = 0,
) -> list[Role]:
    """Return each text with its counterfactual, and after them the texts that augmentation adds.

    The rules: a text whose counterfactual is not covered (see :class:`~trustlab.fairness.swaps.Counterfactual`) has
    none, the teacher reads it once and it is not added. Added are counterfactuals of a share of the texts that have
    one, drawn by `seed`, with original and counterfactual in reversed roles. Where a swap changes the number of tokens,
    places inside the word have no partner. Texts are cut after `max_length` tokens; those with fewer than two are left
    out, they predict nothing.

    Parameters
    ----------
    texts
        N texts.
    tokenizer
        A fast tokenizer of ``transformers``.
    augmentation
        Share in [0, 1].
    start
        A token, written out, that is put before every text; None adds nothing to what the tokenizer gives.

    Raises
    ------
    ValueError
        For one text, no text, none that has two tokens, a slow tokenizer or an unknown start token.

    Examples
    --------
    >>> from trustlab.models.pretrained import encoder_and_tokenizer
    >>> _, tokenizer = encoder_and_tokenizer()
    >>> roles = read_roles(["The spokeswoman sat.", "It rained."], tokenizer, augmentation=1)
    >>> [(len(each.ids), each.partner and len(each.partner), len(each.places)) for each in roles]
    [(8, 6, 6), (5, None, 5), (6, 8, 6)]
    """
    listed = as_texts(texts)
    if not listed:
        raise ValueError("Expected at least one text, got none. There is nothing to distil on.")
    front = [] if start is None else [_start(tokenizer, start)]
    found = [counterfactual(text, pairs=pairs, names=names) for text in listed]
    roles, added = [], []
    chosen = np.random.default_rng([seed, 16]).random(len(listed)) < augmentation
    for each, tokens, add in zip(found, align_tokens(found, tokenizer), chosen, strict=True):
        differs = each.covered and bool(each.swaps)
        roles.append(_role(tokens if differs else _alone(tokens.original), front, max_length, differs))
        if differs and add:
            turned = TokenAlignment(tokens.swapped, tokens.original, tokens.places[:, ::-1])
            added.append(_role(turned, front, max_length, True))
    every = [role for role in roles + added if len(role.ids) > 1]
    if not every:
        raise ValueError(
            f"Expected a text of at least two tokens, got {len(listed)} of fewer. A single token predicts nothing."
        )
    return every


def _alone(ids: list[int]) -> TokenAlignment:
    places = np.arange(len(ids))
    return TokenAlignment(ids, ids, np.stack([places, places], axis=1))


def _role(tokens: TokenAlignment, front: list[int], longest: int, differs: bool) -> Role:
    ids, partner = ([*front, *each][:longest] for each in (tokens.original, tokens.swapped))
    first = np.zeros((len(front), 2), int)
    places = np.concatenate([first, tokens.places + len(front)])
    return Role(ids, partner if differs else None, places[(places < [len(ids), len(partner)]).all(axis=1)])


def _start(tokenizer: Any, start: str) -> int:
    token = tokenizer.convert_tokens_to_ids(start)
    if token is None or (token == tokenizer.unk_token_id and start != tokenizer.unk_token):
        raise ValueError(f"Expected start={start!r} to be a token of the tokenizer. It goes before every text.")
    return int(token)
