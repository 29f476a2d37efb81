"""What a federated round costs on three engines: our simulator, Flower's simulation on Ray, and a Flower deployment.

``python -m benchmarks deployment``. All three train ``examples/flower``, the same task, cohorts and minibatches, and
the run ends with an error unless the final weights are to 1e-6 those of the simulator that trains one device after
another, as Flower's nodes do (1e-9 in double precision, see ``tests/federated/deployment``). The simulator's own row is
timed as it runs by default, several devices at once; its sums are in another order, and its difference is shown. The
deployment also runs with TLS and node authentication, and with a secure sum. Ray is installed for this alone
(``pip install ray==2.55.1``); without it its row says so.

Prediction, before the first run: the simulator 0.1 s a round; the deployment 8 s on two cores, because each message
starts a process that imports torch, a corpus and Flower; Ray 2 s, whose processes stay; TLS adds nothing that can be
seen, a secure sum three more messages, 6 s each.

What came of it, on two idle cores: 0.2 s for the simulator, 2 s for Ray, 15 s for the deployment, nothing for TLS, and
13 s more for a secure sum. A deployment takes half a minute to start and end, and so does Ray.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from benchmarks.simulating import largest_difference
from benchmarks.turns import load, one_thread, store
from trustlab.federated.deployment import Loopback, RunFailedError
from trustlab.federated.deployment.on_loopback import EXAMPLE
from trustlab.federated.deployment.run_options import read_options
from trustlab.federated.selection import Selector
from trustlab.federated.simulation import simulate
from trustlab.lab.display import table

NAME = "deployment_speed"
NODES, ROUNDS, AGREE, AGREE_SUMMED = 4, 3, 1e-6, 1e-4
SIMULATOR, RAY, DEPLOYED = "trustlab's simulator", "Flower simulation (Ray)", "Flower deployment"
CONFIG = {"rounds": ROUNDS, "clients-per-round": 3, "min-nodes": NODES, "round-timeout": 300.0, "wait": 300.0}
COLUMNS = ("seconds a round", "start seconds", "times ours", "difference", "bytes up", "bytes sent up", "note")
PACKAGES = ("flwr", "ray")


def measure() -> Iterator[dict[str, Any]]:
    """Yield a row for each engine, saying on standard error how far it is."""
    weights, _ = simulated(engine="sequential")
    as_usual, row = simulated()
    base, row["difference"] = row["seconds a round"], largest_difference(as_usual, weights)
    yield {"method": SIMULATOR} | dict.fromkeys(COLUMNS) | row | {"times ours": 1.0}
    engines = {
        RAY: {"simulated": NODES},
        DEPLOYED: {},
        f"{DEPLOYED}, TLS and keys": {"secure": True},
        f"{DEPLOYED}, secure sum": {"summed": True},
    }
    for name, options in engines.items():
        started = time.perf_counter()
        if name == RAY and find_spec("ray") is None:
            yield {"method": name} | dict.fromkeys(COLUMNS) | {"note": "ray is not installed"}
            continue
        try:
            row = deployed(weights, name, **options)
        except RunFailedError as error:
            if name != RAY:
                raise
            yield {"method": name} | dict.fromkeys(COLUMNS) | {"note": f"Ray did not start: {error}"}
            continue
        yield {"method": name} | dict.fromkeys(COLUMNS) | row | {"times ours": row["seconds a round"] / base}
        print(f"deployment, {name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)


def config(**more: Any) -> dict[str, Any]:
    """Return the run's options: the project's own, and what is measured here."""
    import tomllib

    own = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["flwr"]["app"]["config"]
    flat = {f"task.{name}": value for name, value in own.pop("task").items()}
    return own | flat | CONFIG | more


def simulated(**options: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Return the weights of the simulator with `options`, and its row."""
    sys.path.insert(0, str(EXAMPLE))
    try:
        from trustlab_flower import task as project
    finally:
        sys.path.remove(str(EXAMPLE))
    started, read = time.perf_counter(), read_options(config())
    task = project.load_task(config())
    clients = project.parts(task, config(), NODES)
    chosen = read.selection
    selector = Selector(clients.sizes, strategy=chosen.strategy, design=chosen.design, beta=chosen.beta)
    prepared = time.perf_counter() - started
    federated = dataclasses.replace(read.federated, **options)
    rows = list(simulate(task, clients, federated, selector=selector, model=task.model))
    ends = [0.0, *(row["seconds"] for row in rows)]
    seconds = statistics.median(after - before for before, after in itertools.pairwise(ends))
    weights = {name: p.detach() for name, p in task.model.named_parameters() if p.requires_grad}
    return weights, {"seconds a round": seconds, "start seconds": prepared}


def deployed(
    weights: dict[str, torch.Tensor], name: str, *, simulated: int = 0, secure: bool = False, summed: bool = False
) -> dict[str, Any]:
    """Return the row of a run of Flower, whose weights must be `weights`."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        with Loopback(Path(folder), secure=secure, simulated=simulated) as here:
            for _ in range(0 if simulated else NODES):
                here.start_node(partitions=NODES)
            rows = [row for row in here.run(EXAMPLE, config(**{"secure-sum": summed})) if row["stage"] != "waiting"]
        total, last = time.perf_counter() - started, rows.pop()
        found = load_file(Path(last["folder"]) / "model.safetensors")
    difference = largest_difference(found, weights)
    if not difference <= (AGREE_SUMMED if summed else AGREE):
        raise RuntimeError(f"Expected the final weights of {name} to be the simulator's, got {difference:.1g} apart.")
    seconds = [row["round_seconds"] for row in rows]
    return {
        "seconds a round": statistics.median(seconds),
        "start seconds": total - sum(seconds),
        "difference": difference,
        "bytes up": sum(row["bytes_up"] for row in rows),
        "bytes sent up": None if simulated else last["network_in"],
    }


def main(asked: argparse.Namespace) -> None:
    """Run, print, and store where asked to."""
    with one_thread():
        rows = list(measure())
        print(table(rows))
        if asked.write:
            print("wrote", store(NAME, rows, [measure], PACKAGES, nodes=NODES, rounds=ROUNDS, load=load()))
