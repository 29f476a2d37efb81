"""What the committed trainings of notebook 12 say, as rows: curves, measures over ε, what it costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.course.corpora import EMBEDDED
from trustlab.course.n12_membership_inference import EXPERIMENT
from trustlab.course.n12_membership_inference.attacked import ATTACKS, FPRS, MEASURES, REFERENCES, STRONGEST, column
from trustlab.course.n12_membership_inference.experiment import SIZES_OF
from trustlab.course.n12_membership_inference.membership_search import EPSILONS
from trustlab.course.n12_membership_inference.more_attacks import MORE
from trustlab.course.n12_membership_inference.stacked_training import METHODS
from trustlab.lab.saved import numbers, over_seeds, remembered

if TYPE_CHECKING:
    import pandas

SGD, EXACT, EFFICIENT = METHODS
AT_ONE_IN_A_HUNDRED, AT_ONE_IN_A_THOUSAND = "tpr at fpr 0.01", "tpr at fpr 0.001"
SHARE = (0.0, 1.0)
Row = dict[str, Any]


def methods_at(size: int) -> list[str]:
    """Return the methods that were trained on so many utterances."""
    return [method for method in METHODS if size in SIZES_OF[method]]


def reached(
    measure: str,
    *,
    method: str,
    epsilon: float,
    size: int,
    attack: str = STRONGEST,
    references: int = REFERENCES[-1],
    corpus: str = EMBEDDED,
    table: pandas.DataFrame | None = None,
) -> np.ndarray:
    """Return one of :data:`MEASURES` of one attack on one training, a number per seed."""
    known = EXPERIMENT.table(corpus) if table is None else table
    same = (known["method"] == method) & (known["epsilon"] == epsilon) & (known["size"] == size)
    runs = known[same].sort_values("seed")
    return numbers(runs[column(attack, references)])[:, MEASURES.index(measure)]


@remembered
def over_budgets(corpus: str, measure: str, size: int, attack: str, references: int) -> list[Row]:
    """Return a measure of every method at every ε, with its interval over seeds."""
    return [
        {
            "method": METHODS[method],
            "ε": epsilon,
            **over_seeds(
                reached(
                    measure, method=method, epsilon=epsilon, size=size, attack=attack, references=references,
                    corpus=corpus,
                ),
                "found",
                limits=SHARE,
            ),
        }
        for method in methods_at(size)
        for epsilon in EPSILONS[method]
    ]  # fmt: skip


@remembered
def curves(corpus: str, epsilon: float, size: int, attack: str, references: int) -> dict[str, list[float]]:
    """Return the mean TPR at each of :data:`FPRS`, of SGD and of private methods at `epsilon`; what is permitted."""
    found = {
        METHODS[method]: [
            float(reached(f"tpr at fpr {fpr:g}", method=method, epsilon=at, size=size, attack=attack,
                          references=references, corpus=corpus).mean())
            for fpr in FPRS
        ]
        for method, at in ((SGD, math.inf), (EXACT, epsilon), (EFFICIENT, epsilon))
        if method in methods_at(size)
    }  # fmt: skip
    rows = EXPERIMENT.where(corpus, method=EXACT, epsilon=epsilon, size=size)
    return {**found, "permitted": numbers(rows["permitted"])[0].tolist()}


def auc_and_risk(size: int, corpus: str = EMBEDDED) -> list[Row]:
    """Return, of SGD, what each attack reaches on average and where it hardly errs; six of them."""
    rows = []
    for attack, name in {**ATTACKS, **MORE}.items():
        at = dict(method=SGD, epsilon=math.inf, size=size, attack=attack, corpus=corpus)
        rows.append({
            "attack": name,
            "AUC": float(reached("auc", **at).mean()),
            **over_seeds(reached(AT_ONE_IN_A_THOUSAND, **at), "members found", limits=SHARE),
        })  # fmt: skip
    return rows


def leak_and_use(size: int, corpus: str = EMBEDDED) -> list[Row]:
    """Return accuracy and what the strongest attack finds, of every method at every ε."""
    rows = []
    for method in methods_at(size):
        for epsilon in EPSILONS[method]:
            at = dict(method=method, epsilon=epsilon, size=size)
            rows.append({
                "training": METHODS[method] if method == SGD else f"{METHODS[method]}, ε = {_written(epsilon)}",
                "accuracy": float(EXPERIMENT.by_seed("accuracy", corpus, **at).mean()),
                "members found": float(reached(AT_ONE_IN_A_HUNDRED, corpus=corpus, **at).mean()),
                "AUC": float(reached("auc", corpus=corpus, **at).mean()),
            })  # fmt: skip
    return rows


def by_size(attack: str = STRONGEST, corpus: str = EMBEDDED, sizes: Sequence[int] = ()) -> list[Row]:
    """Return what is found of SGD and of DP-SGD at ε = 8 by training size."""
    known = sizes or sorted(EXPERIMENT.table(corpus)["size"].unique())
    return [
        {
            "training": label,
            "size": int(size),
            **over_seeds(
                reached(AT_ONE_IN_A_HUNDRED, method=method, epsilon=epsilon, size=size, attack=attack, corpus=corpus),
                "members found",
                limits=SHARE,
            ),
        }
        for method, epsilon, label in ((SGD, math.inf, "SGD"), (EXACT, 8.0, "DP-SGD, ε = 8"))
        for size in known
    ]


def trained(table: pandas.DataFrame) -> pandas.DataFrame:
    """Return the rows of a table that are trainings: no baselines."""
    return table[table["method"].isin(METHODS)]


def private(table: pandas.DataFrame) -> pandas.DataFrame:
    """Return the rows of a table that have a guarantee."""
    return table[table["method"].isin((EXACT, EFFICIENT)) & np.isfinite(table["epsilon"])]


def _written(epsilon: float) -> str:
    return "∞" if math.isinf(epsilon) else f"{epsilon:g}"
