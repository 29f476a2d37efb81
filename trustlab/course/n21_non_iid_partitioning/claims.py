"""What FedNLP claims of label skew, and what we add, read off the committed trainings."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.course.alpha import ALPHAS, DEFINITIONS
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n21_non_iid_partitioning.experiment import result_name
from trustlab.deprecation import old_names
from trustlab.results import Reader, read_results

if TYPE_CHECKING:
    import pandas

MUCH, LITTLE = 100.0, 0.1  # the two α compared
SAME_ALPHA, SAME_NUMBER = 0.1, 6.0  # where the definitions are compared with each other: α, and effective labels


def claims_of(corpus: str, read: Reader = read_results) -> list[dict[str, Any]]:
    """Return the rows for :func:`trustlab.lab.teaching.claims`, from the table of `corpus` that `read` finds."""
    table = read(result_name(corpus))[0]
    drops = [
        {
            "claim": f"Accuracy falls as α falls (α as in {label}; α = {MUCH:g} minus α = {LITTLE:g})",
            "values": difference(table, scheme),
            "above": 0,
        }
        for scheme, label in DEFINITIONS.items()
    ]
    slopes = [
        {
            "claim": f"… on the whole range: accuracy per tenfold α ({label})",
            "values": slope(table, scheme),
            "above": 0,
        }
        for scheme, label in DEFINITIONS.items()
    ]
    return [*drops, *slopes, *(_of_the_rare(table) if corpus == EMBEDDED else ()), *_of_the_libraries(table)]


def _of_the_rare(table: pandas.DataFrame) -> list[dict[str, Any]]:
    """Claim that skew costs rare intents more; on CLINC150 all are equally frequent."""
    rare, every = (difference(table, "fednlp", measure) for measure in ("accuracy_rare", "accuracy"))
    return [
        {
            "claim": "(Ours) Rare intents lose more than the average (FedNLP, the same two α, drop minus drop)",
            "values": [more - less for more, less in zip(rare, every, strict=True)],
            "above": 0,
        }
    ]


def _of_the_libraries(table: pandas.DataFrame) -> list[dict[str, Any]]:
    """Claim that not α counts, but what it makes of the fleet."""
    at_alpha = spread_at_one_alpha(table)
    return [
        {
            "claim": f"(Ours) The libraries' accuracies at one α = {SAME_ALPHA:g} differ by more than 0.05",
            "values": at_alpha,
            "above": 0.05,
        },
        {
            "claim": f"(Ours) … and at {SAME_NUMBER:g} effective labels by less than half of that",
            "values": spread_at_one_number(table),
            "below": float(np.mean(at_alpha)) / 2,
        },
    ]


def difference(table: pandas.DataFrame, scheme: str, measure: str = "accuracy") -> list[float]:
    """Return `measure` at the larger α minus that at the smaller, one per seed."""
    at = table[table["scheme"] == scheme].pivot(index="seed", columns="alpha", values=measure)
    return list(at[MUCH] - at[LITTLE])


def slope(table: pandas.DataFrame, scheme: str) -> list[float]:
    """Return the least-squares slope of the accuracy over log10 α, one per seed."""
    at = table[table["scheme"] == scheme].pivot(index="alpha", columns="seed", values="accuracy")
    return np.polyfit(np.log10(at.index.to_numpy(dtype=float)), at.to_numpy(), deg=1)[0].tolist()


def spread_at_one_alpha(table: pandas.DataFrame) -> list[float]:
    """Return the largest accuracy minus the smallest, of all definitions at :data:`SAME_ALPHA`, one per seed."""
    at = table[table["scheme"].isin(DEFINITIONS) & (table["alpha"] == SAME_ALPHA)]
    by_seed = at.groupby("seed")["accuracy"]
    return list(by_seed.max() - by_seed.min())


def spread_at_one_number(table: pandas.DataFrame) -> list[float]:
    """Return the same where every definition's fleet has :data:`SAME_NUMBER` effective labels."""
    found = np.array([accuracy_at(table, scheme, SAME_NUMBER) for scheme in DEFINITIONS])
    return list(found.max(axis=0) - found.min(axis=0))


def accuracy_at(table: pandas.DataFrame, scheme: str, number: float) -> list[float]:
    """Return the accuracy where a fleet would have `number` effective labels, one per seed.

    Read between neighbouring α, linearly in the logarithm of the effective number; NaN outside what was trained.
    """
    found = []
    for _, runs in table[(table["scheme"] == scheme) & table["alpha"].isin(ALPHAS)].groupby("seed"):
        ordered = runs.sort_values("effective_labels")
        at = np.log(ordered["effective_labels"])
        found.append(float(np.interp(math.log(number), at, ordered["accuracy"], left=math.nan, right=math.nan)))
    return found


__getattr__ = old_names(__name__, {"claims_of_p6a": "claims_of"})
