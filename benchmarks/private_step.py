"""How long one training step takes by each method, and in how much memory, as ratios to plain SGD on the same batch.

Every step is whole: gradients, noise (σ = 1, C = 1) and the same fused AdamW. Methods take turns in one process for
time; each has a fresh process of its own for memory. What a method cannot do stands in its row, in words.

Predictions, written before the first run with ``"fast"``, for the times of SGD on two CPU cores:

- Noise alone costs 22.7 million normals on the whole encoder, about 0.1 s in one thread and half of that in two:
  the floor is 1.1 × SGD at 32 × 16 tokens, and nothing at 128 × 64, where a step is sixteen times as long.
- fast: at most 1.2 on the encoder and 1.5 on the small transformer, whose layers are so small that the price is a few
  more calls for each. Near 1 for the probe, whose forward through frozen layers is nearly all of its work; 1.2 for
  LoRA. At most 2 on the BiLSTM, whose time steps are a loop in Python where torch has one fused call. 1.2 on the
  GPT-2-shaped model, where nearly all the work is in the output weights.
- micro-batch with K = 4: at most 1.2 on the encoder, the more calls the smaller the model.
- loop: as many times SGD as an example costs more alone than in its batch: 10 and more on the small models, 5 on
  the encoder, fewer with 64 tokens than with 16.
- Opacus hooks: 7 × or more on the whole encoder, where each example's gradient is 90 MB to write and to read, and
  about 1.5 for LoRA and probe, which have little to write. functorch: no faster than hooks. ghost: 2 to 2.6, because of
  its second backward, and refused on the GPT-2-shaped model for its tied weights.
- Memory above model and batch: SGD's own for loop and micro-batches; at most 1.25 × for fast; B gradients for hooks and
  functorch, so that 128 examples on the whole encoder do not fit and are left out. (Only a half prediction: memory had
  been looked at on three of the cases while measuring it was built, and fast took 1.3 × on the encoder there.)

What came on two virtual cores (data/results/private_step_time.csv, 2026-11-30): noise is dear there. The floor of SGD
and noise one after the other is 1.27 on the whole encoder at 32 × 16 tokens, and fast takes 1.45; on the larger
batches 1.25 to 1.32. (On two cores of another machine, on 2026-11-21, the same took 1.09, and 1.07 to 1.13.) Near 1
for probe and LoRA, as predicted. Missed: 2.2 on the small transformer at 32 × 16 tokens and 1.4 to 1.8 at the larger
sizes, 2 to 2.1 on the BiLSTM, 1.3 to 1.5 on the GPT-2 shape. A profile shows why on the small models: a step is some
hundred calls of a few microseconds each, for norms and for sums, and the two virtual cores do not add up (noise drawn
meanwhile in another thread saves nothing). Micro-batches cost more than fast, 1.5 on the encoder: their norms are of
longer sums. Opacus' hooks cost nothing on probe and LoRA, where there is little to write; elsewhere its fastest
engine takes 1.4 to 6 times as long as fast.
"""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

from benchmarks.cases import Case
from benchmarks.memory import peak_memory
from trustlab.privacy.reference import ENGINES
from trustlab.privacy.timing import FLOOR, PLAIN, methods, seconds_per_step

MICRO_BATCHES = (4, 16)
PATIENCE = 4.0  # seconds that one method may take in one case, beyond which it has fewer rounds
MEMORY_LIMIT = 12e9  # bytes: a peer that would need more is left out
MEMORY = ("training MB", "peak MB")
WEIGHED = ((32, 16), (128, 16))  # B × T of the cases that are weighed too: each method needs a process of its own


def measure(cases: Iterable[Case], repetitions: int) -> Iterator[dict[str, Any]]:
    """Yield one row per case and method, saying on standard error how far it is."""
    for case in cases:
        started = time.perf_counter()
        rows = _measure(case, repetitions)
        print(f"{case}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
        yield from rows


def _measure(case: Case, repetitions: int) -> list[dict[str, Any]]:
    """Return the rows of one case: first memory, then time."""
    model, loss, batch = case.build()
    too_large = _too_large(model, case.batch)
    engines = [engine for engine in ENGINES if engine not in too_large]
    weighed = (case.batch, case.tokens) in WEIGHED
    memory = {name: _memory(case, name) if weighed else {} for name in methods(MICRO_BATCHES, engines)}
    options = dict(per_example_loss=loss, micro_batches=MICRO_BATCHES, opacus=engines, patience=PATIENCE)
    times = seconds_per_step(model, batch, repetitions=repetitions, **options)
    floor = next(row["times SGD"] for row in times if row["method"] == FLOOR)
    rows = []
    for row in times:
        # A peer that cannot train the model fails in both processes; its note says so once.
        row = {**memory[row["method"]], **row}
        if "times SGD" in row and row["method"] != PLAIN:
            row["floor's share"] = floor / row["times SGD"]
        for column in MEMORY:
            if column in row:
                row[f"{column} / SGD"] = row[column] / memory[PLAIN][column]
        rows.append(row)
    rows += [{"method": f"DP-SGD, Opacus {engine}", "note": note} for engine, note in too_large.items()]
    return [_ordered(case, row) for row in rows]


def _memory(case: Case, name: str) -> dict[str, Any]:
    """Return the peak memory of the method `name`; nothing where Opacus refuses the model."""
    try:
        return peak_memory(case, name, MICRO_BATCHES)
    except NotImplementedError:
        return {}


def _too_large(model: Any, batch: int) -> dict[str, str]:
    """Return the engines of Opacus that keep too much in memory, each with the reason."""
    sizes = [p.numel() * p.element_size() for p in model.parameters() if p.requires_grad]
    # One gradient per example, and the largest tensor's twice while Opacus copies it into place.
    needed = batch * (sum(sizes) + max(sizes))
    note = f"not run: about {needed / 1e9:.0f} GB of per-example gradients, over the limit of {MEMORY_LIMIT / 1e9:.0f}"
    return dict.fromkeys(("hooks", "functorch"), note) if needed > MEMORY_LIMIT else {}


def _ordered(case: Case, row: dict[str, Any]) -> dict[str, Any]:
    """Return `row` after its case, with every column in its place; None where nothing was measured."""
    columns = ["method", "seconds", "times SGD", "low", "high", "rounds", "floor's share"]
    columns += [f"{column}{suffix}" for column in MEMORY for suffix in ("", " / SGD")] + ["note"]
    about = {"model": case.model, "batch": case.batch, "tokens": case.tokens}
    return about | {column: row.get(column) for column in columns}
