"""What notebook 14 reads off its committed table: curves over ε, and mechanisms at equal shares of recovered words."""

from __future__ import annotations

import math
from typing import Any

from trustlab.course.corpora import EMBEDDED
from trustlab.course.n14_private_text import ADEPT, EXPERIMENT
from trustlab.course.n14_private_text.adept_experiment import EPSILONS, NOISES
from trustlab.course.n14_private_text.claims import SAME, at_epsilon, at_recovered, levels_of
from trustlab.course.n14_private_text.experiment import BASELINES, COMPARED
from trustlab.lab.saved import over_seeds, read

Row = dict[str, Any]
saved = EXPERIMENT.saved  # the committed table and its provenance
PACKAGES = "private_text_peers"  # written by ``python -m benchmarks peers_promises``


def points(corpus: str = EMBEDDED) -> list[Row]:
    """Return a row per mechanism and ε: means over seeds, the accuracy's 95 % interval; in the order of ε."""
    rows = []
    for mechanism, values in COMPARED.items():
        for level, epsilon in enumerate(values, start=1):
            runs = EXPERIMENT.where(corpus, mechanism=mechanism, epsilon=epsilon)
            row = {"mechanism": mechanism, "level": level, "ε": epsilon, "guessed": runs["guessed"].mean()}
            row |= {"kept": runs["kept"].mean(), "S_w": runs["distinct"].mean()}
            rows.append({**row, **over_seeds(runs["accuracy"], limits=(0, 1))})
    return rows


def baselines(corpus: str = EMBEDDED) -> dict[str, float]:
    """Return the accuracy of each baseline, mean over seeds."""
    return {name: float(EXPERIMENT.where(corpus, mechanism=name)["accuracy"].mean()) for name in BASELINES}


def at_equal_risk(corpus: str = EMBEDDED) -> list[Row]:
    """Return the accuracy of each mechanism where an attacker recovers a quarter, half, and 70 % of the words.

    A row per share and mechanism; without an accuracy where the mechanism never hides so much, or so little.
    """
    table, rows = saved(corpus)[0], []
    for share in (0.25, 0.5, 0.7):
        for mechanism in COMPARED:
            row = {"recovered": f"{100 * share:.0f} % recovered", "mechanism": mechanism}
            low, high = levels_of(table, mechanism)
            reached = over_seeds(at_recovered(table, mechanism, share), limits=(0, 1)) if low <= share <= high else {}
            rows.append(row | {"accuracy": None, "low": None, "high": None} | reached)
    return rows


def same_epsilon(corpus: str = EMBEDDED) -> list[Row]:
    """Return what an attacker recovers at one ε from each mechanism that has it between its values.

    Examples
    --------
    >>> [row["mechanism"] for row in same_epsilon()]
    ['Laplace', 'Mahalanobis', 'exponential']
    """
    table, rows = saved(corpus)[0], []
    for mechanism, values in COMPARED.items():
        if values[0] <= SAME <= values[-1]:
            recovered = over_seeds(at_epsilon(table, mechanism, SAME), "recovered", limits=(0, 1))
            accuracy = float(at_epsilon(table, mechanism, SAME, "accuracy").mean())
            rows.append({"mechanism": mechanism, "ε": SAME, **recovered, "accuracy": accuracy})
    return rows


def packages() -> list[Row]:
    """Return the largest loss over the promise that was found of each mechanism of a public package, and of ours.

    Returns
    -------
    list of dict
        ``mechanism`` with its package; ``loss / promise``, None where it has no bound; ``ε`` and ``audited`` of that
        row: what is said, the noisy vector before it, or a bound; ``unknown words kept``, the share that is said as it
        is. Noise that is audited on the map of twelve words too has a row of its own for what is said there.
    """
    rows = []
    for (mechanism, package, how), found in read(PACKAGES)[0].groupby(["mechanism", "package", "audited"], sort=False):
        worst = found.loc[found["loss / promise"].idxmax()]
        ratio, kept = float(worst["loss / promise"]), worst["unknown unchanged"]
        row = {"mechanism": f"{mechanism}, {package}", "audited": how, "ε": worst["epsilon"]}
        row |= {"loss / promise": ratio if math.isfinite(ratio) else None, "promise": worst["promise"]}
        rows.append(row | {"unknown words kept": None if math.isnan(kept) else float(kept)})
    return rows


def adept_texts(corpus: str = EMBEDDED) -> list[Row]:
    """Return what ADePT's texts are worth: a row per noise and stated ε, means over seeds."""
    rows = []
    for noise in NOISES:
        for epsilon in EPSILONS:
            runs = ADEPT.where(corpus, noise=noise, epsilon=epsilon)
            row = {"noise": noise, "stated ε": epsilon, "true ε": float(runs["true_epsilon"].mean())}
            rows.append(row | {"intents right": runs["accuracy"].mean(), "found": runs["found"].mean()})
    return rows
