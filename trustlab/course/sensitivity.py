"""Which rates a comparison may use, and how much it depends on them: what is read off a search of two rates.

A rate just below the one that diverges is often the best of a search, and is lost with the next seed. So a pair of
rates is a candidate only if neither it nor the next larger client's rate lost a training. The search alone decides
that, before anything is compared, and by the same rule for every method.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas

RATES = ("learning_rate", "server_rate")  # of the client, of the server
LOST = 0.5  # a training that ends below this share of its method's best has diverged, though its weights are finite


def score_unless_lost(rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Train a trial and return its ``score``, NaN where an update was not finite, and its ``seconds``.

    Parameters
    ----------
    rows
        Of :func:`trustlab.federated.simulation.simulate` or :func:`trustlab.federated.continual.continual`.

    Examples
    --------
    >>> score_unless_lost([{"accuracy": 0.9, "discarded": 0, "seconds": 2.0}])
    {'score': 0.9, 'seconds': 2.0}
    """
    row: Mapping[str, Any] = {"seconds": 0.0}
    lost = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of updates that are not finite, which are counted
        try:
            for row in rows:
                lost += row["discarded"]
        except (ValueError, FloatingPointError):  # no update is finite any more
            lost += 1
    return {"score": math.nan if lost else row["accuracy"], "seconds": row["seconds"]}


def lost(scores: Sequence[float]) -> int:
    """Return how many trainings of one setting were lost: below half of its best.

    Examples
    --------
    >>> lost([0.8, 0.7, 0.1])
    1
    """
    return sum(score < LOST * max(scores) for score in scores)


def stable(
    search: pandas.DataFrame, by: Sequence[str], *, within: Sequence[str] = (), client: str = RATES[0]
) -> pandas.DataFrame:
    """Return the trials whose pair of rates lost no training, nor did the pair with the next larger client's rate.

    The next larger is the one tried with the same server's rate. Where none was tried, the pair is no candidate:
    nothing says that it is not the last one before loss.

    Parameters
    ----------
    search
        The client's rate, ``server_rate``, ``score`` (NaN where updates were not finite), and the columns `by`.
    by
        Columns that name a method.
    within
        Those of them whose methods have their candidates in common: what one of these lost is a candidate for none.
        Without any, all methods have the same candidates; with all of them, each has its own.
    client
        The column of the client's rate.

    Examples
    --------
    >>> import pandas as pd
    >>> rates = {"learning_rate": [4, 8, 12, 16] * 2, "server_rate": 1, "way": ["a"] * 4 + ["b"] * 4}
    >>> search = pd.DataFrame({**rates, "score": [0.7, 0.8, 0.8, 0.1, 0.7, 0.8, 0.1, 0.1]})
    >>> stable(search, ["way"])["learning_rate"].tolist()
    [4, 4]
    >>> stable(search, ["way"], within=["way"])["learning_rate"].tolist()
    [4, 8, 4]
    """
    best = search.groupby([*by])["score"].transform("max")
    fine = search["score"] >= LOST * best
    group = search.groupby([*within]).ngroup() if within else fine * 0
    tried = list(zip(group, search["server_rate"], search[client], strict=True))
    lost = {trial for trial, trained in zip(tried, fine, strict=True) if not trained}
    kept = {trial for trial in {*tried} - lost if _next(trial, {*tried}) not in {None, *lost}}
    return search[[trial in kept for trial in tried]]


def _next(trial: tuple[int, float, float], tried: set[tuple[int, float, float]]) -> tuple[int, float, float] | None:
    """Return the trial with the next larger client's rate, of the same methods and with the same server's rate."""
    return min((each for each in tried if each[:2] == trial[:2] and each > trial), default=None)


def by_client_rate(trials: pandas.DataFrame, candidates: pandas.DataFrame) -> list[dict[str, Any]]:
    """Return a row for each client's rate: the best score over the server's rates tried with it.

    Parameters
    ----------
    trials
        The rows of one method in a search.
    candidates
        Those of them that are :func:`stable`. Where a client's rate has some, only these count.

    Returns
    -------
    list of dict
        ``client's rate``; ``server's rate``, the best one; ``score``, mean over the seeds, None where one of them
        diverged with every server's rate; ``stable``, whether it is a candidate's; and ``chosen``, whether it is the
        best candidate's.

    Examples
    --------
    >>> import pandas as pd
    >>> rates = {"learning_rate": [3, 6, 6, 24], "server_rate": [1, 1, 2, 1]}
    >>> trials = pd.DataFrame({**rates, "score": [0.7, 0.8, 0.85, float("nan")]})
    >>> [(row["score"], row["chosen"]) for row in by_client_rate(trials, trials.iloc[:2])]
    [(0.7, False), (0.8, True), (None, False)]
    """
    rows = []
    for client, tried in trials.groupby("learning_rate"):
        allowed = candidates[candidates["learning_rate"] == client]
        scores = (tried if allowed.empty else allowed).groupby("server_rate")["score"].mean(skipna=False)
        server = scores.idxmax() if scores.notna().any() else None
        score = None if server is None else float(scores[server])
        rows.append(
            {"client's rate": float(client), "server's rate": server, "score": score, "stable": len(allowed) > 0}
        )
    best = max(row["score"] for row in rows if row["stable"])
    return [{**row, "chosen": row["stable"] and row["score"] == best} for row in rows]
