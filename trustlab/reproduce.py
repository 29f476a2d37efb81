"""Recompute the committed results: ``python -m trustlab run [--data NAME] [--seeds N] [--write]``.

Every training goes through the run store, so a reproduction that was stopped goes on where it was. One process per
core computes; without ``--write`` the fresh table is compared with the committed one and nothing is changed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trustlab.doctor import usable_cores
from trustlab.privacy import comparison
from trustlab.privacy.comparison import Cell
from trustlab.provenance import code_version, versions
from trustlab.runs import RunStore, provenance, read_results, write_results

if TYPE_CHECKING:
    import pandas

EMBEDDED = "assistant"
CORPORA = {EMBEDDED: comparison.EPSILONS, "snips": (1.0, 8.0, float("inf"))}
SEEDS = 3
# How far a mean over seeds may move on another processor: rounding grows over hundreds of steps.
TOLERANCE = {"accuracy": 0.05, "slot_f1": 0.08, "epsilon_spent": 0.02}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 1 when a fresh number misses the committed one."""
    arguments = _parser().parse_args(argv)
    failed = 0
    code = _code()
    for name in [arguments.data] if arguments.data else _available():
        cells = comparison.grid(name, epsilons=CORPORA[name], seeds=range(arguments.seeds))
        computed = compute(cells, name, code=code, workers=arguments.workers)
        rows = list(_with_progress(computed, len(cells), name))
        if arguments.write:
            _say(f"wrote {_write(name, rows, code)}")
        else:
            misses = compare(name, rows)
            _say("\n".join(misses) or f"{name}: every number agrees with data/results")
            failed += bool(misses)
    return int(failed > 0)


def compute(
    cells: Sequence[Cell], name: str, *, code: str, workers: int | None = None
) -> Iterator[tuple[dict[str, Any], bool]]:
    """Yield the row of each cell as it is known, and whether the run store had it.

    The others are computed by `workers` processes, by default one per core this process may use.
    """
    workers = workers or usable_cores()
    # Slowest first, so that no core ends with a long training alone.
    queue = sorted(cells, key=lambda cell: ("dp-sgd", "edp-sgd", "sgd").index(cell.method))
    # Fresh processes: torch's threads do not survive a fork.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for done in as_completed([pool.submit(_row, cell, name, code) for cell in queue]):
            yield done.result()


def compare(name: str, rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return one sentence for each mean over seeds that misses the committed one by more than its tolerance.

    A committed cell that was not computed again is said too.
    """
    import pandas

    committed = _means(read_results(comparison.result_name(name))[0], {row["seed"] for row in rows})
    fresh = _means(pandas.DataFrame(rows), {row["seed"] for row in rows})
    misses = []
    for cell, measured in fresh.iterrows():
        if cell not in committed.index:
            misses.append(
                f"{name}, {_cell(*cell)}: expected it in data/results, which lacks it. Write the table again."
            )
            continue
        for column, tolerance in TOLERANCE.items():
            expected = committed.loc[cell, column]
            # inf - inf is no number: equal values agree, whatever they are.
            if measured[column] != expected and not abs(measured[column] - expected) <= tolerance:
                misses.append(
                    f"{name}, {_cell(*cell)}: expected {column} {expected:.3f} ± {tolerance}, "
                    f"got {measured[column]:.3f}."
                )
    gone = [cell for cell in committed.index if cell not in fresh.index]
    return misses + [f"{name}, {_cell(*cell)}: stands in data/results, and was not computed again." for cell in gone]


def _row(cell: Cell, name: str, code: str) -> tuple[dict[str, Any], bool]:
    """Compute one cell in this process, on one thread, or find it in the run store; say which."""
    import torch

    from trustlab.data import fingerprint, load

    torch.set_num_threads(1)
    corpus = load(name)
    store, about = RunStore(), dict(seeds=[cell.seed], data_hash=fingerprint(corpus), code=code)
    restored = store.get(cell, **about) is not None
    (row,) = store.fetch(lambda: comparison.run(cell, corpus), config=cell, **about)
    return row, restored


def _code() -> str:
    """Name the code that decides a row: an edit to it, or another torch or Opacus, makes every run a new one.

    It is named once, when a reproduction starts: an edit while its processes run must not claim their rows.
    """
    found = versions()
    return f"{code_version(_modules())} torch {found['torch']} opacus {found['opacus']}"


def _modules() -> list[Any]:
    """Return the modules whose sources decide a row."""
    from trustlab.models import checkpoint, evaluation, taggers, vocabulary
    from trustlab.privacy import accounting, clipping, training

    return [comparison, training, clipping, accounting, checkpoint, taggers, vocabulary, evaluation]


def _write(name: str, rows: Sequence[dict[str, Any]], code: str) -> str:
    from trustlab.data import fingerprint, load

    order = {method: i for i, method in enumerate(comparison.METHODS)}
    rows = sorted(rows, key=lambda row: (order[row["method"]], row["micro_batches"], row["epsilon"], row["seed"]))
    recipes = {method: comparison.recipe(Cell(name, method)) for method in comparison.METHODS}
    seeds = sorted({row["seed"] for row in rows})
    about = provenance(recipes, seeds=seeds, data_hash=fingerprint(load(name)), code=code)
    return write_results(comparison.result_name(name), rows, about).name


def _means(table: pandas.DataFrame, seeds: set[int]) -> pandas.DataFrame:
    """Return the mean over `seeds` of each (method, ε, K)."""
    return table[table["seed"].isin(seeds)].groupby(["method", "epsilon", "micro_batches"])[list(TOLERANCE)].mean()


def _cell(method: str, epsilon: float, micro_batches: int) -> str:
    return f"{method} at ε = {epsilon:g}" + (f", K = {micro_batches}" if micro_batches else "")


def _available() -> list[str]:
    """Return the corpora to recompute when none is named: real ones where ``TRUSTLAB_DATA`` says they are."""
    folder = os.environ.get("TRUSTLAB_DATA")
    here = [name for name in CORPORA if name == EMBEDDED or (folder and (Path(folder) / name).is_dir())]
    if left_out := sorted(set(CORPORA) - set(here)):
        _say(f"Left out: {', '.join(left_out)}. Set TRUSTLAB_DATA to the folder that holds them, or use --data.")
    return here


def _with_progress(rows: Iterator[tuple[dict[str, Any], bool]], count: int, name: str) -> Iterator[dict[str, Any]]:
    for i, (row, restored) in enumerate(rows, start=1):
        source = "from the run store" if restored else f"{row['seconds']:.0f} s"
        _say(
            f"{name} {i}/{count}: {_cell(row['method'], row['epsilon'], row['micro_batches'])}, seed {row['seed']}: "
            f"accuracy {row['accuracy']:.3f}, slot F1 {row['slot_f1']:.3f}, {source}"
        )
        yield row


def _say(text: str) -> None:
    """Tell the terminal; nothing imports this module but the command line."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m trustlab run", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", choices=tuple(CORPORA), help="one corpus; default: all whose files are here")
    parser.add_argument(
        "--seeds",
        type=int,
        choices=range(1, 100),
        metavar="N",
        default=SEEDS,
        help="how many seeds, from 0; default %(default)s",
    )
    parser.add_argument("--workers", type=int, help="processes; default one per core")
    parser.add_argument("--write", action="store_true", help="replace the committed table instead of comparing")
    return parser
