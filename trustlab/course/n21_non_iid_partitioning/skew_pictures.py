"""The pictures of notebook 21: how skewed a fleet is, what skew costs, and who pays most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trustlab.course.n21_non_iid_partitioning.experiment import (
    BASELINES,
    CORPORA,
    DEFINITIONS,
    REFERENCES,
    SEARCHED,
    TFIDF,
    USUAL_RATE,
)
from trustlab.course.n21_non_iid_partitioning.results import MEASURES, Row, at_one_alpha, harm, over_rates, saved
from trustlab.course.partition_panel import side_by_side
from trustlab.lab.display import per_cent
from trustlab.lab.finding import Finding, dots, dumbbells, lines
from trustlab.lab.saved import CORPUS_NAMES, means_over, saved_over

LABELS, DISTANCE, GINI = "effective labels", "JS distance", "size Gini"


def same_alphas(labels: Sequence[Any], alphas: Sequence[float] = (0.1, 1.0, 100.0)) -> tuple[Finding, Finding]:
    """Draw the fleets that each library makes of the same α: effective labels of a client, and distance of two."""
    rows = [{"α": f"α = {alpha:g}", **row} for alpha in alphas for row in side_by_side(labels, alpha)]
    at = {(row["α"], row["α of"]): row for row in rows}
    first = f"α = {alphas[0]:g}"
    fewest = {name: at[first, name][LABELS] for name in DEFINITIONS.values()}
    last = at[f"α = {alphas[-1]:g}", "no skew"][DISTANCE]
    look: dict[str, Any] = dict(label="α", series="α of", provenance="computed here, 100 clients, one draw each")
    numbers = dots(
        [{name: row[name] for name in row if name != DISTANCE} for row in rows],
        value=LABELS, x_label="effective labels of the median client", title="One α, other fleets", **look,
        verdict=f"With {first} the median client has {_listed(fewest)} effective labels.",
    )  # fmt: skip
    distances = dots(
        [{name: row[name] for name in ("α", "α of", DISTANCE)} for row in rows],
        value=DISTANCE, x_label="Jensen–Shannon distance of two clients", title="No skew is not distance 0", **look,
        verdict=f"Clients that got their examples at random are {last:.2f} apart, by chance alone.",
    )  # fmt: skip
    return numbers, distances


def two_skews(by_nature: Sequence[Row], by_scheme: Sequence[Row]) -> Finding:
    """Draw for each fleet the skew of its sizes and that of its labels, on one axis from 0 to 1.

    Parameters
    ----------
    by_nature, by_scheme
        Rows with the fleet's name under ``fleet`` and what :func:`trustlab.federated.partition.skew` returns, of fleets
        that are in the corpus, if there are any, and of fleets that schemes make, ``"iid"`` among them.
    """
    words = {GINI: "of sizes: Gini coefficient", DISTANCE: "of labels: JS distance"}
    rows = [
        {"fleet": row["fleet"], "skew": said, "value": row[name], "clients": row["clients"]}
        for row in (*by_nature, *by_scheme)
        for name, said in words.items()
    ]
    at = {row["fleet"]: f"Gini {row[GINI]:.2f}, distance {row[DISTANCE]:.2f}" for row in (*by_nature, *by_scheme)}
    fleets = [row["fleet"] for row in by_nature]
    natural = f"The natural fleet {fleets[0]}: {at[fleets[0]]}." if fleets else "No column says whose each row is."
    verdict = (
        f"{natural} FedNLP's scheme by label leaves the sizes equal "
        f"({at['label-dirichlet-fednlp']}); a scheme by size such as sizes-square leaves the labels nearer to chance "
        f"({at['sizes-square']}; at random {at['iid']})."
    )
    return dots(
        rows, label="fleet", series="skew", value="value", x_label="0: equal, 1: as different as can be",
        title="Which skew has a fleet: of sizes, of labels, or both?", verdict=verdict,
        provenance="computed here, one draw of each",
    )  # fmt: skip


def cost(alpha: float = 0.1, corpora: Sequence[str] = CORPORA) -> Finding:
    """Draw what FedAvg reaches at one α in each library, without skew, and what is reached without it."""
    rows = at_one_alpha(alpha, corpora)
    first = rows[0]["corpus"]
    right = {row["fleet"]: per_cent(row["% right"] / 100) for row in rows if row["corpus"] == first}
    verdict = (
        f"On {first}, α = {alpha:g} leaves FedAvg {right['FedNLP']} of the intents right in FedNLP's fleet and "
        f"{right['Flower']} in Flower's; without skew it is {right[REFERENCES['iid']]}, and counted words in one place "
        f"reach {right[BASELINES[TFIDF]]}."
    )
    return dots(
        rows, label="fleet", series="corpus", value="% right", low="low", high="high", x_label="intents right, in %",
        title=f"What α = {alpha:g} costs FedAvg", verdict=verdict, provenance=_source(),
    )  # fmt: skip


def who_pays(corpus: str) -> Finding:
    """Draw what a smaller α costs all intents, rare intents and light clients."""
    rows = harm(corpus)
    mild, strong = [name for name in rows[0] if name != "who"]
    fall = {row["who"]: f"from {per_cent(row[mild] / 100)} to {per_cent(row[strong] / 100)}" for row in rows}
    everyone, rare = (f"FedNLP: {MEASURES[measure]}" for measure in ("accuracy", "accuracy_rare"))
    verdict = (
        f"With FedNLP's α, from {mild[4:]} to {strong[4:]}, all intents fall {fall[everyone]}, the rare ones "
        f"{fall[rare]}."
    )
    return dumbbells(
        rows, label="who", start=mild, end=strong, x_label=f"right on {CORPUS_NAMES[corpus]}, in %",
        title="Who pays for skew", verdict=verdict, provenance=means_over(saved(corpus)[1]),
    )  # fmt: skip


def over_the_rate(corpus: str = SEARCHED[0], usual: float = USUAL_RATE) -> Finding:
    """Draw the search: what each learning rate gives at three α of each library, on the validation split.

    The sentence says what FedNLP's α costs with one rate for all, `usual`, and with each fleet's own.
    """
    rows = over_rates(corpus)
    fleets = [row for row in rows if row["α of"] == DEFINITIONS["fednlp"]]
    small, large = fleets[0]["α"], fleets[-1]["α"]
    own = {row["α"]: row for row in fleets if row["chosen"]}
    alike = {row["α"]: row for row in fleets if row["learning rate"] == usual}
    seems, costs = (per_cent(at[large]["intents right"] - at[small]["intents right"]) for at in (alike, own))
    rates = " and ".join(f"{own[alpha]['learning rate']:g}" for alpha in (large, small))
    verdict = (
        f"With a rate of {usual:g} for all, going from {large} to {small} (FedNLP's) seems to cost {seems} of the "
        f"intents; with each fleet's own rate, {rates}, it costs {costs}. A cross is a training that diverged."
    )
    return lines(
        rows, x="learning rate", y="intents right", series="α", pane="α of", chosen="chosen", per_cent=True, log=True,
        x_label="learning rate", y_label="right, validation split", title="What skew costs depends on the rate",
        verdict=verdict, provenance=f"saved, the search on {CORPUS_NAMES[corpus]}",
    )  # fmt: skip


def _listed(numbers: dict[str, float]) -> str:
    parts = [f"{number:.1f} ({name})" for name, number in numbers.items()]
    return f"{', '.join(parts[:-1])} or {parts[-1]}"


def _source() -> str:
    return saved_over(saved(CORPORA[0])[1])
