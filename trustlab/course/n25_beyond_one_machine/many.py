"""A training of milliseconds, in a module so that other processes can import it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from trustlab.config import check, option


@dataclass(frozen=True)
class Rate:
    """One configuration of the sweep."""

    learning_rate: float = option(0.1, label="Rate", help="Length of a step.", above=0)
    seed: int = 0


def descend(config: Rate) -> Iterator[dict[str, float]]:
    """Minimise x² from x = 1 and yield a row for each step.

    Examples
    --------
    >>> [round(row["loss"], 3) for row in descend(Rate(0.25))][:3]
    [0.25, 0.062, 0.016]
    """
    check(config)
    x = 1.0
    for step in range(1, 11):
        x -= config.learning_rate * 2 * x
        yield {"step": step, "loss": x**2}
