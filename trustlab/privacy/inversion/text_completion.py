"""Complete a secret with a causal language model: every code's likelihood after the prefix, in one pass.

A language model needs no label and no gradient to be attacked. The adversary computes P(code | prefix) of every code,
and tries the likeliest first. Codes share their beginnings, so they are a tree: of C candidates and n unknown words it
has 1 + C + … + C^(n−1) contexts, 1,111 for four digits, instead of C^n sentences. The whole tree is read as one
sequence in which a token sees the prefix and its own ancestors only, and has its depth for a position.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from trustlab.models.batching import evaluating
from trustlab.models.utterances import word_list
from trustlab.privacy.inversion.ranking import place_of

if TYPE_CHECKING:
    from trustlab.privacy.inversion.planted_codes import Canary

MOST = 4096  # tokens in the tree: each may see each, so memory grows with the square


@dataclass(frozen=True)
class Completion:
    """A text's beginning and the n words that the adversary looks for, as tokens; :func:`completion_of` makes it.

    Attributes
    ----------
    prefix
        What the adversary knows, with the token that starts a text.
    candidates
        The C tokens that may stand at each unknown place.
    secret
        The true ones.
    """

    prefix: tuple[int, ...]
    candidates: tuple[int, ...]
    secret: tuple[int, ...]

    @property
    def place(self) -> int:
        """Where the true code is among all, in counting order."""
        return place_of(torch.tensor([self.candidates.index(token) for token in self.secret]), len(self.candidates))


def completion_of(tokenizer: Any, canary: Canary, candidates: Sequence[str], *, start: int) -> Completion:
    """Return the `canary` as a text that a language model completes word by word.

    Parameters
    ----------
    tokenizer
        Of ``transformers``.
    canary
        Its words are joined by spaces; its labels are not used.
    candidates
        The words that may stand at an unknown place, at least two.
    start
        The token that starts a text.

    Raises
    ------
    ValueError
        If the tokenizer does not know a word, a candidate is not one token of its own, or a secret word is no
        candidate.
    """
    words = word_list(candidates, "the candidates")
    if len(words) < 2 or len(set(words)) < len(words):
        raise ValueError(f"Expected at least two distinct candidates, got {words}. One leaves nothing to find.")
    if strange := [word for word in canary.secret if word not in words]:
        raise ValueError(
            f"Expected secret words among the {len(words)} candidates, got {strange[0]!r}. The attack can only find "
            "what it looks for: add it to the candidates."
        )
    _check_known(tokenizer, [*canary.prefix, *words])
    prefix, found = _tokens(tokenizer, canary.prefix), {}
    for word in words:
        *before, found[word] = _tokens(tokenizer, [*canary.prefix, word])
        if before != prefix:
            raise ValueError(
                f"Expected candidates of one token each, got {word!r} of {len(before) + 1 - len(prefix)}. Codes are "
                "ranked token by token: choose words that the tokenizer does not split."
            )
    for pair in itertools.product(words, repeat=2):
        if _tokens(tokenizer, [*canary.prefix, *pair]) != [*prefix, *(found[word] for word in pair)]:
            raise ValueError(
                f"Expected candidates with the same token wherever they stand, got others for {' '.join(pair)!r}. "
                "Codes are ranked token by token, and this tokenizer joins neighbouring words."
            )
    return Completion((start, *prefix), tuple(found.values()), tuple(found[word] for word in canary.secret))


def completion_losses(model: Any, completion: Completion) -> Tensor:
    """Return −log P(code | prefix) of every code in nats, float64 [C^n] in counting order.

    Parameters
    ----------
    model
        A causal model of ``transformers`` that takes a mask of which token sees which (Llama, GPT-2 and most others).
    completion
        Only the number of its secret tokens is used, not which they are.

    Raises
    ------
    ValueError
        If the tree has more than :data:`MOST` tokens, before any work.

    Examples
    --------
    >>> from transformers import LlamaConfig, LlamaForCausalLM
    >>> size = dict(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2)
    >>> model = LlamaForCausalLM(LlamaConfig(vocab_size=20, **size))
    >>> losses = completion_losses(model, Completion(prefix=(1, 5), candidates=(7, 8, 9), secret=(8, 7)))
    >>> losses.shape, bool((-losses).exp().sum() < 1)  # other tokens have the rest
    (torch.Size([9]), True)
    """
    count, depth = len(completion.candidates), len(completion.secret)
    start, sizes = len(completion.prefix), [count**level for level in range(1, depth)]
    if (total := start + sum(sizes)) > MOST:
        raise ValueError(
            f"Expected a tree of at most {MOST:,} tokens, got {total:,}: {count} candidates at {depth} places. "
            "Give the first places a value each, as part of the prefix, and rank the rest."
        )
    nodes = [token for size in sizes for token in completion.candidates * (size // count)]
    ids = torch.tensor([*completion.prefix, *nodes])
    positions = torch.cat([torch.arange(start), *(torch.full((size,), start + i) for i, size in enumerate(sizes))])
    seen = _ancestors(start, count, sizes)
    with evaluating(model) as device:
        dtype = next(model.parameters()).dtype
        hidden = torch.zeros(seen.shape, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)
        logits = model(
            input_ids=ids[None].to(device),
            attention_mask=hidden[None, None].to(device),
            position_ids=positions[None].to(device),
            use_cache=False,
        ).logits[0, start - 1 :]  # [1 + C + … + C^(n−1), V]
        steps = logits[:, list(completion.candidates)] - logits.logsumexp(1, keepdim=True)
    losses = torch.zeros(1, dtype=torch.double)
    for step in steps.double().cpu().split([1, *sizes]):  # [C^level, C]
        losses = (losses[:, None] - step).flatten()
    return losses


def _ancestors(start: int, count: int, sizes: Sequence[int]) -> Tensor:
    """Return which token sees which, bool [T, T]: a prefix from the left, a node its ancestors and itself."""
    total = start + sum(sizes)
    seen = torch.zeros(total, total, dtype=torch.bool)
    seen[:, :start] = True
    seen[:start, :start] = torch.ones(start, start).tril().bool()
    first = [start + sum(sizes[:level]) for level in range(len(sizes))]
    for level, size in enumerate(sizes):
        nodes = torch.arange(size)
        for above in range(level + 1):
            seen[first[level] + nodes, first[above] + nodes // count ** (level - above)] = True
    return seen


def _tokens(tokenizer: Any, words: Sequence[str]) -> list[int]:
    return list(tokenizer(" ".join(words), add_special_tokens=False)["input_ids"])


def _check_known(tokenizer: Any, words: Sequence[str]) -> None:
    """Refuse words outside the tokenizer's vocabulary: all of them are one token to the model."""
    unknown = tokenizer.unk_token_id
    if strange := [word for word in words if unknown is not None and unknown in _tokens(tokenizer, [word])]:
        raise ValueError(
            f"Expected words of the tokenizer's vocabulary, got {strange[0]!r}. All unknown words are the token "
            f"{tokenizer.unk_token!r}, so that the model cannot tell them apart: choose another canary."
        )
