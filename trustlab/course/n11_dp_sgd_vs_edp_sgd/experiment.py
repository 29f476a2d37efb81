"""The experiment of notebook 11: what ε costs in accuracy by exact DP-SGD and by eDP-SGD, each tuned for it.

One setting is one training: a corpus, a method, a target ε and a seed, with the options that the search of
:mod:`.method_search` chose for this method at this ε. The search read the synthetic corpus, which is nobody's data;
SNIPS and ATIS are trained with the same options, because choosing them on private data would spend ε that no row here
includes. On the embedded corpus the two ingredients of the paper, a threshold per layer and decaying noise, are varied
one at a time at ε = 8.

Exact DP-SGD is trained by the fast engine alone: the per-example loop and Opacus release the same sums, so that they
reach the same accuracy and differ in their seconds. Trivial baselines answer the same test utterances.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trustlab.config import check, option
from trustlab.course import baselines
from trustlab.course.corpora import EMBEDDED, rare_intents
from trustlab.course.n11_dp_sgd_vs_edp_sgd import method_search
from trustlab.course.n11_dp_sgd_vs_edp_sgd.one_training import (
    CORPORA,
    METHODS,
    MODEL,
    OPTIONS,
    Training,
    by_length,
    prepare,
    recipe,
)
from trustlab.course.tuning import chosen
from trustlab.deprecation import old_names
from trustlab.lab.saved import read, remembered
from trustlab.models import build, entity_f1, predict
from trustlab.privacy.training import train

if TYPE_CHECKING:
    import datasets
    import pandas

__all__ = ["CORPORA", "KEY", "Setting", "grid", "prepare", "recipe", "result_name", "run", "tuned"]
PRIVATE = ("fast", "edp-sgd")
BASELINES = (baselines.MAJORITY, baselines.TFIDF, baselines.FROZEN, baselines.WORDS_TAG)
KEY = ("method", "epsilon", "rule", "noise_decay", *OPTIONS)
EPSILON_OF_VARIANTS, DECAY = 8.0, 0.8
VARIANTS: tuple[dict[str, Any], ...] = ({"rule": "equal"}, {"noise_decay": DECAY})
SHOWN = 6  # test utterances whose predicted intents are kept, for a reader to look at


@dataclass(frozen=True)
class Setting(Training):
    """One training of the comparison, or a baseline's answers."""

    method: str = option("fast", label="Method", help="How gradients are made private.", values=(*METHODS, *BASELINES))

    def key(self) -> dict[str, Any]:
        """Return the columns that name this training in a table."""
        return {name: getattr(self, name) for name in ("corpus", *KEY, "seed")}


def tuned(corpus: str, method: str, epsilon: float, seed: int = 0, **varied: Any) -> Setting:
    """Return the setting that the search chose for `method` at `epsilon`, on any corpus; `varied` is changed.

    Examples
    --------
    >>> setting = tuned("snips", "fast", 8.0)
    >>> setting.batch_size in (128, 256, 512, 1024, 2048), setting.micro_batches
    (True, 0)
    """
    return Setting(corpus, method, epsilon, seed, **_chosen(method, epsilon), **varied)


@remembered
def _chosen(method: str, epsilon: float) -> dict[str, Any]:
    search, _ = read(method_search.result_name(EMBEDDED))
    return chosen(search, options=OPTIONS, method=method, epsilon=epsilon)


def grid(
    corpus: str, *, seeds: Sequence[int] = range(5), methods: Sequence[str] = (*METHODS, *BASELINES)
) -> list[Setting]:
    """Return the settings for `corpus`, each over `seeds`; fewer `methods` keep a part of them.

    Plain SGD, and both private methods at every ε, each as tuned; on the embedded corpus also :data:`VARIANTS`.
    Baselines have no seed, so each is there once.
    """
    kinds = [(method, epsilon, {}) for method in METHODS for epsilon in method_search.EPSILONS[method]]
    if corpus == EMBEDDED:
        kinds += [(method, EPSILON_OF_VARIANTS, variant) for method in PRIVATE for variant in VARIANTS]
    trained = [tuned(corpus, m, e, seed, **varied) for m, e, varied in kinds if m in methods for seed in seeds]
    return trained + [_baseline(corpus, name, seeds[0]) for name in BASELINES if name in methods]


def _baseline(corpus: str, name: str, seed: int) -> Setting:
    return Setting(corpus, name, math.inf, seed, batch_size=1, epochs=1, learning_rate=1.0, clip_norm=0.0)


def usual(table: pandas.DataFrame) -> pandas.DataFrame:
    """Return the trainings of a results table that are no variant: one threshold, constant noise; no baselines."""
    plain = (table["rule"] == "flat") & (table["noise_decay"] == 1)
    return table[plain & table["method"].isin(METHODS)]


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` is stored in ``data/results``."""
    return f"dp_sgd_vs_edp_sgd_{corpus}"


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one setting on `corpus`, or let a baseline answer, and yield its one row.

    Yields
    ------
    dict
        ``corpus``, ``method``, ``epsilon`` (target), ``rule``, ``noise_decay``, ``batch_size``, ``epochs``,
        ``learning_rate``, ``clip_norm`` (0: none), ``micro_batches`` (K of eDP-SGD, else 0) and ``seed``; on the test
        split ``accuracy``, ``accuracy_rare`` (on the quarter of the intents with the fewest training utterances) and
        ``slot_f1``, NaN where a baseline does not answer; ``epsilon_spent``, ``noise_multiplier`` (of the last step),
        ``clipped`` and ``seconds`` of the training; ``answers``, the intents predicted for :func:`shown`, joined by
        "|", "none" where a baseline predicts none.
    """
    check(setting)
    last = {"epsilon": math.inf, "noise_multiplier": 0.0, "clipped": math.nan, "seconds": math.nan}
    if setting.method in BASELINES:
        intents, tags = _answered(setting.method, corpus)
    else:
        vocabulary, data = prepare(corpus)
        model = build(MODEL, vocabulary, seed=setting.seed)
        *_, last = train(model, {**data, "train": by_length(data["train"])}, recipe(setting))
        intents, tags = predict(model, data["test"])
    yield {
        **setting.key(),
        **_intents_right(intents, corpus),
        "slot_f1": entity_f1(corpus["test"]["slots"], tags) if tags else math.nan,
        "epsilon_spent": last["epsilon"],
        "noise_multiplier": last["noise_multiplier"],
        "clipped": last["clipped"],
        "seconds": last["seconds"],
        "answers": "|".join(intents[i] for i in shown(corpus)) if intents else "none",
    }


def _intents_right(intents: Sequence[str], corpus: datasets.DatasetDict) -> dict[str, float]:
    """Return the share of the intents of the test split that is right, all and rare ones; NaN where none is said."""
    if not intents:
        return {"accuracy": math.nan, "accuracy_rare": math.nan}
    true, rare = corpus["test"]["intent"], rare_intents(corpus)
    right = [guess == said for guess, said in zip(intents, true, strict=True)]
    of_rare = [is_right for is_right, said in zip(right, true, strict=True) if said in rare]
    return {"accuracy": _share(right), "accuracy_rare": _share(of_rare)}


def _answered(name: str, corpus: datasets.DatasetDict) -> tuple[list[str], list[list[str]]]:
    """Return a baseline's intents of the test utterances, or its tags; the other is empty."""
    known, asked = corpus["train"], corpus["test"]
    if name == baselines.WORDS_TAG:
        return [], baselines.word_tags(known["tokens"], known["slots"], asked["tokens"])
    texts = [[" ".join(tokens) for tokens in split["tokens"]] for split in (known, asked)]
    return [str(intent) for intent in baselines.CLASSIFIERS[name](texts[0], known["intent"], texts[1])], []


def shown(corpus: datasets.DatasetDict) -> list[int]:
    """Return the first short test utterances of different intents: the ones a reader sees answered."""
    found: dict[str, int] = {}
    for i, row in enumerate(corpus["test"]):
        if 4 <= len(row["tokens"]) <= 8 and len(found) < SHOWN:
            found.setdefault(row["intent"], i)
    return list(found.values())


def _share(outcomes: Sequence[bool]) -> float:
    """Return the share that is true; NaN of none."""
    return sum(outcomes) / len(outcomes) if outcomes else math.nan


__getattr__ = old_names(__name__, {"Cell": "Setting"})
