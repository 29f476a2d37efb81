"""Continuing texts with a causal language model: nucleus sampling, in batches, each text with its own random numbers.

``transformers``' own ``generate`` draws from torch's global generator, and what a text becomes depends on which others
are in its batch. Here it depends on the seed and the text's place alone: prompts are padded on the *left*, so that all
end at the same place, positions are counted from each text's own first token, and one uniform number per token picks
from the nucleus. So a run that was stopped continues as if it had not been.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.models.batching import evaluating

if TYPE_CHECKING:
    import torch

LIKELIEST = 512  # a nucleus is looked for among so many tokens first: to sort all of a large vocabulary takes long


def continuations(
    model: Any,
    prompts: Sequence[Sequence[int]],
    *,
    tokens: int,
    ends: Sequence[int] = (),
    top_p: float = 0.9,
    seed: int | Sequence[int] = 0,
    batch: int = 64,
) -> list[list[int]]:
    """Return what the model writes after each prompt, as token ids without the prompt.

    Parameters
    ----------
    model
        A causal language model of ``transformers`` that keeps what it computed of earlier tokens.
    prompts
        Token ids, the token that starts a text included; none is empty.
    tokens
        At most so many are written.
    ends
        Tokens that end a text; they are not part of it.
    top_p
        In (0, 1]: each token is drawn from the smallest set of likeliest tokens that have this probability together
        (Holtzman et al. 2020), in proportion to their probabilities. Near 0 it is the likeliest.
    seed
        Of all draws, one number or several. The same prompt at another place is continued otherwise.
    batch
        Prompts at once; what is written does not depend on it, up to rounding.

    Examples
    --------
    >>> from transformers import LlamaConfig, LlamaForCausalLM
    >>> size = dict(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2)
    >>> written = continuations(LlamaForCausalLM(LlamaConfig(vocab_size=20, **size)), [[1, 5], [1, 5, 7]], tokens=4)
    >>> [len(each) for each in written]
    [4, 4]
    """
    if not 0 < top_p <= 1:
        raise ValueError(f"Expected top_p={top_p} in (0, 1]: the probability of the tokens that are drawn from.")
    if any(len(prompt) == 0 for prompt in prompts):
        raise ValueError("Expected a token in every prompt, got none. Begin with the token that starts a text.")
    uniform = np.random.default_rng([*np.atleast_1d(seed).tolist(), 8]).random((len(prompts), tokens))
    found: list[list[int]] = [[]] * len(prompts)
    order = np.argsort([len(prompt) for prompt in prompts], kind="stable")  # little padding
    with evaluating(model) as device:
        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            written = _continue([prompts[i] for i in chosen], model, uniform[chosen], set(ends), top_p, device)
            for i, row in zip(chosen, written, strict=True):
                found[i] = row
    return found


def _continue(
    prompts: Sequence[Sequence[int]], model: Any, uniform: np.ndarray, ends: set[int], top_p: float, device: Any
) -> list[list[int]]:
    import torch

    width = max(map(len, prompts))
    ids = torch.zeros((len(prompts), width), dtype=torch.long, device=device)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(list(prompt))
        mask[row, width - len(prompt) :] = 1
    positions = (mask.cumsum(1) - 1).clamp(min=0)  # padding has none: it is masked
    written: list[list[int]] = [[] for _ in prompts]
    going, kept = np.ones(len(prompts), dtype=bool), None
    for step in range(uniform.shape[1]):
        output = model(
            input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=kept, use_cache=True,
            logits_to_keep=1,
        )  # fmt: skip
        kept = output.past_key_values
        drawn = draw_from_nucleus(output.logits[:, -1].float(), uniform[:, step], top_p)
        going &= ~np.isin(drawn, list(ends))
        for row in np.flatnonzero(going):
            written[row].append(int(drawn[row]))
        if not going.any():
            break
        ids = torch.from_numpy(drawn)[:, None].to(device)
        mask = torch.cat([mask, torch.ones_like(ids)], dim=1)
        positions = positions[:, -1:] + 1
    return written


def draw_from_nucleus(logits: torch.Tensor, uniform: np.ndarray, top_p: float) -> np.ndarray:
    """Return one token of each row's nucleus, int [B].

    Parameters
    ----------
    logits
        [B, V].
    uniform
        [B] numbers in [0, 1): a token is drawn by inverting the nucleus' cumulative distribution, likeliest first.
    top_p
        See :func:`continuations`.

    Examples
    --------
    >>> import torch
    >>> logits = torch.log(torch.tensor([[0.5, 0.3, 0.2]])).expand(3, 3)
    >>> draw_from_nucleus(logits, np.array([0.1, 0.7, 0.99]), top_p=0.7).tolist()
    [0, 1, 1]
    """
    import torch

    probabilities = logits.softmax(1)
    count = min(LIKELIEST, logits.shape[1])
    values, tokens = probabilities.topk(count)
    while count < logits.shape[1] and (values.sum(1) < top_p).any():  # a flat distribution has a larger nucleus
        count = min(8 * count, logits.shape[1])
        values, tokens = probabilities.topk(count)
    mass = values.double().cumsum(1)
    inside = torch.cat([torch.zeros_like(mass[:, :1]), mass[:, :-1]], dim=1) < top_p  # the token that reaches it counts
    inside[:, 0] = True
    total = (values.double() * inside).sum(1)
    target = torch.from_numpy(uniform).to(total.device) * total
    place = torch.searchsorted((values.double() * inside).cumsum(1), target[:, None], right=True)[:, 0]
    place = torch.minimum(place, inside.sum(1) - 1)
    return tokens[torch.arange(len(tokens), device=tokens.device), place].cpu().numpy()
