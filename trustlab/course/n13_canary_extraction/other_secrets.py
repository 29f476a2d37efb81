"""The second experiment of notebook 13: longer pins, colours, and a transformer, on the embedded corpus.

One setting is one training as in the first experiment, and three attacks: ModIvA, a beam search, and the rank. A code
of six digits has a million values, too many to be all tried after each training; its rank is then estimated among
random ones. The attacker knows the candidates of a secret's words: ten digits, or forty colours.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from trustlab.course.corpora import EMBEDDED
from trustlab.course.n13_canary_extraction.defended import (
    BILSTM,
    COLOUR,
    DEFENCES,
    NONE,
    PIN,
    SIX,
    SLOW,
    THREE,
    TRANSFORMER,
    USUAL_PACE,
    Planted,
    attacked,
    recipe,
    trained,
)
from trustlab.privacy.inversion import (
    Target,
    beam,
    exposure,
    extract,
    found,
    place_of,
    rank_all,
    rank_of,
    sampled_exposure,
)
from trustlab.privacy.inversion.ranking import MOST

if TYPE_CHECKING:
    import datasets

__all__ = ["CORPORA", "KEY", "Setting", "grid", "recipe", "result_name", "run"]
CORPORA = (EMBEDDED,)
KEY = ("kind", "model", "pace", "defence", "copies")  # with the seed: one row
COPIES = 10
# What is trained, and with how many seeds: what the claims are about with ten.
SEEDS = MappingProxyType({
    (COLOUR, BILSTM, USUAL_PACE, NONE): 10,
    (COLOUR, BILSTM, USUAL_PACE, THREE): 10,
    (SIX, BILSTM, USUAL_PACE, NONE): 10,
    (SIX, BILSTM, USUAL_PACE, THREE): 5,
    (SIX, BILSTM, SLOW, NONE): 10,
    (PIN, TRANSFORMER, USUAL_PACE, NONE): 10,
    (PIN, TRANSFORMER, SLOW, NONE): 5,
})  # fmt: skip
SAMPLED = 10_000  # random completions among which the rank of one of more than MOST is estimated


@dataclass(frozen=True)
class Setting(Planted):
    """One training with a random secret, and the attacks on it."""

    def key(self) -> dict[str, Any]:
        """Return the columns that name this training in a table."""
        return {name: getattr(self, name) for name in ("corpus", *KEY, "seed")}


def grid(corpus: str, *, seeds: Sequence[int] = range(10), defences: Sequence[str] = DEFENCES) -> list[Setting]:
    """Return the settings for `corpus`; fewer `defences` keep a part of them.

    Examples
    --------
    >>> len(grid("assistant")), len(grid("assistant", seeds=[0]))
    (60, 7)
    """
    return [
        Setting(corpus, defence, COPIES, seed, kind=kind, model=model, pace=pace)
        for (kind, model, pace, defence), most in SEEDS.items()
        if defence in defences
        for seed in seeds[:most]
    ]


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` is stored in ``data/results``."""
    return f"canary_extraction_secrets_{corpus}"


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one setting on `corpus`, attack the model, and yield its one row.

    Yields
    ------
    dict
        ``corpus``, ``kind``, ``model``, ``pace``, ``defence``, ``copies`` and ``seed``; on the test split ``accuracy``
        (of intents) and ``slot_f1``; ``epochs`` trained, ``epsilon`` spent for one copy; what ModIvA found by both
        losses: ``exact``, ``within_3``, ``hamming``, ``positions``, ``exact_restarts`` and ``hamming_restarts``, see
        :func:`trustlab.privacy.inversion.found`; of the beam ``beam_exact``, ``beam_within_3``, ``beam_hamming`` and
        ``beam_guess``, the guess at which its list has the secret, infinite if it has not; ``bits`` exposed,
        ``bits_intent`` and ``bits_slots`` by one of the losses alone, ``most_bits`` that this way of ranking can find;
        ``candidates``, how many there are for each word; ``secret``, the number of each word among them, joined by "|";
        ``seconds`` of training, ``attack_seconds`` of ModIvA, ``beam_seconds`` and ``rank_seconds``, all of the
        processor's time.
    """
    model, prepared, measured = trained(setting, corpus)
    yield {**setting.key(), **measured, **_attacks(attacked(model, prepared), prepared.canary.secret, setting.seed)}


def _attacks(target: Target, secret: Sequence[str], seed: int) -> dict[str, Any]:
    """Return what the three attacks find."""
    true = target.code(secret)
    started = time.process_time()
    inverted = found(extract(target), true)
    between = time.process_time()
    listed = beam(target)
    searched = found(listed, true)
    places = (listed.codes == true).all(1).nonzero()
    after = time.process_time()
    exposed = _exposed(target, true, seed)
    return {
        **inverted,
        **{f"beam_{name}": searched[name] for name in ("exact", "within_3", "hamming")},
        "beam_guess": float(places[0]) + 1 if len(places) else math.inf,
        **exposed,
        "candidates": len(target.candidates),
        "secret": "|".join(str(number) for number in true.tolist()),
        "attack_seconds": between - started,
        "beam_seconds": after - between,
        "rank_seconds": time.process_time() - after,
    }


def _exposed(target: Target, true: Tensor, seed: int) -> dict[str, float]:
    """Return the bits that each loss exposes: exactly, or where the completions are too many among random ones."""
    size = len(target.candidates) ** len(true)
    if size <= MOST:
        place = place_of(true, len(target.candidates))
        ranked = {name: exposure(rank_of(losses, place), size) for name, losses in rank_all(target).items()}
    else:
        rng = torch.Generator().manual_seed(seed)
        others = target.losses(torch.randint(len(target.candidates), (SAMPLED, len(true)), generator=rng))
        own = target.losses(true[None])
        ranked = {name: sampled_exposure(float(own[name]), losses) for name, losses in others.items()}
    named = {"both": "bits", "intent": "bits_intent", "slots": "bits_slots"}
    return {named[name]: bits for name, bits in ranked.items()} | {"most_bits": exposure(1, min(size, SAMPLED))}
