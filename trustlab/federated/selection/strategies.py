"""Selection strategies: from a client's activity n_i, its number of training examples, to its weight in the draw.

Dupuy et al. (2022) select by activity, which the server knows without further computation; uniform selection is the
baseline. A client without examples has nothing to train on and always has weight 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from trustlab.config import check, option
from trustlab.federated.selection.designs import DESIGNS

# How the server selects a cohort, by name.
STRATEGIES = ("uniform", "power", "softmax", "threshold", "top-k", "power-of-choice", "oort", "optimal")
Weigh = Callable[[np.ndarray], np.ndarray]  # activity [C] of some clients -> their weights [C]


@dataclass(frozen=True)
class SelectionConfig:
    """How a round's clients are chosen. An option that the strategy does not have is not read."""

    strategy: str = option(
        "power",
        label="Strategy",
        help="Which clients are likely to be selected, given each client's number of examples.",
        values=STRATEGIES,
    )
    design: str = option(
        "without-replacement",
        label="Design",
        help="poisson: each client independently, k on average. systematic: each at most once, with known probability. "
        "top-k takes no draw, and power-of-choice draws its candidates without replacement.",
        values=tuple(DESIGNS),
    )
    beta: float = option(
        1.0, label="β", help="power: weight n^β; 0 is uniform, 1 proportional to activity.", low=-8, high=8
    )
    temperature: float = option(
        100.0, label="T", help="softmax: weight exp(n/T); a small T favours heavy clients.", unit="examples", above=0
    )
    threshold: float = option(
        1.0, label="Threshold", help="threshold: clients with fewer examples do not take part.", unit="examples", low=0
    )
    candidates: int | None = option(
        None, label="d", help="power-of-choice: candidates whose losses are computed; None takes 2k.", low=1
    )
    quantile: float = option(
        0.95, label="Cap", help="oort: activity above this quantile of the fleet is cut to it.", low=0, high=1
    )


def weighing(config: SelectionConfig, activity: np.ndarray) -> Weigh:
    """Return the function from activity to weight that `config` names, fitted to a fleet's `activity` [N].

    * ``"uniform"``: 1. ``"power"``: n^β. ``"threshold"``: 1 for n at or above the threshold.
    * ``"softmax"``: exp((n − max n)/T). The largest weight is 1, so nothing overflows; a client that is 667·T examples
      behind the most active counts as 0.
    * ``"top-k"`` and ``"power-of-choice"`` (Cho, Wang and Joshi 2020: candidates ∝ n, then highest loss): n.
    * ``"oort"``: min(n, quantile of n). Lai et al. (2021) cap a client's statistical utility so that outliers do not
      rule the draw. Of their rule this is the cap alone: no loss in the utility, no speed of a client, no bonus for
      clients not seen for long, no share kept for exploration.
    * ``"optimal"``: n, which :class:`Selector` multiplies with the norm of the client's update (Chen, Horváth and
      Richtárik 2022).

    Raises
    ------
    ValueError
        For an option outside its range.

    Examples
    --------
    >>> fleet = np.array([0, 1, 4, 9])
    >>> weighing(SelectionConfig(beta=0.5), fleet)(fleet).tolist()
    [0.0, 1.0, 2.0, 3.0]
    """
    check(config)
    if config.strategy == "uniform":
        weigh: Weigh = np.ones_like
    elif config.strategy == "power":
        weigh = lambda n: n**config.beta  # noqa: E731
    elif config.strategy == "softmax":
        highest = float(np.max(activity))
        weigh = lambda n: np.exp((n - highest) / config.temperature)  # noqa: E731
    elif config.strategy == "threshold":
        weigh = lambda n: (n >= config.threshold).astype(float)  # noqa: E731
    elif config.strategy == "oort":
        present = np.asarray(activity)[np.asarray(activity) > 0]
        cap = float(np.quantile(present, config.quantile)) if len(present) else 0.0
        weigh = lambda n: np.minimum(n, cap)  # noqa: E731
    else:
        weigh = np.copy
    return lambda activity: _where_active(weigh, np.asarray(activity, float))


def _where_active(weigh: Weigh, activity: np.ndarray) -> np.ndarray:
    """Return the weights, 0 for clients without examples."""
    if (active := activity > 0).all():
        return weigh(activity)
    weights = np.zeros(len(activity))
    weights[active] = weigh(activity[active])
    return weights
