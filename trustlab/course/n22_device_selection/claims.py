"""What Dupuy et al. claim of selection by activity, and what we add, read off the committed trainings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.course.corpora import EMBEDDED
from trustlab.course.n22_device_selection import harm as activity_harm
from trustlab.course.n22_device_selection.experiment import COHORTS, FIRST_RATES, WAYS, result_name, search_name
from trustlab.course.n22_device_selection.fleets import AS_IT_IS, FLEETS
from trustlab.course.sensitivity import RATES
from trustlab.deprecation import old_names
from trustlab.lab.saved import numbers
from trustlab.results import Reader, read_results

if TYPE_CHECKING:
    import pandas

UNIFORM, PROPORTIONAL = "β = 0", "β = 1"


def claims_of(corpus: str = EMBEDDED, read: Reader = read_results) -> list[dict[str, Any]]:
    """Return the rows for :func:`trustlab.lab.claims.claims`, from the tables of the embedded corpus that `read` finds.

    The real fleets are trained at one rate for all selections: nothing is claimed of them.
    """
    if corpus != EMBEDDED:
        return []
    table = read(result_name(corpus))[0]
    search = read(search_name(corpus))[0]
    gains = [
        {
            "claim": f"β = 1 beats uniform selection at equal rounds (fleet {fleet}, weights {way})",
            "values": gain(table, fleet=fleet, aggregation=way),
            "above": 0,
            "setup": _setup(_trainings(table, fleet, way)),
            "unless": f"one rate for both: at {FIRST_RATES[corpus]:g} the search has "
            f"{_signed(gain_untuned(search, fleet, way))}",
        }
        for fleet in FLEETS
        for way in WAYS
    ]
    ours = [*_what_one_rate_adds(table, search), *_with_the_skew(table), *_what_it_costs(table)]
    return [*gains, *ours, *claims_of_harm(read=read)]


def _setup(runs: pandas.DataFrame) -> str:
    """Say at which rates both selections were trained."""
    rates = []
    for selection, words in {UNIFORM: "uniform", PROPORTIONAL: "β = 1"}.items():
        client, server = runs[runs["selection"] == selection][[*RATES]].iloc[0]
        rates.append(f"{words}: client {client:g}, server {server:g}")
    return f"embedded corpus, rates tuned for each ({'; '.join(rates)})"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _what_one_rate_adds(table: pandas.DataFrame, search: pandas.DataFrame) -> list[dict[str, Any]]:
    """Claim that most of what one rate for both showed was the rate."""
    rows = []
    for way in WAYS:
        seemed = gain_untuned(search, AS_IT_IS, way)
        rows.append({
            "claim": f"(Ours) Less than half is left of the {_signed(seemed)} of one rate for both (weights {way})",
            "values": gain(table, aggregation=way),
            "below": seemed / 2,
            "setup": _setup(_trainings(table, AS_IT_IS, way)),
        })  # fmt: skip
    return rows


def _with_the_skew(table: pandas.DataFrame) -> list[dict[str, Any]]:
    """Claim that selection by activity matters more where activity is more unequal."""
    steep, mild = (gain(table, fleet=fleet) for fleet in ("steep", "mild"))
    return [
        {
            "claim": "(Ours) The gain is larger on the steep fleet than on the mild one (gain minus gain)",
            "values": [more - less for more, less in zip(steep, mild, strict=True)],
            "above": 0,
            "setup": "embedded corpus, weights examples, each at its tuned rates",
        }
    ]


def _what_it_costs(table: pandas.DataFrame) -> list[dict[str, Any]]:
    """Claim that light devices gain too, but less, and that the gain stays at equal work."""
    light, pooled = gain(table, "accuracy_light"), gain(table)
    usual = _setup(_trainings(table, AS_IT_IS, "examples"))
    return [
        {
            "claim": "(Ours) Light devices gain as well (fleet as it is, weights examples)",
            "values": light,
            "above": 0,
            "setup": usual,
        },
        {
            "claim": "(Ours) Light devices gain less than the pooled accuracy shows (gain minus gain)",
            "values": [all_of_them - own for all_of_them, own in zip(pooled, light, strict=True)],
            "above": 0,
            "setup": usual,
        },
        {
            "claim": "(Ours) At equal numbers of examples trained on, β = 1 still beats uniform selection",
            "values": gain_at_equal_work(table),
            "above": 0,
            "setup": usual,
            "unless": "rates tuned for as many examples instead of as many rounds",
        },
    ]


def claims_of_harm(corpus: str = EMBEDDED, read: Reader = read_results) -> list[dict[str, Any]]:
    """Claim that inactive users lose accuracy where they have other intents."""
    table = read(activity_harm.result_name(corpus))[0]

    def at(aggregation: str) -> pandas.DataFrame:
        return table[table["aggregation"] == aggregation]

    def lost(aggregation: str) -> list[float]:
        few = at(aggregation).pivot(index="seed", columns="selection", values="accuracy_few")
        return list(few[PROPORTIONAL] - few[UNIFORM])

    return [
        {
            "claim": f"(Ours) Inactive travellers lose by β = 1, weights {way} (accuracy at β = 1 minus β = 0)",
            "values": lost(way),
            "below": 0,
            "setup": f"100 rounds, {_setup(at(way))}",
            "unless": "travellers among the heavy devices, or rates chosen by the travellers' accuracy",
        }
        for way in WAYS
    ]


def gain_untuned(search: pandas.DataFrame, fleet: str, aggregation: str) -> float:
    """Return what β = 1 gains where both have the one rate that was once used for all, mean over the search's seeds."""
    same = (search["fleet"] == fleet) & (search["aggregation"] == aggregation)
    first = (search["learning_rate"] == FIRST_RATES[EMBEDDED]) & (search["server_rate"] == 1)
    scores = search[same & first].groupby("selection")["score"].mean()
    return float(scores[PROPORTIONAL] - scores[UNIFORM])


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
