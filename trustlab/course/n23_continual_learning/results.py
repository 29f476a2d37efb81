"""What notebook 23 reads off the committed trainings over time: the curves of its panel, the tables of its text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.course.n23_continual_learning import EXPERIMENT, PLAYS, plays
from trustlab.course.n23_continual_learning.experiment import (
    BETAS,
    BUDGETS,
    DRIFTS,
    EMBEDDED,
    PERIODS,
    ROUNDS,
)
from trustlab.course.n23_continual_learning.table import MEASURED, catch_ups, chosen, curves, kept_and_true
from trustlab.intervals import mean_interval
from trustlab.lab.display import number
from trustlab.lab.saved import curve, numbers, per_cent

if TYPE_CHECKING:
    import pandas

Row = dict[str, Any]
AT_ONCE = "all at once"
CLOSE = 0.95  # of the static reference's last accuracy: reaching it counts as caught up
SELECTIONS = {0.0: "uniform", 0.5: "β = 0.5", 1.0: "by activity"}
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


def points(differences: Sequence[float] | np.ndarray) -> str:
    """Write the mean of differences and its 95 % interval in whole percentage points.

    Examples
    --------
    >>> points([0.1, 0.12, 0.08]), points([-0.01, 0.01, 0.0])
    ('+10 (+5 to +15)', '+0 (−2 to +2)')
    """
    mean, low, high, _ = (100 * part for part in mean_interval(list(differences)))
    return f"{mean:+.0f} ({low:+.0f} to {high:+.0f})".replace("-", "−").replace("−0 ", "+0 ")


# Tables


def gap_table(corpus: str = EMBEDDED) -> list[Row]:
    """Return, in per cent, what uniform and activity selection reach in both settings: a row per drift and setting."""
    table, _ = saved(corpus)
    rows = []
    for drift in DRIFTS:
        for setting, label in {"static": AT_ONCE, "continual": "over time"}.items():
            uniform, active = (chosen(table, setting=setting, drift=drift, beta=beta) for beta in (0.0, 1.0))
            gains = active["accuracy"].to_numpy() - uniform["accuracy"].to_numpy()
            rows.append(
                {
                    "drift": drift,
                    "data": label,
                    "uniform": per_cent(uniform["accuracy"]),
                    "by activity": per_cent(active["accuracy"]),
                    "gain": points(gains),
                    "utterances per round": " and ".join(
                        f"{runs['examples'].mean() / ROUNDS:.0f}" for runs in (uniform, active)
                    ),
                }
            )
    return rows


def plays_table() -> list[Row]:
    """Return, in per cent, what both selections reach on Shakespeare's plays: a row for each setting."""
    rows = []
    for setting, label in {"static": AT_ONCE, "continual": "over time"}.items():
        uniform, active = (PLAYS.where(plays.CORPUS, setting=setting, beta=beta) for beta in plays.BETAS)
        row = {"plays": label, "uniform": per_cent(uniform["accuracy"]), "by activity": per_cent(active["accuracy"])}
        row["gain"] = points(active["accuracy"].to_numpy() - uniform["accuracy"].to_numpy())
        row["forgotten"] = "–" if setting == "static" else points(active["forgetting"])
        lines = (f"{runs['examples'].mean() / plays.ROUNDS:.0f}" for runs in (uniform, active))
        rows.append({**row, "lines per round": " and ".join(lines)})
    return rows


def catch_up_table(corpus: str = EMBEDDED) -> list[Row]:
    """Return when training over time has nearly caught up with all data at once: a row per drift, β and replay."""
    table, _ = saved(corpus)
    rows = []
    for drift in DRIFTS:
        for beta in (0.0, 1.0):
            reference = chosen(table, setting="static", drift=drift, beta=beta)
            for replay in (min(BUDGETS), max(BUDGETS)):
                runs = chosen(table, drift=drift, beta=beta, replay=replay)
                caught_up = {f"95 % of it": in_words(catch_ups(runs, reference, CLOSE))}
                at_the_end = {AT_ONCE: per_cent(reference["accuracy"]), "over time": per_cent(runs["accuracy"])}
                row = {"drift": drift, "selection": SELECTIONS[beta], "replay": replay}
                rows.append({**row, **at_the_end, **caught_up})
    return rows


def harm(drift: float, corpus: str = EMBEDDED) -> list[Row]:
    """Return, in per cent, each selection's accuracy at the end, and its users' mean accuracy over time.

    *On the way* is the mean over all measured rounds of the accuracy on the requests of the period that it then was.
    """
    table, _ = saved(corpus)
    words = {"accuracy": "all requests", "accuracy_device": "mean device", "accuracy_light": "light devices"}
    rows = []
    for weighting in ("examples", "equal"):
        for beta in BETAS:
            runs = chosen(table, drift=drift, beta=beta, weighting=weighting)
            row = {"weights": weighting, "selection": SELECTIONS[beta]}
            row |= {label: per_cent(runs[name]) for name, label in words.items()}
            rows.append({**row, "on the way": per_cent(numbers(runs["now"]).mean(axis=1))})
    return rows


def unseen(drift: float, beta: float = 1.0, corpus: str = EMBEDDED) -> list[Row]:
    """Return what is known without old data, against the truth: a row per replay budget, in per cent.

    *Kept* is the mean over periods of what each measured at its own end, R(t, t): all that sums of metrics reveal.
    *True* is the last model's on the same data, R(T, t), for which they would have to be there still.
    """
    table, _ = saved(corpus)
    rows = []
    for replay in BUDGETS:
        kept, true = kept_and_true(chosen(table, drift=drift, beta=beta, replay=replay))
        row = {"replay": replay, "kept": per_cent(kept), "true": per_cent(true)}
        rows.append({**row, "kept − true": points(kept - true)})
    return rows


def labelled(corpus: str = EMBEDDED) -> list[Row]:
    """Return, in per cent, what devices reach with labels from feedback: a row per drift and selection.

    *First period only* is the model that the feedback starts from, at the end of period 1.
    """
    table, _ = saved(corpus)
    first = MEASURED.index(ROUNDS // PERIODS)
    rows = []
    for drift in DRIFTS:
        for beta in (0.0, 1.0):
            true, told = (chosen(table, drift=drift, beta=beta, labels=labels) for labels in ("true", "feedback"))
            row = {"drift": drift, "selection": SELECTIONS[beta]}
            row["first period only"] = per_cent(curves(true)[:, first])
            rows.append({**row, "feedback": per_cent(told["accuracy"]), "true labels": per_cent(true["accuracy"])})
    return rows
