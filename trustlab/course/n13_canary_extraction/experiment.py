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
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from trustlab.config import check
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n13_canary_extraction.defended import (
    DEFENCES,
    NONE,
    THREE,
    Planted,
    Prepared,
    attacked,
    learn,
    model_of,
    prepare,
    recipe,
)
from trustlab.models.evaluation import evaluate
from trustlab.privacy.inversion import InversionOptions, Target, extract, found, place_of, rank_all, rank_of
from trustlab.privacy.inversion.target import LOSSES

if TYPE_CHECKING:
    import datasets

__all__ = ["CORPORA", "KEY", "Setting", "grid", "recipe", "result_name", "run"]
CORPORA = (EMBEDDED,)
KEY = ("defence", "copies")  # with the seed: one row
USUAL = 10  # copies at which every defence is tried
COMPARED = (USUAL,)  # copies in the grid; nothing is done against what was never said
HEADLINE = ((NONE, USUAL), (THREE, USUAL), ("dp-8", USUAL))  # what the claims are about has all seeds
FEW = 5  # seeds of the others
ONLY_USUAL = ("dp-1",)


@dataclass(frozen=True)
class Setting(Planted):
    """One training with a random pin, and the attacks on it."""

    def key(self) -> dict[str, Any]:
        """Return the columns that name this training in a table."""
        return {name: getattr(self, name) for name in ("corpus", *KEY, "seed")}


def grid(corpus: str, *, seeds: Sequence[int] = range(10), defences: Sequence[str] = DEFENCES) -> list[Setting]:
    """Return the settings for `corpus`; fewer `defences` keep a part of them.

    Those of :data:`HEADLINE` are there with all `seeds`, the others with the first :data:`FEW`.

    Examples
    --------
    >>> len(grid("assistant", seeds=[0]))
    9
    """
    few = seeds[:FEW]
    kinds = [(defence, USUAL) for defence in DEFENCES] + [(NONE, 0)]
    kinds += [(each, copies) for copies in COMPARED if copies != USUAL for each in DEFENCES if each not in ONLY_USUAL]
    return [
        Setting(corpus, *kind, seed)
        for kind in kinds
        if kind[0] in defences
        for seed in (seeds if kind in HEADLINE else few)
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
        ModIvA and ``rank_seconds`` of ranking.
    """
    check(setting)
    prepared = prepare(setting, corpus)
    model = model_of(setting, prepared.vocabulary)
    started = time.perf_counter()
    rows = list(learn(setting, model, prepared.data))
    trained = time.perf_counter() - started
    measured = evaluate(model, prepared.data["test"])
    yield {
        **setting.key(),
        "accuracy": measured["accuracy"],
        "slot_f1": measured["slot_f1"],
        "epochs": len(rows),
        "epsilon": rows[-1]["epsilon"],
        **_attacks(model, prepared),
        "seconds": trained,
    }


def _attacks(model: nn.Module, prepared: Prepared) -> dict[str, Any]:
    """Return what both attacks find."""
    target = attacked(model, prepared)
    true = target.code(prepared.canary.secret)
    started = time.perf_counter()
    inverted = found(extract(target, InversionOptions()), true)
    between = time.perf_counter()
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
        "rank_seconds": time.perf_counter() - between,
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
