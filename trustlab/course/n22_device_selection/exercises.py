"""The exercises of notebook 22: what is right, and what each usual slip means."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from trustlab.course.found import exercise
from trustlab.federated.aggregation import client_weights
from trustlab.federated.selection import Selector
from trustlab.lab.checks import Checked, check
from trustlab.lab.display import per_cent
from trustlab.lab.functions import check_function
from trustlab.lab.teaching import Hints

RANDOM_DESIGNS = 30
HEAVY, LIGHT, LIGHT_ONES = 90, 10, 9
LARGEST_RATE, DEVICES_PER_ROUND, STEP = 0.25, 10, 0.05


Weights = Callable[[np.ndarray, np.ndarray, float], np.ndarray]


@exercise("22", "Weights that are fair in every design")
def fair_weights(mine: Weights | Any) -> Checked:
    """Check the reader's function ``(examples [K], inclusion [K], total) -> weights [K]`` of the clients drawn.

    Examples
    --------
    >>> fair_weights(lambda n, pi, total: n / n.sum())  # doctest: +ELLIPSIS
    ✗ Those are shares of the cohort's examples, FedAvg's weights: they ignore how often a client is drawn. Your ...
    """
    fair = [(lambda given, got: False, _bias(mine))]  # asked only where the weights differ from the fair ones
    return check_function(mine, _designs(), right=horvitz_thompson, properties=[*_PROPERTIES, *fair], because=_SLIPS)


def horvitz_thompson(examples: np.ndarray, inclusion: np.ndarray, total: float) -> np.ndarray:
    """Return the package's weights of the clients drawn, [K].

    Examples
    --------
    >>> horvitz_thompson(np.array([30, 10]), np.array([1.0, 0.5]), 100).tolist()
    [0.3, 0.2]
    """
    known = dict(examples=examples, inclusion=inclusion, total_examples=total)
    return client_weights("horvitz-thompson", **known).numpy()


def _designs() -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
    """Yield a small cohort, then cohorts drawn from random fleets by random activity."""
    yield np.array([60, 30]), np.array([0.9, 0.3]), 200.0  # no two of the slips agree here
    rng = np.random.default_rng(22)
    for _ in range(RANDOM_DESIGNS):
        fleet = rng.integers(1, 400, size=int(rng.integers(6, 15)))
        chosen = Selector(fleet, strategy="power", beta=float(rng.choice([0, 0.5, 1])), design="with-replacement")
        drawn = chosen.draw(int(rng.integers(2, 6)), rng)
        yield fleet[drawn], chosen.inclusion(len(drawn))[drawn], float(fleet.sum())


def _bias(mine: Weights | Any) -> str:
    """Return which weight a client gets over all cohorts that can be drawn, where it is not its share of the data.

    The fleet has 80, 10 and 10 examples. Two are drawn: the first always, and one of the others.
    """
    fleet, chance = np.array([80, 10, 10]), np.array([1.0, 0.5, 0.5])
    expected = np.zeros(3)
    try:
        for cohort in ([0, 1], [0, 2]):
            expected[cohort] += np.asarray(mine(fleet[cohort], chance[cohort], 100.0), dtype=float) / 2
    except Exception:
        return "On average a client's weight has to be its share of the data."
    shares = fleet / fleet.sum()
    worst = int(np.abs(expected - shares).argmax())
    return (
        f"That is biased. Of three clients with 80, 10 and 10 examples, where the first is always drawn and one of the "
        f"others, one with {fleet[worst]} gets {expected[worst]:.2f} of the weight on average, and has "
        f"{shares[worst]:.2f} of the data."
    )


_PROPERTIES = [
    (lambda given, got: np.shape(got) == given[0].shape, "Expected one weight for each client drawn."),
    (lambda given, got: bool((np.asarray(got) >= 0).all()), "A weight is negative: an update would be taken back."),
]
_SLIPS = [
    (
        lambda n, pi, total: n / n.sum(),
        "Those are shares of the cohort's examples, FedAvg's weights: they ignore how often a client is drawn.",
    ),
    (
        lambda n, pi, total: n / total,
        "Those are shares of all examples. A client that is drawn half the time represents two.",
    ),
    (lambda n, pi, total: 1 / pi, "Those are 1/π. Multiply each by the client's share of the examples."),
    (
        lambda n, pi, total: n / pi,
        "Those are n/π. Divide by `total`: the examples of all clients, also of those that were not drawn.",
    ),
    (
        lambda n, pi, total: n / pi / n.sum(),
        "You divided by the examples of the cohort. Divide by `total`: clients that were not drawn count too.",
    ),
    (
        lambda n, pi, total: n * pi / total,
        "You multiplied by π: a client that is drawn rarely would get even less weight.",
    ),
    (
        lambda n, pi, total: n / pi / (n / pi).sum(),
        "You divided by the sum of the weights. These are Hájek's weights: they always sum to 1, and for that they are "
        "biased.",
    ),
    (
        lambda n, pi, total: np.full(len(n), 1 / len(n)),
        "Those are equal weights: right only where clients are drawn in proportion to their data.",
    ),
]


@exercise("22", "How much weight, in numbers")
def heavy_devices_weight(answer: Any) -> Checked:
    """Check the expected weight of a device of 90 examples and nine of 10, two drawn uniformly without repeats.

    Examples
    --------
    >>> heavy_devices_weight(0.5)
    ✗ 0.5 is not right. That is its share of the examples, the weight that would be fair to the data.
    """
    drawn = 2 / (1 + LIGHT_ONES)
    weight = HEAVY / (HEAVY + LIGHT)
    slips = {
        HEAVY
        / (HEAVY + LIGHT * LIGHT_ONES): "That is its share of the examples, the weight that would be fair to the data.",
        drawn: "That is its probability to be drawn. What is its weight when it is drawn?",
        weight: "That is its weight when it is drawn. How often is it drawn?",
        weight / (1 + LIGHT_ONES): "One in ten is its probability in one draw; two different clients are drawn.",
        drawn / 2: "That would be its expected weight with equal weights.",
    }
    return check(answer, drawn * weight, because=slips)


@exercise("22", "As much activity as privacy allows")
def largest_beta(answer: Any, sizes: Sequence[int] | np.ndarray) -> Checked:
    """Check the largest β, in steps of 0.05, at which no device is in more than a quarter of the rounds of 10.

    Parameters
    ----------
    answer
        The reader's β.
    sizes
        Training examples of each device.
    """
    if answer is ... or answer is None:
        return check(..., 0.0)
    try:
        here, beyond = (_largest_rate(float(answer) + step, sizes) for step in (0.0, STEP))
    except (TypeError, ValueError) as error:
        return check(answer, None, because=[(lambda _: True, str(error).splitlines()[0])])
    slips = [
        (
            lambda _: here > LARGEST_RATE,
            f"The heaviest client is then in {per_cent(here)} of the rounds: take a smaller β.",
        ),
        (
            lambda _: beyond <= LARGEST_RATE,
            f"At β + {STEP:g} it is still in only {per_cent(beyond)} of the rounds: take a larger β.",
        ),
    ]
    return check(answer, answer if here <= LARGEST_RATE < beyond else None, because=slips)


def _largest_rate(beta: float, sizes: Sequence[int] | np.ndarray) -> float:
    chosen = Selector(np.asarray(sizes), strategy="power", beta=round(beta, 10), design="poisson")
    return float(chosen.inclusion(DEVICES_PER_ROUND).max())


hints = Hints({
    fair_weights: (
        "A client that is drawn with probability π represents itself and the times that it was not drawn.",
        "π times the weight has to be the client's share of the data, whatever π is. Solve for the weight.",
        "`total` is the number of examples of *all* clients, `examples` those of the clients drawn.",
    ),
    heavy_devices_weight: (
        "Expected weight = probability to be drawn × weight when drawn, because all light clients are equal.",
        "Two of ten are drawn, each as likely as the others: 2/10.",
        "The other client in the cohort is a light one: 90 / (90 + 10).",
    ),
    largest_beta: (
        'π is what `Selector(sizes, strategy="power", beta=beta, design="poisson").inclusion(10)` returns.',
        "Its maximum grows with β. Try 0, 0.5 and 1 first.",
        "In code: `max(b for b in np.arange(0, 1, 0.05) if ... <= 0.25)`.",
    ),
})  # fmt: skip
