"""The second experiment of notebook 12: is this person in the fleet? A user-level attack, and DP-FedAvg against it.

One row is 16 fleets, trained by FedAvg or DP-FedAvg at the rates that the search of :mod:`.senders_search` chose. A
coin decides for each person and every second fleet whether they are in; each fleet is the target once, and 14 others
are its references. People are the same for all seeds, so intervals over seeds are about coins, held-out posts and
noise; those over people are in the table too.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.config import check, option
from trustlab.course import baselines
from trustlab.course.n12_membership_inference import senders_search
from trustlab.course.n12_membership_inference.attacked import FPRS, joined
from trustlab.course.n12_membership_inference.senders import LABEL, POST, Senders, senders
from trustlab.course.n12_membership_inference.senders_attacked import OTHER, OWN, attacked, not_attacked
from trustlab.course.n12_membership_inference.senders_fleets import (
    CORPORA,
    FLEETS,
    METHODS,
    OPTIONS,
    PRIVATE,
    FleetTraining,
    losses,
    permitted_by,
    recipe,
    trained,
)
from trustlab.course.tuning import chosen
from trustlab.lab.saved import read, remembered
from trustlab.privacy.membership import halves, user_losses

if TYPE_CHECKING:
    import datasets

__all__ = ["CORPORA", "KEY", "Setting", "grid", "recipe", "result_name", "run", "tuned"]
KEY = ("method", "epsilon", *OPTIONS)
BASELINES = (baselines.MAJORITY, baselines.TFIDF)


@dataclass(frozen=True)
class Setting(FleetTraining):
    """The fleets of one row, or a baseline's answers."""

    method: str = option(PRIVATE, label="Method", help="How updates are made private.", values=(*METHODS, *BASELINES))

    def key(self) -> dict[str, Any]:
        """Return the columns that name this row in a table."""
        return {name: getattr(self, name) for name in ("corpus", *KEY, "seed")}


@remembered
def tuned(corpus: str, method: str, epsilon: float) -> dict[str, Any]:
    """Return the rates that the search chose for `method` at `epsilon`."""
    search, _ = read(senders_search.result_name(corpus))
    return chosen(search, options=OPTIONS, method=method, epsilon=epsilon)


def grid(
    corpus: str, *, seeds: Sequence[int] = range(5), methods: Sequence[str] = (*METHODS, *BASELINES)
) -> list[Setting]:
    """Return the settings for `corpus`: each method at each of its ε over `seeds`; baselines once."""
    compared = [
        Setting(corpus, method, epsilon, seed, **tuned(corpus, method, epsilon))
        for method, epsilon in senders_search.COMPARED
        if method in methods
        for seed in seeds
    ]
    return compared + [Setting(corpus, name, math.inf, seeds[0]) for name in BASELINES if name in methods]


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` is stored in ``data/results``."""
    return f"membership_inference_senders_{corpus}"


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train and attack the fleets of one row, or let a baseline answer, and yield the row.

    Yields
    ------
    dict
        ``corpus``, ``method``, ``epsilon``, ``learning_rate``, ``server_rate``, ``seed``; ``people``, how many are
        registered, and ``posts``, how many of theirs are trained on if all are in; ``accuracy`` on posts of people in
        no fleet, mean over the fleets; ``epsilon_spent`` on each person and ``noise_multiplier``; what
        :func:`~.senders_attacked.attacked` measures; ``permitted``, the largest TPR at each FPR; ``seconds``. What a
        baseline lacks is NaN or "none".
    """
    check(setting)
    own = senders(corpus)
    if setting.method in BASELINES:
        yield _answered(setting, corpus, own)
        return
    started = time.perf_counter()
    given, others = own.halves(setting.seed)
    posts = np.array([len(rows) for rows in given])
    inside = halves(len(posts), FLEETS, seed=setting.seed)
    seen: dict[str, list[np.ndarray]] = {OWN: [], OTHER: [], "outsiders": []}
    ends = []
    for fleet in range(FLEETS):
        model, last = trained(own, given, inside[:, fleet], own.tested, recipe(setting, len(posts), fleet))
        for kind, rows in ((OWN, np.concatenate(given)), (OTHER, np.concatenate(others)), ("outsiders", own.tested)):
            seen[kind].append(losses(model, own, rows))
        ends.append(last)
    owners = np.repeat(np.arange(len(posts)), posts)  # of given posts, and of as many others
    by_person = {kind: user_losses(np.stack(seen[kind], 1), owners, len(posts)) for kind in (OWN, OTHER)}
    allowed = permitted_by(setting, len(posts))
    yield {
        **setting.key(),
        "people": len(posts),
        "posts": int(posts.sum()),
        "accuracy": float(np.mean([last["accuracy"] for last in ends])),
        "epsilon_spent": ends[0]["epsilon"],
        "noise_multiplier": recipe(setting, len(posts)).noise_multiplier,
        **attacked(by_person, np.stack(seen["outsiders"], 1), inside, posts, allowed),
        "permitted": joined(allowed.tpr(np.array(FPRS))),
        "seconds": time.perf_counter() - started,
    }


def _answered(setting: Setting, corpus: datasets.DatasetDict, own: Senders) -> dict[str, Any]:
    """Return the row of a trivial baseline, which has the posts of all in the first fleet in one place."""
    given, _ = own.halves(setting.seed)
    inside = halves(len(given), FLEETS, seed=setting.seed)[:, 0]
    rows = np.concatenate([given[person] for person in np.flatnonzero(inside)])
    texts = [" ".join(post[:POST]) for split in corpus.values() for post in split["tokens"]]
    names = [name for split in corpus.values() for name in split[LABEL]]
    known, asked = ([texts[i] for i in part] for part in (rows, own.tested))
    said = baselines.CLASSIFIERS[setting.method](known, [names[i] for i in rows], asked)
    right = float(np.mean([guess == names[i] for guess, i in zip(said, own.tested, strict=True)]))
    about = {"people": len(given), "posts": int(sum(map(len, given))), "accuracy": right}
    nothing = {name: math.nan for name in ("epsilon_spent", "noise_multiplier", "seconds")}
    return {**setting.key(), **about, **nothing, **not_attacked(), "permitted": "none"}
