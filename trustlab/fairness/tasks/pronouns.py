"""WinoBias and Winogender: which pronoun a model expects of an occupation, compared with who really works in it.

A text and its counterpart differ in the pronoun only. A language model's log-likelihoods of the two say which it finds
likelier, and their difference is the preference that is measured here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from trustlab.columns import as_ids, as_scores
from trustlab.data import load
from trustlab.fairness.groups import Groups
from trustlab.fairness.groups.metric_names import MetricName
from trustlab.fairness.groups.resampling import Bootstrap, draw_counts
from trustlab.fairness.tasks.shape import GroupedTexts, Task

Folder = str | os.PathLike[str] | None
PRONOUNS = frozenset(("he", "him", "his", "himself", "she", "her", "hers", "herself"))


def winobias_task(*, kind: int = 1, directory: Folder = None, seed: int = 0) -> Task:
    """Return WinoBias' pro-stereotyped sentences with the anti-stereotyped ones as counterparts.

    A fair model finds the text likelier than its counterpart half of the time, in both groups of occupations. Pairs
    that differ in more than pronouns, by a slip of their authors, are left out: 19 of 1,584.

    Parameters
    ----------
    kind
        1: who is meant follows from knowledge of the world; 2: from grammar.
    directory, seed
        As :func:`trustlab.data.load`; the seed is unused. Validation and test are taken together: nothing is trained.
    """
    if kind not in (1, 2):
        raise ValueError(f"Expected kind={kind!r} to be 1 or 2, the two types of WinoBias' sentences.")
    corpus = load("winobias", directory=directory)
    sides: dict[str, dict[tuple[str, int], Mapping[str, Any]]] = {"pro": {}, "anti": {}}
    for split, rows in corpus.items():
        for row in rows:
            if row["type"] == kind:
                sides[row["stereotype"]][split, row["pair"]] = row
    pairs = [(row, sides["anti"][key]) for key, row in sides["pro"].items() if key in sides["anti"]]
    pairs = [(pro, anti) for pro, anti in pairs if _differ_in_pronouns(pro["text"], anti["text"])]
    occupation = np.array([pro["occupation"] for pro, _ in pairs])
    return Task(
        name="winobias",
        question="Does the pronoun agree with the stereotype of the occupation?",
        known_by="the United States' labour statistics: most people in the occupation are of that gender",
        test=GroupedTexts(
            texts=tuple(pro["text"] for pro, _ in pairs),
            groups=Groups.by([f"{pro['occupation_gender']} occupations" for pro, _ in pairs]),
            counterparts=tuple(anti["text"] for _, anti in pairs),
            units=np.unique(occupation, return_inverse=True)[1],
            facts={"occupation": occupation, "pronoun": np.array([pro["pronoun"] for pro, _ in pairs])},
        ),
    )


def _differ_in_pronouns(text: str, other: str) -> bool:
    """Tell whether two texts differ, and in nothing but pronouns."""
    one, two = text.lower().split(), other.lower().split()
    exchanged = {word.strip(".,'’") for pair in zip(one, two, strict=False) if pair[0] != pair[1] for word in pair}
    return len(one) == len(two) and bool(exchanged) and exchanged <= PRONOUNS


def winogender_task(*, directory: Folder = None, seed: int = 0) -> Task:
    """Return Winogender's sentences about an occupation with a male pronoun; counterparts have a female one.

    ``facts["bls_female"]`` is the percentage of women in the occupation. Hand the differences of log-likelihood
    (counterpart − text) to :func:`occupation_correlation`.
    """
    rows = load("winogender", directory=directory)["test"].to_pandas()
    rows = rows[rows["refers_to"] == "occupation"]
    male, female = (rows[rows["gender"] == gender].reset_index(drop=True) for gender in ("male", "female"))
    same = ["occupation", "participant"]
    if not male[same].equals(female[same]):
        raise ValueError(
            "Expected male and female sentences of Winogender in one order. The file is of another version."
        )
    women = male["bls_female"].to_numpy()
    return Task(
        name="winogender",
        question="Is the person of the occupation a woman?",
        known_by="the United States' labour statistics of 2015 and 2016",
        test=GroupedTexts(
            texts=tuple(male["text"]),
            groups=Groups(("mostly men", "mostly women"), np.stack([women < 50, women > 50], axis=1)),
            counterparts=tuple(female["text"]),
            units=np.unique(male["occupation"].to_numpy(dtype=str), return_inverse=True)[1],
            facts={"occupation": male["occupation"].to_numpy(dtype=str), "bls_female": women},
        ),
    )


def occupation_correlation(
    preference: np.ndarray, occupations: np.ndarray, women: np.ndarray, *, bootstrap: Bootstrap | None = None
) -> dict[str, Any]:
    """Return the correlation, over occupations, of a model's preference for "she" with the share of women.

    Rudinger et al. (2018) compare coreference systems with labour statistics so. 0 is a model that knows nothing of
    occupations, 1 one that follows the statistics; neither is "fair" by itself.

    Parameters
    ----------
    preference : [N]
        For each sentence, how much likelier "she" is than "he".
    occupations, women : [N]
        Occupation of each sentence and the percentage of women in it.
    bootstrap
        Occupations are drawn, not sentences; its strata and units are not used.

    Returns
    -------
    row
        Metric "correlation_with_statistics", ``value`` (Pearson's r), ``low``, ``high`` and ``rows`` (occupations).
    """
    occupations = as_ids(occupations, "occupation")
    names, first, place = np.unique(occupations, return_index=True, return_inverse=True)
    x = np.bincount(place, weights=as_scores(preference, "preference", rows=len(place))) / np.bincount(place)
    shares = as_scores(women, "percentage of women", rows=len(place))
    y = shares[first]
    if (shares != y[place]).any():
        row = int(np.flatnonzero(shares != y[place])[0])
        raise ValueError(
            f"Expected one percentage of women for each occupation, got {y[place[row]]:g} and, in row {row}, "
            f"{shares[row]:g} for {occupations[row]!r}. Rows and columns must belong together."
        )
    if len(names) < 3:
        raise ValueError(f"Expected preferences and percentages of three or more occupations, got {len(names)}.")
    row = {"metric": MetricName("correlation_with_statistics"), "value": float(_pearson(np.ones((1, len(x))), x, y)[0])}
    row |= {"low": np.nan, "high": np.nan, "rows": len(x)}
    if bootstrap is not None:
        plain = Bootstrap(bootstrap.resamples, bootstrap.level, bootstrap.seed)
        draws = np.concatenate([_pearson(counts, x, y) for counts in draw_counts(len(x), plain)])
        ends = [(1 - plain.level) / 2, (1 + plain.level) / 2]
        row["low"], row["high"] = np.nanquantile(draws, ends).tolist()
    return row


def _pearson(weights: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return Pearson's r of x and y [N] under each line of `weights` [R, N]; NaN where one does not vary."""
    w = weights / weights.sum(axis=1, keepdims=True)
    dx, dy = x - (w @ x)[:, None], y - (w @ y)[:, None]
    scale = np.sqrt((w * dx**2).sum(axis=1) * (w * dy**2).sum(axis=1))
    return np.divide((w * dx * dy).sum(axis=1), scale, out=np.full(len(w), np.nan), where=scale > 1e-12)
