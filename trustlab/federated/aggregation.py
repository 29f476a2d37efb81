"""What the server does with the cohort's models: weight their updates, average them, and step.

w is the global model, w_k what client k made of it. One round of every algorithm here is

    Δ = Σ_k p_k (w_k − w),        w ← ServerOptimizer(w, Δ).

The weights p_k of :func:`client_weights` decide which clients the average represents. The server optimizer, see
:mod:`trustlab.federated.server_optimizer`, takes Δ for the negative of a gradient. With p_k = n_k / Σ n, plain SGD and
a rate of 1 this is FedAvg (McMahan et al. 2017, Algorithm 1): w becomes Σ_k p_k w_k.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trustlab.deprecation import old_arguments, old_names
from trustlab.federated.named_tensors import State, add_rows, same_names, stack, summed_in
from trustlab.federated.server_optimizer import RULES, ServerConfig, ServerOptimizer

__all__ = [
    "AGGREGATIONS",
    "RULES",
    "ServerConfig",
    "ServerOptimizer",
    "State",
    "add_updates",
    "client_weights",
    "proximal_term",
    "pseudo_gradient",
    "stack",
    "summed_in",
]

# How the clients of a cohort are weighted.
AGGREGATIONS = ("examples", "equal", "horvitz-thompson", "hajek")


@old_arguments(how="aggregation")
def client_weights(
    aggregation: str,
    *,
    examples: np.ndarray | Tensor,
    inclusion: np.ndarray | Tensor | None = None,
    total_examples: float | None = None,
) -> Tensor:
    """Return the aggregation weight p_k of each client in a cohort.

    Parameters
    ----------
    aggregation
        * ``"examples"``: n_k / Σ_j n_j over the cohort, as FedAvg. ``"equal"``: 1/K.
        * ``"horvitz-thompson"``: n_k / (n π_k), the only one that is unbiased for every selection with known π_k > 0.
          The weights need not sum to 1: they do on average.
        * ``"hajek"``: the same divided by their sum. Not unbiased for small cohorts, but a cohort that is lighter or
          heavier than expected no longer shrinks or stretches the update.
    examples : [K]
        n_k >= 0 of the clients in the cohort; one that was drawn twice appears twice.
    inclusion : [K]
        Their π_k, for the last two: :meth:`trustlab.federated.selection.Selector.inclusion` of the cohort's clients.
    total_examples
        n, the examples of the whole fleet, for ``"horvitz-thompson"``.

    Returns
    -------
    Tensor [K], float64
        Empty for an empty cohort, which Poisson sampling may draw.

    Examples
    --------
    >>> client_weights("examples", examples=[30, 10]).tolist()
    [0.75, 0.25]
    >>> client_weights("horvitz-thompson", examples=[30, 10], inclusion=[1.0, 0.5], total_examples=100).tolist()
    [0.3, 0.2]
    """
    n = _numbers(examples, "examples")
    chances = None if inclusion is None else _numbers(inclusion, "inclusion")
    _check_aggregation(aggregation, n, chances, total_examples)
    values = torch.ones_like(n) if aggregation == "equal" else n
    if chances is not None:
        values = n / chances
    return values / (total_examples if aggregation == "horvitz-thompson" else values.sum())


def _numbers(values: Any, name: str) -> Tensor:
    """Return `values` as float64 [K], in their order: torch would look rows of a pandas column up by their labels."""
    tensor = isinstance(values, Tensor)
    found = np.asarray(values.detach().cpu().double() if tensor else values)
    if found.ndim != 1 or (tensor and values.dtype == torch.bool) or (found.size and found.dtype.kind not in "iufO"):
        raise ValueError(
            f"Expected {name} to be a number for each client of the cohort, [K], got shape {list(found.shape)} of "
            f"{values.dtype if tensor else found.dtype}."
        )
    return torch.from_numpy(found.astype(np.float64))


def _check_aggregation(aggregation: str, n: Tensor, inclusion: Tensor | None, total_examples: float | None) -> None:
    """Refuse what would give weights that mean something else."""
    if aggregation not in AGGREGATIONS:
        raise ValueError(f"Expected aggregation={aggregation!r} to be one of {', '.join(map(repr, AGGREGATIONS))}.")
    if (aggregation in ("horvitz-thompson", "hajek")) != (inclusion is not None):
        got = None if inclusion is None else inclusion.tolist()
        raise ValueError(
            f"Expected inclusion only with 'horvitz-thompson' and 'hajek', got {got} with {aggregation!r}. It is how "
            "often each client of the cohort is expected to be drawn."
        )
    if (aggregation == "horvitz-thompson") != (total_examples is not None):
        raise ValueError(
            f"Expected total_examples only with 'horvitz-thompson', got {total_examples!r} with {aggregation!r}. It "
            "counts the whole fleet's examples, not the cohort's."
        )
    if len(n) and not (n.min() >= 0 and 0 < n.sum() < np.inf):
        raise ValueError(
            f"Expected examples >= 0 with a positive, finite sum, got {n.tolist()}. Some client must have trained."
        )
    _check_chances(n, inclusion, total_examples)


def _check_chances(n: Tensor, inclusion: Tensor | None, total_examples: float | None) -> None:
    """Refuse probabilities of other clients, and a fleet without examples."""
    if inclusion is not None and inclusion.shape != n.shape:
        raise ValueError(
            f"Expected inclusion for each of {len(n)} clients in the cohort, got {len(inclusion)}. One for all would "
            "be read as the probability of every client."
        )
    if inclusion is not None and len(n) and not (inclusion.min() > 0 and inclusion.isfinite().all()):
        raise ValueError(
            f"Expected inclusion > 0 for every client in the cohort, got {inclusion.tolist()}. A drawn "
            "client has a positive probability: these are other clients' probabilities, or of another cohort size."
        )
    if total_examples is not None and not 0 < total_examples < np.inf:
        raise ValueError(f"Expected total_examples={total_examples} > 0 and finite: the whole fleet's examples.")


def pseudo_gradient(weights: Tensor, stacked: Mapping[str, Tensor], start: Mapping[str, Tensor]) -> State:
    """Return Δ = Σ_k p_k (w_k − w) for every tensor of `start`, added up in double precision and rounded to its own.

    Differences are averaged and not models: where the weights do not sum to 1 only they are right, and they are small,
    so that rounding is too.

    Parameters
    ----------
    weights : Tensor [K]
        p_k.
    stacked
        w_k, tensors [K, ...].
    start
        w, tensors [...] of floating point. Counters, such as a batch norm's, cannot be averaged: leave them out.

    Raises
    ------
    ValueError
        For other names or shapes than those of `start`, weights that are negative or no number, and an update with NaN
        or Inf, by name and client.

    Examples
    --------
    >>> start, local = {"w": torch.tensor([1.0])}, {"w": torch.tensor([[2.0], [5.0]])}
    >>> pseudo_gradient(torch.tensor([0.75, 0.25]), local, start)["w"].tolist()
    [1.75]
    """
    weights = torch.as_tensor(weights)
    if weights.ndim != 1 or not weights.isfinite().all() or (weights < 0).any():
        raise ValueError(
            f"Expected finite weights >= 0, one for each client, got {weights.tolist()}: p_k of client_weights."
        )
    same_names(stacked, start, "the clients' tensors", "the global model's")
    delta = {}
    for name, w in start.items():
        if not w.is_floating_point():
            raise ValueError(f"Expected floating point tensors, got {name!r} of {w.dtype}. Leave counters out.")
        if stacked[name].shape != (len(weights), *w.shape):
            raise ValueError(
                f"Expected {name!r} of shape {[len(weights), *w.shape]}, a row for each weight, got "
                f"{list(stacked[name].shape)}. stack(states) stacks the clients."
            )
        difference = stacked[name].double() - w.double()  # [K, ...]; in half precision light clients would be lost
        found = {name: torch.zeros_like(w, dtype=torch.double)}
        add_updates(found, weights, {name: difference})
        _check_finite(name, found[name], w, difference)
        delta[name] = found[name].to(w.dtype)
    return delta


def add_updates(
    total: State, weights: Tensor, deltas: Mapping[str, Tensor], rows: Mapping[str, Tensor] = MappingProxyType({})
) -> None:
    """Add Σ_k p_k Δ_k of K clients to `total`, in place.

    Clients may come in groups, one call for each: memory then does not grow with the number of clients.

    Parameters
    ----------
    total
        Tensors [...] by name.
    weights : Tensor [K]
        p_k.
    deltas
        Δ_k = w_k − w by name, [K, ...].
    rows
        By name of a tensor of which only some rows were sent: their numbers [K, U]; its deltas are [K, U, D].

    Examples
    --------
    >>> total = {"w": torch.zeros(3, 1)}
    >>> add_updates(total, torch.tensor([0.5, 0.25]), {"w": torch.ones(2, 1, 1)}, {"w": torch.tensor([[2], [0]])})
    >>> total["w"].flatten().tolist()
    [0.25, 0.0, 0.5]
    """
    for name, delta in deltas.items():
        p = weights.to(delta)
        if name in rows:
            add_rows(total[name], rows[name], delta * p[:, None, None])
        else:
            total[name] += torch.tensordot(p, delta, dims=1)


def _check_finite(name: str, found: Tensor, start: Tensor, difference: Tensor) -> None:
    """Refuse an average that is not finite, and name the cause."""
    if found.isfinite().all():
        return
    if not start.isfinite().all():
        raise ValueError(f"Expected a finite global model, got NaN or Inf in {name!r}. Go back to an earlier one.")
    bad = (~difference.flatten(1).isfinite().all(1)).nonzero().flatten().tolist()
    raise ValueError(
        f"Expected finite updates, got NaN or Inf in {name!r} from the clients at {bad[:10]}. With one of them "
        "the model would be NaN from now on: leave these clients out, and average the others."
    )


def proximal_term(parameters: Mapping[str, Tensor], start: Mapping[str, Tensor], mu: float) -> Tensor:
    """Return FedProx's (μ/2)‖w_k − w‖², a scalar to add to a client's loss (Li et al. 2020, equation 2).

    Its gradient pulls every step back towards the global model `start` by μ(w_k − w). It is one term for the mean loss
    of a step, not one for each example; μ = 0 is FedAvg.

    Examples
    --------
    >>> w = torch.tensor([3.0, 4.0], requires_grad=True)
    >>> term = proximal_term({"w": w}, {"w": torch.zeros(2)}, mu=0.1)
    >>> term.backward()
    >>> round(term.item(), 4), w.grad.tolist() == (0.1 * w).tolist()
    (1.25, True)
    """
    squares = []
    for name, fixed in start.items():
        wide = summed_in(fixed.dtype)  # a square is soon beyond half precision
        squares.append(((parameters[name].to(wide) - fixed.detach().to(wide)) ** 2).sum())
    return torch.as_tensor(mu / 2 * sum(squares))


__getattr__ = old_names(__name__, {"WEIGHTINGS": "AGGREGATIONS"})
