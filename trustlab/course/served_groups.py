"""A picture of how well groups are served, and in words what the gap between them is worth."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from trustlab.fairness.groups import ALL, Groups, Mean, estimate_means, gaps, group_means
from trustlab.fairness.groups.resampling import Bootstrap
from trustlab.lab.display import per_cent
from trustlab.lab.finding import Finding, dots

MOST_NAMED = 12  # groups that a picture has room for: of more, the largest
MEASURE = "right"


def served_groups(right: Mapping[str, np.ndarray], groups: Groups, *, title: str, provenance: str) -> Finding:
    """Draw the share of right answers in each group, for one classifier or several; the sentence is about each.

    Parameters
    ----------
    right
        By the classifier's name, which of the N test rows it answers right, bool [N].
    groups
        Of the N rows.
    title, provenance
        Of the picture.

    Examples
    --------
    >>> by = Groups.by(["a", "a", "b", "b"])
    >>> found = served_groups({"one": np.array([1, 1, 1, 0], bool)}, by, title="Alike?", provenance="made up")
    >>> " ".join(found.verdict.split())[:45]
    '“a” gets 100 % right and “b” 50 % (one): a ga'
    """
    if len(groups.names) > MOST_NAMED:
        groups = groups.at_least(int(np.sort(groups.sizes)[-MOST_NAMED]))
    rows, said = [], []
    for name, answers in right.items():
        mean = Mean(MEASURE, np.asarray(answers), np.ones(len(answers), dtype=bool))
        found = group_means([mean], groups, bootstrap=Bootstrap(seed=0))
        of_group = [row for row in found if row["metric"] == MEASURE and row["group"] in (ALL, *groups.names)]
        rows += [{"classifier": name, **row, "group": f"{row['group']}, {row['rows']} rows"} for row in of_group]
        worth = {row["metric"]: row for row in gaps(estimate_means([mean], groups))}[f"{MEASURE}_difference"]
        served = {row["group"]: row["value"] for row in of_group if row["group"] != ALL}
        best, worst = max(served, key=served.__getitem__), min(served, key=served.__getitem__)
        if served[best] == served[worst]:
            said.append(f"Every group gets {per_cent(served[best])} right ({name}).")
            continue
        p = "p < 0.001" if worth["p"] < 0.001 else f"p = {worth['p']:.2g}"
        said.append(
            f"“{best}” gets {per_cent(served[best])} right and “{worst}” {per_cent(served[worst])} ({name}): a gap of "
            f"{worth['value']:.2f}, where a classifier blind to groups shows {worth['blind']:.2f} by chance "
            f"({worth['blind_low']:.2f} to {worth['blind_high']:.2f}), {p}; the true one may be {worth['low']:.2f} to "
            f"{worth['high']:.2f}."
        )
    return dots(
        rows, label="group", value="value", low="low", high="high", series="classifier" if len(right) > 1 else None,
        x_label="answered right", per_cent=True, digits=2, title=title, verdict=" ".join(said), provenance=provenance,
    )  # fmt: skip
