"""Recompute the committed results: ``python -m trustlab run [EXPERIMENT] [--data NAME] [--seeds N] [--write]``.

Without an experiment's name, all that have the requested corpus and parts are run.

Every training is kept in the run store, so a reproduction that was stopped continues where it was. One process per
core computes; without ``--write`` the fresh table is compared with the committed one and nothing is changed: row by row
on the processor and versions that made it, elsewhere by means over seeds, see :mod:`trustlab.course.agreement`. A row
is found in the run store only if all the code that computes it is what it was, see :mod:`trustlab.closure`. A part of a
table (some methods, some models) can be computed and compared, and is found again when the whole is written. What a
paper claims of a table is judged by the new numbers, and reported next to the judgement of the committed ones. Which
experiments there are, and what is known about each, is in :mod:`trustlab.course.registry`.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trustlab import deprecation
from trustlab.closure import Closure
from trustlab.config import check
from trustlab.course.agreement import Agreement, agreement
from trustlab.course.corpora import EMBEDDED
from trustlab.course.experiment import Done, Experiment
from trustlab.course.registry import EXPERIMENTS, experiment_of
from trustlab.executors import dask_cluster
from trustlab.results import refuse_shipped, results_directory
from trustlab.runs import provenance, read_results, write_results
from trustlab.sweep import sweep

if TYPE_CHECKING:
    import datasets
    import pandas

SEEDS = 3
ALL = "all"
_GIVEN = [part for experiment in EXPERIMENTS.values() for part in experiment.parts.items()]
PARTS = {  # the values of all experiments that have the option
    option: list(dict.fromkeys(value for name, values in _GIVEN if name == option for value in values))
    for option, _ in _GIVEN
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 1 when a fresh number misses the committed one."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    part = {option: getattr(arguments, option) for option in PARTS if getattr(arguments, option)}
    chosen = _chosen(parser, arguments, part)
    if arguments.write:
        try:
            refuse_shipped(results_directory())  # before hours of work
        except PermissionError as error:
            parser.error(str(error))
    return int(any([_reproduce(experiment, arguments, part) for experiment in chosen]))  # a list: all of them


def _chosen(
    parser: argparse.ArgumentParser, arguments: argparse.Namespace, part: Mapping[str, Sequence[str]]
) -> list[Experiment]:
    """Return the experiments meant: the one named, or all that have such a corpus and such parts.

    Ends with an error where the arguments do not go together.
    """
    if arguments.write and part:
        parser.error(
            f"Expected --write without --{next(iter(part))}: a part must not replace the whole table. Compute the "
            "part without --write, its rows are kept; then write the whole."
        )
    named = EXPERIMENTS if arguments.experiment == ALL else {arguments.experiment: EXPERIMENTS[arguments.experiment]}
    meant = [
        each
        for each in named.values()
        if all(set(asked) <= set(each.parts.get(name, ())) for name, asked in part.items())
    ]
    if not meant:
        parser.error(f"Expected --{', --'.join(part)} with an experiment that has them, got {arguments.experiment}.")
    chosen = [each for each in meant if arguments.data in (None, *each.readable)]
    if not chosen:
        known = ", ".join(dict.fromkeys(corpus for each in meant for corpus in each.readable))
        parser.error(f"Expected --data to be one of {known} for {arguments.experiment}, got {arguments.data}.")
    return chosen


def _reproduce(experiment: Experiment, arguments: argparse.Namespace, part: Mapping[str, Sequence[str]]) -> bool:
    """Compute one experiment, write its tables or compare them, and return whether any number missed."""
    failed = False
    # Named once, when a reproduction starts: an edit while its processes run must not claim their rows.
    code = experiment.codes()
    whole = experiment.code()
    for name in [arguments.data] if arguments.data else _available(experiment):
        settings = experiment.module.grid(name, seeds=range(arguments.seeds), **part)
        cluster = dask_cluster(arguments.dask) if arguments.dask else contextlib.nullcontext()
        options = dict(code=code, workers=arguments.workers)
        with cluster as executor, contextlib.closing(compute(settings, name, executor=executor, **options)) as computed:
            done = list(_with_progress(computed, len(settings), name, experiment))
        rows = [each.row for each in done]
        if arguments.write:
            _say(f"wrote {_write(name, done, whole, experiment)}")
        else:
            found = compare(name, done, experiment, **part)
            for miss in found.misses:
                _say(miss)
            _say(f"{name}: {found.verdict}")
            failed |= bool(found.misses)
        if not part:
            for sentence in judge(name, rows, experiment):
                _say(sentence)
    return failed


def compute(
    settings: Sequence[Any],
    name: str,
    *,
    code: Mapping[str, Closure | str],
    workers: int | None = None,
    executor: Executor | None = None,
) -> Iterator[Done]:
    """Yield each setting as it is known, by :func:`trustlab.sweep.sweep`.

    Those that the run store lacks are computed by `workers` processes, by default one per core, or by the executor.
    `code` names, for each value of the field that the experiment varies, the code that decides its rows. Closing the
    generator ends the processes and keeps what is done.

    Raises
    ------
    ValueError
        At the start, if an option of a setting is out of its range.
    RuntimeError
        When all others are done, if some failed: a table without them would be taken for the whole.
    """
    for setting in settings:
        check(setting)
    kinds = {setting: getattr(setting, experiment_of(setting).varied) for setting in settings}
    queue = sorted(settings, key=lambda setting: experiment_of(setting).slowest_first.index(kinds[setting]))
    data_hash = _corpus(name)[1]
    outcomes = sweep(
        Row(name, data_hash),
        queue,
        executor=executor,
        workers=workers,
        about=lambda setting: dict(seeds=[setting.seed], data_hash=data_hash, code=code[kinds[setting]]),
    )
    failed = []
    with contextlib.closing(outcomes):
        for outcome in outcomes:
            if outcome.unsaved:
                _say(outcome.unsaved)
            if outcome.error:
                failed.append(outcome)
                _say(f"{name} {outcome.place}/{outcome.of}: {outcome.config} failed: {outcome.error}")
                continue
            (row,) = outcome.rows
            yield Done(row, outcome.provenance, outcome.restored)
    if failed:
        raise RuntimeError(f"{failed[0].config} failed, one of {len(failed)}: {failed[0].error}\n{failed[0].trace}")


def compare(name: str, done: Sequence[Done], experiment: Experiment, **part: Sequence[str]) -> Agreement:
    """Return which rows, or means over seeds, miss the committed ones, and how closely they were compared.

    A committed setting of this `part` (``models=[...]``) that was not computed again is a miss too, and so is a table
    that is missing or lacks a column.
    """
    try:
        table, about = read_results(experiment.module.result_name(name))
    except FileNotFoundError as error:
        if name in experiment.brought:
            return Agreement([], "you brought this corpus, and no table of it is committed: --write keeps yours.")
        return Agreement([f"{name}: {error}"], "nothing was compared.")
    if lacking := sorted({*experiment.module.KEY, *experiment.tolerance, "seed"} - set(table.columns)):
        missing = f"{name}: expected the columns {', '.join(lacking)} in data/results. Write the table again."
        return Agreement([missing], "nothing was compared.")
    for option, values in part.items():
        table = table[table[option.removesuffix("s")].isin(values)]
    found = agreement(table, about, [each.row for each in done], [each.made for each in done], experiment)
    return dataclasses.replace(found, misses=[f"{name}, {miss}" for miss in found.misses])


def judge(name: str, rows: Sequence[dict[str, Any]], experiment: Experiment) -> list[str]:
    """Return one sentence for each claim about the table: what was measured just now, and whether it holds.

    A claim is about means and their intervals: near its bar it may come out otherwise on another processor, or by
    fewer seeds, though every number agrees. So an outcome that differs from the committed one is reported, but is no
    failure.
    """
    import pandas

    from trustlab.lab.claims import claims

    def fresh(asked: str) -> tuple[pandas.DataFrame, dict[str, Any]]:
        mine = asked == experiment.module.result_name(name)
        return (pandas.DataFrame(rows), {}) if mine else read_results(asked)

    try:
        found = experiment.claims(name, fresh)
        known = [] if name in experiment.brought else experiment.claims(name, read_results)
    except FileNotFoundError as error:
        return [f"{name}, claims: not judged. {error}"]
    if not found:
        return []
    committed = {row["claim"]: row for row in claims(known, digits=2).rows} if known else {}
    return [
        f"{name}, claim: {row['claim']}: {row['measured']}, {row['outcome']}{_otherwise(row, committed)}"
        for row in claims(found, digits=2).rows
    ]


def _otherwise(row: Mapping[str, str], committed: Mapping[str, Mapping[str, str]]) -> str:
    """Say how the committed table answers a claim, where it answers otherwise; it may not ask it at all."""
    before = committed.get(row["claim"])
    if before is None:
        return " (not judged in data/results)."
    return "." if row["outcome"] == before["outcome"] else f" (data/results: {before['measured']})."


@dataclasses.dataclass(frozen=True)
class Row:
    """Computes the row of a setting in any process that has the corpus `name` with this fingerprint, on one thread."""

    name: str
    data_hash: str

    def __call__(self, setting: Any) -> Iterator[dict[str, Any]]:
        """Yield the row."""
        import torch

        torch.set_num_threads(1)
        corpus, data_hash = _corpus(self.name)
        if data_hash != self.data_hash:
            raise ValueError(
                f"Expected the corpus {self.name} of where the command was called, got another one on this worker. "
                "Copy the files of TRUSTLAB_DATA there."
            )
        yield from experiment_of(setting).module.run(setting, corpus)


@functools.lru_cache(maxsize=1)  # a process computes many settings of one corpus
def _corpus(name: str) -> tuple[datasets.DatasetDict, str]:
    """Return a corpus and its fingerprint."""
    from trustlab.data import fingerprint, load

    corpus = load(name)
    return corpus, fingerprint(corpus)


def _write(name: str, done: Sequence[Done], code: Closure, experiment: Experiment) -> str:
    """Write the table in the grid's order, with the recipes next to it."""
    from trustlab.data import fingerprint, load

    rows = [each.row for each in done]
    seeds = sorted({row["seed"] for row in rows})
    keys = [setting.key() for setting in experiment.module.grid(name, seeds=seeds)]
    place = {tuple(key.values()): i for i, key in enumerate(keys)}
    rows = sorted(rows, key=lambda row: place[tuple(row[column] for column in keys[0])])
    about = provenance(experiment.recipes(name), seeds=seeds, data_hash=fingerprint(load(name)), code=code)
    # Rows of a run store that was carried here may be another processor's; a table of several cannot be reproduced by
    # one.
    about["processor"] = "; ".join(sorted({each.made.get("processor") or "unknown" for each in done}))
    return write_results(experiment.module.result_name(name), rows, about).name


def _available(experiment: Experiment) -> list[str]:
    """Return the corpora to recompute when none is named: real ones if ``TRUSTLAB_DATA`` contains them."""
    folder, corpora = os.environ.get("TRUSTLAB_DATA"), experiment.readable
    here = [name for name in corpora if name == EMBEDDED or (folder and (Path(folder).expanduser() / name).is_dir())]
    if left_out := sorted(set(corpora) - set(here)):
        _say(f"Left out: {', '.join(left_out)}. Set TRUSTLAB_DATA to the folder that holds them, or use --data.")
    return here


def _with_progress(computed: Iterator[Done], count: int, name: str, experiment: Experiment) -> Iterator[Done]:
    for i, done in enumerate(computed, start=1):
        row = done.row
        setting = experiment.named(*(row[column] for column in experiment.module.KEY))
        numbers = ", ".join(f"{column.replace('_', ' ')} {row[column]:.3f}" for column in experiment.tolerance)
        source = "from the run store" if done.restored else f"{row['seconds']:.0f} s"
        _say(f"{name} {i}/{count}: {setting}, seed {row['seed']}: {numbers}, {source}")
        yield done


def _say(text: str) -> None:
    """Write to the terminal; nothing imports this module but the command line."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    about = "Recompute the committed results and compare them, or write them again."
    parser = argparse.ArgumentParser(prog="python -m trustlab run", description=about)
    parser.add_argument(
        "experiment",
        nargs="?",
        type=_by_its_new_name,
        choices=(*EXPERIMENTS, ALL),
        default=ALL,
        help="which experiment; default %(default)s",
    )
    corpora = dict.fromkeys(name for experiment in EXPERIMENTS.values() for name in experiment.readable)
    parser.add_argument("--data", choices=tuple(corpora), help="one corpus; default: all whose files are here")
    for option, values in PARTS.items():
        parser.add_argument(f"--{option}", choices=values or None, nargs="+", help="default: all")
    parser.add_argument(
        "--seeds",
        type=int,
        choices=range(1, 100),
        metavar="N",
        default=SEEDS,
        help="how many seeds, from 0; default %(default)s",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--workers", type=_workers, metavar="N", help="processes, at least 1; default one per core")
    where.add_argument("--dask", metavar="ADDRESS", help="a Dask scheduler, as tcp://127.0.0.1:8786, instead of them")
    parser.add_argument("--write", action="store_true", help="replace the committed table instead of comparing")
    return parser


def _by_its_new_name(text: str) -> str:
    """Return an experiment's name; a renamed one is accepted for one more version, with a warning."""
    if text not in deprecation.EXPERIMENTS:
        return text
    new = deprecation.EXPERIMENTS[text]
    _say(f"{text} is now {new}; the old name is removed in version {deprecation.UNTIL}.")
    return new


def _workers(text: str) -> int:
    """Read a number of processes; argparse reports what is raised here."""
    if not (text.isascii() and text.isdigit() and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"expected a whole number of processes >= 1, got {text!r}; 1 computes in turn")
    return int(text)
