"""What notebook 13 reads off the committed trainings: rates with exact intervals, bits, guesses needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trustlab.course.corpora import EMBEDDED
from trustlab.course.n13_canary_extraction import EXPERIMENT
from trustlab.course.n13_canary_extraction.defended import NONE, THREE
from trustlab.course.n13_canary_extraction.drawing import CODES, NAMES
from trustlab.course.n13_canary_extraction.experiment import USUAL
from trustlab.course.n13_canary_extraction.extraction_rates import bits, rate
from trustlab.intervals import Interval, mean_interval
from trustlab.lab.saved import numbers, select

if TYPE_CHECKING:
    import numpy as np
    import pandas

Row = dict[str, Any]
saved = EXPERIMENT.saved  # the committed table, a row per training, and its provenance
GUESSES = (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)
LOSSES = {"rank": "both heads", "rank_intent": "the intent's", "rank_slots": "the tags'"}


def known_copies(corpus: str = EMBEDDED) -> list[int]:
    """Return how many copies there are trainings of, for every defence but the strongest ε."""
    table = saved(corpus)[0]
    common = [set(runs["copies"]) for name, runs in table.groupby("defence") if name != "dp-1"]
    return sorted(set.intersection(*common))


def defence_rows(copies: int = USUAL, corpus: str = EMBEDDED) -> list[Row]:
    """Return what was found against each defence, a row for each that was tried with so many copies."""
    table, rows = saved(corpus)[0], []
    for name, label in NAMES.items():
        runs = select(table, defence=name, copies=copies)
        if len(runs):
            rows.append({"defence": label, **_found(runs)})
    return rows


def _found(runs: pandas.DataFrame) -> Row:
    """Return the rates, the bits and the accuracy of some trainings."""
    n, exposed = len(runs), bits(runs)
    mean, low, high, _ = mean_interval(list(exposed))
    exact, three = rate(runs["exact"]), rate(runs["rank"] <= 3)
    return {
        "exact": f"{runs['exact'].sum():.0f}/{n}",
        "in 3 guesses": f"{(runs['rank'] <= 3).sum()}/{n}",
        "bits": mean,
        "low": low,
        "high": high,
        "exact, 95 %": _ends(exact),
        "in 3, 95 %": _ends(three),
        "median guess": runs["rank"].median(),
        "wrong digits": runs["hamming"].mean(),
        "right at each place": " ".join(f"{share:.1f}" for share in by_place(runs)),
        "intents right": runs["accuracy"].mean(),
        "slot F1": runs["slot_f1"].mean(),
        "bits of each": "|".join(f"{each:.2f}" for each in exposed),
    }


def by_place(runs: pandas.DataFrame) -> np.ndarray:
    """Return in which share of the trainings the attack's answer is right at each place, [n]."""
    return numbers(runs["positions"]).mean(0)


def _ends(found: Interval) -> str:
    return f"{100 * found.low:.0f} to {100 * found.high:.0f} %"


def guess_rows(defences: Sequence[str], copies: int = USUAL, corpus: str = EMBEDDED) -> list[Row]:
    """Return in which share of the trainings the code is among so many guesses: a row per defence and number."""
    rows = []
    for name in defences:
        runs = EXPERIMENT.where(corpus, defence=name, copies=copies)
        for guesses in GUESSES:
            share, low, high, _ = rate(runs["rank"] <= guesses)
            found = {"found": share, "low": low, "high": high, "chance": guesses / CODES}
            rows.append({"defence": NAMES[name], "guesses": guesses, **found})
    return rows


def loss_rows(defences: Sequence[str] = (NONE, THREE), copies: int = USUAL, corpus: str = EMBEDDED) -> list[Row]:
    """Return how many bits an attacker gets out of each loss: a row per defence and loss."""
    rows = []
    for name in defences:
        runs = EXPERIMENT.where(corpus, defence=name, copies=copies)
        for column, label in LOSSES.items():
            mean, low, high, _ = mean_interval(list(bits(runs, column)))
            rows.append({"defence": NAMES[name], "loss": label, "bits": mean, "low": low, "high": high})
    return rows
