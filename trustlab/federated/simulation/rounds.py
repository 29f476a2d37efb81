"""The rounds of a federated training: select, train, average, measure; a flat row for each."""

from __future__ import annotations

import dataclasses
import hashlib
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from trustlab.batch_tensors import hashed
from trustlab.checkpoint import Checkpoint, describe_model
from trustlab.federated.selection import Selector
from trustlab.federated.simulation.definitions import FederatedConfig, Task
from trustlab.federated.simulation.dp_fedavg import check_selection, spent
from trustlab.federated.simulation.engine_choice import Verdict, choose_engine
from trustlab.federated.simulation.fleet import Fleet, counts
from trustlab.federated.simulation.local_training import (
    SELECTION,
    TORCH,
    Update,
    Work,
    rng_of,
    train_sequentially,
    works,
)
from trustlab.federated.simulation.loss_checks import check_learning
from trustlab.federated.simulation.measurement import check_measure, check_scores, client_losses, measure
from trustlab.federated.simulation.model_state import check_model, copied, modes_kept
from trustlab.federated.simulation.schedules import Schedule, plan_rounds, scheduled
from trustlab.federated.simulation.server import Server, Weigh, average, check_heard, check_known, update_weights
from trustlab.federated.simulation.stacked import train_stacked

Row = dict[str, Any]
# Rounds taken on a model that was given, by seed: what is drawn in a second call is new.
_taken: weakref.WeakKeyDictionary[nn.Module, dict[int, int]] = weakref.WeakKeyDictionary()


def simulate(
    task: Task,
    clients: Sequence[Any],
    config: FederatedConfig,
    *,
    selector: Selector | None = None,
    test_clients: Sequence[Any] | None = None,
    model: nn.Module | None = None,
    checkpoint: str | Path | None = None,
    weigh: Weigh | None = None,
    schedules: Mapping[str, Schedule] | None = None,
    repeat: bool = False,
) -> Iterator[Row]:
    """Train on many clients and yield a row after each round.

    Parameters
    ----------
    task
        Model, examples, loss and measure. Its model is left as it is.
    clients
        For each registered client the indices of its examples in ``task.train``: a list of arrays, or a
        :class:`trustlab.federated.partition.Partition`. Only those of selected clients are looked at in a round. A
        mask, floats, or an array with the owner of each example are refused.
    config
        Every option. ``config.seed`` fixes all that is random, not the model's first weights; torch's global
        generators are left as they were.
    selector
        Which clients take part; None is uniform among clients that hold examples, without replacement.
    test_clients
        Indices of each client's examples in ``task.test``. With them each client is measured separately. Where both are
        partitions with names, the names must be the same in the same order: take
        :func:`trustlab.federated.partition.partition_pair`, not two natural partitions.
    model
        Trained in place, from the weights that it has; None trains a copy of ``task.model``, which is discarded.
        Called again with the same model and seed, cohorts and minibatches are new ones: they go on where the last call
        ended. An ε is that of one call; those of several add up at most.
    checkpoint
        A file that stores the training before each row; if it exists, the training continues from it. It then equals,
        on the same machine and versions, an uninterrupted one bit for bit. The rows kept are yielded again first, so
        that the rows are those of the whole training, also for the run store. Where no ε was promised, a finished
        training continues with more ``rounds``.
    weigh
        Your own rule in place of ``config.aggregation``: ``weigh(examples)`` returns a weight for each client that
        arrived, [K], from the number of its examples, [K].
    schedules
        Options that change, see :mod:`trustlab.federated.simulation.schedules`: ``{"learning_rate": lambda round: 1 /
        round}``, with rounds from 1, or a list with a value for each. Rows have a column for each.
    repeat
        Draw the cohorts and minibatches of the first call with `model` again.

    Yields
    ------
    dict
        ``round`` (from 1), ``clients`` (different clients selected), ``arrived`` (updates that reached the server),
        ``discarded`` (of those, updates with NaN or Inf, which are left out; a warning names the first),
        ``examples`` and ``steps`` (of the others), ``train_loss`` (mean over the examples that they stepped on, each
        measured just before its step; NaN without any), ``epsilon`` (``inf`` without noise), ``seconds`` (so far,
        measuring left out), ``bytes_down`` and ``bytes_up`` (of this round), ``engine``, ``engine_note`` (why clients
        are not stacked), ``progress``. Rounds that are measured, every ``evaluate_every`` and the last, also have what
        ``task.evaluate`` returns and, with `test_clients`, ``device_…`` and ``light_…`` of each, see
        :func:`trustlab.federated.simulation.measurement.measure`.

    Raises
    ------
    ValueError
        At once, before any round, for options outside their range, combinations whose ε is not known, a loss that does
        not train the model it is given, layers that keep something of their inputs (what a client leaves in a buffer
        would reach the next), a model that cannot be stacked with ``engine="stacked"``, or a checkpoint that is damaged
        or of another training. In a round of which no update is finite, except with ``clip_norm``.
    FloatingPointError
        In a round whose average moves a weight beyond its type's range.
    OSError
        When the checkpoint cannot be written: at once, or before the row that it would have held.

    Notes
    -----
    Both engines take the same steps up to rounding. With SGD it stays that: 1e-5 of the way from the first weights.
    Adam divides every gradient by its own size, so that one which is nothing but rounding error becomes a whole step
    of a random sign. Attention has such gradients, the bias of its keys has no other. There the engines, like two
    machines, end up to 3e-3 of the way apart in single precision, and 1e-8 with ``model.double()``; unless FedProx
    pulls too, and Adam makes steps of that pull as well.

    Examples
    --------
    >>> x = torch.linspace(-1, 1, 12)[:, None]
    >>> def loss(model, batch):
    ...     return (model(batch) - 3 * batch).square().sum(1)
    >>> task = Task(nn.Linear(1, 1), x, x, loss, lambda model, batch: {"loss": loss(model, batch).mean().item()})
    >>> clients = [range(0, 3), range(3, 7), range(7, 12)]
    >>> *_, last = simulate(task, clients, FederatedConfig(rounds=60, clients_per_round=2, learning_rate=0.5))
    >>> last["loss"] < 1e-3, last["engine"]
    (True, 'stacked')
    """
    fleet = Fleet.of(clients, selector, test_clients, train=len(task.train), test=len(task.test))
    configs = plan_rounds(config, schedules, len(fleet))
    check_selection(config, fleet.selector)
    check_known(fleet, config)
    if weigh is not None and config.clip_norm is not None:
        raise ValueError("Expected weigh=None with clip_norm: no ε is known for unequal weights.")
    server = Server(copied(task.model) if model is None else model, config, weigh)
    if model is not None and not repeat:
        server.before = _taken.get(model, {}).get(config.seed, 0)
    check_model(server.model)
    check_learning(server.model, task, fleet.some_examples())
    check_measure(server.model, task)
    if test_clients is not None and task.per_example_scores is not None:
        check_scores(server.model, task)
    verdict = choose_engine(server.model, task, config, fleet.some_examples())
    if checkpoint is None:
        return _run(server, task, fleet, configs, schedules, verdict)
    kept = Checkpoint(Path(checkpoint), identity(task, fleet, config, weigh))
    content = kept.read()
    if content is not None:
        _check_goes_on(content["counters"], configs, schedules)
    if content is None or content["counters"]["round"] < config.rounds:
        kept.write(content or server.to_dict())  # a file that cannot be written is found out before any round
    return _kept_run(server, task, fleet, configs, schedules, verdict, kept, content)


def _run(
    server: Server,
    task: Task,
    fleet: Fleet,
    configs: Sequence[FederatedConfig],
    schedules: Mapping[str, Schedule] | None,
    verdict: Verdict,
    keep: Callable[[], None] = lambda: None,
) -> Iterator[Row]:
    """Take the rounds that are left; a generator, so closing it stops the training where it is."""
    about = {"engine": verdict.engine, "engine_note": verdict.reason}
    while server.round < len(configs):
        started, config = time.perf_counter(), configs[server.round]
        server.optimizer.config = config.server
        row = _round(server, task, fleet, config, verdict)
        server.round += 1
        _taken.setdefault(server.model, {})[config.seed] = server.draw
        server.seconds += time.perf_counter() - started
        row |= {
            "seconds": server.seconds,
            **scheduled(schedules, config),
            **about,
            "progress": server.round / config.rounds,
        }
        if server.round % config.evaluate_every == 0 or server.round == config.rounds:
            row |= measure(server.model, task, fleet)
        server.rows.append({"round": server.round, **row})
        keep()
        yield dict(server.rows[-1])


def _kept_run(
    server: Server,
    task: Task,
    fleet: Fleet,
    configs: Sequence[FederatedConfig],
    schedules: Mapping[str, Schedule] | None,
    verdict: Verdict,
    kept: Checkpoint,
    content: Row | None,
) -> Iterator[Row]:
    """Go on from `content`, if there is any, writing the checkpoint before each row."""
    if content is not None:
        server.restore(content)
        yield from map(dict, list(server.rows))
    yield from _run(server, task, fleet, configs, schedules, verdict, lambda: kept.write(server.to_dict()))


def _check_goes_on(counters: Row, configs: Sequence[FederatedConfig], schedules: Mapping[str, Schedule] | None) -> None:
    """Refuse a checkpoint of more rounds than ``config.rounds``, or whose rounds had other values of the schedules."""
    if counters["round"] > len(configs):
        raise ValueError(
            f"Expected rounds={len(configs)} >= {counters['round']}, which the checkpoint has taken. Ask for as many "
            "or more, or use another file."
        )
    for row, config in zip(counters["rows"], configs, strict=False):
        now = scheduled(schedules, config)
        if any(row.get(name) != value for name, value in now.items()):
            raise ValueError(
                f"Expected the schedules of the checkpoint, got others: in round {row['round']} they say {now} and "
                f"were { ({name: row.get(name) for name in now}) }. Use the same ones, or another file."
            )


def _round(server: Server, task: Task, fleet: Fleet, config: FederatedConfig, verdict: Verdict) -> Row:
    """Move the server by one round and return a row about it."""
    selected, times = np.unique(_drawn(server, task, fleet, config), return_counts=True)
    planned = works(config, server.draw, selected, fleet.clients)
    # What is lost on the way need not be trained here.
    arrived = [work for work in planned if work.arrives]
    weights = update_weights(arrived, times[[work.arrives for work in planned]], server, fleet, config)
    with torch.random.fork_rng(), torch.enable_grad(), modes_kept(server.model):
        server.model.train()
        _seed(int(rng_of(config, server.draw, TORCH).integers(2**62)))
        found = average(_updates(server.model, task, arrived, config, verdict), weights, server, fleet, config)
    check_heard(arrived, found.heard, server, config)
    server.step(found.delta)
    heard = [work for work, fine in zip(arrived, found.heard.tolist(), strict=True) if fine]
    stepped, losses = np.array([sum(map(len, work.batches)) for work in heard]), found.losses[found.heard].numpy()
    return {
        "clients": len(planned),
        "arrived": len(arrived),
        "discarded": len(arrived) - len(heard),
        "examples": sum(work.examples for work in heard),
        "steps": sum(work.steps for work in heard),
        "train_loss": float(losses @ stepped / stepped.sum()) if stepped.sum() else float("nan"),
        "epsilon": spent(config, server.round + 1, server.largest_rate),
        "bytes_down": len(planned) * server.message_bytes,
        "bytes_up": len(arrived) * server.message_bytes,
    }


def _seed(seed: int) -> None:
    """Seed torch's generators, where there is a CPU only its own: looking for others takes longer than a step."""
    (torch.manual_seed if torch.accelerator.is_available() else torch.default_generator.manual_seed)(seed)


def _drawn(server: Server, task: Task, fleet: Fleet, config: FederatedConfig) -> np.ndarray:
    """Return the clients selected in this round, repeats kept."""
    asked = {}
    if fleet.selector.design == "power-of-choice":
        asked["losses"] = lambda clients: client_losses(server.model, task, fleet, clients)
    return fleet.selector.draw(config.clients_per_round, rng_of(config, server.draw, SELECTION), **asked)


def _updates(
    model: nn.Module, task: Task, arrived: list[Work], config: FederatedConfig, verdict: Verdict
) -> Iterator[Update]:
    """Return the updates that arrive, as they come."""
    if verdict.plan is not None:
        return train_stacked(model, task, arrived, config, verdict.plan)
    return train_sequentially(model, task, arrived, config)


# What a checkpoint belongs to: where anything differs, it is refused, and what differs is named.


def identity(task: Task, fleet: Fleet, config: FederatedConfig, weigh: Weigh | None = None) -> dict[str, str]:
    """Name every option, the model's shape, the data, their partition and how clients are selected.

    The weights are not part of it: a model freshly built gets those of the checkpoint. Nor is the code of the loss and
    of `weigh`, of which only the names are known; a selector is known by its options and by the clients that it
    draws with fixed seeds.
    """
    options = {field.name: repr(getattr(config, field.name)) for field in dataclasses.fields(config)}
    if not config.noise_multiplier:
        del options["rounds"]  # no ε was promised for so many: the training may go on
    return {
        **options,
        "model": describe_model(task.model),
        "loss": _name(task.per_example_loss),
        "weigh": "none" if weigh is None else _name(weigh),
        "train data": hashed(task.train),
        "test data": hashed(task.test),
        "clients": _holders(fleet.clients),
        "test clients": "none" if fleet.test_clients is None else _holders(fleet.test_clients),
        "selector": f"{fleet.selector.config}, {_digest(*_cohorts(fleet, config))}",
    }


def _name(function: Any) -> str:
    return getattr(function, "__qualname__", type(function).__qualname__)


def _holders(clients: Sequence[Any]) -> str:
    """Name the holders by the number of clients and a hash of their indices, in order."""
    flat = clients.flat if hasattr(clients, "flat") else np.concatenate([np.asarray(own, np.int64) for own in clients])
    return f"{len(clients)} clients, {_digest(np.asarray(flat, np.int64), counts(clients))}"


def _cohorts(fleet: Fleet, config: FederatedConfig) -> list[np.ndarray]:
    """Return a few cohorts, drawn independently of the training's."""
    asked = {"losses": lambda clients: np.zeros(len(clients))} if fleet.selector.design == "power-of-choice" else {}
    return [fleet.selector.draw(config.clients_per_round, np.random.default_rng(i), **asked) for i in range(8)]


def _digest(*arrays: np.ndarray) -> str:
    """Return eight digits of a hash of arrays, their types and their shapes."""
    hashed = hashlib.sha256()
    for array in arrays:
        hashed.update(f"{array.dtype} {array.shape} ".encode())
        hashed.update(np.ascontiguousarray(array).tobytes())
    return hashed.hexdigest()[:8]
