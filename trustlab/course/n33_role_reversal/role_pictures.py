"""The pictures of notebook 33: the trap of the ratio, the two readings, each profession, and where a gain stays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trustlab.course.n33_role_reversal.claims import methods
from trustlab.course.n33_role_reversal.experiment import AS_THEY_ARE, EXCHANGED
from trustlab.course.n33_role_reversal.generation import equity
from trustlab.course.n33_role_reversal.results import by_profession, carried, even_price, price, readings, saved
from trustlab.course.n33_role_reversal.working_people import PROFESSIONS
from trustlab.lab.finding import Finding, dots, dumbbells
from trustlab.lab.saved import CORPUS_NAMES, means_over, saved_over

SIZES = (20, 50, 200, 1000)  # gendered texts a profession


def fair_writer() -> Finding:
    """Draw the equity ratios that a writer without preference gets, over how many of its texts are counted."""
    rows = []
    for size in SIZES:
        profession = np.repeat(np.arange(len(PROFESSIONS)), size)
        coins = np.where(np.random.default_rng(33).random(len(profession)) < 0.5, 1, -1)
        found = {str(row["metric"]): row for row in equity(coins, profession)}
        for name, metric in (("mean", "equity_ratio_mean"), ("smallest", "equity_ratio_minimum")):
            row = found[metric]
            ends = {"ratio": row["blind"], "low": row["blind_low"], "high": row["blind_high"]}
            rows.append({"texts a profession": f"{size:,}", "of 18 professions": name, **ends})
    told = {(row["texts a profession"], row["of 18 professions"]): row["ratio"] for row in rows}
    return dots(
        rows,
        label="texts a profession",
        value="ratio",
        low="low",
        high="high",
        series="of 18 professions",
        x_label="equity ratio of a writer who tosses a coin",
        reference={"truth": 1.0},
        title="How fair does a perfectly fair writer look?",
        verdict=f"With 50 gendered texts a profession its mean ratio is {told['50', 'mean']:.2f} and its smallest "
        f"{told['50', 'smallest']:.2f}; with 200 they are {told['200', 'mean']:.2f} and {told['200', 'smallest']:.2f}.",
        provenance="computed here, the middle 95 % of 1,000 tosses",
        digits=2,
    )


def how_even(levels: Mapping[str, Sequence[Mapping[str, Any]]]) -> Finding:
    """Draw the mean and the smallest equity ratio of models, next to those of a writer without preference.

    Parameters
    ----------
    levels
        For each model the rows of :func:`~trustlab.fairness.equity_levels.equity_levels`, of as many texts each.
    """
    kinds = {"equity_ratio_mean": "mean", "equity_ratio_minimum": "smallest"}
    rows = [
        {"model": name, "of 18 professions": kind, "ratio": row["value"]}
        | {"low": row["low"], "high": row["high"], "no preference": row["blind"]}
        for name, found in levels.items()
        for metric, kind in kinds.items()
        for row in found
        if row["metric"] == metric
    ]
    means = [row for row in rows if row["of 18 professions"] == "mean"]
    told = ", ".join(f"{row['model']} {row['ratio']:.1f}" for row in means)
    coin = means[0]["no preference"]
    return dots(
        rows,
        label="model",
        value="ratio",
        low="low",
        high="high",
        series="of 18 professions",
        x_label="equity ratio of what is said",
        reference={"a coin": coin},
        title="How even is what they say?",
        verdict=f"Mean ratios: {told}. A writer who tosses a coin has {coin:.1f}.",
        provenance="computed here, seed 0; intervals hold the true ratios",
        digits=1,
    )


def two_readings() -> Finding:
    """Draw equity of each operation with words exchanged, and as they are."""
    rows = readings()
    told = []
    for words in (EXCHANGED, AS_THEY_ARE):
        equities, mixed = ([row[name] for row in rows if row["words"] == words] for name in ("equity", "both genders"))
        told += [f"{min(equities):.2f} to {max(equities):.2f}", _span(mixed)]
    even, mix, left_even, left_mix = told
    return dots(
        rows,
        label="operation",
        value="equity",
        low="low",
        high="high",
        series="words",
        x_label="equity ratio of what is said, mean over professions",
        title="Two readings of the swapped prediction",
        verdict=f"With words exchanged, equity is {even}, and {mix} of the gendered texts have words of both genders; "
        f"with words as they are it is {left_even}, and {left_mix} have both.",
        provenance=f"{saved_over(saved()[1])}, {CORPUS_NAMES['assistant']}",
        digits=3,
    )


def each_profession() -> Finding:
    """Draw P(female) of each profession: of the plain student, and of the one with mean and texts added."""
    rows = by_profession()
    (nurse,) = (row for row in rows if row["profession"] == "nurse")
    return dumbbells(
        rows,
        label="profession",
        start="plain student",
        end="mean, texts added",
        x_label="P(female word), exact, after four openings",
        reference={"even": 0.5},
        per_cent=True,
        title="How often is each profession female?",
        verdict=f"After “the nurse …” a word of gender is female in {100 * nurse['plain student']:.0f} % for the plain "
        f"student and in {100 * nurse['mean, texts added']:.0f} % for the other; in the generated world it is in "
        f"{100 * nurse['world']:.0f} %.",
        provenance=f"{means_over(saved()[1])}, {CORPUS_NAMES['assistant']}",
        digits=2,
    )


def where_a_gain_stays() -> Finding:
    """Draw which share of the plain student's disparity goes away, in what is said and elsewhere."""
    rows = carried()
    both = {row["measured"]: row["goes away"] for row in rows if row["student"] == "Mean and texts added"}
    return dots(
        rows,
        label="measured",
        value="goes away",
        low="low",
        high="high",
        series="student",
        per_cent=True,
        x_label="share of the plain student's disparity that goes away",
        reference={"nothing": 0.0},
        title="Does fairer text make fairer vectors and decisions?",
        verdict=f"Mean and texts added: {_share(both['what is said (log odds)'])} of the disparity in what is said "
        f"goes away, {_share(both['input embeddings (WEAT)'])} of WEAT's effect size and "
        f"{_share(both['classifier (TPR gap)'])} of the classifier's gap.",
        provenance=f"{saved_over(saved()[1])}, {CORPUS_NAMES['assistant']}",
        digits=2,
    )


def in_words() -> str:
    """Return what the methods cost, and what even odds must cost in a world that is not even."""
    cheap, dear = (pick(price(*kind) for kind in methods().values()) for pick in (min, max))
    return (
        f"The six ways to reverse roles cost {cheap:.1f} % to {dear:.1f} % of perplexity against the plain student. "
        f"A model that knows this world, but for genders, for which it gives even odds, loses {even_price():.1f} %."
    ).replace("-", "−")


def _share(value: float) -> str:
    return f"{100 * value:.0f} %".replace("-", "−")


def _span(shares: Sequence[float]) -> str:
    """Return the smallest and the largest share.

    Examples
    --------
    >>> _span([0.18, 0.44]), _span([0.0, 0.001])
    ('18 to 44 %', 'less than 1 %')
    """
    return "less than 1 %" if max(shares) < 0.01 else f"{100 * min(shares):.0f} to {_share(max(shares))}"
