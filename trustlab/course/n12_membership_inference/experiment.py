"""The experiment of notebook 12: what leaks by method, ε and training size, measured by four attacks and two more.

One setting is one stacked training of 32 models, at the options that the search of :mod:`.membership_search` chose for
the method at this ε. Each model is the target once; the attack's scores of all are pooled. The curve that the method's
guarantee permits, from its privacy loss distribution, is kept next to what was measured.

SNIPS and ATIS are trained with the same options, because choosing them on private data would spend ε that no row here
includes. In a look at a pool that is not reported they lost at most 0.04 of accuracy to the best of the search's
trials there, on SNIPS, and 0.03 on ATIS.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.config import check, option
from trustlab.course import baselines
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n12_membership_inference import membership_search
from trustlab.course.n12_membership_inference.attacked import (
    FPRS,
    REFERENCES,
    STRONGEST,
    column,
    combinations,
    epsilon_shown,
    joined,
    measured,
    points_above,
    pooled_scores,
)
from trustlab.course.n12_membership_inference.more_attacks import MORE, QUANTILE, more_scores
from trustlab.course.n12_membership_inference.stacked_training import (
    CORPORA,
    EPSILONS,
    METHODS,
    OPTIONS,
    SIZES,
    TESTED,
    Pool,
    Training,
    accuracy,
    asked_for,
    bags,
    models,
    pool,
    recipe,
)
from trustlab.course.n12_membership_inference.who_leaks import KINDS, by_quarter, how_common
from trustlab.course.tuning import chosen
from trustlab.lab.saved import read, remembered
from trustlab.privacy.membership import Permitted, permitted
from trustlab.privacy.membership.reference_models import Stack, classification_loss, train_together
from trustlab.privacy.methods import SENSITIVITY
from trustlab.privacy.training_options import noise_schedule

if TYPE_CHECKING:
    import datasets
    from torch import Tensor

__all__ = ["CORPORA", "KEY", "Setting", "grid", "recipe", "result_name", "run", "tuned"]
KEY = ("method", "epsilon", "size", *OPTIONS)
BASELINES = (baselines.MAJORITY, baselines.TFIDF)
TRAINED_SIZES = SIZES[:2]  # of the committed grid; the largest takes minutes a method
# On more utterances a step of eDP-SGD takes several times as long as one of DP-SGD, so it is trained on the fewest.
SIZES_OF = {"sgd": TRAINED_SIZES, "dp-sgd": TRAINED_SIZES, "edp-sgd": TRAINED_SIZES[:1]}
WHO = {"found": "members found", "accused": "non-members accused"}  # of quarters, by the column's first word


@dataclass(frozen=True)
class Setting(Training):
    """One stacked training, or a baseline's answers."""

    method: str = option(
        "dp-sgd", label="Method", help="How gradients are made private.", values=(*METHODS, *BASELINES)
    )

    def key(self) -> dict[str, Any]:
        """Return the columns that name this training in a table."""
        return {name: getattr(self, name) for name in ("corpus", *KEY, "seed")}


def tuned(corpus: str, method: str, epsilon: float, size: int, seed: int = 0) -> Setting:
    """Return the setting that the search chose for `method` at `epsilon`, on any corpus and at any size."""
    return Setting(corpus, method, epsilon, size, seed, **_chosen(method, epsilon))


@remembered
def _chosen(method: str, epsilon: float) -> dict[str, Any]:
    search, _ = read(membership_search.result_name(EMBEDDED))
    return chosen(search, options=OPTIONS, method=method, epsilon=epsilon)


def grid(
    corpus: str, *, seeds: Sequence[int] = range(5), methods: Sequence[str] = (*METHODS, *BASELINES)
) -> list[Setting]:
    """Return the settings for `corpus`: every method at every ε and its sizes over `seeds`; baselines once a size.

    SGD has no ε but ∞; there the private methods clip and add no noise.
    """
    trained = [
        tuned(corpus, method, epsilon, size, seed)
        for method in METHODS
        if method in methods
        for epsilon in membership_search.EPSILONS[method]
        for size in SIZES_OF[method]
        for seed in seeds
    ]
    return trained + [
        Setting(corpus, name, math.inf, size, seeds[0], share=1.0, epochs=1, learning_rate=1.0, clip_norm=0.0)
        for name in BASELINES
        if name in methods
        for size in TRAINED_SIZES
    ]


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` is stored in ``data/results``."""
    return f"membership_inference_{corpus}"


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train and attack one stack, or let a baseline answer, and yield its one row.

    Yields
    ------
    dict
        ``corpus``, ``method``, ``epsilon``, ``size``, ``share``, ``epochs``, ``learning_rate``, ``clip_norm``,
        ``micro_batches``, ``seed``, and what :func:`trained_and_attacked` measures. What a baseline lacks is NaN or
        "none".
    """
    check(setting)
    own = pool(corpus, setting.size, setting.seed)
    if setting.method in BASELINES:
        yield {**setting.key(), **answered(setting.method, own, corpus)}
        return
    stack = models(own.classes, setting.seed)
    words, labels = bags(corpus)["test"]
    yield {**setting.key(), **trained_and_attacked(setting, corpus, own, stack, (words[:TESTED], labels[:TESTED]))}


def trained_and_attacked(
    setting: Training, corpus: datasets.DatasetDict, own: Pool, stack: Stack, asked: tuple[Tensor, Tensor]
) -> dict[str, Any]:
    """Train a stack on its pool, attack it, and return what was measured.

    Returns
    -------
    dict
        ``accuracy`` on `asked`, inputs and labels of the test split, mean over the models; ``loss_in``, ``loss_out``,
        the mean loss of members and others; ``epsilon_spent`` and ``noise_multiplier``; of the strongest attack with
        all references ``auc``, ``advantage``, ``tpr_001`` and ``tpr_01`` (at an FPR of 0.001 and 0.01), and
        ``epsilon_shown``, the ε that it proves; ``points_above``, how many points of any attack's curve are above the
        permitted one beyond their intervals; ``permitted``, the largest TPR at each FPR of :data:`FPRS`; ``seconds`` of
        the training and of all attacks; for each attack and number of references a column with AUC, advantage and
        the TPRs, with all references also the ends of their intervals; and for each kind of rarity the shares
        of members found, and of non-members accused, from the rarest quarter to the commonest.
    """
    *_, last = train_together(stack, classification_loss, own.candidates, own.inside, recipe(setting))
    started = time.perf_counter()
    allowed = permitted_by(setting)
    found = attacked(corpus, own, stack, allowed, private=setting.method != "sgd")
    return {
        "accuracy": accuracy(stack, *asked),
        "loss_in": last["loss_in"],
        "loss_out": last["loss_out"],
        "epsilon_spent": last["epsilon"],
        "noise_multiplier": last["noise_multiplier"],
        **found,
        "permitted": joined(allowed.tpr(np.array(FPRS))),
        "seconds": last["seconds"] + time.perf_counter() - started,
    }


def attacked(
    corpus: datasets.DatasetDict, own: Pool, stack: Stack, allowed: Permitted, *, private: bool
) -> dict[str, Any]:
    """Return what every attack reaches against the models of a stack, and which quarters the strongest one finds."""
    losses, others = (stack.losses(classification_loss, part) for part in (own.candidates, own.population))
    row: dict[str, Any] = {}
    points = 0
    for name, references in combinations():
        scores = pooled_scores(name, references, losses, own.inside, others)
        all_references = references == REFERENCES[-1]
        texts = measured(scores, own.inside, intervals=all_references)
        row |= {f"{column(name, references)}{end}": text for end, text in texts.items()}
        if (name, references) == (STRONGEST, REFERENCES[-1]):
            row |= {"epsilon_shown": epsilon_shown(scores, own.inside), **_who(corpus, own, scores)}
        points += points_above(scores, own.inside, allowed) if all_references else 0
    for name in MORE:
        tried = name != QUANTILE or not private
        row[column(name, REFERENCES[-1])] = (
            measured(more_scores(name, own, losses, others), own.inside)[""] if tried else "none"
        )
    auc, advantage, *tprs = map(float, row[column(STRONGEST, REFERENCES[-1])].split("|"))
    at = dict(zip(FPRS, tprs, strict=True))
    strongest = {"auc": auc, "advantage": advantage, "tpr_001": at[0.001], "tpr_01": at[0.01]}
    return {**strongest, "points_above": points, **row}


def _who(corpus: datasets.DatasetDict, own: Pool, scores: np.ndarray) -> dict[str, str]:
    """Return who is found, and accused, by quarters of the utterances, for each kind of rarity."""
    found = {}
    for kind, common in how_common(corpus).items():
        rows = list(by_quarter(scores, own.inside, common[own.rows]))
        for name, measure in WHO.items():
            found[f"{name}_by_{kind}"] = joined([row[measure] for row in rows])
    return found


def permitted_by(setting: Training) -> Permitted:
    """Return the curve that the guarantee of a training permits; of SGD everything."""
    config = recipe(setting)
    schedule = tuple(noise_schedule(config, setting.size))
    return _permitted(schedule, config.batch_size / setting.size, SENSITIVITY.get(setting.method, 1.0))


@functools.lru_cache
def _permitted(schedule: tuple[tuple[float, int], ...], sample_rate: float, sensitivity: float) -> Permitted:
    return permitted(schedule, sample_rate=sample_rate, sensitivity=sensitivity)


def answered(name: str, own: Pool, corpus: datasets.DatasetDict) -> dict[str, Any]:
    """Return the columns of a trivial baseline, trained on the utterances of the first model."""
    rows = own.rows[own.inside[:, 0]].tolist()
    learned = asked_for(corpus)
    known, asked = corpus["train"][rows], corpus["test"][:TESTED]
    texts = [[" ".join(tokens) for tokens in part["tokens"]] for part in (known, asked)]
    said = baselines.CLASSIFIERS[name](texts[0], known[learned], texts[1])
    right = float(np.mean([guess == intent for guess, intent in zip(said, asked[learned], strict=True)]))
    names = ("loss_in", "loss_out", "epsilon_spent", "noise_multiplier", "auc", "advantage", "tpr_001", "tpr_01")
    names += ("epsilon_shown",)
    found: dict[str, Any] = {"accuracy": right, **dict.fromkeys(names, math.nan), "points_above": 0}
    for attack, references in combinations():
        ends = ("", "_low", "_high") if references == REFERENCES[-1] else ("",)
        found |= {f"{column(attack, references)}{end}": "none" for end in ends}
    found |= {column(attack, REFERENCES[-1]): "none" for attack in MORE}
    found |= {f"{measure}_by_{kind}": "none" for kind in KINDS for measure in WHO}
    return {**found, "permitted": "none", "seconds": math.nan}


__all__ += ["EPSILONS", "answered", "attacked", "permitted_by", "trained_and_attacked"]
