"""Whether fresh rows agree with a committed table: number by number where they must, otherwise on average.

On the processor and the versions that made the table, a seed decides every digit: each number of each seed has to come
out again. Elsewhere sums are added in another order, differences grow over hundreds of steps, and only a mean over
seeds can be compared, within a wide band. Which of the two it was is part of the answer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trustlab.course.experiment import Experiment

if TYPE_CHECKING:
    import pandas

ROUNDING = 1e-3
TIMES = ("seconds",)  # the columns that nothing can repeat
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Agreement:
    """What a comparison found.

    Attributes
    ----------
    misses
        One sentence for each row, or each mean, that is not as committed.
    how
        What was compared, how closely, and why not more closely.
    row_by_row
        Whether every number of every seed was compared.
    """

    misses: list[str]
    how: str
    row_by_row: bool = False

    @property
    def verdict(self) -> str:
        """One sentence: whether it agrees, and what that means here."""
        agrees = (
            "every number agrees"
            if self.row_by_row
            else "every mean is within its tolerance; single numbers were not compared"
        )
        return f"{'does NOT agree' if self.misses else agrees}: {self.how}"


def agreement(
    table: pandas.DataFrame, about: Mapping[str, Any], rows: Sequence[Row], made: Sequence[Row], experiment: Experiment
) -> Agreement:
    """Compare fresh `rows` with a committed `table`.

    Parameters
    ----------
    table, about
        The table, or the part of it that was computed again, and its provenance.
    rows
        Fresh rows, of the table's seeds or of some of them.
    made
        Their provenance: of any of them from the run store, when they were computed.
    experiment
        Names settings and columns.
    """
    seeds = sorted({row["seed"] for row in rows} & set(table["seed"].tolist()))
    if not seeds:
        lacking = "expected one of the seeds computed in data/results, which has none."
        return Agreement([lacking], "nothing was compared.")
    over = f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
    if others := sorted({row["seed"] for row in rows} - set(seeds)):
        over += f" ({', '.join(map(str, others))} are not in the table)"
    table, rows = table[table["seed"].isin(seeds)], [row for row in rows if row["seed"] in seeds]
    absent = list(_absent(table, rows, experiment))
    off = list(_off_by_seed(table, rows, experiment))
    if reason := unlike(about, made, experiment.code().packages):
        bands = ", ".join(f"{column} ± {limit:g}" for column, limit in experiment.tolerance.items())
        same = sum(not said for said in off)
        how = (
            f"compared with data/results by means over {over}, within {bands}, and not row by row: {reason}. "
            f"Of {len(rows)} rows, {same} agree to {ROUNDING:g} even so."
        )
        return Agreement([*absent, *_off_on_average(table, rows, experiment)], how)
    how = f"compared with data/results row by row, each number to {ROUNDING:g}, {over}: on the table's processor and"
    return Agreement([*absent, *filter(None, off)], f"{how} versions.", row_by_row=True)


def unlike(about: Mapping[str, Any], made: Sequence[Row], packages: Sequence[str]) -> str:
    """Return why rows need not equal a table's digit by digit; empty where they have to.

    Examples
    --------
    >>> here = {"processor": "x86_64", "versions": {"python": "3.11.7", "numpy": "2.4.6"}}
    >>> unlike(here, [here], ["numpy"])
    ''
    >>> unlike({**here, "processor": "arm64"}, [here], ["numpy"])
    'the table was made on arm64, these rows on x86_64'
    """
    there, here = about.get("processor"), sorted({each.get("processor") or "an unknown one" for each in made})
    if not there:
        return "the table does not say on which processor it was made"
    if here != [there]:
        return f"the table was made on {there}, these rows on {'; '.join(here)}"
    for name in ("python", *packages):
        known = _public(name, about)
        # a row whose code does not use a package has none of its versions
        others = sorted({_public(name, each) for each in made if name in each["versions"]} - {known})
        if others:
            return f"the table was made with {name} {known}, these rows with {', '.join(others)}"
    return ""


def _public(name: str, about: Mapping[str, Any]) -> str:
    """Return a version as a lock names it: of Python without its last number, of others without their build."""
    version = (about.get("versions") or {}).get(name) or "none"
    return ".".join(version.split(".")[:2]) if name == "python" else version.partition("+")[0]


def _absent(table: pandas.DataFrame, rows: Sequence[Row], experiment: Experiment) -> Iterator[str]:
    """Yield one sentence for each setting, or each seed of one, that only the table has, or only the rows."""
    key = experiment.module.KEY
    known = {(*(row[name] for name in key), row["seed"]) for row in table.to_dict("records")}
    fresh = {(*(row[name] for name in key), row["seed"]) for row in rows}
    for there, other, said in (
        (fresh, known, "expected it in data/results, which lacks it. Write the table again."),
        (known, fresh, "is in data/results, and was not recomputed."),
    ):
        settings = {each[:-1] for each in other}
        for setting in dict.fromkeys(each[:-1] for each in sorted(there - other, key=repr)):
            lost = sorted(each[-1] for each in there - other if each[:-1] == setting)
            seeds = f", seed {', '.join(map(str, lost))}" if setting in settings else ""
            yield f"{experiment.named(*setting)}{seeds}: {said}"


def _off_by_seed(table: pandas.DataFrame, rows: Sequence[Row], experiment: Experiment) -> Iterator[str]:
    """Yield for each row that the table has one sentence, empty where every number is the table's."""
    key = (*experiment.module.KEY, "seed")
    known = {tuple(row[name] for name in key): row for row in table.to_dict("records")}
    for row in rows:
        expected = known.get(tuple(row[name] for name in key))
        if expected is None:
            continue
        columns = [name for name in dict.fromkeys([*experiment.tolerance, *table.columns, *row]) if name not in TIMES]
        off = [name for name in columns if not near(expected.get(name), row.get(name), ROUNDING)]
        if not off:
            yield ""
            continue
        first, *others = off
        named = experiment.named(*(row[name] for name in experiment.module.KEY))
        yield (
            f"{named}, seed {row['seed']}: expected {first} {_shown(expected.get(first))} ± {ROUNDING:g}, "
            f"got {_shown(row.get(first))}" + (f"; not as committed either: {', '.join(others)}." if others else ".")
        )


def near(expected: Any, got: Any, limit: float) -> bool:
    """Return whether two cells are the same: numbers, and numbers joined by "|", to `limit`; other texts exactly.

    Examples
    --------
    >>> near(0.917, 0.9175, 1e-3), near("0.10|0.20", "0.10|0.25", 1e-3), near(math.nan, None, 1e-3)
    (True, False, True)
    """
    sides = [["nan"] if cell is None else str(cell).split("|") for cell in (expected, got)]
    if len(sides[0]) != len(sides[1]):
        return False
    return all(a == b or _near(a, b, limit) for a, b in zip(*sides, strict=True))


def _near(a: str, b: str, limit: float) -> bool:
    try:
        x, y = float(a), float(b)
    except ValueError:
        return False
    # Texts hold rounded numbers: two that differ by one in the last digit differ by limit and its own rounding.
    return x == y or (math.isnan(x) and math.isnan(y)) or abs(x - y) <= limit * (1 + 1e-9)


def _shown(cell: Any) -> str:
    """Return a cell as a sentence shows it: a long text by its beginning."""
    text = f"{cell:.4f}" if isinstance(cell, float) else str(cell)
    return text if len(text) <= 40 else f"{text[:40]}…"


def _off_on_average(table: pandas.DataFrame, rows: Sequence[Row], experiment: Experiment) -> Iterator[str]:
    """Yield one sentence for each mean over seeds that is beyond its tolerance."""
    import pandas

    if not rows:
        return
    key, columns = list(experiment.module.KEY), list(experiment.tolerance)
    fresh, committed = (each.groupby(key)[columns].mean() for each in (pandas.DataFrame(rows), table))
    for setting, measured in fresh[fresh.index.isin(committed.index)].iterrows():
        for column, tolerance in experiment.tolerance.items():
            expected = committed.loc[setting, column]
            # inf - inf is no number: equal values always agree.
            if measured[column] != expected and not abs(measured[column] - expected) <= tolerance:
                named = experiment.named(*(setting if isinstance(setting, tuple) else (setting,)))
                yield f"{named}: expected {column} {expected:.3f} ± {tolerance}, got {measured[column]:.3f}."
