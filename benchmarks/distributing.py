"""How long a private step takes on two workers, and on one: ``python -m benchmarks distributing``.

Workers are processes on this machine, of one thread each, that stay; one and two take turns. A step is whole: gradients
of a batch of 16 tokens, noise, the all-reduce through gloo, fused AdamW. ``--write`` stores the table.

Seconds are a clock's, and on a machine with other work two workers wait for two cores. ``CPU seconds`` are the
processor's, of the worker that takes most: what a step takes where each worker has a core of its own, but for the time
of waiting and of the bytes on the way. The ratios are of these.

Predictions, written before the first run. Shared by two: forward, backward and the noise, of which each draws half; the
batch's draw, the optimizer and the checks are taken twice. On the encoder, where the noise and the optimizer of 22.7
million numbers are a third of a step, 0.6 of one worker's time at 128 examples, 0.75 at 32: the all-reduce copies 91 MB
three times. On the BiLSTM, whose time is calls and not arithmetic, 0.8 at 128 examples, and nothing gained at 32.

What came, on two idle cores (2026-11-30, data/results/distributed_step_time.csv): 0.63 and 0.90 on the encoder, 0.85
and 1.05 on the BiLSTM, where the interval has 1. At 32 examples the encoder's optimizer step, which each worker takes
whole, and the copies weigh more than was predicted.
"""

from __future__ import annotations

import argparse
import datetime
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
import torch.distributed as dist

from benchmarks.cases import Case
from benchmarks.turns import compared, load, store
from trustlab.lab.display import table
from trustlab.privacy import private_gradients
from trustlab.privacy.distributed import Workers

NAME = "distributed_step_time"
TOKENS, WAIT = 16, datetime.timedelta(seconds=120)
CASES = tuple(Case(model, batch, TOKENS) for model in ("bilstm", "encoder") for batch in (32, 128))
STEPS = {"bilstm": 10, "encoder": 2}  # in a turn


class Team:
    """Workers that wait for turns; they end with the block that it was opened in."""

    def __init__(self, count: int, case: Case, folder: Path) -> None:
        spawn, meeting = multiprocessing.get_context("spawn"), folder / f"{count} {case.model} {case.batch}"
        self.pipes, self.processes = [], []
        for rank in range(count):
            mine, theirs = spawn.Pipe()
            process = spawn.Process(target=_serve, args=(rank, count, case, str(meeting), theirs), daemon=True)
            process.start()
            theirs.close()  # so that a worker that has ended is noticed
            self.pipes.append(mine)
            self.processes.append(process)

    def __enter__(self) -> Team:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for process in self.processes:
            process.kill()
            process.join()

    def turn(self, steps: int) -> tuple[float, float]:
        """Take `steps` steps; return the seconds of one, and the processor's of the worker that takes most."""
        started = time.perf_counter()
        for pipe in self.pipes:
            pipe.send(steps)
        busy = max(pipe.recv() for pipe in self.pipes)
        return (time.perf_counter() - started) / steps, busy / steps


def _serve(rank: int, count: int, case: Case, meeting: str, pipe: Connection) -> None:
    """Take as many steps as each message says, and answer with the processor's seconds."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=count, timeout=WAIT)
    workers, (model, loss, batch) = Workers(dist.group.WORLD), case.build()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4, fused=True)
    options = dict(method="dp-sgd", clip_norm=1.0, noise_multiplier=1.0, expected_batch_size=case.batch)
    generator = torch.Generator().manual_seed(0)
    while True:
        steps, started = pipe.recv(), time.process_time()
        for _ in range(steps):
            private_gradients(model, loss, batch, generator=generator, workers=workers, **options)
            optimizer.step()
        pipe.send(time.process_time() - started)


def measure(repetitions: int = 10, cases: tuple[Case, ...] = CASES) -> Iterator[dict[str, Any]]:
    """Yield a row for each case and number of workers."""
    for case in cases:
        with (
            tempfile.TemporaryDirectory() as folder,
            Team(1, case, Path(folder)) as one,
            Team(2, case, Path(folder)) as two,
        ):
            turns = [(one.turn(STEPS[case.model]), two.turn(STEPS[case.model])) for _ in range(repetitions + 1)][1:]
        busy = [[turn[i][1] for turn in turns] for i in range(2)]
        for workers, own in enumerate(busy, start=1):
            about = {"model": case.model, "batch": case.batch, "tokens": case.tokens, "workers": workers}
            ratios = {name: value for name, value in compared(own, busy[0]).items() if name != "seconds"}
            seconds = statistics.median(turn[workers - 1][0] for turn in turns)
            yield {**about, "seconds": seconds, "CPU seconds": statistics.median(own), **ratios}


def main(asked: argparse.Namespace) -> None:
    """Measure, and print or store the table."""
    before = load()
    rows = list(measure(asked.repetitions))
    print(table(rows))
    if asked.write:
        about = dict(repetitions=asked.repetitions, load=max(before, load()), threads_each=1)
        print("wrote", store(NAME, rows, [measure], (), **about))
