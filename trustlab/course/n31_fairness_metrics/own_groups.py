"""How well the groups of a corpus are served by a classifier of its intents: the reader's own, or the embedded one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trustlab.course.baselines import tfidf_logistic
from trustlab.course.corpora import EMBEDDED, called
from trustlab.course.served_groups import served_groups
from trustlab.data.serving import missing_for
from trustlab.fairness.groups import Groups
from trustlab.lab.display import Display, paragraph

if TYPE_CHECKING:
    import datasets


def own_groups(corpus: datasets.DatasetDict) -> Display:
    """Say how many intents of each group a classifier gets right that counts words, and what a gap is worth.

    Parameters
    ----------
    corpus
        One with ``intent`` and ``group``. Of another it is said in words what is missing.

    Examples
    --------
    >>> rows = {"tokens": [["hi"], ["stop"]], "intent": ["greet", "stop"]}
    >>> own_groups({"train": rows, "validation": rows, "test": rows})
    No group is compared here. Missing: two or more groups in test (group=). All else of this notebook needs no group.
    """
    if missing := missing_for(corpus, "31"):
        return paragraph(f"No group is compared here. Missing: {missing}. All else of this notebook needs no group.")
    known, asked = corpus["train"], corpus["test"]
    said = [[" ".join(tokens) for tokens in split["tokens"][:]] for split in (known, asked)]
    answers = tfidf_logistic(said[0], known["intent"][:], said[1])
    right = np.array([str(answer) == intent for answer, intent in zip(answers, asked["intent"][:], strict=True)])
    name = called(corpus, EMBEDDED)
    found = served_groups(
        {"counted words": right},
        Groups.by(asked["group"][:]),
        title="Are all served alike?",
        provenance="computed here",
    )
    return paragraph(f"The groups of {name}: {found.verdict}")
