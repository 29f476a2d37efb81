"""What we claim of people in fleets: who is found, with which posts, and what a promise to each person leaves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.course.n12_membership_inference.attacked import FPRS
from trustlab.course.n12_membership_inference.claims import CHANCE, counted_over
from trustlab.course.n12_membership_inference.senders_attacked import ATTACKS, OTHER, OWN, column, group_names
from trustlab.course.n12_membership_inference.senders_experiment import result_name
from trustlab.course.n12_membership_inference.senders_fleets import CORPORA, FEDAVG, FLEETS, PRIVATE
from trustlab.lab.saved import CORPUS_NAMES, numbers, select
from trustlab.results import Reader, read_results

if TYPE_CHECKING:
    import pandas

PROMISE = 8.0  # ε of each person
WITH = {OWN: "LiRA offline with the posts trained on", OTHER: "LiRA offline with other posts"}


def claims_of_senders(corpus: str = CORPORA[0], read: Reader = read_results) -> list[dict[str, Any]]:
    """Return the rows for :func:`trustlab.lab.claims.claims`, from the table of `corpus` that `read` finds."""
    table = read(result_name(corpus))[0]
    setup = f"{FLEETS} fleets of half of {people(table)} people, the same in each run; {CORPUS_NAMES[corpus]}"
    few, many = group_names()[0], group_names()[-1]
    plain = dict(method=FEDAVG)
    return [
        {
            "claim": "(Ours) Who takes part is found by posts that no fleet has seen: AUC (FedAvg)",
            "values": list(by_seed(table, "other_auc", **plain)),
            "above": 0.5,
            "setup": f"{WITH[OTHER]}; {setup}",
        },
        {
            "claim": f"(Ours) With other posts, people of {many} are found more often than those of {few}: AUC minus "
            "AUC (FedAvg)",
            "values": list(_many_minus_few(table, OTHER)),
            "above": 0,
            "setup": f"{WITH[OTHER]}; {setup}",
        },
        {
            "claim": f"(Ours) With the posts trained on it is the reverse: AUC of {many} minus AUC of {few} (FedAvg)",
            "values": list(_many_minus_few(table, OWN)),
            "below": 0,
            "setup": f"{WITH[OWN]}; {setup}",
            "unless": "updates that are weighted by the number of posts",
        },
        *(
            {
                "claim": f"(Ours) ε = {PROMISE:g} for each person removes most of what is found at 1 % FPR beyond "
                f"guessing: share removed (DP-FedAvg, {kind} posts)",
                "values": list(removed(table, kind, PROMISE)),
                "above": 0.5,
                "setup": f"{WITH[kind]}; FedAvg is 0, guessing 1; {setup}",
            }
            for kind in ATTACKS
        ),
        {
            "claim": "(Ours) Clipping a person's update, without noise, removes less than half (share removed)",
            "values": list(removed(table, OWN, math.inf)),
            "below": 0.5,
            "setup": f"{WITH[OWN]}; DP-FedAvg at ε = ∞; {setup}",
        },
        _never_above(table, setup),
    ]


def people(table: pandas.DataFrame) -> int:
    """Return how many people are registered."""
    return int(table["people"].iloc[0])


def by_seed(table: pandas.DataFrame, name: str, **where: Any) -> np.ndarray:
    """Return one column of one kind of fleets, a value per seed."""
    return select(table, **where)[name].to_numpy()


def by_posts(table: pandas.DataFrame, kind: str, **where: Any) -> np.ndarray:
    """Return the AUC within each group of people by their posts, [seeds, groups]."""
    return numbers(by_seed(table, f"{kind}_auc_by_posts", **where))


def _many_minus_few(table: pandas.DataFrame, kind: str) -> np.ndarray:
    found = by_posts(table, kind, method=FEDAVG)
    return found[:, -1] - found[:, 0]


def removed(table: pandas.DataFrame, kind: str, epsilon: float) -> np.ndarray:
    """Return which share of the people that FedAvg lets an attack find, beyond guessing, is no longer found."""
    plain = by_seed(table, f"{kind}_tpr_01", method=FEDAVG) - CHANCE
    left = by_seed(table, f"{kind}_tpr_01", method=PRIVATE, epsilon=epsilon) - CHANCE
    return 1 - left / plain


def points_over(table: pandas.DataFrame) -> tuple[int, int, int]:
    """Return of the mean TPRs at all FPRs how many there are, are above what is permitted, and significantly so."""
    held = promised(table)
    found = []
    for _, runs in held.groupby("epsilon"):
        allowed = numbers(runs["permitted"])
        for kind, names in ATTACKS.items():
            found += [numbers(runs[column(kind, name)])[:, -len(FPRS) :] - allowed for name in names]
    return counted_over(np.concatenate(found, axis=1))


def promised(table: pandas.DataFrame) -> pandas.DataFrame:
    """Return the rows with a promise to each person, in the order of their seeds."""
    return table[(table["method"] == PRIVATE) & np.isfinite(table["epsilon"])].sort_values("seed")


def _never_above(table: pandas.DataFrame, setup: str) -> dict[str, Any]:
    """Claim that neither a proven ε nor a mean TPR is above what is promised."""
    held = promised(table)
    proven = sum(int((held[f"{kind}_epsilon_shown"] > held["epsilon_spent"]).sum()) for kind in ATTACKS)
    means, above, clearly = points_over(table)
    return {
        "claim": "(Ours) Nothing is above the promise to each person: no proven ε above the accountant's, no mean TPR "
        "significantly above what is permitted",
        "measured": f"{proven} of {len(ATTACKS) * len(held)} bounds; {clearly} of {means} means, {above} by chance",
        "holds": proven == 0 and clearly == 0,
        "setup": f"one-run audit of Steinke et al. 2023, 95 %; five attacks at nine FPRs; {setup}",
    }
