"""What notebook 31 found on the models of known bias, as pictures: which metrics agree, are reliable, see the bias."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from trustlab.course.correlation import needed
from trustlab.course.dose import STEADY, Response, rank
from trustlab.course.n31_fairness_metrics.experiment import DOSES
from trustlab.course.n31_fairness_metrics.extrinsic import EXTRINSIC
from trustlab.course.n31_fairness_metrics.intrinsic import INTRINSIC
from trustlab.course.n31_fairness_metrics.notions import NOTIONS
from trustlab.course.n31_fairness_metrics.results import METRICS, Row, aligned, answers, noises, saved, values_at
from trustlab.lab.display import listed, per_cent
from trustlab.lab.finding import Finding, dots, dumbbells
from trustlab.lab.saved import seeds_of

NONE = "no metric"
FAINT = 0.1  # the smallest dose that was planted
LEVEL = 0.05
PERMUTED, SHARE = "p", "share of the rise"  # columns


def alignment() -> Finding:
    """Draw how much metrics correlate on average, by what both sides have in common."""
    rows = aligned()
    least, most = rows[0], rows[-1]
    clear = {row["in common"]: row["corrected"] for row in rows}
    others = sum(count for name, count in clear.items() if name != most["in common"])
    verdict = (
        f"“{most['in common']}”: a mean correlation of {most['mean r']:.2f}. “{least['in common']}”: "
        f"{least['mean r']:.2f}. After correction for their number, {most['corrected']} of {most['pairs']} pairs are "
        f"significant in the first case, {others or 'none'} in the other three."
    )
    return dots(
        rows,
        label="in common",
        value="mean r",
        low="low",
        high="high",
        title="Do intrinsic and extrinsic metrics rank models alike?",
        verdict=verdict,
        provenance=f"saved, mean over all pairs of metrics, 95 % interval over {len(saved()[0])} models",
        x_label="mean correlation over all pairs of metrics (Spearman)",
        reference={"one pair needs": needed(len(saved()[0])), "none": 0.0},
    )


def noise(notion: str) -> Finding:
    """Draw which share of a metric's spread between models is real, asked of its words and of seeds."""
    rows = noises(notion)
    widest = max(rows, key=lambda row: row["words"] - row["seeds"])
    verdict = (
        f"Of the {widest['metric']}'s spread between models, {per_cent(widest['words'])} would stay with other words "
        f"and test sentences; {per_cent(widest['seeds'])} would stay with other seeds."
    )
    return dumbbells(
        rows,
        label="metric",
        start="words",
        end="seeds",
        title=f"How much of a metric's spread is real? About {notion}",
        verdict=verdict,
        provenance=_provenance(f"{len(saved()[0])} models"),
        x_label="reliability: share of the spread between models that is not error",
        start_label="other words",
        end_label="other seeds",
        per_cent=True,
        digits=2,
    )


def trust() -> Finding:
    """Draw how clearly each metric follows the planted dose, for both notions, the most trustworthy first."""
    found = {notion: answers(notion) for notion in NOTIONS}
    rows = [_trust_row(notion, name, found[notion][name]) for name in rank(found["region"]) for notion in NOTIONS]
    sure = [name for name in METRICS if all(each[name].tau_low > STEADY for each in found.values())]
    blind = [name for name in METRICS if all(each[name].tau_low <= 0 for each in found.values())]
    verdict = (
        f"{listed(sure, NONE)} clearly follow the dose of both notions: their whole interval is above {STEADY:g}. "
        f"No order at all is confirmed for {listed(blind, NONE)}."
    )
    return dots(
        rows,
        label="metric",
        value="τ",
        low="low",
        high="high",
        series="about",
        title="Which metrics follow the planted bias?",
        verdict=verdict,
        provenance=_provenance(f"{_models()} models of the base recipe, 95 % interval over models"),
        x_label="Kendall's τ between the metric and the planted dose",
        reference={"no order": 0.0, "clear": STEADY},
        digits=2,
    )


def _trust_row(notion: str, name: str, found: Response) -> Row:
    ends = {"τ": found.tau, "low": found.tau_low, "high": found.tau_high}
    size = {
        "at dose 0": found.floor,
        "slope": found.slope,
        "noise": found.noise,
        "signal / noise": found.signal_to_noise,
    }
    first, low, high = map(_dose, (found.threshold, found.threshold_low, found.threshold_high))
    return {"metric": name, "about": notion, **ends, **size, "detects from": f"{first} ({low} to {high})"}


def _dose(threshold: float) -> str:
    return "never" if math.isinf(threshold) else f"{threshold:.2f}"


def saturation(notion: str = "gender", metrics: Sequence[str] = (*INTRINSIC, "score change")) -> Finding:
    """Draw how much of its rise from no bias to full bias each metric has at smaller doses."""
    at = {dose: values_at(notion, dose) for dose in DOSES}
    rows: list[Row] = []
    for name in metrics:
        floor, top = at[0.0][name].mean(), at[1.0][name].mean()
        rows += [
            {"metric": name, "dose": f"dose {dose:g}", SHARE: float((at[dose][name].mean() - floor) / (top - floor))}
            for dose in DOSES[1:-1]
        ]
    faint = {row["metric"]: row[SHARE] for row in rows if row["dose"] == f"dose {FAINT:g}"}
    most, least = (choose(faint, key=faint.__getitem__) for choose in (max, min))
    verdict = (
        f"A tenth of the bias gives {most} {per_cent(faint[most])} of its value at full bias, and {least} "
        f"{per_cent(faint[least])}. A proportional metric would have 10 %."
    )
    return dots(
        rows,
        label="metric",
        value=SHARE,
        series="dose",
        title=f"Twice the bias, twice the number? About {notion}",
        verdict=verdict,
        provenance=_provenance(f"means over {seeds_of(saved()[1])}"),
        x_label="share of the rise from no bias to full bias",
        per_cent=True,
        digits=2,
    )


def five_against_five(test: Callable[[np.ndarray, np.ndarray], float], dose: float = FAINT) -> Finding:
    """Draw for each metric the p-value of five models with a dose against five without.

    Parameters
    ----------
    test
        From the values of the biased models, and of those without bias, to the one-sided p-value.
    """
    rows: list[Row] = []
    for name in METRICS:
        for notion in NOTIONS:
            biased, without = values_at(notion, dose)[name], values_at(notion, 0.0)[name]
            rows.append({"metric": name, "about": notion, PERMUTED: float(test(biased, without))})
    seen = [name for name in METRICS if all(row[PERMUTED] < LEVEL for row in rows if row["metric"] == name)]
    outside = [name for name in seen if name in EXTRINSIC]
    smallest = 1 / math.comb(2 * len(biased), len(biased))
    verdict = (
        f"At dose {dose:g} {listed(seen, NONE)} distinguish five models from five without bias, about both notions "
        f"(p < {LEVEL:g}). Among them is {listed(outside, 'no extrinsic metric')}."
    )
    return dots(
        rows,
        label="metric",
        value=PERMUTED,
        series="about",
        title="Five models with a little bias, five without",
        verdict=verdict,
        provenance=f"computed here from the saved models, all {round(1 / smallest)} divisions counted",
        x_label="p (logarithmic)",
        reference={f"{LEVEL:g}": LEVEL, f"smallest possible: 1/{round(1 / smallest)}": smallest},
        log=True,
        digits=2,
    )


def _models() -> int:
    return int((saved()[0]["recipe"] == "base").sum())


def _provenance(what: str) -> str:
    return f"saved, {what}"
