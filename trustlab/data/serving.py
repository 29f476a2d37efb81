"""What a corpus can be used for here, in words: which notebook takes it, and what is missing for the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

CLIENTS, PER_ROUND = 100, 10  # of the fleets that notebooks 21 and 22 make


class _Use(NamedTuple):
    """A task, the notebook that shows it, and what it needs: names of :func:`_facts`."""

    task: str
    notebook: str
    needs: tuple[str, ...]


# What is needed, by name, and how one gets it.
_NEEDS = {
    "intents": "two or more intents in train (intent=)",
    "slots": "slots other than O (slots=)",
    "splits": "the splits train, validation and test",
    "rows": f"{CLIENTS} or more training rows",
    "users": f"{PER_ROUND} or more users with training rows (user=)",
    "holders": "a column that says whose each row is (user=) or of which group (group=)",
    "time": "two or more periods (time=)",
    "groups": "two or more groups in test (group=)",
}
_USES = (
    _Use("train a classifier of intents privately", "11", ("intents", "splits")),
    _Use("train a tagger of slots privately", "11", ("slots", "splits")),
    _Use("divide it among clients by label, and see what skew costs", "21", ("intents", "rows")),
    _Use("measure the fleet that is in it", "21", ("intents", "holders")),
    _Use("select clients by activity", "22", ("intents", "users", "splits")),
    _Use("learn while data arrive and go", "23", ("intents", "users", "time", "splits")),
    _Use("classify in a federation", "24", ("intents", "users", "splits")),
    _Use("tag, answer and generate in a federation", "24", ("intents", "slots", "users", "splits")),
    _Use("compare how well groups are served", "31", ("intents", "groups", "splits")),
)


def serves(corpus: Mapping[str, object]) -> pd.DataFrame:
    """Return what `corpus` can be used for, and what is missing for the rest.

    Parameters
    ----------
    corpus
        What :func:`~trustlab.data.load` or :func:`~trustlab.data.load_own` returned. Of other corpora than those with
        words, intents and slots it says that these columns are missing.

    Returns
    -------
    pandas.DataFrame
        Columns ``task``, ``notebook``, ``runs`` (bool) and ``missing``: empty, or what is needed and not there, with
        the argument of :func:`~trustlab.data.load_own` that would name it.

    Examples
    --------
    >>> from trustlab.data import load
    >>> table = serves(load("assistant"))
    >>> bool(table["runs"].all()), table["notebook"].unique().tolist()
    (True, ['11', '21', '22', '23', '24', '31'])
    """
    import pandas as pd

    has = _facts(corpus)
    rows = []
    for use in _USES:
        lacking = [_NEEDS[need] for need in use.needs if not has[need]]
        rows.append((use.task, use.notebook, not lacking, "; ".join(lacking)))
    return pd.DataFrame(rows, columns=["task", "notebook", "runs", "missing"])


def missing_for(corpus: Mapping[str, object], notebook: str, task: str = "") -> str:
    """Return what the first such use of `notebook` lacks; an empty text where it lacks nothing.

    Parameters
    ----------
    corpus, notebook
        As for :func:`serves`, and a notebook's number.
    task
        A word of the use, where a notebook has several.

    Examples
    --------
    >>> rows = {"tokens": [["hi"]] * 2, "intent": ["greet", "stop"]}
    >>> missing_for({"train": rows, "test": rows}, "31")
    'two or more groups in test (group=); the splits train, validation and test'
    """
    table = serves(corpus)
    of_it = table[(table["notebook"] == notebook) & table["task"].str.contains(task)]
    if of_it.empty:
        raise ValueError(f"Expected a notebook of {', '.join(table['notebook'].unique())}, got {notebook!r} {task!r}.")
    return str(of_it.iloc[0]["missing"])


def _facts(corpus: Mapping[str, object]) -> dict[str, bool]:
    """Return which of :data:`_NEEDS` a corpus has."""
    train, test = _columns(corpus, "train"), _columns(corpus, "test")
    counts = {name: Counter(train[name]) for name in ("intent", "device", "period") if name in train}
    tags = {tag for row in train.get("slots", ()) for tag in row}
    return {
        "intents": len(counts.get("intent", ())) > 1,
        "slots": len(tags - {"O"}) > 0,
        "splits": {"train", "validation", "test"} <= set(corpus),
        "rows": len(train.get("tokens", ())) >= CLIENTS,
        "users": len(counts.get("device", ())) >= PER_ROUND,
        "holders": bool({"device", "persona", "group", "domain"} & set(train)),
        "time": len(counts.get("period", ())) > 1,
        "groups": len(set(test.get("group", ()))) > 1 and "group" in train,
    }


def _columns(corpus: Mapping[str, object], split: str) -> dict[str, list]:
    """Return the columns of a split by name; none where there is no such split."""
    rows = corpus.get(split, {})
    names = getattr(rows, "column_names", None) or list(rows)
    kept = ("tokens", "slots", "intent", "device", "period", "group", "persona", "domain")
    return {name: rows[name][:] for name in names if name in kept}  # a slice of a column is read at once
