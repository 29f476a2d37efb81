"""Training while time passes: in period t clients hold D_k(t) only, train on it, and delete it.

Dupuy et al. (2022, "Learnings from Federated Learning in the Real World") compare two settings: *static*, all data at
once, and *continual*, new data over consecutive periods with the past data deleted. Here both are one loop. The static
reference is the continual training of a single period that holds everything, with as many rounds as all periods have
together; it sees each example in many more rounds, which is what it is a reference for.

Between periods a client may keep a **reservoir** of a few old examples and train on them with the new ones. That is
replay, and it is a form of *keeping data*: it does not keep a promise of deletion.
"""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from trustlab.batches import as_examples
from trustlab.columns import as_times
from trustlab.deprecation import old_names
from trustlab.federated.partition import Partition, only
from trustlab.federated.selection import Selector, UnknownInclusionError
from trustlab.federated.simulation import FederatedConfig, Task, simulate
from trustlab.federated.simulation.definitions import check_config
from trustlab.federated.simulation.measurement import without_side_effects

Row = dict[str, Any]
# From the present model, the task and the new examples' indices: the task with labels for them, and which have one.
Labeller = Callable[[nn.Module, Task, np.ndarray], tuple[Task, np.ndarray]]
UNIFORM: Mapping[str, Any] = {"strategy": "uniform"}


def continual(
    task: Task,
    clients: Partition,
    periods: Sequence[int] | np.ndarray,
    config: FederatedConfig,
    *,
    selection: Mapping[str, Any] = UNIFORM,
    replay: int = 0,
    test_periods: Sequence[int] | np.ndarray | None = None,
    label: Labeller | None = None,
    model: nn.Module | None = None,
) -> Iterator[Row]:
    """Train period by period and yield a row after each round.

    Parameters
    ----------
    task
        The learning problem; its training examples are those of all periods. Its model is left as it is.
    clients
        Who holds which of them, over all periods.
    periods : int [n]
        The period of each training example. Periods come in ascending order.
    config
        Options of the training **within a period**: ``config.rounds`` rounds in each. A server with a memory
        (momentum, Adam) starts each period without it.
    selection
        Options of :class:`trustlab.federated.selection.Selector`, set up again in each period: a client's activity is
        the number of examples that it has then, stored ones included.
    replay
        Budget: how many old examples each client may store, see :func:`reservoir`. 0 deletes everything.
    test_periods : int [m]
        The period of each test example; with them every measurement is also made separately on each period's,
        numbered from 1 in ascending order.
    label
        Labels for a period's new examples, requested when it begins; examples without one are not trained on. In the
        first period, and by default in all, the task's own labels are used.
    model
        Trained in place; None trains a copy of the task's.

    Yields
    ------
    dict
        The rows of :func:`trustlab.federated.simulation.simulate`, their ``round``, ``seconds`` and ``progress``
        counted over all periods, with ``period`` (from 1), ``available`` (training examples on all clients) and
        ``stored`` (those of them that were kept from earlier periods). Measured ones have for each measure also
        ``<measure>_<period>``.

    Raises
    ------
    ValueError
        At once, for columns of another length, a negative budget, options that the simulation refuses, or a period with
        fewer clients than a cohort (only when it begins, where labels are made on the way); and for noise, whose ε over
        periods would have to be composed and is not accounted for here.

    Examples
    --------
    >>> x = torch.linspace(-1, 1, 12)[:, None]
    >>> def loss(model, batch):
    ...     return (model(batch) - 3 * batch).square().sum(1)
    >>> task = Task(nn.Linear(1, 1), x, x, loss, lambda model, batch: {"loss": loss(model, batch).mean().item()})
    >>> clients = Partition.from_owners(np.arange(12) % 3, 3)
    >>> config = FederatedConfig(rounds=2, clients_per_round=2)
    >>> rows = continual(task, clients, [0] * 6 + [1] * 6, config, replay=1)
    >>> [(row["period"], row["round"], row["available"], row["stored"]) for row in rows]
    [(1, 1, 6, 0), (1, 2, 6, 0), (2, 3, 9, 3), (2, 4, 9, 3)]
    """
    times, tests = _checked(task, clients, periods, test_periods, config, replay)
    if label is None:  # with labels made on the way, the examples of a period are not known before
        _check_cohorts(clients, times, config, selection, replay)
    model = copy.deepcopy(task.model) if model is None else model
    task = task if tests is None else dataclasses.replace(task, evaluate=_by_period(task.evaluate, tests))
    return _run(task, clients, times, config, dict(selection), replay, label, model)


def _run(
    task: Task,
    clients: Partition,
    times: np.ndarray,
    config: FederatedConfig,
    selection: dict[str, Any],
    replay: int,
    label: Labeller | None,
    model: nn.Module,
) -> Iterator[Row]:
    """Go through the periods; a generator, so closing it stops the training where it is."""
    ticket = np.random.default_rng([config.seed, 3]).random(len(times))  # 1 and 2: tests dealt out, feedback
    stored, seconds, order = np.zeros(len(times), dtype=bool), 0.0, np.unique(times)
    for place, period in enumerate(order):
        held = times == period
        if label is not None and place:
            task, labelled = label(model, task, np.flatnonzero(held))
            held = np.isin(np.arange(len(held)), labelled)
        held |= stored
        here = only(clients, held)
        options = dataclasses.replace(config, seed=_seed_of(config.seed, place))
        about = {"period": place + 1, "available": int(held.sum()), "stored": int(stored.sum())}
        row: Row = {"seconds": 0.0}
        selector = Selector(here.sizes, **selection)
        for row in simulate(task, here, options, selector=selector, model=model):
            del row["epsilon"]  # no guarantee is given here
            done = place * config.rounds + row["round"]
            over_all = {"seconds": seconds + row["seconds"], "progress": done / (len(order) * config.rounds)}
            yield {**row, **about, **over_all, "round": done}
        seconds += row["seconds"]
        stored = reservoir(clients, held, ticket, replay)  # all else is deleted


def reservoir(clients: Partition, held: np.ndarray, ticket: np.ndarray, budget: int) -> np.ndarray:
    """Return which examples are kept when a period ends: at most `budget` per client, bool [n].

    Every example draws a ticket once, and a client keeps those with the smallest ones. Among all that it has ever seen
    each is kept with the same probability, whenever it came, as with Vitter's reservoir (1985, Algorithm R).

    Parameters
    ----------
    clients
        Who holds which examples.
    held : bool [n]
        The examples that are there: those stored before and the period's new ones.
    ticket : float [n]
        The examples' tickets, the same in every period.
    budget
        Most examples per client, >= 0.

    Examples
    --------
    >>> clients = Partition.from_owners(np.array([0, 0, 0, 1]), 2)
    >>> reservoir(clients, np.array([True, True, False, True]), np.array([0.5, 0.2, 0.1, 0.9]), 1).tolist()
    [False, True, False, True]
    """
    here = only(clients, held)
    owners, flat = here.owners, here.flat
    order = np.lexsort((ticket[flat], owners))  # client by client, the smallest ticket first
    place = np.arange(len(flat)) - here.offsets[owners]
    kept = np.zeros(len(held), dtype=bool)
    kept[flat[order][place < budget]] = True
    return kept


# What the rows show


def accuracy_matrix(rows: Sequence[Mapping[str, Any]], measure: str = "accuracy") -> np.ndarray:
    """Return R [periods trained, T]: entry (t, s) is measured after period t's last round on period s's test data.

    Below the diagonal is what is kept from earlier periods; above it how well a model does on later ones. Only a
    simulation knows the whole matrix: on real clients period s's test data are there in period s alone, so R(s − 1,
    s), before its training, and R(s, s), after, are all that can be measured.
    """
    last = {row["period"]: row for row in rows if measure in row}
    columns = [name for name in last[1] if re.fullmatch(rf"{re.escape(measure)}_\d+", name)]
    return np.array([[last[period][name] for name in columns] for period in sorted(last)])


def forgetting(matrix: np.ndarray) -> np.ndarray:
    """Return, for each period but the last, the best that it ever was minus what it is at the end, [T − 1].

    Chaudhry et al. (2018): the best of any model before the last, one from before the period itself included. Negative
    where the end is better than all of them.

    Examples
    --------
    >>> forgetting(np.array([[0.9, 0.1], [0.6, 0.8]])).round(2).tolist()
    [0.3]
    """
    return matrix[:-1, :-1].max(axis=0) - matrix[-1, :-1]


def catch_up_round(rounds: Sequence[int], accuracies: Sequence[float], bar: float) -> int | None:
    """Return the first of the measured `rounds` at which the accuracy is at least `bar`, None for never.

    Examples
    --------
    >>> catch_up_round([5, 10, 15], [0.4, 0.7, 0.6], 0.65), catch_up_round([5, 10], [0.4, 0.7], 0.9)
    (10, None)
    """
    return next((number for number, value in zip(rounds, accuracies, strict=True) if value >= bar), None)


@torch.no_grad()
def client_sums(model: nn.Module, task: Task, tests: Partition, measure: str = "accuracy") -> np.ndarray:
    """Return what each client reports of its own test data: the sum of `measure` over them and their number, [K, 2].

    A server that adds these up knows the measure over all clients and needs no example, and no single client's
    numbers either: sums are what secure aggregation can hide. They stay when the data are deleted.
    """
    with without_side_effects(model):
        means = [task.evaluate(model, task.test[torch.from_numpy(own)])[measure] if len(own) else 0.0 for own in tests]
    return np.stack([means * tests.sizes, tests.sizes], axis=1)


# Details


def _by_period(evaluate: Callable[..., dict[str, float]], tests: np.ndarray) -> Callable[..., dict[str, float]]:
    """Return `evaluate` over all test examples that also measures those of each period, numbered from 1."""
    places = [torch.from_numpy(np.flatnonzero(tests == period)) for period in np.unique(tests)]

    def each(model: nn.Module, examples: Any) -> dict[str, float]:
        examples = as_examples(examples)  # of which parts can be taken: a task gives it what its own measure is given
        found = dict(evaluate(model, examples))
        for number, place in enumerate(places, start=1):
            found |= {f"{name}_{number}": value for name, value in evaluate(model, examples[place]).items()}
        return found

    return each


def _seed_of(seed: int, place: int) -> int:
    """Return a period's own seed: the same cohorts in every period would be no draw."""
    return int(np.random.SeedSequence([seed, place]).generate_state(1)[0])


def _checked(
    task: Task, clients: Partition, periods: Any, test_periods: Any, config: FederatedConfig, replay: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Refuse what does not fit together and return the two columns as arrays."""
    check_config(config, len(clients))
    times = as_times(periods, "period")
    clients.check_covers(len(times))
    tests = None if test_periods is None else as_times(test_periods, "period")
    if len(times) != len(task.train) or (tests is not None and len(tests) != len(task.test)):
        raise ValueError(
            f"Expected a period for each of {len(task.train)} training and {len(task.test)} test examples, got "
            f"{len(times)} and {'none' if tests is None else len(tests)}. Take the columns of the task's own splits."
        )
    if replay < 0:
        raise ValueError(f"Expected replay={replay} >= 0. It is the number of old examples that a client may store.")
    if config.clip_norm is not None:
        raise ValueError(
            f"Expected clip_norm=None, got {config.clip_norm:g}. A client takes part in several periods, and the ε of "
            "one period does not hold for all of them: DP-FedAvg over periods is not accounted for here."
        )
    return times, tests


def _check_cohorts(
    clients: Partition, times: np.ndarray, config: FederatedConfig, selection: Mapping[str, Any], replay: int
) -> None:
    """Refuse cohorts for which some period has too few clients, before the first one is trained on."""
    seen = np.zeros(len(clients), dtype=np.int64)  # examples that each client has ever had
    for number, period in enumerate(np.unique(times), start=1):
        fresh = only(clients, times == period).sizes
        try:
            Selector(fresh + np.minimum(seen, replay), **selection).inclusion(config.clients_per_round)
        except UnknownInclusionError:  # it can be drawn all the same
            pass
        except ValueError as error:
            raise ValueError(f"In period {number}: {error}") from error
        seen += fresh


__getattr__ = old_names(__name__, {"device_sums": "client_sums"})
