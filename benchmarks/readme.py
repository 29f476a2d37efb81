"""The benchmark's summary in the README: a table made from the committed results, between two marks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.private_step import WEIGHED
from trustlab.durable import write_whole
from trustlab.lab.display import number
from trustlab.runs import read_results
from trustlab.versions import ROOT

if TYPE_CHECKING:
    import pandas

README = ROOT / "README.md"
BEGIN, END = "<!-- benchmark: written by make bench -->\n", "<!-- end of the benchmark -->\n"
HEADS = {
    "bilstm": "BiLSTM",
    "transformer": "small transformer",
    "encoder": "encoder",
    "encoder-lora": "… LoRA",
    "encoder-probe": "… heads only",
    "gpt2": "GPT-2 shape",
}


def section() -> str:
    """Return the summary as Markdown."""
    results, about = read_results("private_step_time")
    parts = [_table(results, *size) for size in WEIGHED]
    return "\n".join([*parts, _provenance(about)])


def write(path: Path = README) -> Path:
    """Put the summary between the marks of the README and return its path.

    Raises
    ------
    ValueError
        When the README has not both marks.
    """
    before, begin, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"Expected {path.name} to have the lines {BEGIN.strip()} and {END.strip()}, got one or none.")
    write_whole(path, f"{before}{BEGIN}\n{section()}\n{END}{after}")
    return path


def _table(results: pandas.DataFrame, batch: int, tokens: int) -> str:
    """Return one size's table: a row per method, a column per model."""
    here = results[(results["batch"] == batch) & (results["tokens"] == tokens)]
    rows = {(row["model"], row["method"]): row for row in here.to_dict("records")}
    lines = [f"| {batch} × {tokens} tokens | {' | '.join(HEADS.values())} |", "| --- |" + " --: |" * len(HEADS)]
    for method in here["method"].drop_duplicates():
        cells = [_cell(rows.get((model, method))) for model in HEADS]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(row: Mapping[str, Any] | None) -> str:
    """Return "time · memory", or a dash where the method did not run."""
    if row is None or row["times SGD"] != row["times SGD"]:  # NaN: it has a note
        return "–"
    return f"{number(row['times SGD'], 3)} · {number(row['training MB / SGD'], 2)}"


def _provenance(about: Mapping[str, Any]) -> str:
    """Return what the numbers depend on, in a sentence."""
    config, versions = about["config"], about["versions"]
    packages = ", ".join(f"{name} {versions[name]}" for name in ("torch", "transformers", "opacus"))
    where = f"{config['cores']} cores ({config['processor']}, {config['threads']} threads, {config['dtype']})"
    return (
        f"Measured on {where}, {about['started'][:10]}, Python {versions['python']}, {packages}; "
        f"{config['repetitions']} rounds, fewer for slow methods. All sizes, with intervals and notes, are in "
        "[data/results](data/results/private_step_time.csv).\n"
    )
