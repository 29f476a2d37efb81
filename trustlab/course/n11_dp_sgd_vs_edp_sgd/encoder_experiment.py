"""What to do if you have to train privately tomorrow: linear heads on a frozen, pretrained encoder.

One setting is one training: a corpus, a method, a target ε and a seed, with the options that the search of
:mod:`.encoder_search` chose on the embedded corpus, for this method at this ε. SNIPS and ATIS are trained with the same
options, because choosing them on private data would spend ε that no row here includes. Trivial baselines answer the
same test utterances, and one row holds the seconds that the encoder's states took.

Both heads are one model with one loss, so that a training has one ε. It holds for adding or removing one utterance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trustlab.config import check, option
from trustlab.course import baselines
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n11_dp_sgd_vs_edp_sgd import encoder_search
from trustlab.course.n11_dp_sgd_vs_edp_sgd.encoder_training import (
    CORPORA,
    OPTIONS,
    HeadTraining,
    measured,
    seconds_of_states,
    trained,
)
from trustlab.course.tuning import chosen
from trustlab.models import entity_f1
from trustlab.results import read_results

if TYPE_CHECKING:
    import datasets

__all__ = ["CORPORA", "KEY", "Setting", "grid", "result_name", "run", "tuned"]
METHODS = tuple(encoder_search.SPACES)
BASELINES = (baselines.MAJORITY, baselines.TFIDF, baselines.WORDS_TAG)
STATES = "states"  # the row of the seconds that the encoder took
KEY = ("method", "epsilon", *OPTIONS)
NOT_TRAINED = dict(epsilon=math.inf, share=1.0, epochs=1, learning_rate=1.0, clip_norm=0.0)


@dataclass(frozen=True)
class Setting(HeadTraining):
    """One training, a baseline's answers, or the encoder's seconds."""

    method: str = option(
        "fast", label="Method", help="How gradients are made private.", values=(*METHODS, *BASELINES, STATES)
    )

    def key(self) -> dict[str, Any]:
        """Return the columns that name this training in a table."""
        return {name: getattr(self, name) for name in ("corpus", *KEY, "seed")}


def tuned(corpus: str, method: str, epsilon: float, seed: int = 0) -> Setting:
    """Return the setting that the search chose for `method` at `epsilon`, on any corpus."""
    search, _ = read_results(encoder_search.result_name(EMBEDDED))
    options = chosen(search, options=OPTIONS, method=method, epsilon=epsilon)
    return Setting(corpus, method, epsilon, seed, **options)


def grid(corpus: str, *, seeds: Sequence[int] = range(5)) -> list[Setting]:
    """Return the settings for `corpus`, each training over `seeds`.

    Baselines and the encoder have no seed: each has one row.
    """
    once = [Setting(corpus, name, seed=seeds[0], **NOT_TRAINED) for name in (STATES, *BASELINES)]
    return once + [
        tuned(corpus, method, epsilon, seed)
        for method in METHODS
        for epsilon in encoder_search.EPSILONS[method]
        for seed in seeds
    ]


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` is stored in ``data/results``."""
    return f"dp_sgd_vs_edp_sgd_encoder_{corpus}"


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one setting on `corpus`, or let a baseline answer, and yield its one row.

    Yields
    ------
    dict
        The columns of ``key()``; on the test split ``accuracy`` of intents, ``slot_f1`` of the best tags that BIO
        allows and ``slot_f1_greedy`` of each tag by itself, NaN where a baseline does not answer; ``batch_size``
        (expected utterances in a step), ``epsilon_spent``, ``noise_multiplier``, ``clipped`` and ``seconds`` of the
        training; for the row "states", the seconds in which the encoder computed them for the training split.
    """
    check(setting)
    last: dict[str, Any] = {"epsilon": math.inf, "noise_multiplier": 0.0, "clipped": math.nan, "batch_size": 0}
    reached = {"accuracy": math.nan, "slot_f1": math.nan, "slot_f1_greedy": math.nan}
    if setting.method == STATES:
        last["seconds"] = seconds_of_states(corpus)
    elif setting.method in BASELINES:
        reached |= _answered(setting.method, corpus)
        last["seconds"] = math.nan
    else:
        model, last = trained(setting, corpus)
        reached = measured(model, corpus, "test")
    yield {
        **setting.key(),
        **reached,
        "epsilon_spent": last["epsilon"],
        **{name: last[name] for name in ("batch_size", "noise_multiplier", "clipped", "seconds")},
    }


def _answered(name: str, corpus: datasets.DatasetDict) -> dict[str, float]:
    """Return what a baseline reaches on the test split."""
    known, asked = corpus["train"], corpus["test"]
    if name == baselines.WORDS_TAG:
        tags = baselines.word_tags(known["tokens"], known["slots"], asked["tokens"])
        f1 = entity_f1(asked["slots"], tags)
        return {"slot_f1": f1, "slot_f1_greedy": f1}
    texts = [[" ".join(tokens) for tokens in split["tokens"]] for split in (known, asked)]
    guesses = baselines.CLASSIFIERS[name](texts[0], known["intent"], texts[1])
    right = [guess == said for guess, said in zip(guesses, asked["intent"], strict=True)]
    return {"accuracy": sum(right) / len(right)}
