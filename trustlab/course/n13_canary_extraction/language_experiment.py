"""Canary extraction from a real language model: how exposed a pin is after so many copies of it.

One setting is one tuning of SmolLM2 (its weights were quantised) by LoRA: on sentences of the embedded corpus, on
decoys, and on a pin in some copies. The attacker has the tuned model, knows how the sentence begins and that four
digits follow, and ranks all 10,000 codes by their likelihood. It also has the public model that was tuned, which was
never told the pin: what that one expects can be taken out of the ranking. Two controls: no copies at all, and no
tuning.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from trustlab.config import check, option
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n13_canary_extraction.defended import DELTA, EPSILONS, NONE, N
from trustlab.course.n13_canary_extraction.language_tuning import (
    PROJECTIONS,
    RANK,
    Texts,
    adapted,
    language_model,
    start_of,
    text_losses,
    texts_of,
    tune,
)
from trustlab.data.phrases import DIGITS
from trustlab.models.batching import evaluating
from trustlab.models.continuation import continuations
from trustlab.models.smollm2 import SMOLLM2_SHA256, TEXT_START
from trustlab.privacy.inversion import (
    Completion,
    canary_and_decoys,
    completion_losses,
    completion_of,
    plant,
    rank_of,
)
from trustlab.privacy.training_options import TrainConfig

if TYPE_CHECKING:
    import datasets

CORPORA = (EMBEDDED,)
KEY = ("defence", "copies")  # with the seed: one row
PRIVATE = "dp-8"
UNTUNED = "untuned"
DEFENCES = (PRIVATE, NONE, UNTUNED)  # the slowest first; without doubles, the training is that of one copy
COPIES = (0, 1, 2, 4, 10, 30)
DEFENDED = 10  # copies with which noise is tried
SENTENCES, DECOYS, HELD_OUT = 80, 20, 40  # of train, decoys among them, and of validation
EPOCHS, BATCH = 2, 8
# One look each, at seed 100: the held-out loss was 5.9 nats with 0.003 and 6.3 with 0.01. A rate of 0.001, in batches
# of 16 and on more sentences, learned more slowly. No defence was tuned.
LEARNING_RATE = 3e-3


@dataclass(frozen=True)
class Setting:
    """One tuning with a random pin, and the attack on it."""

    corpus: str = option(EMBEDDED, label="Corpus", help="Where the pin is planted.", values=CORPORA)
    defence: str = option(NONE, label="Defence", help="What keeps the model from learning by heart.", values=DEFENCES)
    copies: int = option(10, label="Copies", help="How often the pin's sentence is in the data.", values=COPIES)
    seed: int = option(0, label="Seed", help="Of the code, the decoys, first weights, batches and noise.", low=0)

    def key(self) -> dict[str, Any]:
        """Return the columns that name this tuning in a table."""
        return asdict(self)


def grid(corpus: str, *, seeds: Sequence[int] = range(5), defences: Sequence[str] = DEFENCES) -> list[Setting]:
    """Return the settings: every number of copies, noise with :data:`DEFENDED` of them, and the model as it was.

    Examples
    --------
    >>> len(grid("assistant", seeds=[0]))
    8
    """
    kinds = [(NONE, copies) for copies in COPIES] + [(PRIVATE, DEFENDED), (UNTUNED, 0)]
    return [Setting(corpus, *kind, seed) for kind in kinds if kind[0] in defences for seed in seeds]


def result_name(corpus: str) -> str:
    """Return the name under which the table is stored in ``data/results``."""
    return f"canary_extraction_smollm2_{corpus}"


def options_of(setting: Setting) -> TrainConfig:
    """Return the options of the tuning: the same for all, and noise where the defence is differential privacy."""
    noise = dict(method="sgd")
    if setting.defence in EPSILONS:
        noise = dict(method="dp-sgd", epsilon=EPSILONS[setting.defence], delta=DELTA)
    return TrainConfig(epochs=EPOCHS, batch_size=BATCH, learning_rate=LEARNING_RATE, seed=setting.seed, **noise)


def recipe(setting: Setting) -> dict[str, Any]:
    """Return what was used for a defence: the model, what of it was trained, and on how much."""
    model = {"weights": "quantised (Q4_1)", "sha256": SMOLLM2_SHA256, "start": TEXT_START}
    data = {"sentences": SENTENCES, "decoys": DECOYS, "held_out": HELD_OUT}
    if setting.defence == UNTUNED:
        return {**model, **data}
    return {**model, **data, "lora": {"rank": RANK, "targets": PROJECTIONS}, "tuning": asdict(options_of(setting))}


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Tune one setting on `corpus`, rank all codes, and yield its one row.

    Yields
    ------
    dict
        ``corpus``, ``defence``, ``copies`` and ``seed``; ``texts`` that were tuned on; ``epsilon`` spent for one copy;
        ``held_out``, the mean loss of sentences that were not tuned on, in nats a token; ``rank`` of the true code
        among all (1 is the first guess) and ``rank_added``, by what tuning added to the code's log-likelihood;
        ``written``, 1 if the model's own continuation is the code, where it may write any word; ``loss`` of the code,
        in nats; ``secret``, its digits; ``seconds`` of tuning and ``rank_seconds`` of ranking.
    """
    check(setting)
    public, tokenizer = language_model()
    canary, decoys = canary_and_decoys("pin", N, seed=setting.seed)
    completion = completion_of(tokenizer, canary, DIGITS, start=start_of(tokenizer))
    most = {"train": SENTENCES, "validation": HELD_OUT}
    small = {split: corpus[split].select(range(count)) for split, count in most.items()}
    planted = plant(small, canary, setting.copies, decoys[:DECOYS])
    texts, held_out = (texts_of(planted[split], tokenizer) for split in most)
    started, own, measured = time.perf_counter(), public, {"texts": 0, "epsilon": 0.0}
    if setting.defence != UNTUNED:
        own = adapted(public, setting.seed)
        *_, last = tune(own, texts, options_of(setting))
        measured = {"texts": len(texts), "epsilon": last["epsilon"]}
    tuned = time.perf_counter() - started
    measured["held_out"] = mean_loss(own, held_out)
    yield {**setting.key(), **measured, **_attack(own, public, completion), "seconds": tuned}


def mean_loss(model: nn.Module, texts: Texts) -> float:
    """Return the mean loss of `texts`, in nats a token; each text counts the same."""
    with evaluating(model):
        return float(text_losses(model, texts).double().mean())


def _attack(own: nn.Module, public: nn.Module, completion: Completion) -> dict[str, Any]:
    """Return the ranks of the true code, and whether the tuned model says it by itself."""
    started, place = time.perf_counter(), completion.place
    before = _before(public, completion.prefix, completion.candidates)
    losses = completion_losses(own, completion) if own is not public else before
    (said,) = continuations(own, [completion.prefix], tokens=N, top_p=1e-9)  # the likeliest token each time
    return {
        "rank": rank_of(losses, place),
        "rank_added": rank_of(losses - before, place),
        "written": int(said == list(completion.secret)),
        "loss": float(losses[place]),
        "secret": f"{place:0{N}d}",
        "rank_seconds": time.perf_counter() - started,
    }


@functools.lru_cache(maxsize=1)
def _before(public: nn.Module, prefix: tuple[int, ...], candidates: tuple[int, ...]) -> Tensor:
    """Return the losses of all codes by the model that was not tuned: the same for every setting."""
    return completion_losses(public, Completion(prefix, candidates, candidates[:1] * N))
