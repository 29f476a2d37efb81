"""The published tests of language models as one row of numbers each, with intervals over their items."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trustlab.fairness.groups import Bootstrap
from trustlab.fairness.groups.resampling import draw_counts
from trustlab.fairness.likelihood import LikelihoodScorer, crows_pairs, score_clusters, score_pairs, stereoset
from trustlab.fairness.tasks import occupation_correlation

Row = dict[str, Any]
RESAMPLES = 1000
LONGEST = 64  # tokens of a sentence about an occupation, at most: errors of single tokens add up as their root
MEASURES = ("ss", "lms", "icat")
PRONOUNS = {"she": "female", "he": "male", "they": "neutral"}
STATISTICS = {"labour": "bls_female", "texts": "bergsma_female"}  # the share of women in an occupation, by source


def stereoset_row(scorer: LikelihoodScorer, clusters: Sequence[Mapping[str, Any]]) -> Row:
    """Return SS, LMS and ICAT, by the mean log-probability per token as the authors have it, and by the sentence's sum.

    Intervals (of the former) are over clusters; the terms that they are about stay as they are.
    """
    row: Row = {}
    for prefix, rules in (("", "authors"), ("sum ", "ours")):
        scores = score_clusters(scorer, clusters, rules=rules)
        found = stereoset(clusters, scores, rules=rules)[0]
        if not row:
            row = {name: found[name] for name in ("clusters", "terms", "ties")}
            ends = _cluster_intervals(clusters, scores, rules)
        row |= {f"{prefix}{name}": found[name] for name in MEASURES}
    return row | ends


def _cluster_intervals(clusters: Sequence[Mapping[str, Any]], scores: Mapping[str, float], rules: str) -> Row:
    """Return the percentile interval of each measure: clusters are drawn within their term."""
    single = [stereoset([each], scores, rules=rules)[0] for each in clusters]
    ss, lms = (np.array([each[name] for each in single]) for name in MEASURES[:2])
    term = np.unique([each["target"] for each in clusters], return_inverse=True)[1]
    sizes = np.bincount(term)
    several = sizes[term] > 1  # a term with one cluster has nothing to draw from
    counts = np.ones((RESAMPLES, len(clusters)))
    drawn = draw_counts(int(several.sum()), Bootstrap(RESAMPLES, strata=term[several]))
    counts[:, several] = np.concatenate(list(drawn))
    weights = counts / sizes[term] / len(sizes)  # [R, N]: clusters within a term, terms alike
    draws = {"ss": weights @ ss, "lms": weights @ lms}
    draws["icat"] = draws["lms"] * np.minimum(draws["ss"], 100 - draws["ss"]) / 50
    return {f"{name} {end}": value for name, each in draws.items() for end, value in _ends(each).items()}


def crows_row(scorer: LikelihoodScorer, pairs: Sequence[Mapping[str, Any]]) -> Row:
    """Return the percentage of pairs whose more stereotyped sentence is more likely, with an interval over pairs."""
    scored = list(score_pairs(scorer, pairs))
    found = crows_pairs(scored)[0]
    more = np.array([crows_pairs([each])[0]["score"] for each in scored])
    row = {name: found[name] for name in ("pairs", "neutral")}
    return row | _mean("score", more)


def winogender_row(scorer: LikelihoodScorer, sentences: Sequence[Mapping[str, Any]]) -> Row:
    """Return which pronoun is the likeliest for a person of an occupation, and how that follows the recorded shares.

    "she": the percentage of sentences in which "she" is more likely than "he"; then that in which each of "she", "he"
    and "they" is the likeliest of the three, and the correlations, over occupations, of log P(she) − log P(he) with the
    share of women in labour statistics and in a corpus of texts. Occupations are drawn, with all their sentences.
    """
    about = [row for row in sentences if row["refers_to"] == "occupation"]
    asked = {word: [row for row in about if row["gender"] == gender] for word, gender in PRONOUNS.items()}
    first = asked["she"]
    same = [[(row["occupation"], row["participant"]) for row in rows] for rows in asked.values()]
    if any(each != same[0] for each in same):
        raise ValueError("Expected the three sentences of each template in one order, got another version's file.")
    totals = {word: _totals(scorer, [row["text"] for row in rows]) for word, rows in asked.items()}  # [N] each
    preference = _preference(scorer, totals["she"], totals["he"])
    occupations = np.array([row["occupation"] for row in first])
    row: Row = {"sentences": len(first), "occupations": len(set(occupations))}
    row |= _mean("she", 50 * (1 + np.sign(preference)), occupations)
    likeliest = np.array([*PRONOUNS])[np.argmax(list(totals.values()), axis=0)]
    for word in PRONOUNS:
        row |= _mean(f"{word} of three", 100.0 * (likeliest == word), occupations)
    for name, column in STATISTICS.items():
        women = np.array([each[column] for each in first])
        found = occupation_correlation(preference, occupations, women, bootstrap=Bootstrap(RESAMPLES))
        row |= {f"correlation {name}{end and f' {end}'}": found[end or "value"] for end in ("", "low", "high")}
    return row


def _totals(scorer: LikelihoodScorer, texts: Sequence[str]) -> np.ndarray:
    return np.array([each.sum() for each in scorer.token_log_probabilities(texts)])


def _preference(scorer: LikelihoodScorer, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return how much more likely the first texts are than the second, 0 where batches alone could have made it so."""
    difference = first - second
    return np.where(abs(difference) <= scorer.noise * math.sqrt(LONGEST), 0.0, difference)


def _mean(name: str, values: np.ndarray, units: np.ndarray | None = None) -> Row:
    """Return the mean and its percentile interval over items, or over units that hold several."""
    counts = np.concatenate(list(draw_counts(len(values), Bootstrap(RESAMPLES, units=units))))
    draws = (counts @ values) / counts.sum(1)
    return {name: float(values.mean()), **{f"{name} {end}": value for end, value in _ends(draws).items()}}


def _ends(draws: np.ndarray) -> dict[str, float]:
    low, high = np.quantile(draws, [0.025, 0.975])
    return {"low": float(low), "high": float(high)}
