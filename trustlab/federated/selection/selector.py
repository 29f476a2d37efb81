"""Which clients take part in a round: one object from activity to cohort."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from trustlab.columns import as_numbers, as_scores
from trustlab.deprecation import old_arguments
from trustlab.federated.selection import designs
from trustlab.federated.selection.strategies import SelectionConfig, weighing
from trustlab.federated.selection.weighted_sampler import WeightedSampler

Losses = Callable[[np.ndarray], np.ndarray]  # numbers [d] of clients -> their local losses [d]


class Selector:
    """Draw cohorts of clients by their activity, and compute how often each client is in one.

    Setting up costs one look at all N clients; a draw of k then costs O(k), and a changed activity O(1), next to a pass
    over N/64 block sums: see :class:`trustlab.federated.selection.weighted_sampler.WeightedSampler`.

    Parameters
    ----------
    activity : array [N]
        n_i >= 0, the training examples that each client holds now. A client without any is never drawn.
    strategy, design, **options
        Options of :class:`trustlab.federated.selection.SelectionConfig`. ``"top-k"`` and ``"power-of-choice"`` read no
        design.
    norms : array [N]
        For ``"optimal"`` alone: norm ‖U_i‖ of the update that each client has to send; the weight is n_i·‖U_i‖, and
        the probabilities are the paper's with ``design="poisson"``. Every client has to train before it is selected:
        what is saved is sending. Chen, Horváth and Richtárik (2022).

    Raises
    ------
    ValueError
        For an option outside its range, and for a fleet from which no client could be drawn.

    Examples
    --------
    >>> selector = Selector([100, 10, 10, 0], strategy="power", beta=1.0, design="systematic")
    >>> selector.inclusion(2).tolist()
    [1.0, 0.5, 0.5, 0.0]
    >>> rng = np.random.default_rng(0)
    >>> len(selector.draw(2, rng))
    2
    >>> selector.update([3], [980])  # the fourth client was used a lot
    >>> selector.inclusion(1).tolist()[3] > 0.8
    True
    """

    def __init__(
        self,
        activity: np.ndarray,
        *,
        strategy: str = "power",
        design: str = "without-replacement",
        norms: np.ndarray | None = None,
        **options: Any,
    ) -> None:
        self.config = SelectionConfig(strategy=strategy, design=design, **options)
        _check_norms(self.config, norms)
        activity = as_numbers(activity, "activity")
        if not len(activity):
            raise ValueError("Expected activity of shape [N] with N >= 1, got [0].")
        if not (np.isfinite(activity).all() and activity.min() >= 0 and activity.max() > 0):
            raise ValueError(
                f"Expected finite activity >= 0 and > 0 for some client, got {activity.min():g} to {activity.max():g}. "
                "It is the number of training examples on each client."
            )
        self._weigh = weighing(self.config, activity)
        self._sampler = WeightedSampler(self._weights(activity, norms))

    @property
    def design(self) -> str:
        """How clients are drawn; ``"top-k"`` and ``"power-of-choice"`` are separate designs."""
        own = ("top-k", "power-of-choice")
        return self.config.strategy if self.config.strategy in own else self.config.design

    def __len__(self) -> int:
        return self._sampler.clients

    def draw(self, k: int, rng: np.random.Generator, *, losses: Losses | None = None) -> np.ndarray:
        """Return the numbers of `k` clients, int64; about `k` with ``"poisson"``.

        Parameters
        ----------
        k
            Size of the cohort, >= 1. Without repeats at most the number of clients with a positive weight.
        rng
            Where randomness comes from; ``"top-k"`` draws none.
        losses
            For ``"power-of-choice"`` alone: called once with the candidates' numbers; returns the loss of the model on
            each one's data.
        """
        self._check_size(k)
        if (losses is None) == (self.design == "power-of-choice"):
            raise ValueError(
                f"Expected losses only with strategy='power-of-choice', got losses={losses!r} with "
                f"{self.config.strategy!r}. The k candidates with the highest loss are kept."
            )
        if self.design == "top-k":
            return self._sampler.largest(k)
        if losses is None:
            return designs.DESIGNS[self.design](self._sampler, k, rng)
        candidates = designs.without_replacement(self._sampler, self._candidates(k), rng)
        found = as_numbers(losses(candidates), "loss")
        if len(found) != len(candidates):
            raise ValueError(f"Expected a loss of each of {len(candidates)} candidates, got {len(found)}.")
        return candidates[np.argsort(-found, kind="stable")[:k]]

    def inclusion(self, k: int) -> np.ndarray:
        """Return how often each client is expected in a cohort of `k`, float64 [N], summing to `k`.

        It is the probability to be in the cohort, and with replacement the expected number of times. One over it is the
        Horvitz–Thompson weight in every design.

        Raises
        ------
        UnknownInclusionError
            Where it is not known: successive sampling (use :meth:`estimate_inclusion`), and power-of-choice, where it
            depends on the losses.
        """
        self._check_size(k)
        if self.design == "power-of-choice":
            raise designs.UnknownInclusionError(
                "Expected a strategy with known inclusion probabilities, got 'power-of-choice'. Which clients "
                "are kept depends on the candidates' losses: weight by examples or equally."
            )
        if self.design == "top-k":
            certain = np.zeros(len(self))
            certain[self._sampler.largest(k)] = 1.0
            return certain
        return designs.inclusion(self._sampler, k, self.design)

    def estimate_inclusion(
        self, k: int, rng: np.random.Generator, *, repetitions: int = 100
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return successive sampling's inclusion probabilities, unbiased estimates [N], and their standard errors [N].

        Costs `repetitions` passes over all clients, see :mod:`trustlab.federated.selection.designs`.
        """
        self._check_size(k)
        if self.design != "without-replacement":
            raise ValueError(
                f"Expected design='without-replacement', got {self.design!r}. inclusion(k) knows it exactly, where "
                "it is known."
            )
        return designs.estimate_inclusion(self._sampler, k, rng, repetitions=repetitions)

    @old_arguments(devices="clients")
    def update(self, clients: np.ndarray, activity: np.ndarray, *, norms: np.ndarray | None = None) -> None:
        """Set the activity [C] of `clients` [C] that have new data or lost some; 0 takes a client out.

        What a strategy fitted to the whole fleet stays as it was: oort's cap, and softmax's zero point. A new
        :class:`Selector` for each period fits them again.
        """
        _check_norms(self.config, norms)
        activity = as_numbers(activity, "activity")
        if len(activity) and not (np.isfinite(activity).all() and activity.min() >= 0):
            raise ValueError(f"Expected finite activity >= 0, got {activity.min():g} to {activity.max():g}.")
        self._sampler.update(clients, self._weights(activity, norms))

    def _weights(self, activity: np.ndarray, norms: np.ndarray | None) -> np.ndarray:
        weights = self._weigh(activity)
        return weights if norms is None else weights * as_scores(norms, "norm", rows=len(weights), low=0)

    def _candidates(self, k: int) -> int:
        """Return d, the number of power-of-choice's candidates for a cohort of `k`."""
        return min(self.config.candidates or 2 * k, self._sampler.positive)

    def _check_size(self, k: int) -> None:
        """Refuse cohorts that cannot be drawn, before any work."""
        most = np.inf if self.design == "with-replacement" else self._sampler.positive
        if not 1 <= k <= most:
            raise ValueError(
                f"Expected k={k} in [1, {most}]. It is how many clients are drawn (clients_per_round), and {most} have "
                "a positive weight; a client without examples, below the threshold, or far behind at a low temperature "
                "has none."
            )
        if self.design == "power-of-choice" and self._candidates(k) < k:
            raise ValueError(f"Expected candidates={self.config.candidates} >= k={k}. The cohort is chosen among them.")


def _check_norms(config: SelectionConfig, norms: np.ndarray | None) -> None:
    if (norms is None) == (config.strategy == "optimal"):
        raise ValueError(
            f"Expected norms only with strategy='optimal', got {'none' if norms is None else 'norms'} with "
            f"{config.strategy!r}. They are the norms of the clients' updates."
        )
