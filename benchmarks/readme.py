"""The benchmarks' summaries in the README: tables made from the committed results, each between two marks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import associating, resampling, simulating
from benchmarks.private_step import WEIGHED
from trustlab.durable import write_whole
from trustlab.lab.display import number
from trustlab.results import read_results, results_directory
from trustlab.versions import ROOT

if TYPE_CHECKING:
    import pandas

SIMULATION = simulating.NAME
README = ROOT / "README.md"
BEGIN, END = "<!-- benchmark: written by make bench -->\n", "<!-- end of the benchmark -->\n"
SIMULATION_BEGIN, SIMULATION_END = "<!-- simulation: written by make bench -->\n", "<!-- end of the simulation -->\n"
FAIRNESS = (associating.NAME, resampling.NAME)
FAIRNESS_BEGIN, FAIRNESS_END = "<!-- fairness: written by make bench -->\n", "<!-- end of fairness -->\n"
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


def simulation() -> str:
    """Return the table of federated rounds as Markdown."""
    results, about = read_results(SIMULATION)
    lines = ["| | round | × ours | memory of a round | of the fleet |", "| --- | --: | --: | --: | --: |"]
    for row in results.to_dict("records"):
        if row["seconds"] == row["seconds"]:  # a peer that was not there has a note
            cells = [number(row["times ours"], 3) if row["times ours"] == row["times ours"] else ""]
            cells += [f"{row[name]:.0f} MB" if row[name] == row[name] else "" for name in ("round MB", "fleet MB")]
            lines.append(f"| {row['fleet']}: {row['method']} | {_time(row['seconds'])} | {' | '.join(cells)} |")
    told = f"{_where(about)} intervals and differences are in [data/results](data/results/{SIMULATION}.csv)."
    return "\n".join([*lines, "", told, ""])


def fairness() -> str:
    """Return the table of fairness metrics as Markdown: of both parts, each with its own provenance."""
    lines, told = ["| | time | × ours (95 %) |", "| --- | --: | --: |"], []
    for name in FAIRNESS:
        results, about = read_results(name)
        for row in results.to_dict("records"):
            ends = "" if row["times ours"] == 1 else f" ({number(row['low'], 3)} to {number(row['high'], 3)})"
            times = f"{number(row['times ours'], 3)}{ends}"
            lines.append(f"| {row['what']}: {row['method']} | {_time(row['seconds'])} | {times} |")
        told.append(f"{_where(about)} all numbers are in [data/results](data/results/{name}.csv).")
    return "\n".join([*lines, "", *told, ""])


def _where(about: Mapping[str, Any]) -> str:
    """Say what the times of a table depend on."""
    config = about["config"]
    threads = f"{config['threads']} thread{'s' * (config['threads'] > 1)}"
    where = f"{config['cores']} cores ({config['processor']}, {threads})"
    packages = ", ".join(filter(None, (f"torch {about['versions']['torch']}", config["peers"])))
    return f"Measured on {where}, {about['started'][:10]}, {packages};"


def _time(seconds: float) -> str:
    return f"{number(1e3 * seconds, 3)} ms" if seconds < 1 else f"{number(seconds, 3)} s"


def write(path: Path = README) -> Path:
    """Put each summary that has results between its marks of the README and return its path.

    Raises
    ------
    ValueError
        When the README has not both marks.
    """
    text = path.read_text(encoding="utf-8")
    text = _between(text, path, BEGIN, section(), END)
    if (results_directory() / f"{SIMULATION}.csv").exists():
        text = _between(text, path, SIMULATION_BEGIN, simulation(), SIMULATION_END)
    if all((results_directory() / f"{name}.csv").exists() for name in FAIRNESS):
        text = _between(text, path, FAIRNESS_BEGIN, fairness(), FAIRNESS_END)
    write_whole(path, text)
    return path


def _between(text: str, path: Path, begin: str, content: str, end: str) -> str:
    """Return `text` with `content` between its marks."""
    before, there, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not there or not closed:
        raise ValueError(f"Expected {path.name} to have the lines {begin.strip()} and {end.strip()}, got one or none.")
    return f"{before}{begin}\n{content}\n{end}{after}"


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
