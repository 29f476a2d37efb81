"""What notebook 23 finds, as pictures: gaps, catching up, forgetting, what is known without old data, who gains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from trustlab.course.baselines import TFIDF
from trustlab.course.n23_continual_learning import EXPERIMENT, PLAYS, plays
from trustlab.course.n23_continual_learning.claims import FIRST_RATE
from trustlab.course.n23_continual_learning.experiment import BUDGETS
from trustlab.course.n23_continual_learning.results import (
    ACTIVE,
    AT_ONCE,
    OVER_TIME,
    UNIFORM,
    catch_up_rows,
    forgotten_rows,
    gap_rows,
    harm_rows,
    kept,
    labelled_rows,
    plays_rows,
    sensitivity_rows,
    trivial,
    unseen_rows,
)
from trustlab.lab import finding
from trustlab.lab.display import per_cent
from trustlab.lab.finding import Finding
from trustlab.lab.saved import means_over, saved_over

MOVED: dict[str, Any] = {
    "start": UNIFORM,
    "end": ACTIVE,
    "start_label": "uniform selection",
    "end_label": "by activity",
    "per_cent": True,
}


def gap() -> Finding:
    """Draw the gain by activity, on all data at once and over time, at three drifts."""
    rows = gap_rows()
    found = {row["data"]: row for row in rows}
    at_once, over_time = (found[f"drift 1, {label}"] for label in (AT_ONCE, OVER_TIME))
    few, many = over_time["examples per round"].split(" and ")
    return finding.dumbbells(
        rows,
        label="data",
        **MOVED,
        title="Is the gain by activity larger over time?",
        verdict=f"At drift 1 selection by activity gains {_gain(at_once)} on all data at once and {_gain(over_time)} "
        f"over time. There ten uniform clients hold {few} utterances, and ten active ones {many}. Given all data at "
        f"once, counting words (tf-idf) understands {per_cent(trivial(1.0)[TFIDF])}.",
        provenance=means_over(EXPERIMENT.saved()[1], tabled=True),
        x_label="requests of all periods understood after 60 rounds",
    )


def whose_rate(drift: float = 1.0) -> Finding:
    """Draw the search behind the comparison: accuracy over the client's rate, for both selections and both settings."""
    rows = sensitivity_rows(drift)
    at = {(row["data"], row["drawn"], row["client's rate"]): row["score"] for row in rows}
    best = {(row["data"], row["drawn"]): row["score"] for row in rows if row["chosen"]}
    gains = [
        found[OVER_TIME, ACTIVE, *rate] - found[OVER_TIME, UNIFORM, *rate]
        for found, rate in ((at, (FIRST_RATE,)), (best, ()))
    ]
    return finding.lines(
        rows,
        x="client's rate",
        y="score",
        series="drawn",
        pane="data",
        chosen="chosen",
        x_label="client's rate (the best of the server's rates tried with it)",
        y_label="requests understood",
        title=f"How much of it is the rate? (drift {drift:g})",
        verdict=f"Over time selection by activity gains {_points(gains[0])} where both have a client's rate of "
        f"{FIRST_RATE:g}, and {_points(gains[1])} where each has its own (ringed).",
        provenance="the search: one seed of its own, validation part; a cross is a training that diverged",
        per_cent=True,
        log=True,
    )


def on_plays() -> Finding:
    """Draw the same on Shakespeare's plays."""
    rows = plays_rows()
    at_once, over_time = rows
    return finding.dumbbells(
        rows,
        label="plays",
        **MOVED,
        title="Shakespeare's plays as periods",
        verdict=f"Selection by activity gains {_gain(at_once)} on all plays at once and {_gain(over_time)} over time.",
        provenance=means_over(PLAYS.saved(plays.CORPUS)[1], tabled=True),
        x_label="next characters predicted",
    )


def catching_up() -> Finding:
    """Draw how far training over time comes, and how far training on all data at once."""
    rows = catch_up_rows()
    never = [row["training"] for row in rows if row["reaches 95 % of it"] == "never"]
    some = sum("seeds" in row["reaches 95 % of it"] for row in rows)  # "(2 of 5 seeds)"
    return finding.dumbbells(
        rows,
        label="training",
        start=OVER_TIME,
        end=AT_ONCE,
        title="Does training over time catch up?",
        verdict=f"In {len(rows) - len(never) - some} of {len(rows)} trainings every seed reaches 95 % of what training "
        f"on all data at once ends with. No seed does: {'; '.join(never) or 'nowhere'}.",
        provenance=means_over(EXPERIMENT.saved()[1]),
        x_label="requests of all periods understood after 60 rounds",
        per_cent=True,
    )


def forgetting(measure: Callable[[np.ndarray], np.ndarray], drift: float = 3.0) -> Finding:
    """Draw what is forgotten of each period, with nothing kept and with a few old examples.

    Parameters
    ----------
    measure
        From a forgetting matrix to what is forgotten of each period but the last.
    drift
        Of the trainings.
    """
    rows = forgotten_rows(drift, measure)
    first = {row["replay"]: row["forgotten"] for row in rows if row["period"] == "period 1"}
    most = kept(max(BUDGETS))
    return finding.dots(
        rows,
        label="period",
        value="forgotten",
        low="low",
        high="high",
        series="replay",
        title=f"What is forgotten at drift {drift:g}, by activity",
        verdict=f"Of the first period {_points(first[kept(0)])} are forgotten with nothing kept, and "
        f"{_points(first[most])} with {max(BUDGETS)} old utterances on each device.",
        provenance=saved_over(EXPERIMENT.saved()[1]),
        x_label="best accuracy before the end, minus accuracy at the end",
        reference={"none": 0.0},
        per_cent=True,
    )


def without_old_data() -> Finding:
    """Draw what sums of metrics claim after deletion against what is true."""
    rows = unseen_rows()
    errors = [100 * (row["kept sums"] - row["true"]) for row in rows]
    low, high = (f"{abs(each):.0f} too {'high' if each > 0 else 'low'}" for each in (min(errors), max(errors)))
    return finding.gauges(
        rows,
        label="training",
        claimed="kept sums",
        true="true",
        title="How good is the last model, when the data are gone?",
        verdict=f"Of a hundred points, the sums that were kept are between {low} and {high}.",
        provenance=means_over(EXPERIMENT.saved()[1], tabled=True),
        x_label="requests of all periods understood",
        per_cent=True,
    )


def labels_from_feedback() -> Finding:
    """Draw what labels from users' reactions are worth."""
    rows = labelled_rows()
    found = {row["labels"]: row["accuracy"] for row in rows if row["training"] == f"drift 1, {ACTIVE}"}
    start, told, true = found.values()
    return finding.dots(
        rows,
        label="training",
        value="accuracy",
        low="low",
        high="high",
        series="labels",
        title="What are users' reactions worth?",
        verdict=f"At drift 1 and by activity: {per_cent(start)} with the first period's labels only, {per_cent(told)} "
        f"with reactions, {per_cent(true)} with true labels.",
        provenance=saved_over(EXPERIMENT.saved()[1]),
        x_label="requests of all periods understood",
        per_cent=True,
    )


def who_gains(drift: float = 1.0) -> Finding:
    """Draw what selection by activity gives to all, to light devices, and to users on the way."""
    rows = harm_rows(drift)
    found = {row["measured on"]: row for row in rows}
    everybody, light = (found[f"{who}, weighted by examples"] for who in ("all requests", "light devices"))
    return finding.dumbbells(
        rows,
        label="measured on",
        **MOVED,
        title=f"Who gains at drift {drift:g}?",
        verdict=f"Weighted by examples, light devices gain {_gain(light)}, all {_gain(everybody)}.",
        provenance=means_over(EXPERIMENT.saved()[1], tabled=True),
        x_label="requests understood",
    )


def _gain(row: dict[str, Any]) -> str:
    return _points(row[ACTIVE] - row[UNIFORM])


def _points(share: float) -> str:
    """Write a difference in points of a hundred.

    Examples
    --------
    >>> _points(0.129), _points(0.011), _points(-0.004)
    ('13 points', '1 point', '0 points')
    """
    points = f"{100 * share:.0f}".replace("-0", "0").replace("-", "−")
    return f"{points} point{'' if points == '1' else 's'}"
