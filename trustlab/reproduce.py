"""Recompute the committed results: ``python -m trustlab run [--data NAME] [--methods M ...] [--seeds N] [--write]``.

Every training goes through the run store, so a reproduction that was stopped goes on where it was. One process per
core computes; without ``--write`` the fresh table is compared with the committed one and nothing is changed. A part of
a table (some methods, some models) can be computed and compared, and is found again when the whole is written.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trustlab.doctor import usable_cores
from trustlab.privacy import comparison
from trustlab.privacy.comparison import CORPORA, EMBEDDED, KEY, METHODS, MODELS, RULES, Cell
from trustlab.privacy.sources import sources
from trustlab.provenance import code_version
from trustlab.runs import RunStore, provenance, read_results, write_results
from trustlab.versions import installed

if TYPE_CHECKING:
    import pandas

SEEDS = 3
SLOWEST_FIRST = ("dp-sgd", "edp-sgd", "fast", "sgd")
# How far a mean over seeds may move on another processor: rounding grows over hundreds of steps.
TOLERANCE = {"accuracy": 0.05, "slot_f1": 0.08, "epsilon_spent": 0.02}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 1 when a fresh number misses the committed one."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    part = dict(models=arguments.models, methods=arguments.methods)
    if arguments.write and (set(part["models"]) < set(MODELS) or set(part["methods"]) < set(METHODS)):
        parser.error(
            "Expected --write without --models and --methods: a part must not replace the whole table. Compute the "
            "part without --write, its rows are kept; then write the whole."
        )
    failed = 0
    code = {method: _code(method) for method in METHODS}
    for name in [arguments.data] if arguments.data else _available():
        cells = comparison.grid(name, seeds=range(arguments.seeds), **part)
        computed = compute(cells, name, code=code, workers=arguments.workers)
        rows = list(_with_progress(computed, len(cells), name))
        if arguments.write:
            _say(f"wrote {_write(name, rows, code)}")
        else:
            misses = compare(name, rows, **part)
            _say("\n".join(misses) or f"{name}: every number agrees with data/results")
            failed += bool(misses)
    return int(failed > 0)


def compute(
    cells: Sequence[Cell], name: str, *, code: Mapping[str, str], workers: int | None = None
) -> Iterator[tuple[dict[str, Any], bool]]:
    """Yield the row of each cell as it is known, and whether the run store had it.

    The others are computed by `workers` processes, by default one per core this process may use. `code` names, for
    each method, the code that decides its rows.
    """
    workers = workers or usable_cores()
    # Slowest first, so that no core ends with a long training alone.
    queue = sorted(cells, key=lambda cell: SLOWEST_FIRST.index(cell.method))
    # Fresh processes: torch's threads do not survive a fork.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for done in as_completed([pool.submit(_row, cell, name, code[cell.method]) for cell in queue]):
            yield done.result()


def compare(
    name: str,
    rows: Sequence[dict[str, Any]],
    *,
    models: Sequence[str] = tuple(MODELS),
    methods: Sequence[str] = tuple(METHODS),
) -> list[str]:
    """Return one sentence for each mean over seeds that misses the committed one by more than its tolerance.

    A committed cell of these `models` and `methods` that was not computed again is said too, and so is a table that is
    missing or lacks a column.
    """
    import pandas

    try:
        table = read_results(comparison.result_name(name))[0]
    except FileNotFoundError as error:
        return [f"{name}: {error}"]
    if lacking := sorted({*KEY, "seed"} - set(table.columns)):
        return [f"{name}: expected the columns {', '.join(lacking)} in data/results. Write the table again."]
    seeds = {row["seed"] for row in rows}
    committed = _means(table[table["model"].isin(models) & table["method"].isin(methods)], seeds)
    fresh = _means(pandas.DataFrame(rows), seeds)
    gone = [cell for cell in committed.index if cell not in fresh.index]
    misses = [f"{_cell(*cell)}: stands in data/results, and was not computed again." for cell in gone]
    return [f"{name}, {miss}" for miss in [*_differences(fresh, committed), *misses]]


def _differences(fresh: pandas.DataFrame, committed: pandas.DataFrame) -> Iterator[str]:
    """Yield one sentence for each mean of `fresh` that is missing from `committed` or beyond its tolerance."""
    for cell, measured in fresh.iterrows():
        if cell not in committed.index:
            yield f"{_cell(*cell)}: expected it in data/results, which lacks it. Write the table again."
            continue
        for column, tolerance in TOLERANCE.items():
            expected = committed.loc[cell, column]
            # inf - inf is no number: equal values agree, whatever they are.
            if measured[column] != expected and not abs(measured[column] - expected) <= tolerance:
                yield f"{_cell(*cell)}: expected {column} {expected:.3f} ± {tolerance}, got {measured[column]:.3f}."


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


def _code(method: str) -> str:
    """Name the code that decides a row of `method`: an edit to it, or another torch or accountant, makes a new run.

    It is named once, when a reproduction starts: an edit while its processes run must not claim their rows.
    """
    packages = (f"{name} {installed(name) or 'none'}" for name in ("torch", "opacus", "dp-accounting"))
    return " ".join([code_version([comparison, *sources(method)]), *packages])


def _write(name: str, rows: Sequence[dict[str, Any]], code: Mapping[str, str]) -> str:
    """Write the table in the grid's order, with the recipe of each model and method beside it."""
    from trustlab.data import fingerprint, load

    seeds = sorted({row["seed"] for row in rows})
    place = {tuple(cell.key().values()): i for i, cell in enumerate(comparison.grid(name, seeds=seeds))}
    rows = sorted(rows, key=lambda row: place[tuple(row[column] for column in Cell(name).key())])
    recipes = {
        f"{model} {method}": comparison.recipe(Cell(name, method, model=model))
        for model in MODELS
        for method in METHODS
    }
    # The code of "fast" is that of every other method, and the fast engine.
    about = provenance(recipes, seeds=seeds, data_hash=fingerprint(load(name)), code=code["fast"])
    return write_results(comparison.result_name(name), rows, about).name


def _means(table: pandas.DataFrame, seeds: set[int]) -> pandas.DataFrame:
    """Return the mean over `seeds` of each cell, which :data:`KEY` names."""
    return table[table["seed"].isin(seeds)].groupby(list(KEY))[list(TOLERANCE)].mean()


def _cell(model: str, method: str, epsilon: float, micro_batches: int, rule: str, noise_decay: float) -> str:
    """Name a cell in a few words: what is as usual is left out."""
    words = [f"{model}, {method} at ε = {epsilon:g}"]
    words += [f"K = {micro_batches}"] if micro_batches else []
    words += [f"clipping {RULES[rule]}"] if rule != "flat" else []
    words += [f"noise decay {noise_decay:g}"] if noise_decay != 1 else []
    return ", ".join(words)


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
            f"{name} {i}/{count}: {_cell(*(row[column] for column in KEY))}, seed {row['seed']}: "
            f"accuracy {row['accuracy']:.3f}, slot F1 {row['slot_f1']:.3f}, {source}"
        )
        yield row


def _say(text: str) -> None:
    """Tell the terminal; nothing imports this module but the command line."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m trustlab run", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", choices=CORPORA, help="one corpus; default: all whose files are here")
    parser.add_argument("--models", choices=tuple(MODELS), nargs="+", default=list(MODELS), help="default: all")
    parser.add_argument("--methods", choices=tuple(METHODS), nargs="+", default=list(METHODS), help="default: all")
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
