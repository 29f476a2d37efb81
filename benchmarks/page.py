"""The page of the benchmarks, ``docs/benchmarks.md``.

Everything between two marks is made from the committed results; the rest is written by hand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import associating, attacking, deployment, resampling, rewriting, sensing, simulating, stacking
from benchmarks.private_step import WEIGHED
from trustlab.durable import write_whole
from trustlab.lab.display import number
from trustlab.privacy.timing import FAST
from trustlab.results import read_results, results_directory
from trustlab.versions import ROOT

if TYPE_CHECKING:
    import pandas

GHOST = "DP-SGD, Opacus ghost"
STEPS, SIMULATION, PANELS = "private_step_time", simulating.NAME, "panel_speed"
PAGE = ROOT / "docs" / "benchmarks.md"
LINES_BEGIN, LINES_END = "<!-- benchmarks: written by make bench -->\n", "<!-- end of the benchmarks -->\n"
BEGIN, END = "<!-- benchmark: written by make bench -->\n", "<!-- end of the benchmark -->\n"
SIMULATION_BEGIN, SIMULATION_END = "<!-- simulation: written by make bench -->\n", "<!-- end of the simulation -->\n"
ENGINES_BEGIN, ENGINES_END = "<!-- engines: written by make bench -->\n", "<!-- end of the engines -->\n"
FAIRNESS = (associating.NAME, resampling.NAME, sensing.NAME)
REWRITING_BEGIN, REWRITING_END = "<!-- rewriting: written by make bench -->\n", "<!-- end of rewriting -->\n"
PANELS_BEGIN, PANELS_END = "<!-- panels: written by make bench -->\n", "<!-- end of the panels -->\n"
ATTACKS = (attacking.NAME, stacking.NAME)
ATTACKS_BEGIN, ATTACKS_END = "<!-- attacks: written by make bench -->\n", "<!-- end of the attacks -->\n"
FAIRNESS_BEGIN, FAIRNESS_END = "<!-- fairness: written by make bench -->\n", "<!-- end of fairness -->\n"
HEADS = {
    "bilstm": "BiLSTM",
    "transformer": "small transformer",
    "encoder": "encoder",
    "encoder-lora": "… LoRA",
    "encoder-probe": "… heads only",
    "gpt2": "GPT-2 shape",
}


def lines() -> str:
    """Return the page in short: one line for each part that was measured."""
    steps = read_results(STEPS)[0]
    here = steps[(steps["model"] == "encoder") & (steps["batch"] == WEIGHED[0][0]) & (steps["tokens"] == WEIGHED[0][1])]
    times = here.set_index("method")["times SGD"]
    size = f"{WEIGHED[0][0]} × {WEIGHED[0][1]} tokens"
    found = [
        f"**Private step** of an encoder ({size}), every example clipped exactly: {_times(times[FAST])} SGD's time"
    ]
    if times[GHOST] == times[GHOST]:  # NaN: Opacus could not train it here
        found[0] += f", {_times(times[GHOST] / times[FAST])} as fast as Opacus ghost"
    if _there(SIMULATION):
        rounds = read_results(SIMULATION)[0]
        rounds = rounds[rounds["fleet"] == rounds["fleet"][0]].set_index("method")["times ours"]
        peers = " and ".join(f"{_times(rounds[peer])} as fast as {peer}" for peer in ("pfl", "Flower"))
        found.append(f"**Federated round**, {read_results(SIMULATION)[0]['fleet'][0]}: {peers}")
    if all(map(_there, FAIRNESS)):
        found.append(f"**Fairness metrics**, as fast as the peer in brackets: {_faster(FAIRNESS)}")
    if all(map(_there, ATTACKS)):
        found.append(f"**Attacks and audits**, as fast as the peer in brackets: {_faster((attacking.NAME,))}")
        found.append(f"**Reference models**, stacked, as fast as one after another: {_stacked()}")
    if _there(rewriting.NAME):
        slow = read_results(rewriting.NAME)[0].query("`times ours` != 1").to_dict("records")
        peers = (f"{row['method']} {_times(row['times ours'])} ({row['what']})" for row in slow)
        found.append(f"**Private text**, as fast as the peer named: {', '.join(peers)}")
    return "\n".join(f"- {line}." for line in found) + "\n"


def _faster(names: Sequence[str]) -> str:
    """Return how many times as fast ours is as each peer, or as a loop where there is none: once for each thing."""
    found = []
    for name in names:
        table = read_results(name)[0]
        for what, rows in table[table["times ours"] != 1].dropna(subset="times ours").groupby("what", sort=False):
            row = rows.iloc[0]
            found.append(f"{_short(what)} {_times(row['times ours'])} ({_short(row['method'])})")
    return ", ".join(found)


def _stacked() -> str:
    """Return how many times as fast notebook 12's models are trained together, by method."""
    rows = read_results(stacking.NAME)[0].query(f"method == {stacking.IN_TURN!r}")
    models, width, methods = stacking.CASES[0]
    times = zip(methods, rows["times ours"], strict=False)
    return f"{models} of width {width} by {', '.join(f'{name} {_times(ratio)}' for name, ratio in times)}"


def section() -> str:
    """Return the tables of private steps as Markdown."""
    results, about = read_results(STEPS)
    parts = [_table(results, *size) for size in WEIGHED]
    return "\n".join([*parts, _provenance(about)])


def simulation() -> str:
    """Return the table of federated rounds as Markdown."""
    results, about = read_results(SIMULATION)
    rows = ["| | round | × ours | memory of a round | of the fleet |", "| --- | --: | --: | --: | --: |"]
    for row in results.to_dict("records"):
        if row["seconds"] == row["seconds"]:  # a peer that was not there has a note
            cells = [number(row["times ours"], 3) if row["times ours"] == row["times ours"] else ""]
            cells += [f"{row[name]:.0f} MB" if row[name] == row[name] else "" for name in ("round MB", "fleet MB")]
            rows.append(f"| {row['fleet']}: {row['method']} | {_time(row['seconds'])} | {' | '.join(cells)} |")
    note = f"{_where(about)} intervals and differences are in [data/results](../data/results/{SIMULATION}.csv)."
    return "\n".join([*rows, "", note, ""])


def engines() -> str:
    """Return the table of one federated task on each engine as Markdown."""
    results, about = read_results(deployment.NAME)
    head = "| | round | × the simulator | start and end | sent by nodes, a round | largest difference of a weight |"
    rows = [head, "| --- | --: | --: | --: | --: | --: |"]
    for row in results.dropna(subset="seconds a round").to_dict("records"):
        sent = row["bytes up"] / deployment.ROUNDS
        cells = [_time(row["seconds a round"]), number(row["times ours"], 3), _time(row["start seconds"])]
        cells += ["" if math.isnan(sent) else f"{sent / 1e6:.2f} MB", f"{row['difference']:.1g}"]
        rows.append(f"| {row['method']} | {' | '.join(cells)} |")
    note = f"{_where(about)} all numbers are in [data/results](../data/results/{deployment.NAME}.csv)."
    return "\n".join([*rows, "", note, ""])


def fairness() -> str:
    """Return the table of fairness metrics as Markdown: of both parts, each with its own provenance."""
    return _compared(FAIRNESS, "time", "seconds")


def attacks() -> str:
    """Return the table of attacks and audits as Markdown, by the processor's time, and of reference models."""
    return _compared(ATTACKS, "CPU time", "CPU seconds")


def _compared(names: Sequence[str], head: str, time: str) -> str:
    """Return the rows of several tables of methods that took turns, and below them where each was measured."""
    tables = {name: read_results(name) for name in names}
    more = ("goal", "MB") if any("goal" in results for results, _ in tables.values()) else ()
    heads = ["", head, "× ours (95 %)", *({"goal": "goal", "MB": "memory"}[each] for each in more)]
    rows, notes = [f"| {' | '.join(heads)} |", f"| ---{' | --:' * (len(heads) - 1)} |"], []
    for name, (results, about) in tables.items():
        for row in results.to_dict("records"):
            ends = "" if row["times ours"] == 1 else f" ({number(row['low'], 3)} to {number(row['high'], 3)})"
            times = "" if math.isnan(row["times ours"]) else f"{number(row['times ours'], 3)}{ends}"
            cells = [f"{row['what']}: {row['method']}", _time(row[time]), times]
            cells += [_goal(row) if each == "goal" else _megabytes(row.get("MB")) for each in more]
            rows.append(f"| {' | '.join(cells)} |")
        notes.append(f"{_where(about)} all numbers are in [data/results](../data/results/{name}.csv).")
    return "\n".join([*rows, "", *notes, ""])


def _goal(row: Mapping[str, Any]) -> str:
    """Return what ours may take: seconds, and perhaps memory."""
    seconds, memory = row.get("goal", math.nan), row.get("goal MB", math.nan)
    return "" if math.isnan(seconds) else ", ".join(filter(None, (_time(seconds), _megabytes(memory))))


def _megabytes(found: float | None) -> str:
    return "" if found is None or math.isnan(found) else f"{found:.0f} MB"


def private_text() -> str:
    """Return the table of words rewritten as Markdown."""
    results, about = read_results(rewriting.NAME)
    rows = ["| | words a second | time of ours × (95 %) |", "| --- | --: | --: |"]
    for row in results.to_dict("records"):
        ends = "" if row["times ours"] == 1 else f" ({number(row['low'], 3)} to {number(row['high'], 3)})"
        times = f"{number(row['times ours'], 3)}{ends}"
        rows.append(f"| {row['what']}: {row['method']} | {number(row['words a second'], 3)} | {times} |")
    note = f"{_where(about)} all numbers are in [data/results](../data/results/{rewriting.NAME}.csv)."
    return "\n".join([*rows, "", note, ""])


def panels() -> str:
    """Return the table of panels as Markdown: what a reader waits for."""
    results, about = read_results(PANELS)
    head = "| | median | 95 % take at most | kernel's CPU, 95 % | pictures a second |"
    rows = [head, "| --- | --: | --: | --: | --: |"]
    for row in results.to_dict("records"):
        frames = row["pictures per second"]
        times = " | ".join(f"{row[name]:.0f} ms" for name in ("ms, p50", "ms, p95", "CPU ms, p95"))
        rows.append(f"| {row['panel']} | {times} | {f'{frames:.0f}' if frames == frames else ''} |")
    note = f"{_where(about)} all numbers are in [data/results](../data/results/{PANELS}.csv)."
    return "\n".join([*rows, "", note, ""])


def _where(about: Mapping[str, Any]) -> str:
    """Say what the times of a table depend on."""
    config = about["config"]
    threads = f"{config['threads']} thread{'s' * (config['threads'] > 1)}"
    where = f"{config['cores']} cores ({config['processor']}, {threads})"
    packages = ", ".join(filter(None, (f"torch {about['versions']['torch']}", config["peers"])))
    busy = f", while {config['load']:g} programs ran or waited" if config.get("load", 0) > config["cores"] else ""
    return f"Measured on {where}, {about['started'][:10]}{busy}, {packages};"


def _there(name: str) -> bool:
    return (results_directory() / f"{name}.csv").exists()


def _short(what: str) -> str:
    """Return what comes before the details."""
    return what.split(", ")[0]


def _times(ratio: float) -> str:
    return f"{number(ratio, 3)} ×"


def _time(seconds: float) -> str:
    return f"{number(1e3 * seconds, 3)} ms" if seconds < 1 else f"{number(seconds, 3)} s"


def write(path: Path = PAGE) -> Path:
    """Put the lines, and each table that has results, between their marks of the page.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    ValueError
        When a mark is missing.
    """
    text = path.read_text(encoding="utf-8")
    text = _between(text, path, LINES_BEGIN, lines(), LINES_END)
    text = _between(text, path, BEGIN, section(), END)
    if _there(SIMULATION):
        text = _between(text, path, SIMULATION_BEGIN, simulation(), SIMULATION_END)
    if _there(deployment.NAME):
        text = _between(text, path, ENGINES_BEGIN, engines(), ENGINES_END)
    if all(map(_there, FAIRNESS)):
        text = _between(text, path, FAIRNESS_BEGIN, fairness(), FAIRNESS_END)
    if all(map(_there, ATTACKS)):
        text = _between(text, path, ATTACKS_BEGIN, attacks(), ATTACKS_END)
    if _there(rewriting.NAME):
        text = _between(text, path, REWRITING_BEGIN, private_text(), REWRITING_END)
    if _there(PANELS):
        text = _between(text, path, PANELS_BEGIN, panels(), PANELS_END)
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
    table = [f"| {batch} × {tokens} tokens | {' | '.join(HEADS.values())} |", "| --- |" + " --: |" * len(HEADS)]
    for method in here["method"].drop_duplicates():
        cells = [_cell(rows.get((model, method))) for model in HEADS]
        table.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(table) + "\n"


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
        "[data/results](../data/results/private_step_time.csv).\n"
    )
