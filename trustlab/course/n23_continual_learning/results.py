"""What notebook 23 reads off the committed trainings over time: the curves of its panel, the rows of its findings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.course.n23_continual_learning import EXPERIMENT, PLAYS, TUNING, plays
from trustlab.course.n23_continual_learning.experiment import (
    BASELINES,
    BUDGETS,
    DRIFTS,
    EMBEDDED,
    PERIODS,
    ROUNDS,
    candidates,
)
from trustlab.course.n23_continual_learning.table import MEASURED, catch_ups, chosen, curves, kept_and_true, matrices
from trustlab.course.sensitivity import by_client_rate
from trustlab.intervals import mean_interval
from trustlab.lab.display import number
from trustlab.lab.saved import curve, numbers, over_seeds, per_cent, select

if TYPE_CHECKING:
    import pandas

Row = dict[str, Any]
AT_ONCE, OVER_TIME = "all at once", "over time"
UNIFORM, ACTIVE = "uniform", "by activity"
CLOSE = 0.95  # of the static reference's last accuracy: reaching it counts as caught up
SELECTIONS = {0.0: UNIFORM, 1.0: ACTIVE}
MEASURED_ON = {
    "accuracy": "all requests",
    "accuracy_device": "mean device",
    "accuracy_light": "light devices",
    "now": "on the way",
}
saved = EXPERIMENT.saved  # the committed table, a row per training, and its provenance


def rounds_of(runs: pandas.DataFrame, series: str) -> list[Row]:
    """Return the accuracy over the rounds: a row per measured round, mean and 95 % interval over seeds."""
    return [{"selection": series, **row} for row in curve(runs["curve"], MEASURED)]


def curves_of(table: pandas.DataFrame, drift: float, replay: int, weighting: str, beta: float) -> list[Row]:
    """Return what the panel draws: every selection over time, and on all data at once the chosen one."""
    same = {"drift": drift, "weighting": weighting}
    rows = []
    for each, label in SELECTIONS.items():
        rows += rounds_of(chosen(table, **same, replay=replay, beta=each), label)
    return rows + rounds_of(chosen(table, **same, setting="static", beta=beta), AT_ONCE)


def in_words(rounds: Sequence[int | None]) -> str:
    """Say when several seeds caught up.

    Examples
    --------
    >>> in_words([None, None]), in_words([30, None, 34]), in_words([30, 34])
    ('never', 'in round 32 (2 of 3 seeds)', 'in round 32')
    """
    reached = [round for round in rounds if round is not None]
    if not reached:
        return "never"
    part = "" if len(reached) == len(rounds) else f" ({len(reached)} of {len(rounds)} seeds)"
    return f"in round {number(float(np.median(reached)))}{part}"


# Findings


def gap_rows(corpus: str = EMBEDDED) -> list[Row]:
    """Return what uniform selection and selection by activity reach in both settings: a row per drift and setting."""
    table, _ = saved(corpus)
    rows = []
    for drift in DRIFTS:
        for setting, label in {"static": AT_ONCE, "continual": OVER_TIME}.items():
            row = {"data": f"drift {drift:g}, {label}"}
            rows.append(row | _moved(*(chosen(table, setting=setting, drift=drift, beta=beta) for beta in (0.0, 1.0))))
    return rows


def trivial(drift: float, corpus: str = EMBEDDED) -> dict[str, float]:
    """Return what the trivial baselines reach, all data given at once; mean over seeds."""
    table, _ = saved(corpus)
    return {name: float(select(table, setting=name, drift=drift)["accuracy"].mean()) for name in BASELINES}


def _moved(uniform: pandas.DataFrame, active: pandas.DataFrame, rounds: int = ROUNDS) -> Row:
    """Return the mean accuracy of both selections, the gain in points with its interval, and their work."""
    gains = active["accuracy"].to_numpy() - uniform["accuracy"].to_numpy()
    return {
        UNIFORM: uniform["accuracy"].mean(),
        ACTIVE: active["accuracy"].mean(),
        "gain in points": points(gains),
        "examples per round": " and ".join(f"{runs['examples'].mean() / rounds:.0f}" for runs in (uniform, active)),
    }


def sensitivity_rows(drift: float, corpus: str = EMBEDDED) -> list[Row]:
    """Return the search's accuracies over the client's rate, weighted by examples: a row per setting, β and rate."""
    search, rows = TUNING.table(corpus), []
    may = candidates(corpus)
    for setting, label in {"static": AT_ONCE, "continual": OVER_TIME}.items():
        for beta, words in SELECTIONS.items():
            method = dict(setting=setting, drift=drift, beta=beta, weighting="examples")
            found = by_client_rate(select(search, **method), select(may, **method))
            rows += [{"data": label, "drawn": words, **row} for row in found]
    return rows


def plays_rows() -> list[Row]:
    """Return what both selections reach on Shakespeare's plays: a row for each setting."""
    rows = []
    for setting, label in {"static": AT_ONCE, "continual": OVER_TIME}.items():
        both = [PLAYS.where(plays.CORPUS, setting=setting, beta=beta) for beta in plays.BETAS]
        row = {"plays": label, **_moved(*both, rounds=plays.ROUNDS)}
        rows.append(row | {"points forgotten": None if setting == "static" else points(both[1]["forgetting"])})
    return rows


def catch_up_rows(corpus: str = EMBEDDED) -> list[Row]:
    """Return the final accuracy over time and of the static reference, and when the first reached 95 % of the other.

    A row per drift and selection, with the smallest and the largest replay budget.
    """
    table, _ = saved(corpus)
    rows = []
    for drift in DRIFTS:
        for beta in (0.0, 1.0):
            reference = chosen(table, setting="static", drift=drift, beta=beta)
            for replay in (min(BUDGETS), max(BUDGETS)):
                runs = chosen(table, drift=drift, beta=beta, replay=replay)
                row = {"training": f"drift {drift:g}, {SELECTIONS[beta]}, {kept(replay)}"}
                row |= {OVER_TIME: runs["accuracy"].mean(), AT_ONCE: reference["accuracy"].mean()}
                rows.append({**row, "reaches 95 % of it": in_words(catch_ups(runs, reference, CLOSE))})
    return rows


def harm_rows(drift: float, corpus: str = EMBEDDED) -> list[Row]:
    """Return what both selections give to all, to the mean device, to light ones, and to users on the way.

    *On the way* is the mean over all measured rounds of the accuracy on the requests of the period that it then was.
    """
    table, _ = saved(corpus)
    rows = []
    for weighting, words in {"examples": "by examples", "equal": "equally"}.items():
        found = {
            label: chosen(table, drift=drift, beta=beta, weighting=weighting)
            for label, beta in {UNIFORM: 0.0, ACTIVE: 1.0}.items()
        }
        for name, label in MEASURED_ON.items():
            shares = {
                way: numbers(runs["now"]).mean(axis=1) if name == "now" else runs[name] for way, runs in found.items()
            }
            row = {"measured on": f"{label}, weighted {words}"}
            row |= {way: float(np.mean(values)) for way, values in shares.items()}
            rows.append(row | {f"{way}, %": per_cent(values) for way, values in shares.items()})
    return rows


def unseen_rows(corpus: str = EMBEDDED) -> list[Row]:
    """Return what is known without old data, against the truth, by activity: a row per drift and replay budget.

    *Kept* is the mean over periods of what each measured at its own end, R(t, t): all that sums of metrics reveal.
    *True* is the last model's on the same data, R(T, t), for which they would have to be there still.
    """
    table, _ = saved(corpus)
    rows = []
    for drift in (min(DRIFTS), max(DRIFTS)):
        for replay in BUDGETS:
            known, true = kept_and_true(chosen(table, drift=drift, beta=1.0, replay=replay))
            row = {"training": f"drift {drift:g}, {kept(replay)}", "kept sums": known.mean(), "true": true.mean()}
            rows.append({**row, "kept − true, in points": points(known - true)})
    return rows


def labelled_rows(corpus: str = EMBEDDED) -> list[Row]:
    """Return what devices reach with labels from feedback: a row per drift, selection and source of labels.

    *First period only* is the model that the feedback starts from, at the end of period 1.
    """
    table, _ = saved(corpus)
    first = MEASURED.index(ROUNDS // PERIODS)
    rows = []
    for drift in DRIFTS:
        for beta in (0.0, 1.0):
            true, told = (chosen(table, drift=drift, beta=beta, labels=labels) for labels in ("true", "feedback"))
            found = {"first period only": curves(true)[:, first], "feedback": told["accuracy"]}
            for labels, values in {**found, "true labels": true["accuracy"]}.items():
                row = {"training": f"drift {drift:g}, {SELECTIONS[beta]}", "labels": labels}
                rows.append(row | over_seeds(values, limits=(0.0, 1.0)))
    return rows


def forgotten_rows(drift: float, measure: Callable[[np.ndarray], np.ndarray], corpus: str = EMBEDDED) -> list[Row]:
    """Return what is forgotten of each period but the last, by activity: a row per period and replay budget.

    Parameters
    ----------
    drift
        Of the trainings.
    measure
        From a forgetting matrix [T, T] to what is forgotten of each period, [T − 1]; the reader's, or the package's.
    """
    table, _ = saved(corpus)
    rows = []
    for replay in BUDGETS:
        found = [measure(matrix) for matrix in matrices(chosen(table, drift=drift, beta=1.0, replay=replay))]
        for period, values in enumerate(np.array(found).T, start=1):
            rows.append({"period": f"period {period}", "replay": kept(replay), **over_seeds(values, "forgotten")})
    return rows


def kept(replay: int) -> str:
    """Say how much each device keeps.

    Examples
    --------
    >>> kept(0), kept(20)
    ('nothing kept', '20 kept')
    """
    return f"{replay} kept" if replay else "nothing kept"


def points(differences: Sequence[float] | np.ndarray) -> str:
    """Write the mean of differences and its 95 % interval in whole percentage points.

    Examples
    --------
    >>> points([0.1, 0.12, 0.08]), points([-0.01, 0.01, 0.0])
    ('+10 (+5 to +15)', '+0 (−2 to +2)')
    """
    mean, low, high, _ = (100 * part for part in mean_interval(list(differences)))
    return f"{mean:+.0f} ({low:+.0f} to {high:+.0f})".replace("-", "−").replace("−0 ", "+0 ")
