"""Options that change from round to round: a learning rate that falls, more local epochs later, fewer drop-outs.

A schedule is a function of the round (from 1), or a list with a value for each. All rounds are planned and checked
before the first. What ε is counted from, such as the cohort, the clipping norm and the noise, has no schedule.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trustlab.federated.simulation.definitions import FederatedConfig, check_config

Schedule = Callable[[int], Any] | Sequence[Any]
SERVER = "server_learning_rate"
SCHEDULED = ("learning_rate", "proximal", "local_epochs", "batch_size", "drop_out", "straggler_rate", SERVER)


def plan_rounds(
    config: FederatedConfig, schedules: Mapping[str, Schedule] | None, clients: int
) -> list[FederatedConfig]:
    """Return the options of each round, all of them checked.

    Parameters
    ----------
    config
        What does not change.
    schedules
        By option, one of :data:`SCHEDULED`: a function of the round, from 1, or a list of ``config.rounds`` values.
    clients
        Registered clients.

    Raises
    ------
    ValueError
        For another option, a list of another length, or a value outside its range, with its round.

    Examples
    --------
    >>> rates = {"learning_rate": lambda round: 0.5 / round}
    >>> [each.learning_rate for each in plan_rounds(FederatedConfig(rounds=3, clients_per_round=1), rates, 10)]
    [0.5, 0.25, 0.16666666666666666]
    """
    check_config(config, clients)
    if not schedules:
        return [config] * config.rounds
    for name, schedule in schedules.items():
        if name not in SCHEDULED:
            raise ValueError(
                f"Expected schedules of {', '.join(SCHEDULED)}, got {name!r}. Others decide what is trained, or are "
                "part of the ε that is promised: they are the same in all rounds."
            )
        if not callable(schedule) and len(schedule) != config.rounds:
            raise ValueError(
                f"Expected {config.rounds} values of {name!r}, one for each round, got {len(schedule)}. Give a "
                "function of the round where the number of rounds is open."
            )
    return [_round(config, schedules, round, clients) for round in range(1, config.rounds + 1)]


def scheduled(schedules: Mapping[str, Schedule] | None, config: FederatedConfig) -> dict[str, Any]:
    """Return what a row says of the round's options: those that have a schedule."""
    return {
        name: float(config.server.learning_rate if name == SERVER else getattr(config, name))
        for name in schedules or ()
    }


def _round(config: FederatedConfig, schedules: Mapping[str, Schedule], round: int, clients: int) -> FederatedConfig:
    values = {name: each(round) if callable(each) else each[round - 1] for name, each in schedules.items()}
    server = config.server
    if SERVER in values:
        server = dataclasses.replace(server, learning_rate=values.pop(SERVER))
    try:
        own = dataclasses.replace(config, **values, server=server)
        check_config(own, clients)
    except ValueError as error:
        raise ValueError(f"In round {round} of the schedules: {error}") from error
    return own
