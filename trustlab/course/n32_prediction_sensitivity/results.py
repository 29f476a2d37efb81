"""What notebook 32 reads off its committed tables: responses to the dose, ranks of examples, what a choice changes."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from trustlab.course.dose import Response, dose_response, rank
from trustlab.course.n32_prediction_sensitivity import DIALECT, EXPERIMENT, REAL
from trustlab.course.n32_prediction_sensitivity.dialect_experiment import AMONG, RATIO
from trustlab.course.n32_prediction_sensitivity.experiment import AREA, DOSES, HELD, LEARNT
from trustlab.course.n32_prediction_sensitivity.posts_experiment import MARKED
from trustlab.course.n32_prediction_sensitivity.sensitivity_measures import (
    EVEN,
    INTEGRATED,
    SHORT,
    SOFT,
    SWAPPED,
    TIMES,
    TOKEN_WEIGHTS,
    TOLD,
    UNSURE,
    VARIANTS,
    Variant,
)
from trustlab.course.n32_prediction_sensitivity.spoken_requests import BIASED, BLIND, RECORDERS
from trustlab.lab.saved import over_seeds, read, remembered

Row = dict[str, Any]
saved = EXPERIMENT.saved  # the committed table, a row per model, and its provenance
COMPARED = 0.5  # dose at which models of both recorders are compared
# Title in a picture → column of the table.
SHOWN: Mapping[str, str] = {
    "P": Variant().name,
    "P, v = soft": Variant(v=SOFT).name,
    "P, v = |IG|": Variant(v=TOLD).name,
    "P, v = learnt": Variant(v=LEARNT).name,
    "P, v = even": Variant(v=EVEN).name,
    "P of log odds": Variant(of="log_odds").name,
    "P of logits": Variant(of="logits").name,
    "swap": f"{SWAPPED}, probabilities",
    "swap, log odds": f"{SWAPPED}, log_odds",
    "input × gradient": f"{TIMES}, probabilities",
    "integrated gradients": f"{INTEGRATED}, probabilities",
    UNSURE: UNSURE,
    SHORT: SHORT,
}
# Tables of notebook 31, whose models these measures were taken of too.
METRICS, GRADIENTS = "fairness_metrics_assistant", "fairness_metrics_sensitivity_assistant"
NOTIONS = ("region", "gender")


def over_doses(titles: tuple[str, ...]) -> list[Row]:
    """Return the mean of each measure for each recorder and dose, as a share of its largest mean."""
    rows = []
    for title in titles:
        column, means = SHOWN[title], {}
        for recorder, dose in itertools.product(RECORDERS, DOSES):
            own = BIASED if dose == 0 else recorder  # at dose 0 both are honest
            means[recorder, dose] = float(EXPERIMENT.where(recorder=own, dose=dose)[column].mean())
        largest = max(means.values())
        rows += [
            {"measure": title, "recorder": recorder, "dose": dose, "mean": mean, "of its largest": mean / largest}
            for (recorder, dose), mean in means.items()
        ]
    return rows


@remembered
def responses() -> dict[str, Response]:
    """Return how each measure of :data:`SHOWN` answers to the biased recorder's dose."""
    table = EXPERIMENT.where(recorder=BIASED)
    return {title: dose_response(table["dose"], table[column]) for title, column in SHOWN.items()}


def trust() -> list[Row]:
    """Return Kendall's tau with the dose, and whether a model differs from an honest one; the best first."""
    found = responses()
    return [
        {
            "measure": title,
            "τ with the dose": found[title].tau,
            "low": found[title].tau_low,
            "high": found[title].tau_high,
            "detected from dose": found[title].threshold if np.isfinite(found[title].threshold) else None,
        }
        for title in rank(found)
    ]


def ranks_of_examples() -> list[Row]:
    """Return how well each measure ranks the requests that the biased recorder treats unequally, for both recorders."""
    return [
        {"measure": title, "recorder": recorder}
        | over_seeds(EXPERIMENT.where(recorder=recorder, dose=COMPARED)[AREA + column], "AUC", limits=(0, 1))
        for title, column in SHOWN.items()
        for recorder in RECORDERS
    ]


def weights_on_words() -> list[Row]:
    """Return the share of each kind of token weights that is on openers and closers, over all models."""
    table = saved()[0]
    return [
        {"v": name} | over_seeds(table.groupby("seed")[f"{name}{HELD}"].mean(), "share", limits=(0, 1))
        for name in TOKEN_WEIGHTS
    ]


def pairs_of_models() -> dict[str, list[tuple[Any, Any]]]:
    """Return pairs (fairer, less fair) of rows of one seed: an honest and a blind recorder against the biased one."""
    biased = [EXPERIMENT.where(recorder=BIASED, dose=dose) for dose in (0.0, COMPARED)]
    blind = EXPERIMENT.where(recorder=BLIND, dose=COMPARED)
    return {
        "honest against biased": list(zip(_rows(biased[0]), _rows(biased[1]), strict=True)),
        "blind against biased": list(zip(_rows(blind), _rows(biased[1]), strict=True)),
    }


def _rows(table: Any) -> list[Row]:
    return table.to_dict("records")


@remembered
def verdicts() -> dict[str, np.ndarray]:
    """Return, by comparison, whether each variant of P calls the biased model less fair, bool [seeds, variants]."""
    return {
        name: np.array([[worse[v.name] > better[v.name] for v in VARIANTS] for better, worse in pairs])
        for name, pairs in pairs_of_models().items()
    }


def robustness() -> list[Row]:
    """Return the share of right verdicts over seeds and variants, for each value of each choice, and of the swap."""
    rows = []
    for comparison, right in verdicts().items():
        for dial, values in _dials().items():
            for value in values:
                own = [i for i, v in enumerate(VARIANTS) if getattr(v, dial) == value]
                rows.append({"choice": _named(dial, value), "models": comparison, "right": float(right[:, own].mean())})
        swap = [worse[SHOWN["swap"]] > better[SHOWN["swap"]] for better, worse in pairs_of_models()[comparison]]
        rows.append({"choice": "swap", "models": comparison, "right": float(np.mean(swap))})
    return rows


def disagreeing() -> dict[str, float]:
    """Return the share of pairs of models on which the variants of P do not all agree."""
    return {name: float((right.any(axis=1) & ~right.all(axis=1)).mean()) for name, right in verdicts().items()}


def _dials() -> dict[str, list[Any]]:
    return {dial: list(dict.fromkeys(getattr(v, dial) for v in VARIANTS)) for dial in ("of", "norm", "v", "w")}


def _named(dial: str, value: Any) -> str:
    written = {"log_odds": "log odds", float("inf"): "∞"}.get(value, value)
    return {"norm": f"norm {written}", "of": f"f = {written}"}.get(dial, f"{dial} = {written}")


@remembered
def ranking() -> list[Row]:
    """Return all metrics of notebook 31 and these measures, of its 25 models of known bias, the most trustworthy first.

    Each has its place by :func:`trustlab.course.dose.rank` for both notions, and the tau of the notion where it is
    lower. Extrinsic metrics are those on clean records.
    """
    metrics, gradients = read(METRICS)[0], read(GRADIENTS)[0]
    metrics = metrics[metrics["recipe"] == "base"]
    found: dict[str, dict[str, Response]] = {}
    for notion in NOTIONS:
        of_notion = {}
        for table, ours in ((metrics, False), (gradients, True)):
            for column in table.columns:
                name = _metric(notion, column)
                if name and (not ours or name not in of_notion):
                    of_notion[name] = dose_response(table[f"{notion}_dose"], table[column])
        found[notion] = of_notion
    orders = {notion: rank(each) for notion, each in found.items()}
    rows = []
    for name in orders[NOTIONS[0]]:
        weaker = min((found[notion][name] for notion in NOTIONS), key=lambda each: each.tau_low)
        place = float(np.mean([orders[notion].index(name) + 1 for notion in NOTIONS]))
        rows.append({"measure": name, "τ": weaker.tau, "low": weaker.tau_low, "high": weaker.tau_high, "place": place})
    return sorted(rows, key=lambda row: row["place"])


def _metric(notion: str, column: str) -> str:
    """Return a metric's name from its column of a notion; empty for other columns."""
    name = column.removeprefix(f"{notion} ")
    if name == column or name.endswith(("±", "biased records")) or "accuracy," in name:
        return ""
    return name.removesuffix(", clean records").replace(", probabilities", "").replace("log_odds", "log odds")


def on_posts(kind: str) -> list[Row]:
    """Return how far measures agree with the truth of posts: `kind` is LEANING, SPLIT, MARKED, TERMS or PRONOUNS."""
    table = REAL.table("hatexplain")
    names = [column.removeprefix(kind) for column in table.columns if column.startswith(kind)]
    if kind == MARKED:
        names = [name for name in names if not name.endswith("log_odds")]
    rows = [{"measure": _short(name)} | over_seeds(table[kind + name], "agreement") for name in names]
    return sorted(rows, key=lambda row: -row["agreement"])


def by_dialect() -> list[Row]:
    """Return each measure's mean over tweets of the one dialect over that of the other, of all and of harmless ones."""
    table = DIALECT.table("davidson_hate")
    names = [column.removeprefix(RATIO) for column in table.columns if column.startswith(RATIO)]
    return [
        {"measure": _short(name), "tweets": tweets} | over_seeds(table[prefix + name], "ratio")
        for name in names
        for prefix, tweets in ((RATIO, "all"), (AMONG, "harmless"))
    ]


def flagged_more() -> Row:
    """Return the difference of the shares of harmless tweets that are flagged, with its interval over seeds."""
    return over_seeds(DIALECT.table("davidson_hate")["flagged"], "flagged")


def _short(column: str) -> str:
    """Write a column as pictures do."""
    titles = {column: title for title, column in SHOWN.items()}
    plain = column.replace(", probabilities", "").replace("log_odds", "log odds")
    return titles.get(column, plain.replace("P, predicted, ", "P, v = ").replace(", 2", ""))
