"""What notebook 22 finds, as pictures: who gains, who is heard, what every selection costs, and whose ε it is."""

from __future__ import annotations

from trustlab.course.corpora import EMBEDDED
from trustlab.course.n22_device_selection import EXPERIMENT, HARM, TUNING
from trustlab.course.n22_device_selection.experiment import FIRST_RATES
from trustlab.course.n22_device_selection.fleets import AS_IT_IS
from trustlab.course.n22_device_selection.results import (
    CORPUS_NAMES,
    MEASURES,
    UNIFORM,
    beaten,
    by_fleet,
    every_selection,
    gains,
    lead_of_activity,
    lead_of_heavy,
    name_of,
    points,
    sensitivity_rows,
    who_is_heard,
)
from trustlab.federated.selection import Selector
from trustlab.lab import finding
from trustlab.lab.display import listed, number, per_cent
from trustlab.lab.finding import Finding
from trustlab.lab.saved import means_over, saved_over, seeds_of
from trustlab.privacy.accounting import epsilon

MOVED = {"start": UNIFORM, "end": "β = 1", "start_label": "uniform selection", "end_label": "by activity (β = 1)"}


def who_gains(corpus: str) -> Finding:
    """Draw what selection by activity gives to all, to the mean device, to light and to heavy devices."""
    rows = gains(corpus)
    more = [row["β = 1"] - row[UNIFORM] for row in rows]
    told = ", ".join(f"{words} {points(gain)}" for words, gain in zip(MEASURES.values(), more, strict=False))
    lead = lead_of_heavy(corpus)
    ahead, most = ("Heavy" if lead.mean > 0 else "Light"), f"{100 * abs(lead.mean):.0f}"
    verdict = f"{ahead} devices gain {most} point{'s' * (most != '1')} more."
    if lead.low <= 0 <= lead.high:
        verdict = f"{lead.n} seeds do not show whether heavy or light devices gain more."
    return finding.dumbbells(
        rows,
        label="measured on",
        **MOVED,
        title="Who gains by selection by activity?",
        verdict=f"Weighted by examples, in points of a hundred: {told}. {verdict}",
        provenance=means_over(EXPERIMENT.saved(corpus)[1], tabled=True),
        x_label="requests understood" if corpus == "assistant" else "right",
        per_cent=True,
    )


def what_it_costs(corpus: str) -> Finding:
    """Draw the accuracy of every selection; the examples that each has trained on are behind *Show numbers*."""
    rows = every_selection(corpus)
    best = max(rows, key=lambda row: row["accuracy"])
    times = best["examples, × uniform"]
    return finding.dots(
        rows,
        label="selected by",
        value="accuracy",
        low="low",
        high="high",
        series="weighted",
        title="Which selection, at equal rounds?",
        verdict=f"{best['selected by']}, {best['weighted']}, reaches most: {per_cent(best['accuracy'])}. It trains on "
        f"{number(times, 2)} times as many examples as uniform selection.",
        provenance=saved_over(EXPERIMENT.saved(corpus)[1]),
        x_label="accuracy on all requests" if corpus == "assistant" else "accuracy",
        reference=beaten(corpus),
        per_cent=True,
    )


def whose_rate(fleet: str = AS_IT_IS) -> Finding:
    """Draw the search behind the comparison: accuracy over the client's rate, for both selections and weightings."""
    rows = sensitivity_rows(fleet)
    at = {(row["weights"], row["drawn"], row["client's rate"]): row["score"] for row in rows}
    best = {(row["weights"], row["drawn"]): row["score"] for row in rows if row["chosen"]}
    gains = []
    for way in dict.fromkeys(row["weights"] for row in rows):
        first = at[way, "β = 1", FIRST_RATES[EMBEDDED]] - at[way, UNIFORM, FIRST_RATES[EMBEDDED]]
        gains.append(f"{way}, from {points(first)} to {points(best[way, 'β = 1'] - best[way, UNIFORM])}")
    return finding.lines(
        rows,
        x="client's rate",
        y="score",
        series="drawn",
        pane="weights",
        chosen="chosen",
        x_label="client's rate (the best of the server's rates tried with it)",
        y_label="requests understood",
        title="Whose rate?",
        verdict=f"From the rate that was once used for all ({FIRST_RATES[EMBEDDED]:g}) to each one's own (ringed), the "
        f"gain by β = 1 goes in points of a hundred: {'; '.join(gains)}.",
        provenance=f"the search: means over {seeds_of(TUNING.saved()[1])}, validation part; a cross: one diverged",
        per_cent=True,
        log=True,
    )


def who_pays() -> Finding:
    """Draw what selection by activity takes from users who speak little and ask for something else."""
    rows = who_is_heard()
    lost = {row["who"]: row for row in rows}
    few, everybody = (lost[f"{who}, {name_of('examples')}"] for who in ("travellers", "all"))
    return finding.dumbbells(
        rows,
        label="who",
        **MOVED,
        title="Who pays, where light devices ask for something else?",
        verdict=f"Weighted by examples, {per_cent(few['β = 1'])} of the travellers' requests are understood instead of "
        f"{per_cent(few[UNIFORM])}; of all requests {per_cent(everybody['β = 1'])} instead of "
        f"{per_cent(everybody[UNIFORM])}.",
        provenance=means_over(HARM.saved()[1], tabled=True),
        x_label="requests understood after 100 rounds",
        per_cent=True,
    )


def real_fleets(aggregation: str) -> Finding:
    """Draw uniform selection and selection by activity on fleets of real people, at equal rounds and at equal work."""
    rows = by_fleet(aggregation)
    said: dict[str, list[str]] = {"ahead on": [], "behind on": [], "not told apart by the seeds on": []}
    for corpus in EXPERIMENT.corpora():
        low, high = (getattr(lead_of_activity(corpus, aggregation), end) for end in ("low", "high"))
        where = "ahead on" if low > 0 else "behind on" if high < 0 else "not told apart by the seeds on"
        said[where].append(CORPUS_NAMES[corpus])
    told = listed([f"{where} {listed(fleets)}" for where, fleets in said.items() if fleets])
    return finding.dots(
        rows,
        label="fleet",
        value="accuracy",
        low="low",
        high="high",
        series="drawn",
        title=f"Real fleets, updates {name_of(aggregation)}",
        verdict=f"At equal rounds selection by activity is {told}. Of the real fleets that is at one rate for all.",
        provenance="saved, mean and 95 % interval over seeds",
        x_label="accuracy",
        per_cent=True,
    )


def whose_epsilon(sizes: list[int], cohort: int, **run: float) -> Finding:
    """Draw the ε that the average rate claims against that of the most active client, for three β.

    Parameters
    ----------
    sizes
        Examples of each client.
    cohort
        Clients of a round, on average: Poisson selection.
    run
        ``noise_multiplier``, ``steps`` and ``delta`` of the accountant.
    """
    rows = []
    for beta in (0.0, 0.5, 1.0):
        chance = Selector(sizes, strategy="power", beta=beta, design="poisson").inclusion(cohort)
        claimed, *known = (
            epsilon(sample_rate=float(q), **run) for q in (cohort / len(sizes), chance.max(), chance.min())
        )
        row = {"β": f"β = {beta:g}", "claimed with the average rate": claimed, "true, most active client": known[0]}
        rows.append(row | {"least active client": known[1], "rate of the most active": float(chance.max())})
    last = rows[-1]
    claimed, true = (last[name] for name in ("claimed with the average rate", "true, most active client"))
    return finding.gauges(
        rows,
        label="β",
        claimed="claimed with the average rate",
        true="true, most active client",
        title="Whose ε is it?",
        verdict=f"At β = 1 the average rate claims ε = {number(claimed, 2)}; the most active client, who is in "
        f"{per_cent(last['rate of the most active'])} of the rounds, has ε = {number(true)}.",
        provenance="computed here, exact",
        x_label="ε",
        log=True,
    )
