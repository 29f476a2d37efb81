"""Try them all: every completion by the model's loss, and a beam where they are too many to be tried.

A gradient attack that fails says nothing about what the model knows; the rank does. An adversary who tries codes by
rising loss needs as many guesses as the true one's rank.
"""

from __future__ import annotations

import torch
from torch import Tensor

from trustlab.privacy.inversion.modiva import Extraction
from trustlab.privacy.inversion.target import Target

MOST = 200_000  # completions that are all tried


def all_codes(places: int, candidates: int) -> Tensor:
    """Return every code, int64 [C^n, n], in counting order.

    Examples
    --------
    >>> all_codes(2, 3).tolist()[:4]
    [[0, 0], [0, 1], [0, 2], [1, 0]]
    """
    if candidates**places > MOST:
        raise ValueError(
            f"Expected at most {MOST:,} completions, got {candidates}^{places}. Use beam for longer secrets."
        )
    return torch.cartesian_prod(*[torch.arange(candidates)] * places).reshape(-1, places)


def rank_all(target: Target) -> dict[str, Tensor]:
    """Return the losses of every completion, float64 [C^n] in counting order, by the name of the loss."""
    return target.losses(all_codes(len(target.places), len(target.candidates)))


def place_of(code: Tensor, candidates: int) -> int:
    """Return where a code is in counting order.

    Examples
    --------
    >>> place_of(torch.tensor([1, 0]), 3)
    3
    """
    place = 0
    for number in code.tolist():
        place = place * candidates + number
    return place


def beam(target: Target, *, width: int = 200, loss: str = "both") -> Extraction:
    """Search the best completions place by place, for codes too many to be tried.

    Places that are not decided yet hold the mean of all candidates' embeddings. At the end, each of the best codes is
    improved by changing one place at a time, as long as that lowers the loss.
    """
    embeddings, n = target.embeddings(), len(target.places)
    count = len(embeddings)
    mean = embeddings.mean(0)
    codes = torch.zeros(1, 0, dtype=torch.long)
    for place in range(n):
        codes = torch.cat([codes.repeat_interleave(count, 0), torch.arange(count).repeat(len(codes))[:, None]], 1)
        mixed = torch.cat([embeddings[codes], mean.expand(len(codes), n - place - 1, -1)], 1)
        with torch.no_grad():
            losses = target.relaxed_losses(mixed)[loss]
        codes = codes[losses.argsort(stable=True)[:width]]
    return improved(target, codes, loss=loss)


def improved(target: Target, codes: Tensor, *, loss: str = "both", keep: int = 20) -> Extraction:
    """Change one place of each of the best `keep` codes at a time while that lowers the loss; best first."""
    count, ends = len(target.candidates), codes
    best = torch.inf
    while True:
        losses = target.losses(codes)[loss]
        order = losses.argsort(stable=True)
        codes, losses = codes[order], losses[order]
        if losses[0] >= best:
            return Extraction(codes, losses, ends)
        best = losses[0]
        near = codes[:keep, None, None].expand(-1, codes.shape[1], count, -1).clone()  # [keep, n, C, n]
        for place in range(codes.shape[1]):
            near[:, place, :, place] = torch.arange(count)
        codes = torch.cat([codes, near.reshape(-1, codes.shape[1])]).unique(dim=0)
