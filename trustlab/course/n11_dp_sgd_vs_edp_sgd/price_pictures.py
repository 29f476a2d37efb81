"""The pictures of notebook 11: what privacy costs in seconds and in accuracy, and who pays most."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment import CORPORA, EMBEDDED, EPSILON_OF_KS, MODELS
from trustlab.course.n11_dp_sgd_vs_edp_sgd.results import (
    COMPARED,
    MEASURES,
    Row,
    harm,
    micro_batches_against_accuracy,
    saved,
    scores_at,
    variants_against_accuracy,
)
from trustlab.course.n11_dp_sgd_vs_edp_sgd.training_seconds import PAPERS, TIMES, loop_against_sgd, timed
from trustlab.lab.display import number, per_cent
from trustlab.lab.finding import Finding, dots, dumbbells, gauges
from trustlab.lab.saved import CORPUS_NAMES, means_over, read, saved_over

STEPS = {"BiLSTM": ("bilstm", 128), "22 M encoder": ("encoder", 32)}  # utterances in a step
TOKENS = 16
LOOP, FAST, MICRO, PASSES = "DP-SGD, loop", "DP-SGD, fast", "eDP-SGD, K = 16", "eDP-SGD, K = 16, K passes"
TIMED = (LOOP, "DP-SGD, Opacus hooks", "DP-SGD, Opacus ghost", PASSES, MICRO, FAST, "SGD + noise alone")
# The ways drawn over the batch and their short names: eDP-SGD by K backward passes, exact clipping by one.
OVER_BATCHES = {
    LOOP: "loop",
    **{f"eDP-SGD, K = {k}, K passes": f"eDP, K = {k}" for k in (16, 64, 256)},
    FAST: "exact",
}
HERE = "here and now"
INTERVAL: dict[str, Any] = {"value": "%", "low": "low", "high": "high"}


def step_times(here: Sequence[Row] = ()) -> Finding:
    """Draw how many times SGD's time a step takes by each method, as benchmarked.

    Parameters
    ----------
    here
        What :func:`trustlab.privacy.timing.seconds_per_step` measured on the reader's machine, drawn as well.
    """
    table, _ = read("private_step_time")
    rows = [_timed(row, HERE) for row in here if row["method"] in TIMED]
    rows.append(_timed({**timed(PASSES, STEPS["BiLSTM"][1]), "method": PASSES}, "BiLSTM"))
    for method, (name, (model, batch)) in itertools.product((t for t in TIMED if t != PASSES), STEPS.items()):
        wanted = {"model": model, "batch": batch, "tokens": TOKENS, "method": method}
        (row,) = table[(table[list(wanted)] == list(wanted.values())).all(axis=1)].to_dict("records")
        rows.append(_timed(row, name))
    rows.sort(key=lambda row: TIMED.index(row["method"]))
    times = {(row["method"], row["measured on"]): number(row["× SGD"], 2) for row in rows}
    loop, fast, micro = ([times[method, name] for name in STEPS] for method in (LOOP, FAST, MICRO))
    verdict = (
        f"A step of the BiLSTM takes {loop[0]} times as long as SGD's by the per-example loop, {fast[0]} times by "
        f"exact clipping in one backward pass, and by eDP-SGD with K = 16 {times[PASSES, 'BiLSTM']} times in K passes, "
        f"{micro[0]} in one; of the encoder {loop[1]}, {fast[1]} and, in one pass, {micro[1]} times."
    )
    if here:
        verdict += f" Here and now it is {times[LOOP, HERE]}, {times[FAST, HERE]} and {times[MICRO, HERE]} (BiLSTM)."
    size = " and ".join(f"{batch} for the {name}" for name, (_, batch) in STEPS.items())
    return dots(
        rows, label="method", series="measured on", value="× SGD", low="low", high="high", log=True,
        reference={"SGD": 1.0}, title="What one private step costs", verdict=verdict,
        x_label="time of a step, in times SGD's",
        provenance=f"saved, mean and 95 % interval over rounds on two CPU cores; utterances in a step: {size}",
    )  # fmt: skip


def _timed(row: Row, name: str) -> Row:
    interval = {"low": row["low"], "high": row["high"], "rounds": int(row["rounds"])}
    return {"method": row["method"], "measured on": name, "× SGD": row["times SGD"], **interval}


def miscounted(rows: Sequence[Row]) -> Finding:
    """Draw the ε that an accountant claims who misses the decay, and the ε that is spent."""
    worst = max(rows, key=lambda row: row["ε spent"])
    verdict = (
        f"With {worst['decay']}, an accountant that misses the decay claims ε = {worst['ε claimed']:.0f}; the training "
        f"spends {worst['ε spent']:.0f}."
    )
    return gauges(
        rows, label="decay", claimed="ε claimed", true="ε spent", log=True, x_label="ε",
        title="Decay, miscounted", verdict=verdict, provenance="computed here",
    )  # fmt: skip


def as_the_batch_grows() -> Finding:
    """Draw how many times SGD's time a step takes by the size of the batch, and how far the loop can go."""
    table, _ = read(TIMES)
    batches = sorted(int(batch) for batch in table["batch"].unique())
    rows = [_of_batch(short, timed(name, batch)) for batch in batches for name, short in OVER_BATCHES.items()]
    known, ratio = loop_against_sgd(table), {(row["method"], row["batch"]): row["× SGD"] for row in rows}
    first, last = batches[0], batches[-1]
    loop, few = OVER_BATCHES[LOOP], OVER_BATCHES[PASSES]
    verdict = (
        f"From batches of {first} to {last:,} the loop takes {ratio[loop, first]:.0f} to {ratio[loop, last]:.0f} times "
        f"SGD's time, eDP-SGD by 16 passes {ratio[few, first]:.1f} to {ratio[few, last]:.1f}. An utterance alone costs "
        f"{1e3 * known['alone']:.1f} ms, one more in a batch {1e6 * known['one more']:.0f} µs: on this thread no batch "
        f"makes the loop more than {known['limit']:.0f} times slower. {PAPERS} times needs hardware on which one more "
        f"costs {1e6 * known['needed']:.0f} µs."
    )
    return dots(
        rows, label="utterances in a step", series="method", value="× SGD", low="low", high="high", log=True,
        reference={"SGD": 1.0, "the paper's": float(PAPERS)}, title="How many times slower, and why?", verdict=verdict,
        x_label="time of a step, in times SGD's",
        provenance=f"saved, mean and 95 % interval over rounds; BiLSTM, {TOKENS} tokens, one CPU thread",
    )  # fmt: skip


def _of_batch(name: str, row: Mapping[str, Any]) -> Row:
    batch = int(row["batch"])
    named = {"utterances in a step": f"{batch:,}", "method": name, "batch": batch}
    return {**named, "× SGD": row["times SGD"], "low": row["low"], "high": row["high"], "rounds": int(row["rounds"])}


def scores(epsilon: float, corpora: Sequence[str] = CORPORA) -> Finding:
    """Draw what each method reaches at one ε, on every corpus (BiLSTM)."""
    rows = [row for row in scores_at(epsilon, corpora) if row["model"] == MODELS["bilstm"]]
    shown = [{"what": f"{row['corpus']}: {row['measured']}", **row} for row in rows]
    at = {(row["corpus"], row["measured"], row["method"]): row["%"] for row in rows}
    lost = {
        name: [at[name, words, COMPARED["fast"]] - at[name, words, COMPARED["edp-sgd"]] for words in MEASURES.values()]
        for name in dict.fromkeys(row["corpus"] for row in rows)
    }
    behind = "; ".join(f"{intents:.0f} and {slots:.0f} points on {name}" for name, (intents, slots) in lost.items())
    verdict = f"At ε = {epsilon:g}, eDP-SGD is behind DP-SGD, in intents and in slot F1, by {behind}."
    return dots(
        shown, label="what", series="method", **INTERVAL, x_label="right, or F1, in %",
        title=f"Every method at ε = {epsilon:g}", verdict=verdict, provenance=_source(),
    )  # fmt: skip


def more_micro_batches() -> Finding:
    """Draw what K gives at one ε."""
    rows = micro_batches_against_accuracy()
    intents = {row["clipped"]: _whole(row["%"]) for row in rows if row["measured"] == MEASURES["accuracy"]}
    *by_k, every = intents.items()
    scores = ", ".join(f"{score} with {name.removeprefix('eDP-SGD, ')}" for name, score in by_k)
    verdict = (
        f"More micro-batches are more clipped terms, and more intents are right: {scores} in eDP-SGD. DP-SGD, which "
        f"clips each utterance, gets {every[1]}."
    )
    return dots(
        rows, label="clipped", series="measured", **INTERVAL, x_label="right, or F1, in %",
        title=f"More micro-batches, at ε = {EPSILON_OF_KS:g}", verdict=verdict, provenance=_source(),
    )  # fmt: skip


def decay_at_equal_epsilon() -> Finding:
    """Draw constant and decaying noise at the same ε, accounted step by step."""
    rows = variants_against_accuracy("noise_decay")
    by_choice = {(row["trained by"], row["choice"]): row["%"] for row in rows}
    trained = list(dict.fromkeys(row["trained by"] for row in rows))
    constant, decaying = dict.fromkeys(row["choice"] for row in rows)
    lost = [by_choice[name, constant] - by_choice[name, decaying] for name in trained]
    better = sum(loss < 0 for loss in lost)
    verdict = (
        f"At equal ε, constant noise understands more intents than {decaying} in {len(lost) - better} of {len(lost)} "
        f"comparisons, by {min(lost):.0f} to {max(lost):.0f} points."
    )
    return dots(
        rows, label="trained by", series="choice", **INTERVAL, x_label="intents right, in %",
        title="Decaying noise at equal ε", verdict=verdict, provenance=_source(),
    )  # fmt: skip


def clipping_rules() -> Finding:
    """Draw the four clipping rules at each ε."""
    rows = variants_against_accuracy("rule", (1.0, 8.0))
    flat = {row["trained by"]: row["%"] for row in rows if row["choice"] == "flat"}
    behind = {
        choice: [flat[row["trained by"]] - row["%"] for row in rows if row["choice"] == choice]
        for choice in dict.fromkeys(row["choice"] for row in rows)
    }
    least, most = (min(behind["per layer"] + behind["by size"]), max(behind["per layer"] + behind["by size"]))
    verdict = (
        f"Automatic clipping stays within {_up(max(map(abs, behind['automatic'])))} point of the flat threshold, with "
        f"nothing to tune; dividing C over the layers or by their size loses {least:.0f} to {most:.0f} points."
    )
    return dots(
        rows, label="trained by", series="choice", **INTERVAL, x_label="intents right, in %",
        title="Four ways to clip", verdict=verdict, provenance=_source(),
    )  # fmt: skip


def who_pays(corpus: str) -> Finding:
    """Draw what a stronger promise costs all intents, and what it costs the rare ones."""
    rows = harm(corpus)
    weak, strong = [name for name in rows[0] if name != "who"]
    fall = {row["who"]: f"from {_whole(row[weak])} to {_whole(row[strong])}" for row in rows}
    verdict = f"With DP-SGD, from {weak} to {strong}, all intents fall {fall['DP-SGD, all intents']}"
    rare = fall.get("DP-SGD, rare intents")
    verdict += f", the rare ones {rare}." if rare else "; no rare intent is in the test split."
    return dumbbells(
        rows, label="who", start=weak, end=strong, x_label=f"intents right on {CORPUS_NAMES[corpus]}, in %",
        title="Who pays for a stronger promise", verdict=verdict, provenance=means_over(saved(corpus)[1]),
    )  # fmt: skip


def _whole(percentage: float) -> str:
    return per_cent(percentage / 100)


def _up(points: float) -> int:
    return math.ceil(points)


def _source() -> str:
    return saved_over(saved(EMBEDDED)[1])
