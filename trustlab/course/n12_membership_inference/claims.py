"""What Dupuy et al. claim of leakage in practice, and what we add, read off the committed trainings."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from trustlab.course.baselines import MAJORITY
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n12_membership_inference.attacked import ATTACKS, FPRS, MEASURES, REFERENCES, STRONGEST, column
from trustlab.course.n12_membership_inference.experiment import SIZES_OF, TRAINED_SIZES, result_name
from trustlab.course.n12_membership_inference.stacked_training import METHODS
from trustlab.lab.display import per_cent
from trustlab.lab.saved import CORPUS_NAMES, numbers, select
from trustlab.results import Reader, read_results

if TYPE_CHECKING:
    import pandas

WEAKEST, STRONG = 16.0, 0.5  # the largest and the smallest ε
SIZE = TRAINED_SIZES[-1]
LARGEST = {method: sizes[-1] for method, sizes in SIZES_OF.items()}
ATTACKER = f"LiRA online, fixed variance, {REFERENCES[-1]} references"
CHANCE = 0.01  # TPR of guessing at an FPR of 1 %


def claims_of(corpus: str = EMBEDDED, read: Reader = read_results) -> list[dict[str, Any]]:
    """Return the rows for :func:`trustlab.lab.claims.claims`, from the table of `corpus` that `read` finds."""
    table = read(result_name(corpus))[0]
    return [*claims_of_the_paper(table, corpus), *_ours(table, corpus), _below_the_curve(table, corpus)]


def claims_of_the_paper(table: pandas.DataFrame, corpus: str) -> list[dict[str, Any]]:
    """Return what Dupuy et al. claim, of the perceptrons that one table is about.

    Nothing is claimed of a method that understands less than the most frequent label does, even at the largest ε.
    """
    rows = []
    for method in ("dp-sgd", "edp-sgd"):
        size, setup = LARGEST[method], _setup(corpus, LARGEST[method])
        if understood(table, method, WEAKEST, size) > understood(table, MAJORITY, math.inf, size):
            rows += [falls(table, method, setup, size), large_budget(table, method, setup, size)]
    return [*rows, never_above(table, f"all ε and sizes; {CORPUS_NAMES[corpus]}")]


def understood(table: pandas.DataFrame, method: str, epsilon: float, size: int) -> float:
    """Return the mean accuracy of a training, or of a baseline, whose ε is ∞."""
    return float(select(table, method=method, epsilon=epsilon, size=size)["accuracy"].mean())


def measure(table: pandas.DataFrame, name: str, attack: str = STRONGEST, **where: Any) -> np.ndarray:
    """Return a measure of an attack with all references, one number per seed."""
    runs = table
    for field, value in where.items():
        runs = runs[runs[field] == value]
    return numbers(runs.sort_values("seed")[column(attack, REFERENCES[-1])])[:, MEASURES.index(name)]


def _setup(corpus: str, size: int = SIZE) -> str:
    return f"{ATTACKER}; {size} utterances; {CORPUS_NAMES[corpus]}"


def falls(table: pandas.DataFrame, method: str, setup: str, size: int) -> dict[str, Any]:
    """Claim that less is found at the smallest ε than at the largest; with what either understands."""
    weak, strong = (measure(table, "auc", method=method, epsilon=e, size=size) for e in (WEAKEST, STRONG))
    trained = [(method, WEAKEST), (method, STRONG), (MAJORITY, math.inf)]
    right = [per_cent(understood(table, *each, size)) for each in trained]
    return {
        "claim": f"Attack success falls with ε: AUC at ε = {WEAKEST:g} minus ε = {STRONG:g} ({METHODS[method]})",
        "values": list(weak - strong),
        "above": 0,
        "setup": f"{setup}; each tuned for its ε; accuracy {right[0]} and {right[1]}, of the most frequent label "
        f"{right[2]}",
    }


def large_budget(table: pandas.DataFrame, method: str, setup: str, size: int) -> dict[str, Any]:
    """Claim that noise at the largest ε removes more than half of what is found beyond guessing."""
    return {
        "claim": f"Even ε = {WEAKEST:g} removes most of what LiRA finds at 1 % FPR beyond guessing: share removed "
        f"({METHODS[method]})",
        "values": list(removed(table, method, WEAKEST, size)),
        "above": 0.5,
        "setup": f"{setup}; SGD without privacy is 0, guessing 1",
        "unless": "a model that does not overfit: then there is little to remove",
    }


def removed(table: pandas.DataFrame, method: str, epsilon: float, size: int = SIZE) -> np.ndarray:
    """Return which share of the members that SGD lets LiRA find, beyond guessing, is no longer found, by seed."""
    plain = measure(table, "tpr at fpr 0.01", method="sgd", size=size) - CHANCE
    left = measure(table, "tpr at fpr 0.01", method=method, epsilon=epsilon, size=size) - CHANCE
    return 1 - left / plain


def never_above(table: pandas.DataFrame, setup: str) -> dict[str, Any]:
    """Claim that no measured lower bound is above the accountant's ε."""
    held = table[table["method"].isin(("dp-sgd", "edp-sgd")) & np.isfinite(table["epsilon"])]
    above = int((held["epsilon_shown"] > held["epsilon_spent"]).sum())
    return {
        "claim": "The ε that an attack proves is never above the accountant's (95 % bounds of stacks of 32 models)",
        "measured": f"{above} of {len(held)} above",
        "holds": above == 0,
        "setup": f"one-run audit of Steinke et al. 2023 by LiRA online; {setup}",
    }


def points_over(table: pandas.DataFrame, level: float = 0.95) -> tuple[int, int, int]:
    """Return how many mean TPRs there are, how many are above what is permitted, and how many significantly so.

    A mean is over the pools, at one FPR of one attack with all references on one training. It is significantly above
    where Student's one-sided bound over the pools is, at `level` for all means together (Bonferroni). Where a guarantee
    permits little more than guessing, single means are above by chance.
    """
    found = []
    held = table[table["method"].isin(("dp-sgd", "edp-sgd")) & np.isfinite(table["epsilon"])]
    for _, runs in held.groupby(["method", "epsilon", "size"]):
        allowed = numbers(runs["permitted"])
        found += [numbers(runs[column(attack, REFERENCES[-1])])[:, 2:] - allowed for attack in ATTACKS]
    return counted_over(np.concatenate(found, axis=1), level)


def counted_over(over: np.ndarray, level: float = 0.95) -> tuple[int, int, int]:
    """Return how many means there are of `over` [runs, means], how many are above 0, and how many significantly so."""
    runs, means = over.shape
    spread = np.maximum(over.std(0, ddof=1), 1e-12) / math.sqrt(runs)
    bound = over.mean(0) - float(special.stdtrit(runs - 1, 1 - (1 - level) / means)) * spread
    return means, int((over.mean(0) > 0).sum()), int((bound > 0).sum())


def _below_the_curve(table: pandas.DataFrame, corpus: str) -> dict[str, Any]:
    """Claim that no measured TPR is significantly above the curve that ε permits."""
    means, above, clearly = points_over(table)
    return {
        "claim": "(Ours) No mean TPR over the pools is significantly above what ε permits",
        "measured": f"{clearly} of {means} significantly above, {above} by chance",
        "holds": clearly == 0,
        "setup": f"four attacks at nine FPRs, all ε and sizes; one-sided, 95 % together; {CORPUS_NAMES[corpus]}",
    }


def _ours(table: pandas.DataFrame, corpus: str) -> list[dict[str, Any]]:
    """Claim what AUC hides, that more data hide each example, and that noise is what hides members."""
    loss, lira = (
        measure(table, f"tpr at fpr {FPRS[0]:g}", attack, method="sgd", size=SIZE) for attack in ("loss", STRONGEST)
    )
    few, many = (measure(table, "tpr at fpr 0.01", method="sgd", size=size) for size in (TRAINED_SIZES[0], SIZE))
    clipped = removed(table, "dp-sgd", math.inf)
    return [
        {
            "claim": "(Ours) At 0.1 % FPR LiRA finds more than ten times as many members of SGD as the loss threshold "
            "(LiRA minus ten times loss)",
            "values": list(lira - 10 * loss),
            "above": 0,
            "setup": _setup(corpus),
        },
        {
            "claim": f"(Ours) More is found of {TRAINED_SIZES[0]} utterances than of {SIZE} (SGD, TPR at 1 % FPR)",
            "values": list(few - many),
            "above": 0,
            "setup": _setup(corpus).replace(f"{SIZE} utterances; ", ""),
        },
        {
            "claim": "(Ours) It is the noise: clipping alone, DP-SGD at ε = ∞, removes less than half (share removed)",
            "values": list(clipped),
            "below": 0.5,
            "setup": f"{_setup(corpus)}; SGD is 0, guessing 1",
            "unless": "an optimizer that does not undo the gradients' scale, as Adam does",
        },
    ]
