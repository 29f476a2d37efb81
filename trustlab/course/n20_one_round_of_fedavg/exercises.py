"""The exercise of notebook 20: the server's average."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from trustlab.course.found import exercise
from trustlab.course.n20_one_round_of_fedavg.town import weighted_average
from trustlab.lab.checks import Checked
from trustlab.lab.functions import check_function
from trustlab.lab.teaching import Hints

Case = tuple[np.ndarray, np.ndarray]


def _cohorts() -> Iterator[Case]:
    """Yield models [K, D] and examples [K]: two clients that one can check by hand, then random ones."""
    yield np.array([[0.0, 0.0], [4.0, 8.0]]), np.array([6, 2])
    yield np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 0.0]]), np.array([7, 7, 7])
    yield np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 0.0]]), np.array([6, 0, 2])
    rng = np.random.default_rng(20)
    for clients, numbers in ((1, 2), (5, 2), (12, 2), (4, 7)):
        yield rng.standard_normal((clients, numbers)), rng.integers(1, 60, clients)


@exercise("20", "The server's average")
def server_average(mine: Any) -> Checked:
    """Check a function of models [K, D] and numbers of examples [K] that returns their FedAvg average [D].

    Examples
    --------
    >>> server_average(lambda models, examples: models.mean(0))
    ✗ That weights all clients equally. A client with three times the examples counts three times. Your function \
returned [2, 4] for ([[0, 0], [4, 8]], [6, 2]).
    """
    return check_function(
        mine,
        _cohorts(),
        right=weighted_average,
        properties=[
            (
                lambda given, got: np.shape(got) == given[0].shape[1:],
                "Expected one model: as many numbers as each client sent.",
            ),
        ],
        because=[
            (
                lambda models, examples: models.mean(0),
                "That weights all clients equally. A client with three times the examples counts three times.",
            ),
            (
                lambda models, examples: (examples[:, None] * models).sum(0),
                "The weights do not add up to 1: divide by the number of all examples.",
            ),
            (
                lambda models, examples: (examples[:, None] * models).mean(0),
                "You divided by the number of clients. Divide by the number of all examples.",
            ),
            (
                lambda models, examples: (models / examples[:, None]).sum(0) / (1 / examples).sum(),
                "The weights are upside down: the client with the fewest examples counts most.",
            ),
        ],
    )


hints = Hints({
    server_average: (
        "What is the weight of a client with 3 of 4 examples? The weights of all clients add up to 1.",
        "Multiply each model (a row) by its client's weight, and add the rows up.",
        "`weights[:, None] * models` multiplies row by row; `.sum(0)` adds the rows up.",
    ),
})  # fmt: skip
