"""What is claimed of private text, by its papers and by us, read off the committed table and the exact audits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.course.corpora import EMBEDDED
from trustlab.course.n14_private_text import adept_experiment
from trustlab.course.n14_private_text.experiment import COMPARED, result_name
from trustlab.course.n14_private_text.word_mechanisms import EXPONENTIAL, GUMBEL, LAPLACE, RANDOM, SHAPED
from trustlab.lab.saved import CORPUS_NAMES, select
from trustlab.results import Reader, read_results

if TYPE_CHECKING:
    import pandas

HALF = 0.5  # share of words that an attacker recovers
# At which truncated Gumbel noise is compared: between what is recovered from it at its smallest and largest ε.
GUMBEL_SHARE = {EMBEDDED: 0.7, "snips": 0.5}
STATED = 64.0  # ε of ADePT
SAME = 40.0  # an ε that three mechanisms have between their values


def claims_of(corpus: str = EMBEDDED, read: Reader = read_results) -> list[dict[str, Any]]:
    """Return the rows for :func:`trustlab.lab.claims.claims`, from the table of `corpus` that `read` finds."""
    table = read(result_name(corpus))[0]
    found = [*_of_noise(table, corpus), *_of_density(table, corpus), *_of_epsilon(table, corpus)]
    return [*found, *(_of_adept(read(adept_experiment.result_name(corpus))[0]) if corpus == EMBEDDED else [])]


def _of_noise(table: pandas.DataFrame, corpus: str) -> list[dict[str, Any]]:
    """Claim what more noise does (Feyisetan et al. 2020)."""
    least, most = (column(table, LAPLACE, COMPARED[LAPLACE][place]) for place in (0, -1))
    about = {"setup": f"{CORPUS_NAMES[corpus]}, Laplace, ε = {COMPARED[LAPLACE][0]:g} and {COMPARED[LAPLACE][-1]:g}"}
    return [
        {
            "claim": "More noise keeps fewer words (N_w over all words)",
            "values": most["kept"].to_numpy() - least["kept"].to_numpy(),
            "above": 0,
            **about,
        },
        {
            "claim": "… says more different words for one (S_w of 100 draws)",
            "values": least["distinct"].to_numpy() - most["distinct"].to_numpy(),
            "above": 0,
            **about,
        },
        {
            "claim": "… and costs accuracy",
            "values": most["accuracy"].to_numpy() - least["accuracy"].to_numpy(),
            "above": 0,
            **about,
        },
    ]


def _of_density(table: pandas.DataFrame, corpus: str) -> list[dict[str, Any]]:
    """Claim that noise that knows the words' density costs less (Xu et al. 2020, 2021)."""
    equal = f"{CORPUS_NAMES[corpus]}, ε interpolated to {HALF:.0%} recovered words".replace("%", " %")
    share = GUMBEL_SHARE[corpus]
    most = f"{CORPUS_NAMES[corpus]}, ε interpolated to {share:.0%} recovered words".replace("%", " %")
    return [
        {
            "claim": "Mahalanobis noise costs less accuracy than Laplace noise, at equal attackers",
            "values": at_recovered(table, SHAPED, HALF) - at_recovered(table, LAPLACE, HALF),
            "above": 0,
            "setup": equal,
        },
        {
            "claim": "Truncated Gumbel noise costs less accuracy than Laplace noise, at equal attackers",
            "values": at_recovered(table, GUMBEL, share) - at_recovered(table, LAPLACE, share),
            "above": 0,
            "setup": most,
            "unless": "the attacker reads words one by one",
        },
    ]


def _of_epsilon(table: pandas.DataFrame, corpus: str) -> list[dict[str, Any]]:
    """Claim what an ε per word does not say (ours)."""
    name, laplace = CORPUS_NAMES[corpus], COMPARED[LAPLACE]
    middle = column(table, LAPLACE, laplace[len(laplace) // 2])
    gumbel = column(table, GUMBEL, COMPARED[GUMBEL][0])
    return [
        {
            "claim": "(Ours) At one ε, attackers recover as much from Laplace noise as from the exponential mechanism",
            "values": at_epsilon(table, LAPLACE, SAME) - at_epsilon(table, EXPONENTIAL, SAME),
            "within": (-0.05, 0.05),
            "setup": f"{name}, ε = {SAME:g}",
        },
        {
            "claim": "(Ours) Who knows how words follow each other recovers more words than from each alone",
            "values": middle["guessed"].to_numpy() - middle["guessed_alone"].to_numpy(),
            "above": 0,
            "setup": f"{name}, Laplace, ε = {laplace[len(laplace) // 2]:g}",
            "unless": "the attacker has no text of the same kind",
        },
        {
            "claim": "(Ours) Truncated Gumbel noise at its strongest hides half of the words from such an attacker",
            "values": gumbel["guessed"].to_numpy(),
            "below": HALF,
            "setup": f"{name}, ε = {COMPARED[GUMBEL][0]:g}, where {gumbel['kept'].mean():.2f} of the words are kept",
        },
        {
            "claim": "(Ours) At the strongest Laplace noise a classifier learns more than from random words",
            "values": column(table, LAPLACE, laplace[0])["accuracy"].to_numpy()
            - select(table, mechanism=RANDOM)["accuracy"].to_numpy(),
            "above": 0,
            "setup": f"{name}, ε = {laplace[0]:g}",
        },
    ]


def _of_adept(table: pandas.DataFrame) -> list[dict[str, Any]]:
    """Claim what the corrected scale of ADePT's noise costs (ours, after Habernal 2021)."""
    epsilon = STATED
    noises = (adept_experiment.PUBLISHED, adept_experiment.CORRECTED, adept_experiment.MAJORITY)
    published, corrected, majority = (
        select(table, noise=noise, epsilon=value)["accuracy"].to_numpy()
        for noise, value in zip(noises, (epsilon, epsilon, adept_experiment.NONE), strict=True)
    )
    setup = f"{CORPUS_NAMES[EMBEDDED]}, stated ε = {epsilon:g}, C = 1, {adept_experiment.LATENT} dimensions"
    return [
        {
            "claim": "(Ours) At one stated ε, more is learned from ADePT's published noise than from the corrected one",
            "values": published - corrected,
            "above": 0,
            "setup": setup,
        },
        {
            "claim": "(Ours) With the corrected noise it still learns more than the majority",
            "values": corrected - majority,
            "above": 0,
            "setup": setup,
            "unless": "the autoencoder is trained with as much noise",
        },
    ]


def column(table: pandas.DataFrame, mechanism: str, epsilon: float) -> pandas.DataFrame:
    """Return the runs of one setting, in the order of their seeds."""
    return select(table, mechanism=mechanism, epsilon=epsilon)


def _by_epsilon(table: pandas.DataFrame, mechanism: str, measure: str) -> np.ndarray:
    """Return a measure at every ε of a mechanism [seeds, ε]."""
    return np.array([column(table, mechanism, each)[measure].to_numpy() for each in COMPARED[mechanism]]).T


def levels_of(table: pandas.DataFrame, mechanism: str) -> tuple[float, float]:
    """Return the range of shares that are recovered at some ε in every seed."""
    guessed = _by_epsilon(table, mechanism, "guessed")
    return float(guessed.min(axis=1).max()), float(guessed.max(axis=1).min())


def at_recovered(table: pandas.DataFrame, mechanism: str, share: float) -> np.ndarray:
    """Return the accuracy where an attacker recovers `share` of the words, one per seed, between the values of ε.

    Raises
    ------
    ValueError
        If a seed has no such ε on both sides.
    """
    low, high = levels_of(table, mechanism)
    if not low <= share <= high:
        raise ValueError(f"Expected share={share} in [{low:.2f}, {high:.2f}], what is recovered from {mechanism}.")
    guessed, accuracy = (_by_epsilon(table, mechanism, measure) for measure in ("guessed", "accuracy"))
    rising = np.maximum.accumulate(guessed, axis=1)  # noise of the estimate can turn two values around
    return np.array([np.interp(share, *each) for each in zip(rising, accuracy, strict=True)])


def at_epsilon(table: pandas.DataFrame, mechanism: str, epsilon: float, measure: str = "guessed") -> np.ndarray:
    """Return a measure at an ε between those of the grid, one per seed."""
    return np.array([np.interp(epsilon, COMPARED[mechanism], each) for each in _by_epsilon(table, mechanism, measure)])
