"""Is this person in the fleet? Two pictures of the saved rows: what a promise to each leaves, and who is found."""

from __future__ import annotations

import math
from typing import Any

from trustlab.course.n12_membership_inference import SENDERS
from trustlab.course.n12_membership_inference.claims import CHANCE
from trustlab.course.n12_membership_inference.senders_attacked import ATTACKS, OTHER, OWN, group_names
from trustlab.course.n12_membership_inference.senders_claims import PROMISE, by_posts, by_seed, people
from trustlab.course.n12_membership_inference.senders_fleets import CORPORA, EPSILONS, FEDAVG, METHODS, PRIVATE
from trustlab.lab import finding
from trustlab.lab.display import per_cent
from trustlab.lab.finding import Finding
from trustlab.lab.saved import over_seeds, saved_over

CORPUS = CORPORA[0]
SHOWN = {OWN: "the posts trained on", OTHER: "other posts of theirs"}
Row = dict[str, Any]


def fleets() -> list[tuple[str, Row]]:
    """Return what was trained, in words, and where it is in the table; the weakest promise first."""
    weaker = sorted(EPSILONS, reverse=True)
    names = ["clipping alone" if math.isinf(epsilon) else f"ε = {epsilon:g} each" for epsilon in weaker]
    private = [
        (f"{METHODS[PRIVATE]}, {name}", {"method": PRIVATE, "epsilon": epsilon})
        for name, epsilon in zip(names, weaker, strict=True)
    ]
    return [(METHODS[FEDAVG], {"method": FEDAVG}), *private]


def found_rows() -> list[Row]:
    """Return which share of the people in a fleet is found at an FPR of 1 %, and how many posts are understood."""
    table = SENDERS.table(CORPUS)
    return [
        {
            "fleet": name,
            "attacker has": SHOWN[kind],
            **over_seeds(by_seed(table, f"{kind}_tpr_01", **where), "people found", limits=(0, 1)),
            "AUC": float(by_seed(table, f"{kind}_auc", **where).mean()),
            "accuracy": float(by_seed(table, "accuracy", **where).mean()),
        }
        for name, where in fleets()
        for kind in ATTACKS
    ]


def who_takes_part() -> Finding:
    """Draw how many people are found in each kind of fleet, by the posts trained on and by others."""
    rows = found_rows()
    at = {(row["fleet"], row["attacker has"]): row for row in rows}
    name, promised = (each for each, where in fleets() if where.get("epsilon", PROMISE) == PROMISE)
    own, other, left = at[name, SHOWN[OWN]], at[name, SHOWN[OTHER]], at[promised, SHOWN[OWN]]
    return finding.dots(
        rows,
        label="fleet",
        value="people found",
        low="low",
        high="high",
        series="attacker has",
        x_label="people found at an FPR of 1 %",
        reference={"guessing": CHANCE},
        per_cent=True,
        log=True,
        title="Is this person in the fleet?",
        verdict=f"Without privacy, {per_cent(own['people found'])} of the people are found by the posts that were "
        f"trained on, and {100 * other['people found']:.1f} % by posts that no fleet has seen; at ε = {PROMISE:g} for "
        f"each person {100 * left['people found']:.1f} % by the former. Accuracy falls from "
        f"{per_cent(own['accuracy'])} to {per_cent(left['accuracy'])}.",
        provenance=f"{saved_over(SENDERS.saved(CORPUS)[1])}; {people(SENDERS.table(CORPUS))} people, the same in each",
    )


def posts_rows() -> list[Row]:
    """Return the AUC of FedAvg's fleets by how many posts of a person are trained on."""
    table = SENDERS.table(CORPUS)
    return [
        {
            "person wrote": name,
            "attacker has": SHOWN[kind],
            **over_seeds(by_posts(table, kind, method=FEDAVG)[:, place], "AUC", limits=(0, 1)),
        }
        for place, name in enumerate(group_names())
        for kind in ATTACKS
    ]


def by_number_of_posts() -> Finding:
    """Draw who is found by number of posts, with the posts trained on and with others."""
    rows = posts_rows()
    at = {(row["person wrote"], row["attacker has"]): row["AUC"] for row in rows}
    few, many = group_names()[0], group_names()[-1]
    return finding.dots(
        rows,
        label="person wrote",
        value="AUC",
        low="low",
        high="high",
        series="attacker has",
        x_label="AUC",
        reference={"guessing": 0.5},
        title="Who is found: those who wrote much?",
        verdict=f"By the posts trained on, the AUC is {at[few, SHOWN[OWN]]:.2f} of people with {few} in training and "
        f"{at[many, SHOWN[OWN]]:.2f} of those with {many}; by other posts {at[few, SHOWN[OTHER]]:.2f} and "
        f"{at[many, SHOWN[OTHER]]:.2f}.",
        provenance=f"{saved_over(SENDERS.saved(CORPUS)[1])}; {METHODS[FEDAVG]}",
    )
