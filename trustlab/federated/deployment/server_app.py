"""The server's half of a Flower app: it takes the rounds, measures, and keeps rows and weights."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

if TYPE_CHECKING:
    from trustlab.federated.deployment.run_options import Options
    from trustlab.federated.simulation import Task

ROWS, MODEL = "rows.jsonl", "model.safetensors"


def server_app(load: Callable[[Context], Task]) -> ServerApp:
    """Return a Flower ServerApp that trains a task of ours on the nodes that are there.

    Parameters
    ----------
    load
        ``load(context) -> task``: its model has the first weights, its test examples are what the server measures on.
        Its training examples are not looked at.
    """
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        from trustlab.federated.deployment.run_options import read_options

        options = read_options(context.run_config)
        task = load(context)
        keep(train(grid, context, task, options), task, options.deployment.out)

    return app


def train(grid: Grid, context: Context, task: Task, options: Options) -> Iterator[dict[str, Any]]:
    """Yield a row for each round, with what the task measures in those that are measured."""
    from trustlab.federated.deployment.secure_strategy import SecureStrategy
    from trustlab.federated.deployment.strategy import ActivityStrategy

    secure = options.deployment.secure_sum
    strategy = SecureStrategy(task.model, options, context) if secure else ActivityStrategy(task.model, options)
    federated = options.federated
    for row in strategy.rounds(grid):
        if row["round"] % federated.evaluate_every == 0 or row["round"] == federated.rounds:
            task.model.eval()
            row |= task.evaluate(task.model, task.test)
        yield row


def keep(rows: Iterator[dict[str, Any]], task: Task, out: str) -> None:
    """Append each row to rows.jsonl in the folder `out` and write the weights at the end; nowhere if it is empty."""
    if not out:
        for _ in rows:
            pass
        return
    from safetensors.torch import save

    from trustlab.durable import write_whole

    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ROWS).open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")
            file.flush()
    trained = {name: p.detach().contiguous() for name, p in task.model.named_parameters() if p.requires_grad}
    write_whole(folder / MODEL, save(trained))
