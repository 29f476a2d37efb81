"""What notebook 02 says of the rows that it reads: what they serve, with all columns and with few."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trustlab.data import serves

if TYPE_CHECKING:
    import datasets

YES = "yes"


def side_by_side(corpora: Mapping[str, datasets.DatasetDict]) -> list[dict[str, Any]]:
    """Return a row for each task: the notebook, and for each corpus "yes" or what it lacks.

    Examples
    --------
    >>> rows = {"tokens": [["hi"], ["stop"]], "intent": ["greet", "stop"]}
    >>> side_by_side({"two rows": {"train": rows, "validation": rows, "test": rows}})[0]["two rows"]
    'yes'
    """
    tables = {name: serves(corpus) for name, corpus in corpora.items()}
    first = next(iter(tables.values()))
    return [
        {
            "task": use.task,
            "notebook": use.notebook,
            **{name: table["missing"][i] or YES for name, table in tables.items()},
        }
        for i, use in enumerate(first.itertuples())
    ]
