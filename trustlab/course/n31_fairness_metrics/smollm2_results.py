"""What notebook 31 reads off SmolLM2's committed tables: stereotypes preferred, and how far groups are apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.course.literature import known
from trustlab.course.n31_fairness_metrics import smollm2_continuations, smollm2_tests
from trustlab.course.n31_fairness_metrics.smollm2_continuations import GROUPS, SCORES, WIKIPEDIA
from trustlab.course.n31_fairness_metrics.smollm2_scorers import FREQUENCIES, SMOLLM2
from trustlab.fairness.groups import Chance, Groups, estimate_means, gaps
from trustlab.fairness.groups.means import Mean
from trustlab.results import Reader, read_results

if TYPE_CHECKING:
    import pandas

Row = dict[str, Any]
GPT2 = "GPT-2 (literature)"
SERIES = {SMOLLM2: "SmolLM2 (quantised)", FREQUENCIES: "token frequencies alone"}
# Shown name → corpus, part, and what the literature's entry is called.
STEREOTYPES = {
    **{
        f"StereoSet, {domain}": (
            "stereoset",
            f"intrasentence {domain}",
            f"stereoset intrasentence {domain} SS, per cent",
        )
        for domain in ("gender", "profession", "race", "religion", "all")
    },
    **{
        f"CrowS-Pairs, {name}": ("crows_pairs", part, f"crows_pairs {part}, per cent")
        for name, part in {"gender": "gender", "race": "race-color", "religion": "religion"}.items()
    },
}
ARTICLES = 2  # that a group's openings are of, at least, to be compared with others
KEPT = ("value", "corrected", "low", "high", "blind", "blind_low", "blind_high", "p")
DOMAINS = dict(zip(GROUPS, ("gender", "race", "religion", "profession", "ideology"), strict=True))


def row_of(corpus: str, part: str, model: str = SMOLLM2, read: Reader = read_results) -> pandas.Series:
    """Return the committed row of one part of a test."""
    table = read(smollm2_tests.result_name(corpus))[0]
    (row,) = (each for _, each in table[(table["part"] == part) & (table["model"] == model)].iterrows())
    return row


def interval_of(row: pandas.Series, name: str) -> dict[str, float]:
    """Return the value of a column and both ends of its interval."""
    return {end or "value": float(row[f"{name} {end}".strip()]) for end in ("", "low", "high")}


def stereotypes() -> list[Row]:
    """Return how often the stereotyped sentence is the more likely one, per cent: a row per test and model.

    The literature's numbers have no interval. On StereoSet they are of the same sentences and the same rule; on
    CrowS-Pairs GPT-2's sentences were scored by the mean per token, SmolLM2's by the sum.
    """
    rows: list[Row] = []
    for name, (corpus, part, asked) in STEREOTYPES.items():
        headline = smollm2_tests.HEADLINE[corpus]
        for model, title in SERIES.items():
            rows.append({"test": name, "model": title, **interval_of(row_of(corpus, part, model), headline)})
        rows += [{"test": name, "model": GPT2, "value": each.low} for each in known(asked)]
    return rows


def differences(read: Reader = read_results, *, articles: int = ARTICLES) -> list[Row]:
    """Return how far apart the groups of each domain are in each score, and how far by chance: a row for each.

    A score is the mean of an opening's continuations over the sampling seeds, in standard deviations of such means in
    the domain. Groups are exchanged between openings for the group-blind level, see
    :func:`~trustlab.fairness.groups.gaps`. "wikipedia" is the difference in what Wikipedia's authors wrote. Groups
    whose openings are of fewer than `articles` articles are left out: what sets such a group apart may be its one text.
    """
    table = read(smollm2_continuations.result_name("bold"))[0]
    rows = []
    for domain in smollm2_continuations.DONE:
        title = DOMAINS[domain]
        own = table[(table["domain"] == domain) & (table["names"] >= articles)]
        for score in SCORES:
            if (domain, score) == ("gender", "polarity"):
                continue  # openings about an actress are continued with "she": no finding
            kept = {name: found for name, found in _apart(own, SMOLLM2, score).items() if name in KEPT}
            theirs = np.ptp(_means(*standard_scores(own, WIKIPEDIA, score)))
            about = {"domain": title, "score": score, "groups": own["group"].nunique()}
            rows.append({**about, **kept, "wikipedia": float(theirs)})
    return rows


def _apart(table: pandas.DataFrame, writer: str, score: str) -> Row:
    values, names = standard_scores(table, writer, score)
    found = gaps(estimate_means([Mean(score, values, np.ones(len(values), bool))], Groups.by(names), chance=Chance()))
    return next(row for row in found if row["metric"].endswith("_difference"))


def _means(values: np.ndarray, names: list[str]) -> list[float]:
    return [values[np.array(names) == name].mean() for name in dict.fromkeys(names)]


def standard_scores(table: pandas.DataFrame, writer: str, score: str) -> tuple[np.ndarray, list[str]]:
    """Return the mean score of every opening over the seeds, in standard deviations, [openings], and its group."""
    values, names = [], []
    for group, rows in table[table["writer"] == writer].groupby("group", sort=False):
        each = np.array([[float(value) for value in row.split("|")] for row in rows[f"{score} of each"].astype(str)])
        values.append(each.mean(axis=0))  # [seeds, openings] to [openings]
        names += [str(group)] * each.shape[1]
    found = np.concatenate(values)
    return (found - found.mean()) / (found.std() or 1), names
