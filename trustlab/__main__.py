"""The command line: ``python -m trustlab doctor | data | run | models | app | site``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence

from trustlab.terminal import print_any_sign

# What a shell reports of a program that SIGPIPE ended: its output has no reader any more, as after `| head`.
PIPE_CLOSED = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command named first in `argv` and return its exit code."""
    print_any_sign()
    try:
        try:
            arguments, rest = _parser().parse_known_args(argv)
            code = int(arguments.run(arguments, rest) or 0)
        finally:
            sys.stdout.flush()  # here, where it can be answered, and not when the interpreter ends
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still to be flushed is discarded
        return PIPE_CLOSED
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m trustlab", description="Trustworthy NLP: learn, test, reproduce.")
    commands = parser.add_subparsers(required=True, metavar="command")
    doctor = commands.add_parser("doctor", help="check this machine and say how to fix what fails")
    doctor.set_defaults(run=_doctor)
    data = commands.add_parser("data", help="list the data sets, or load one and show what is in it")
    data.add_argument("name", nargs="?", help="a name from the list")
    data.set_defaults(run=_data)
    # What an experiment takes is known where experiments are: its options, --help too, are handed on unread.
    run = commands.add_parser("run", help="recompute saved results and compare them", add_help=False)
    run.set_defaults(run=_run)
    models = commands.add_parser("models", help="train notebook 00's saved models again and compare", add_help=False)
    models.set_defaults(run=_models)
    app = commands.add_parser("app", help="show the notebooks as pages without code")
    app.set_defaults(run=_app)
    site = commands.add_parser("site", help="write panels as pages that need no server and no Python")
    site.add_argument("--out", help="the folder, by default docs/explore of this project")
    site.set_defaults(run=_site)
    return parser


def _refuse_rest(rest: Sequence[str]) -> None:
    if rest:
        raise SystemExit(f"Expected no further arguments, got {' '.join(rest)}.")


def _doctor(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    from trustlab import doctor

    _refuse_rest(rest)
    findings = doctor.examine()
    print(doctor.table(findings))
    return int(any(finding.ok is False for finding in findings))


def _data(arguments: argparse.Namespace, rest: Sequence[str]) -> None:
    import trustlab.data

    _refuse_rest(rest)
    if arguments.name is None:
        # Where each comes from and what is known of its harms fills pages: data/README.md.
        print(trustlab.data.catalog()[["name", "task", "rows", "access", "licence"]].to_string(index=False))
        return
    try:
        corpus = trustlab.data.load(arguments.name)
    except (OSError, ValueError) as error:  # each says what was expected and what to do
        raise SystemExit(str(error)) from None
    for split, rows in corpus.items():
        print(f"{split:12} {rows.num_rows:>8,} rows: {', '.join(rows.column_names)}")


def _run(arguments: argparse.Namespace, rest: Sequence[str]) -> int | None:
    from trustlab.course import reproduce

    return reproduce.main(list(rest))


def _models(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    from trustlab.course.n00_start_here import experiment

    return experiment.main(list(rest))


def _app(arguments: argparse.Namespace, rest: Sequence[str]) -> int:
    from trustlab.versions import ROOT

    notebooks = ROOT / "notebooks"
    if not notebooks.is_dir():
        raise SystemExit(f"Expected the course's notebooks in {notebooks}: clone the project and call this from there.")
    return subprocess.call([sys.executable, "-m", "trustlab.app", str(notebooks), *rest])


def _site(arguments: argparse.Namespace, rest: Sequence[str]) -> None:
    from trustlab.course import explorables
    from trustlab.places import expanded

    _refuse_rest(rest)
    out = expanded(arguments.out or explorables.OUT)
    total = 0.0
    for row in explorables.write_site(out):
        total += row["kB"]
        size = f"{row['kB at first']:>5.0f} kB at first, {row['kB']:>7,.0f} kB in all"
        print(f"{row['page']:24} {row['states']:>5,} states, {size}")
    print(f"wrote {out / 'index.html'}: {total / 1000:.1f} MB in all")


if __name__ == "__main__":
    sys.exit(main())
