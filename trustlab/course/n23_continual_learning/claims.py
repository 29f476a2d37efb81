"""What Dupuy et al. claim of continual training, and what we add, read off the committed trainings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.course.corpora import EMBEDDED
from trustlab.course.n23_continual_learning.experiment import (
    BUDGETS,
    DRIFTS,
    PERIODS,
    ROUNDS,
    result_name,
    search_name,
)
from trustlab.course.n23_continual_learning.table import MEASURED, chosen, curves, kept_and_true
from trustlab.course.sensitivity import RATES
from trustlab.deprecation import old_names
from trustlab.intervals import Interval, mean_interval
from trustlab.results import Reader, read_results

if TYPE_CHECKING:
    import pandas

UNIFORM, ACTIVE = 0.0, 1.0
NEAR = 0.02  # this close to all data at once is caught up
SHARE = 0.95  # … or this share of its accuracy
FIRST_RATE = 4.0  # one for all, before each had its own
TUNED = "embedded corpus, rates tuned for each"
SAME = "embedded corpus, both at the rates tuned with nothing kept and true labels"
MILD, STRONG = DRIFTS[1], DRIFTS[-1]


def claims_of(corpus: str = EMBEDDED, read: Reader = read_results) -> list[dict[str, Any]]:
    """Return the rows for :func:`trustlab.lab.claims.claims`, from the table of `corpus` that `read` finds."""
    table, search = (read(name)[0] for name in (result_name(corpus), search_name(corpus)))
    rows = []
    for drift in DRIFTS:
        about = {"setup": f"embedded corpus, 60 rounds, rates tuned for each ({_rates(table, drift)})"}
        widening, share = untuned(search, drift)
        rows += [
            {
                "claim": f"The gain by activity is larger over time than on all data at once (drift {drift:g})",
                "values": gain(table, drift) - gain(table, drift, setting="static"),
                "above": 0,
                **about,
                "unless": f"one rate for all: at {FIRST_RATE:g} the search has {widening:+.2f}".replace("-", "−"),
            },
            {
                "claim": f"… and with it training over time ends within {NEAR:g} of all data at once (drift {drift:g})",
                "values": behind(table, drift),
                "below": NEAR,
                **about,
            },
            {
                "claim": f"… or with at least {SHARE:.0%} of its accuracy (drift {drift:g})".replace("%", " %"),
                "values": share_reached(table, drift),
                "above": SHARE,
                **about,
                "unless": f"one rate for all: at {FIRST_RATE:g} the search has {share:.2f}",
            },
        ]
    return [*rows, *_of_the_gain(table), *_of_the_past(table), *_of_the_labels(table)]


def _rates(table: pandas.DataFrame, drift: float) -> str:
    """Say at which rates the four trainings were made that a widening compares."""
    said = []
    for setting, where in {"static": "at once", "continual": "over time"}.items():
        for beta, words in {UNIFORM: "uniform", ACTIVE: "by activity"}.items():
            client, server = chosen(table, setting=setting, drift=drift, beta=beta)[[*RATES]].iloc[0]
            said.append(f"{where}, {words}: {client:g} and {server:g}")
    return "; ".join(said)


def untuned(search: pandas.DataFrame, drift: float) -> tuple[float, float]:
    """Return the widening, and the share reached over time, where all have the one rate that was once used for all."""
    same = (search["drift"] == drift) & (search["weighting"] == "examples")
    first = (search["learning_rate"] == FIRST_RATE) & (search["server_rate"] == 1)
    at = search[same & first].groupby(["setting", "beta"])["score"].mean()
    static, over_time = (at[setting, ACTIVE] - at[setting, UNIFORM] for setting in ("static", "continual"))
    return float(over_time - static), float(at["continual", ACTIVE] / at["static", ACTIVE])


def _of_the_gain(table: pandas.DataFrame) -> list[dict[str, Any]]:
    """Claim where the gain comes from, and which users have it."""
    drift = MILD
    stopped = f"{TUNED}, those of 60 rounds also where it is stopped"
    return [
        {
            "claim": "(Ours) The gain by activity selection over time is also larger than on all data at once, stopped "
            f"after as many examples (round {ROUNDS // PERIODS}, drift {drift:g})",
            "values": gain(table, drift) - gain(table, drift, setting="static", round=ROUNDS // PERIODS),
            "above": 0,
            "setup": stopped,
        },
        {
            "claim": f"(Ours) Light devices gain by activity selection too (over time, drift {drift:g})",
            "values": gain(table, drift, measure="accuracy_light"),
            "above": 0,
            "setup": TUNED,
        },
        {
            "claim": "(Ours) On all data at once, activity selection is ahead after as many examples as well, not only "
            f"after as many rounds (drift {drift:g})",
            "values": gain_per_example(table, drift),
            "above": 0,
            "setup": stopped,
        },
    ]


def _of_the_past(table: pandas.DataFrame) -> list[dict[str, Any]]:
    """Claim what is left of the past, and what can be known of it."""
    none, most = (chosen(table, drift=STRONG, beta=ACTIVE, replay=replay) for replay in (BUDGETS[0], BUDGETS[-1]))
    kept, true = kept_and_true(none)
    return [
        {
            "claim": f"(Ours) {BUDGETS[-1]} kept utterances per device reduce forgetting (drift {STRONG:g})",
            "values": none["forgetting"].to_numpy() - most["forgetting"].to_numpy(),
            "above": 0,
            "setup": f"by activity, {SAME}",
        },
        {
            "claim": f"(Ours) Scores measured at the end of each period overstate the last model (drift {STRONG:g})",
            "measured": _to_four_places(kept - true),
            "above": 0,
            "setup": f"by activity, {TUNED}",
        },
    ]


def _to_four_places(values: np.ndarray) -> Interval:
    """Return the interval over seeds as finely as the table writes accuracies: more digits of an end mean nothing."""
    mean, low, high, n = mean_interval(list(values))
    return Interval(round(mean, 4), round(low, 4), round(high, 4), n)


def _of_the_labels(table: pandas.DataFrame) -> list[dict[str, Any]]:
    """Claim that reactions alone teach something, and what true labels would be worth."""
    true, told = (chosen(table, drift=MILD, beta=ACTIVE, labels=labels) for labels in ("true", "feedback"))
    first = curves(true)[:, MEASURED.index(ROUNDS // PERIODS)]
    return [
        {
            "claim": f"(Ours) Labels from feedback improve on the first period's model (drift {MILD:g})",
            "values": told["accuracy"].to_numpy() - first,
            "above": 0,
            "setup": f"by activity, {SAME}",
        },
        {
            "claim": "(Ours) … and true labels would improve it further",
            "values": true["accuracy"].to_numpy() - told["accuracy"].to_numpy(),
            "above": 0,
            "setup": f"by activity, {SAME}",
        },
    ]


def gain(
    table: pandas.DataFrame, drift: float, *, setting: str = "continual", measure: str = "accuracy", round: int = ROUNDS
) -> np.ndarray:
    """Return what activity selection has more than uniform selection, one per seed.

    At the end it is of `measure`; after another `round`, which must be a measured one, of the accuracy.
    """
    found = []
    for beta in (ACTIVE, UNIFORM):
        runs = chosen(table, setting=setting, drift=drift, beta=beta)
        at_the_end = round == ROUNDS
        found.append(runs[measure].to_numpy() if at_the_end else curves(runs)[:, MEASURED.index(round)])
    return found[0] - found[1]


def behind(table: pandas.DataFrame, drift: float) -> np.ndarray:
    """Return how far activity selection over time ends below activity selection on all data at once, one per seed."""
    static, over_time = (
        chosen(table, setting=setting, drift=drift, beta=ACTIVE)["accuracy"].to_numpy()
        for setting in ("static", "continual")
    )
    return static - over_time


def share_reached(table: pandas.DataFrame, drift: float) -> np.ndarray:
    """Return the share of the accuracy on all data at once that is reached over time, by activity, one per seed."""
    static, over_time = (
        chosen(table, setting=setting, drift=drift, beta=ACTIVE)["accuracy"].to_numpy()
        for setting in ("static", "continual")
    )
    return over_time / static


def gain_per_example(table: pandas.DataFrame, drift: float) -> np.ndarray:
    """Return the gain on all data at once when both selections have seen as many examples, one per seed.

    Activity selection sees more of them in a round. Its accuracy is read off its curve, between measured rounds, where
    it had seen as many as uniform selection in all rounds, every round counted equally.
    """
    active, uniform = (chosen(table, setting="static", drift=drift, beta=beta) for beta in (ACTIVE, UNIFORM))
    rounds = ROUNDS * uniform["examples"].to_numpy() / active["examples"].to_numpy()
    reached = [np.interp(at, MEASURED, curve) for at, curve in zip(rounds, curves(active), strict=True)]
    return np.array(reached) - uniform["accuracy"].to_numpy()


__getattr__ = old_names(__name__, {"claims_of_p5b": "claims_of"})
