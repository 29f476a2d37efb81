"""What FedNLP claims of label skew, and what we add, read off the committed trainings."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.course.alpha import ALPHAS, DEFINITIONS
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n21_non_iid_partitioning.experiment import (
    CLIENTS,
    PER_ROUND,
    ROUNDS,
    SEARCHED,
    USUAL_RATE,
    result_name,
)
from trustlab.course.n21_non_iid_partitioning.rate_search import RATES
from trustlab.deprecation import old_names
from trustlab.lab.saved import CORPUS_NAMES
from trustlab.results import Reader, read_results

if TYPE_CHECKING:
    import pandas

MUCH, LITTLE = 100.0, 0.1  # the two α compared
SAME_ALPHA, SAME_NUMBER = 0.1, 6.0  # where the definitions are compared with each other: α, and effective labels
MARGIN = 0.05  # of the intents right: what counts as a difference between libraries
UNLESS = "more rounds, or a model at the level of counted words"


def claims_of(corpus: str, read: Reader = read_results) -> list[dict[str, Any]]:
    """Return the rows for :func:`trustlab.lab.claims.claims`, from the table of `corpus` that `read` finds."""
    table = read(result_name(corpus))[0]
    drops = [
        {
            "claim": f"Accuracy falls as α falls (α as in {label}; α = {MUCH:g} minus α = {LITTLE:g})",
            "values": difference(table, scheme),
            "above": 0,
            "unless": UNLESS,
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
    rows = [*drops, *slopes, *(_of_the_rare(table) if corpus == EMBEDDED else ()), *_of_the_libraries(table)]
    return [{**row, "setup": setup(corpus)} for row in rows]


def setup(corpus: str) -> str:
    """Return what the claims were measured with."""
    fleet = f"{PER_ROUND} of {CLIENTS} clients in each of {ROUNDS} rounds"
    rates = f"each fleet's best of {len(RATES.values)} learning rates"
    rates = rates if corpus in SEARCHED else f"one learning rate for all, {USUAL_RATE:g}"
    return f"{CORPUS_NAMES[corpus]}, an embedding bag, {fleet}, {rates}"


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
    return [
        {
            "claim": f"(Ours) At one α = {SAME_ALPHA:g} Flower's fleet reaches more than FedNLP's, by over {MARGIN:g}",
            "values": apart_at_one_alpha(table, "flower"),
            "above": MARGIN,
            "unless": UNLESS,
        },
        *(
            {
                "claim": f"(Ours) … and at {SAME_NUMBER:g} effective labels {DEFINITIONS[scheme]}'s and FedNLP's are "
                f"within {MARGIN:g}",
                "values": apart_at_one_number(table, scheme),
                "within": (-MARGIN, MARGIN),
            }
            for scheme in ("flower", "pfl")
        ),
    ]


def difference(table: pandas.DataFrame, scheme: str, measure: str = "accuracy") -> list[float]:
    """Return `measure` at the larger α minus that at the smaller, one per seed."""
    at = table[table["scheme"] == scheme].pivot(index="seed", columns="alpha", values=measure)
    return list(at[MUCH] - at[LITTLE])


def slope(table: pandas.DataFrame, scheme: str) -> list[float]:
    """Return the least-squares slope of the accuracy over log10 α, one per seed."""
    at = table[table["scheme"] == scheme].pivot(index="alpha", columns="seed", values="accuracy")
    return np.polyfit(np.log10(at.index.to_numpy(dtype=float)), at.to_numpy(), deg=1)[0].tolist()


def apart_at_one_alpha(table: pandas.DataFrame, scheme: str) -> list[float]:
    """Return the accuracy of a definition's fleet minus that of FedNLP's at :data:`SAME_ALPHA`, one per seed."""
    at = table[table["alpha"] == SAME_ALPHA].pivot(index="seed", columns="scheme", values="accuracy")
    return list(at[scheme] - at["fednlp"])


def apart_at_one_number(table: pandas.DataFrame, scheme: str) -> list[float]:
    """Return the same where both fleets have :data:`SAME_NUMBER` effective labels."""
    both = (accuracy_at(table, name, SAME_NUMBER) for name in (scheme, "fednlp"))
    return [own - fednlp for own, fednlp in zip(*both, strict=True)]


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
