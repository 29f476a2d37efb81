"""One protocol for every comparison: the same number of trials for each method, and the whole search committed.

A search declares a space of options, draws as many combinations as its budget for every method, trains each with seeds
and data that are not reported, and keeps all of them as a table in ``data/results/tuning``. What a notebook compares
are the best of each method, so that "tuned alike" can be read. A best value at the end of its range says that the range
was too narrow: then the space is widened, for every method, and only the new combinations are trained.

Random search covers an important option better than a grid of the same size (Bergstra and Bengio 2012). The order of
the combinations depends on their values alone, so that a wider space keeps the trials that it shares with the old one.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trustlab.plain import scalar

if TYPE_CHECKING:
    import pandas

Value = float | int | str


@dataclass(frozen=True)
class Option:
    """The values that a search tries for one option.

    Attributes
    ----------
    values
        Distinct, in ascending order where they are numbers.
    low_end, high_end
        Why the first and the last value may be the best: the reason that there is nothing beyond, such as "no
        micro-batch holds less than one example". Empty where the range was only cut there. Names have no ends.
    """

    values: tuple[Value, ...]
    low_end: str = ""
    high_end: str = ""

    def __post_init__(self) -> None:
        numbers = [value for value in self.values if not isinstance(value, str)]
        if not self.values or len(set(self.values)) < len(self.values) or numbers != sorted(numbers):
            raise ValueError(
                f"Expected distinct values in ascending order, got {self.values}. Their ends are looked at."
            )

    def open_end(self, value: Value) -> str:
        """Return at which end of its range a value lies that should have been wider, or an empty text."""
        if isinstance(value, str) or len(self.values) == 1:
            return ""
        if value not in self.values:
            raise ValueError(f"Expected one of {self.values}, got {value}. The table is of another search.")
        at_low, at_high = value == self.values[0], value == self.values[-1]
        return "low" if at_low and not self.low_end else "high" if at_high and not self.high_end else ""


Space = Mapping[str, Option]
FIRST_SEED = 100  # of a search; those below are reported


def search_seeds(seeds: Sequence[int]) -> list[int]:
    """Return the seeds of a search, none of which is reported: those below :data:`FIRST_SEED` are counted from there.

    Examples
    --------
    >>> search_seeds([0, 1]), search_seeds([100, 101])  # asked for, and read off a table
    ([100, 101], [100, 101])
    """
    return [seed if seed >= FIRST_SEED else FIRST_SEED + seed for seed in seeds]


def trials(space: Space, budget: int, seed: int = 0) -> list[dict[str, Value]]:
    """Return `budget` distinct combinations of `space`, in an order that depends on their values and `seed` alone.

    Parameters
    ----------
    space
        The options and their values.
    budget
        How many combinations; a space with fewer is refused, because its method would be tuned less than the others.
    seed
        Of the order.

    Examples
    --------
    >>> narrow = {"rate": Option((0.1, 0.3, 1.0)), "batch": Option((64, 256))}
    >>> wide = {**narrow, "rate": Option((0.1, 0.3, 1.0, 3.0))}
    >>> [each for each in trials(wide, 8) if each["rate"] < 3] == trials(narrow, 6)
    True
    """
    names = list(space)
    every = [dict(zip(names, values, strict=True)) for values in itertools.product(*(space[n].values for n in names))]
    if not 1 <= budget <= len(every):
        raise ValueError(
            f"Expected budget={budget} between 1 and {len(every)}, as many combinations as the space has. Every method "
            "gets the same number of trials: give this one more values."
        )
    return sorted(every, key=lambda each: _place(each, seed))[:budget]


def _place(combination: Mapping[str, Value], seed: int) -> bytes:
    written = json.dumps([seed, sorted(combination.items())]).encode()
    return hashlib.blake2b(written, digest_size=16).digest()


def best(
    table: pandas.DataFrame, *, by: Sequence[str], options: Sequence[str], score: str = "score"
) -> pandas.DataFrame:
    """Return the best combination of every group, by the mean score over the seeds of its trial.

    Parameters
    ----------
    table
        One row per training of a search. A training that diverged has a score that is not finite.
    by
        Columns that name what is tuned on its own: method, ε, partition …
    options
        Columns of the options searched. Where a method has no such option, its column is constant.
    score
        The column to maximise. Of equal means the combination that comes first in the table is taken.

    Returns
    -------
    DataFrame
        The columns `by`, `options` and `score` (the mean), one row per group in the table's order.

    Raises
    ------
    ValueError
        If every trial of a group diverged, or trials of a group had different numbers of seeds.

    Examples
    --------
    >>> import pandas as pd
    >>> search = pd.DataFrame({"method": ["a"] * 3, "rate": [0.1, 0.3, 1.0], "score": [0.5, 0.8, math.nan]})
    >>> best(search, by=["method"], options=["rate"])["rate"].tolist()
    [0.3]
    """
    grouped = table.groupby([*by, *options], sort=False, dropna=False)[score]
    means = grouped.agg(_mean).reset_index()
    seeds = grouped.size().reset_index(name="seeds")
    if uneven_seeds := [group for group, runs in _groups(seeds, by) if runs["seeds"].nunique() > 1]:
        raise ValueError(f"Expected as many seeds for every trial, got different numbers for {uneven_seeds[0]}.")
    chosen = means.loc[means.groupby([*by], sort=False, dropna=False)[score].idxmax()]
    if lost := [group for group, runs in _groups(chosen, by) if not math.isfinite(runs[score].iloc[0])]:
        raise ValueError(f"Expected a trial that trained, got only diverged ones for {lost[0]}. Try smaller rates.")
    return chosen.reset_index(drop=True)


def chosen(table: pandas.DataFrame, *, options: Sequence[str], score: str = "score", **where: Any) -> dict[str, Value]:
    """Return the options that a search chose for one method, given by `where`.

    Examples
    --------
    >>> import pandas as pd
    >>> search = pd.DataFrame({"method": ["a", "a"], "rate": [0.1, 0.3], "batch": [64, 64], "score": [0.5, 0.8]})
    >>> chosen(search, options=["rate", "batch"], method="a")
    {'rate': 0.3, 'batch': 64}
    """
    runs = table
    for name, value in where.items():
        runs = runs[runs[name] == value]
    if runs.empty:
        raise ValueError(f"Expected trials of {where} in the search, got none. Tune this method as the others were.")
    (row,) = best(runs, by=list(where), options=options, score=score)[[*options]].to_dict("records")
    return row


def at_the_edge(
    table: pandas.DataFrame,
    spaces: Mapping[str, Space],
    *,
    by: Sequence[str],
    options: Sequence[str],
    of: str = "method",
    score: str = "score",
) -> list[str]:
    """Return a sentence for every chosen value at an end of its range that has no reason; a test wants none.

    Parameters
    ----------
    spaces
        The space of each value of column `of`.
    """
    said = []
    for row in best(table, by=by, options=options, score=score).to_dict("records"):
        for name, option in spaces[row[of]].items():
            if end := option.open_end(row[name]):
                group = ", ".join(str(row[column]) for column in by)
                said.append(f"{group}: {name}={row[name]} is the {end} end of {option.values}. Widen the search there.")
    return said


def uneven(table: pandas.DataFrame, *, by: Sequence[str], options: Sequence[str]) -> list[str]:
    """Return a sentence for every group with another number of trials than the first; a test wants none."""
    counts = {group: len(runs.drop_duplicates([*options])) for group, runs in _groups(table, by)}
    first = next(iter(counts.values()))
    return [f"{group}: {n} trials, where others had {first}." for group, n in counts.items() if n != first]


def profile(
    table: pandas.DataFrame, option: str, *, by: Sequence[str], options: Sequence[str], score: str = "score"
) -> list[dict[str, Any]]:
    """Return how much the outcome of each group depends on one option, the others at their best for each value.

    Returns
    -------
    list of dict
        The columns `by`, `option`, `score` (the best mean at this value; NaN where all diverged) and ``chosen``,
        whether the search chose this value: rows for :func:`trustlab.lab.finding.lines`.

    Examples
    --------
    >>> import pandas as pd
    >>> search = pd.DataFrame({"method": "a", "rate": [1, 1, 3], "batch": [64, 256, 64], "score": [0.5, 0.6, 0.8]})
    >>> found = profile(search, "rate", by=["method"], options=["rate", "batch"])
    >>> [(row["rate"], row["score"], row["chosen"]) for row in found]
    [(1, 0.6, False), (3, 0.8, True)]
    """
    taken = best(table, by=by, options=options, score=score).set_index([*by])[option]
    found = []
    for _, runs in table.groupby([*by, option], sort=False, dropna=False):
        group = {name: scalar(runs[name].iloc[0]) for name in (*by, option)}
        most = float(runs.groupby([*options], dropna=False)[score].agg(_mean).max())
        here = bool(taken.loc[tuple(group[name] for name in by)] == group[option])
        found.append({**group, score: most if math.isfinite(most) else math.nan, "chosen": here})
    return found


def _mean(scores: pandas.Series) -> float:
    """Return the mean over the seeds of a trial, and less than any other where one of them diverged."""
    return float(scores.mean()) if all(map(math.isfinite, scores)) else -math.inf


def _groups(table: pandas.DataFrame, by: Sequence[str]) -> list[tuple[str, pandas.DataFrame]]:
    """Return the rows of every group with its name in words."""
    found = table.groupby([*by], sort=False, dropna=False)
    return [(", ".join(map(str, group)), runs) for group, runs in found]
