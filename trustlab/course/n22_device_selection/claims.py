"""What Dupuy et al. claim of selection by activity, and what we add, read off the committed trainings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.course.corpora import EMBEDDED
from trustlab.course.n22_device_selection import harm as activity_harm
from trustlab.course.n22_device_selection.experiment import COHORTS, result_name
from trustlab.course.n22_device_selection.fleets import AS_IT_IS, FLEETS
from trustlab.deprecation import old_names
from trustlab.lab.saved import numbers
from trustlab.results import Reader, read_results

if TYPE_CHECKING:
    import pandas

UNIFORM, PROPORTIONAL = "β = 0", "β = 1"


def claims_of(corpus: str, read: Reader = read_results) -> list[dict[str, Any]]:
    """Return the rows for :func:`trustlab.lab.teaching.claims`, from the table of `corpus` that `read` finds."""
    table = read(result_name(corpus))[0]
    fleets = tuple(FLEETS) if corpus == EMBEDDED else (AS_IT_IS,)
    gains = [
        {
            "claim": f"β = 1 beats uniform selection at equal rounds ({_fleet(corpus, fleet)}weights {way})",
            "values": gain(table, fleet=fleet, aggregation=way),
            "above": 0,
        }
        for fleet in fleets
        for way in ("examples", "equal")
    ]
    if corpus != EMBEDDED:
        return [*gains, *_what_it_costs(table)]
    return [*gains, *_with_the_skew(table), *_what_it_costs(table), *claims_of_harm(read=read)]


def _fleet(corpus: str, fleet: str) -> str:
    return f"fleet {fleet}, " if corpus == EMBEDDED else ""


def _with_the_skew(table: pandas.DataFrame) -> list[dict[str, Any]]:
    """Claim that selection by activity matters more where activity is more unequal."""
    steep, mild = (gain(table, fleet=fleet) for fleet in ("steep", "mild"))
    return [
        {
            "claim": "(Ours) The gain is larger on the steep fleet than on the mild one (gain minus gain)",
            "values": [more - less for more, less in zip(steep, mild, strict=True)],
            "above": 0,
        }
    ]


def _what_it_costs(table: pandas.DataFrame) -> list[dict[str, Any]]:
    """Claim that light devices gain too, but less, and that the gain stays at equal work."""
    light, pooled = gain(table, "accuracy_light"), gain(table)
    return [
        {
            "claim": "(Ours) Light devices gain as well",
            "values": light,
            "above": 0,
        },
        {
            "claim": "(Ours) Light devices gain less than the pooled accuracy shows (gain minus gain)",
            "values": [all_of_them - own for all_of_them, own in zip(pooled, light, strict=True)],
            "above": 0,
        },
        {
            "claim": "(Ours) At equal numbers of examples trained on, β = 1 still beats uniform selection",
            "values": gain_at_equal_work(table),
            "above": 0,
        },
    ]


def claims_of_harm(corpus: str = EMBEDDED, read: Reader = read_results) -> list[dict[str, Any]]:
    """Claim that inactive users lose accuracy where they have other intents."""
    table = read(activity_harm.result_name(corpus))[0]

    def lost(aggregation: str) -> list[float]:
        at = table[table["aggregation"] == aggregation].pivot(index="seed", columns="selection", values="accuracy_few")
        return list(at[PROPORTIONAL] - at[UNIFORM])

    return [
        {
            "claim": f"(Ours) Inactive travellers lose by β = 1, weights {way} (accuracy at β = 1 minus β = 0)",
            "values": lost(way),
            "below": 0,
        }
        for way in ("examples", "equal")
    ]


def gain(
    table: pandas.DataFrame, measure: str = "accuracy", *, fleet: str = AS_IT_IS, aggregation: str = "examples"
) -> list[float]:
    """Return `measure` at β = 1 minus that at β = 0 after the same rounds, one per seed, with the largest cohort."""
    at = _trainings(table, fleet, aggregation).pivot(index="seed", columns="selection", values=measure)
    return list(at[PROPORTIONAL] - at[UNIFORM])


def gain_at_equal_work(table: pandas.DataFrame, *, fleet: str = AS_IT_IS, aggregation: str = "examples") -> list[float]:
    """Return the accuracy at β = 1 when it has trained on as many examples as β = 0 has in all, minus that; by seed.

    Read between neighbouring measurements, linearly in the number of examples.
    """
    gained = []
    for _, runs in _trainings(table, fleet, aggregation).groupby("seed"):
        uniform, active = (runs[runs["selection"] == way].iloc[0] for way in (UNIFORM, PROPORTIONAL))
        gained.append(accuracy_at(active, float(uniform["examples"])) - float(numbers([uniform["curve"]])[0, -1]))
    return gained


def accuracy_at(training: pandas.Series, examples: float) -> float:
    """Return the accuracy of one training when it had trained on so many examples.

    Raises
    ------
    ValueError
        If its first measurement came later.
    """
    measured, accuracies = numbers([training["curve_examples"], training["curve"]])
    if examples < measured[0]:
        raise ValueError(
            f"Expected a measurement at {examples:g} examples or before, got the first at {measured[0]:g}. What was "
            "learned by then is not known: measure after fewer rounds."
        )
    return float(np.interp(examples, measured, accuracies))


def _trainings(table: pandas.DataFrame, fleet: str, aggregation: str) -> pandas.DataFrame:
    largest = max(COHORTS[table["corpus"].iloc[0]])
    same = (table["fleet"] == fleet) & (table["aggregation"] == aggregation) & (table["cohort"] == largest)
    return table[same]


__getattr__ = old_names(__name__, {"claims_of_p5a": "claims_of"})
