"""The experiment of notebook 13: how much of a planted pin an attacker finds in a trained tagger.

One setting is one training and the attacks on it: a corpus, a defence, how many copies of the pin were planted, and a
seed, which decides the code, the decoys, first weights, batches and noise. The attacker has the weights and knows how
the sentence begins, its labels, and that the unknown words are four digits. It inverts the model (ModIvA), and it ranks
all 10,000 codes by each loss that the model gives. No copies at all are the control: the pin was never said.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from trustlab.course.corpora import EMBEDDED
from trustlab.course.n13_canary_extraction.defended import (
    CORPORA,
    DEFENCES,
    NONE,
    THREE,
    Planted,
    attacked,
    recipe,
    trained,
)
from trustlab.privacy.inversion import InversionOptions, Target, extract, found, place_of, rank_all, rank_of
from trustlab.privacy.inversion.target import LOSSES

if TYPE_CHECKING:
    import datasets

__all__ = ["CORPORA", "KEY", "Setting", "grid", "recipe", "result_name", "run"]
KEY = ("defence", "copies")  # with the seed: one row
USUAL = 10  # copies at which every defence is tried
MORE = MappingProxyType({EMBEDDED: (), "snips": (100, 500), "atis": (100, 500)})  # other copies, by corpus
HEADLINE = (NONE, THREE, "dp-8")  # what the claims are about: tried at all copies, with all seeds
FEW = 5  # seeds of the others


@dataclass(frozen=True)
class Setting(Planted):
    """One training with a random pin, and the attacks on it."""

    def key(self) -> dict[str, Any]:
        """Return the columns that name this training in a table."""
        return {name: getattr(self, name) for name in ("corpus", *KEY, "seed")}


def grid(corpus: str, *, seeds: Sequence[int] = range(10), defences: Sequence[str] = DEFENCES) -> list[Setting]:
    """Return the settings for `corpus`; fewer `defences` keep a part of them.

    Those of :data:`HEADLINE` are there with all `seeds`, the others with the first :data:`FEW`. A pin that was never
    said is the control, and nothing is done against that.

    Examples
    --------
    >>> len(grid("assistant", seeds=[0])), len(grid("snips", seeds=[0]))
    (9, 15)
    """
    kinds = [(defence, USUAL) for defence in DEFENCES] + [(NONE, 0)]
    kinds += [(defence, copies) for copies in MORE[corpus] for defence in HEADLINE]
    return [
        Setting(corpus, defence, copies, seed)
        for defence, copies in kinds
        if defence in defences
        for seed in (seeds if copies and defence in HEADLINE else seeds[:FEW])
    ]


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` is stored in ``data/results``."""
    return f"canary_extraction_{corpus}"


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one setting on `corpus`, attack the model, and yield its one row.

    Yields
    ------
    dict
        ``corpus``, ``defence``, ``copies`` and ``seed``; on the test split ``accuracy`` (of intents) and ``slot_f1``;
        ``epochs`` trained, ``epsilon`` spent for one copy; what ModIvA found by both losses: ``exact``, ``within_3``,
        ``hamming``, ``positions``, ``exact_restarts`` and ``hamming_restarts``, see
        :func:`trustlab.privacy.inversion.found`; ``rank``, ``rank_intent`` and ``rank_slots`` of the true code among
        all by each loss (1 is the first guess); ``first``, the least rank of a code with each digit at each place,
        joined by "|", place by place; ``secret``, the code's digits; ``seconds`` of training, ``attack_seconds`` of
        ModIvA and ``rank_seconds`` of ranking, all of the processor's time.
    """
    model, prepared, measured = trained(setting, corpus)
    yield {**setting.key(), **measured, **_attacks(attacked(model, prepared), prepared.canary.secret)}


def _attacks(target: Target, secret: Sequence[str]) -> dict[str, Any]:
    """Return what both attacks find."""
    true = target.code(secret)
    started = time.process_time()
    inverted = found(extract(target, InversionOptions()), true)
    between = time.process_time()
    losses = rank_all(target)
    place = place_of(true, len(target.candidates))
    ranks = {name: rank_of(losses[name], place) for name in LOSSES}
    return {
        **inverted,
        "rank": ranks["both"],
        "rank_intent": ranks["intent"],
        "rank_slots": ranks["slots"],
        "first": "|".join(f"{each:g}" for each in first_guesses(losses["both"], target).ravel().tolist()),
        "secret": "".join(str(digit) for digit in true.tolist()),
        "attack_seconds": between - started,
        "rank_seconds": time.process_time() - between,
    }


def first_guesses(losses: Tensor, target: Target) -> Tensor:
    """Return the least rank of a code with each candidate at each place, [n, C]: 1 where it is in the first guess.

    Parameters
    ----------
    losses : Tensor [C^n]
        Of all codes in counting order. Equal ones are guessed in that order.
    target
        Whose codes they are.
    """
    n, count = len(target.places), len(target.candidates)
    ranks = torch.empty(len(losses), dtype=torch.long)
    ranks[losses.argsort(stable=True)] = torch.arange(1, len(losses) + 1)
    table = ranks.reshape([count] * n)
    return torch.stack([table.amin([other for other in range(n) if other != place]) for place in range(n)])
