"""How well the groups of a corpus are served by a classifier of its intents: the reader's own, or the embedded one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trustlab.course.baselines import tfidf_logistic
from trustlab.course.corpora import EMBEDDED, called
from trustlab.data.serving import missing_for
from trustlab.fairness.groups import ALL, Groups, Mean, estimate_means, gaps, group_means
from trustlab.fairness.groups.resampling import Bootstrap
from trustlab.lab.display import Display, paragraph, per_cent
from trustlab.lab.finding import Finding, dots

if TYPE_CHECKING:
    import datasets

MOST_NAMED = 12  # groups that a picture has room for: of more, the largest
MEASURE = "right"


def own_groups(corpus: datasets.DatasetDict) -> Finding | Display:
    """Draw how many intents of each group a classifier gets right that counts words, and what a gap is worth.

    Parameters
    ----------
    corpus
        One with ``intent`` and ``group``. Of another it is said in words what is missing.

    Examples
    --------
    >>> rows = {"tokens": [["hi"], ["stop"]], "intent": ["greet", "stop"]}
    >>> print(own_groups({"train": rows, "validation": rows, "test": rows}).text)
    No group is compared here. Missing: two or more groups in test (group=). All else of this notebook needs no group.
    """
    if missing := missing_for(corpus, "31"):
        return paragraph(f"No group is compared here. Missing: {missing}. All else of this notebook needs no group.")
    known, asked = corpus["train"], corpus["test"]
    said = [[" ".join(tokens) for tokens in split["tokens"][:]] for split in (known, asked)]
    answers = tfidf_logistic(said[0], known["intent"][:], said[1])
    right = np.array([str(answer) == intent for answer, intent in zip(answers, asked["intent"][:], strict=True)])
    groups = Groups.by(asked["group"][:])
    if len(groups.names) > MOST_NAMED:
        largest = np.sort(groups.sizes)[-MOST_NAMED]
        groups = groups.at_least(int(largest))
    return _drawn(right, groups, called(corpus, EMBEDDED))


def _drawn(right: np.ndarray, groups: Groups, name: str) -> Finding:
    mean = Mean(MEASURE, right, np.ones(len(right), dtype=bool))
    found = group_means([mean], groups, bootstrap=Bootstrap(resamples=1000, seed=0))
    rows = [row for row in found if row["metric"] == MEASURE and row["group"] in (ALL, *groups.names)]
    gap = next(row for row in gaps(estimate_means([mean], groups)) if row["metric"] == f"{MEASURE}_difference")
    served = {row["group"]: row["value"] for row in rows if row["group"] != ALL}
    best, worst = max(served, key=served.get), min(served, key=served.get)
    p = "p < 0.001" if gap["p"] < 0.001 else f"p = {gap['p']:.2g}"
    verdict = (
        f"Of {name}, {per_cent(served[best])} of the intents of “{best}” are right and {per_cent(served[worst])} of "
        f"those of “{worst}”. Blind to the groups a classifier would show a gap of {gap['blind']:.2f} by chance "
        f"({gap['blind_low']:.2f} to {gap['blind_high']:.2f}). Corrected for that, it is {gap['corrected']:.2f} (95 % "
        f"{gap['low']:.2f} to {gap['high']:.2f}), {p}."
    )
    return dots(
        [{**row, "group": f"{row['group']}, {row['rows']} rows"} for row in rows],
        label="group", value="value", low="low", high="high", x_label="intents right", per_cent=True, digits=2,
        title="Are the groups of a corpus served alike?", verdict=verdict,
        provenance=f"computed here on {name}: counted words, logistic regression; 95 % interval over test rows",
    )  # fmt: skip
