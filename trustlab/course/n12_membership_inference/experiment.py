"""The experiment of notebook 12: what leaks by method, ε and training size, measured by four attacks.

One setting is one stacked training of 32 models, at the options that the search of :mod:`.membership_search` chose for
the method at this ε. Each model is the target once; the attack's scores of all are pooled. The curve that the method's
guarantee permits, from its privacy loss distribution, is kept next to what was measured.
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
from trustlab.course.n12_membership_inference.stacked_training import (
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
from trustlab.course.tuning import chosen
from trustlab.lab.saved import read, remembered
from trustlab.privacy.membership import Permitted, permitted
from trustlab.privacy.membership.reference_models import classification_loss, train_together
from trustlab.privacy.methods import SENSITIVITY
from trustlab.privacy.training_options import noise_schedule

if TYPE_CHECKING:
    import datasets

__all__ = ["CORPORA", "KEY", "Setting", "grid", "recipe", "result_name", "run", "tuned"]
CORPORA = (EMBEDDED,)  # whose tables are committed
KEY = ("method", "epsilon", "size", *OPTIONS)
BASELINES = (baselines.MAJORITY, baselines.TFIDF)
TRAINED_SIZES = SIZES[:2]  # of the committed grid; the largest takes minutes a method
# On more utterances a step of eDP-SGD takes several times as long as one of DP-SGD, so it is trained on the fewest.
SIZES_OF = {"sgd": TRAINED_SIZES, "dp-sgd": TRAINED_SIZES, "edp-sgd": TRAINED_SIZES[:1]}


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
        ``micro_batches``, ``seed``; ``accuracy`` on the test split, mean over the models; ``loss_in``, ``loss_out``,
        the mean loss of members and others; ``epsilon_spent`` and ``noise_multiplier``; of the strongest attack with
        all references ``auc``, ``advantage``, ``tpr_001`` and ``tpr_01`` (at an FPR of 0.001 and 0.01), and
        ``epsilon_shown``, the ε that it proves; ``points_above``, how many points of any attack's curve are above the
        permitted one beyond their intervals; ``permitted``, the largest TPR at each FPR of :data:`FPRS`; ``seconds`` of
        the training and of all attacks; and for each attack and number of references a column with AUC, advantage and
        the TPRs, with all references also the ends of their intervals. What a baseline lacks is NaN or "none".
    """
    check(setting)
    if setting.method in BASELINES:
        yield _answered(setting, corpus)
        return
    own = pool(corpus, setting.size, setting.seed)
    stack = models(own.classes, setting.seed)
    config = recipe(setting)
    *_, last = train_together(stack, classification_loss, own.candidates, own.inside, config)
    started = time.perf_counter()
    allowed = permitted_by(setting)
    found = attacked(own, stack, allowed)
    words, labels = bags(corpus)["test"]
    yield {
        **setting.key(),
        "accuracy": accuracy(stack, words[:TESTED], labels[:TESTED]),
        "loss_in": last["loss_in"],
        "loss_out": last["loss_out"],
        "epsilon_spent": last["epsilon"],
        "noise_multiplier": last["noise_multiplier"],
        **found,
        "permitted": joined(allowed.tpr(np.array(FPRS))),
        "seconds": last["seconds"] + time.perf_counter() - started,
    }


def attacked(own: Pool, stack: Any, allowed: Permitted) -> dict[str, Any]:
    """Return what every attack reaches against the models of a stack."""
    losses, others = (stack.losses(classification_loss, part) for part in (own.candidates, own.population))
    row: dict[str, Any] = {}
    points = 0
    for name, references in combinations():
        scores = pooled_scores(name, references, losses, own.inside, others)
        all_references = references == REFERENCES[-1]
        texts = measured(scores, own.inside, intervals=all_references)
        row |= {f"{column(name, references)}{end}": text for end, text in texts.items()}
        if (name, references) == (STRONGEST, REFERENCES[-1]):
            row["epsilon_shown"] = epsilon_shown(scores, own.inside)
        points += points_above(scores, own.inside, allowed) if all_references else 0
    auc, advantage, *tprs = map(float, row[column(STRONGEST, REFERENCES[-1])].split("|"))
    at = dict(zip(FPRS, tprs, strict=True))
    strongest = {"auc": auc, "advantage": advantage, "tpr_001": at[0.001], "tpr_01": at[0.01]}
    return {**strongest, "points_above": points, **row}


def permitted_by(setting: Training) -> Permitted:
    """Return the curve that the guarantee of a training permits; of SGD everything."""
    config = recipe(setting)
    schedule = tuple(noise_schedule(config, setting.size))
    return _permitted(schedule, config.batch_size / setting.size, SENSITIVITY.get(setting.method, 1.0))


@functools.lru_cache
def _permitted(schedule: tuple[tuple[float, int], ...], sample_rate: float, sensitivity: float) -> Permitted:
    return permitted(schedule, sample_rate=sample_rate, sensitivity=sensitivity)


def _answered(setting: Setting, corpus: datasets.DatasetDict) -> dict[str, Any]:
    """Return the row of a trivial baseline, trained on the utterances of the first model."""
    own = pool(corpus, setting.size, setting.seed)
    rows = own.rows[own.inside[:, 0]].tolist()
    learned = asked_for(corpus)
    known, asked = corpus["train"][rows], corpus["test"][:TESTED]
    texts = [[" ".join(tokens) for tokens in part["tokens"]] for part in (known, asked)]
    said = baselines.CLASSIFIERS[setting.method](texts[0], known[learned], texts[1])
    right = float(np.mean([guess == intent for guess, intent in zip(said, asked[learned], strict=True)]))
    names = ("loss_in", "loss_out", "epsilon_spent", "noise_multiplier", "auc", "advantage", "tpr_001", "tpr_01")
    names += ("epsilon_shown",)
    found: dict[str, Any] = {"accuracy": right, **dict.fromkeys(names, math.nan), "points_above": 0}
    for name, references in combinations():
        ends = ("", "_low", "_high") if references == REFERENCES[-1] else ("",)
        found |= {f"{column(name, references)}{end}": "none" for end in ends}
    nothing = {"permitted": "none", "seconds": math.nan}
    return {**setting.key(), **found, **nothing}


__all__ += ["EPSILONS", "attacked", "permitted_by"]
