"""One utterance of a corpus in the roles of the four tasks: what a model reads and what it has to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trustlab.course.corpora import EMBEDDED
from trustlab.federated.tasks import FAMILIES, read

if TYPE_CHECKING:
    import datasets


def four_roles(corpus: datasets.DatasetDict) -> list[dict[str, str]]:
    """Return a row for each task, of the first utterance after the first that has it; the embedded corpus' has all.

    Examples
    --------
    >>> from trustlab.data import load
    >>> [row["task"] for row in four_roles(load("assistant"))]
    ['classification', 'tagging', 'qa', 'seq2seq']
    """
    rows, train = [], corpus["train"]
    for task, family in FAMILIES.items():
        (example,) = read(EMBEDDED, task, train.select(range(1, len(train))), most=1)
        words = (*example.question, "|", *example.source) if example.question else example.source
        said = example.target if isinstance(example.target, str) else " ".join(map(str, example.target))
        rows.append({"task": task, "reads": " ".join(words), "answers": said, "measured by": family.metric})
    return rows
