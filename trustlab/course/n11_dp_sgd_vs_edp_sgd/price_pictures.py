"""The pictures of notebook 11: what privacy costs in seconds and in accuracy, and who pays most."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment import CORPORA, DECAY, EPSILON_OF_VARIANTS, PRIVATE
from trustlab.course.n11_dp_sgd_vs_edp_sgd.method_search import BUDGET
from trustlab.course.n11_dp_sgd_vs_edp_sgd.results import (
    COMPARED,
    EXPERIMENT,
    INGREDIENTS,
    MEASURES,
    SEARCH,
    Row,
    at_budget,
    harm,
    ingredients,
    saved,
    scores_at,
    sensitivity,
    strongest_baseline,
)
from trustlab.course.n11_dp_sgd_vs_edp_sgd.training_seconds import PAPERS, TIMES, loop_against_sgd, timed
from trustlab.lab.display import number, per_cent
from trustlab.lab.finding import Finding, dots, dumbbells, gauges, lines
from trustlab.lab.saved import CORPUS_NAMES, means_over, read, saved_over

STEPS = {"BiLSTM": ("bilstm", 128), "22 M encoder": ("encoder", 32)}  # utterances in a step
TOKENS = 16
LOOP, FAST, MICRO, PASSES = "DP-SGD, loop", "DP-SGD, fast", "eDP-SGD, K = 16", "eDP-SGD, K = 16, K passes"
TIMED = (LOOP, "DP-SGD, Opacus hooks", "DP-SGD, Opacus ghost", PASSES, MICRO, FAST, "SGD + noise alone")
# What the table said until every method was tuned: five passes, batches of 512, rate 0.016 and K = 64 for all.
ONE_RECIPE = {"fast": 0.9165, "edp-sgd": 0.4348}
# The ways drawn over the batch and their short names: eDP-SGD by K backward passes, exact clipping by one.
OVER_BATCHES = {
    LOOP: "loop",
    **{f"eDP-SGD, K = {k}, K passes": f"eDP, K = {k}" for k in (16, 64, 256)},
    FAST: "exact",
}
HERE = "here and now"
SHORT = {COMPARED["sgd"]: "SGD", "frozen encoder": "MiniLM", "word's tag": "tag"}  # so that a legend has room for all
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
    """Draw what each method and each baseline reaches at one ε, on every corpus."""
    rows = scores_at(epsilon, corpora)
    shown = [
        {"what": f"{row['corpus']}: {row['measured']}", **row, "method": SHORT.get(row["method"], row["method"])}
        for row in rows
    ]
    at = {(row["corpus"], row["measured"], row["method"]): row["%"] for row in rows}
    lost = {
        name: [at[name, words, COMPARED["fast"]] - at[name, words, COMPARED["edp-sgd"]] for words in MEASURES.values()]
        for name in dict.fromkeys(row["corpus"] for row in rows)
    }
    behind = "; ".join(f"{intents:.0f} and {slots:.0f} points on {name}" for name, (intents, slots) in lost.items())
    best = [strongest_baseline(corpus, "accuracy") for corpus in EXPERIMENT.corpora(corpora)]
    strongest = ", ".join(f"{per_cent(score)} ({SHORT.get(name, name)})" for name, score in best)
    verdict = (
        f"At ε = {epsilon:g}, eDP-SGD is behind DP-SGD, in intents and in slot F1, by {behind}. The strongest "
        f"baseline, which is not private, gets {strongest} of the intents."
    )
    return dots(
        shown, label="what", series="method", **INTERVAL, x_label="right, or F1, in %",
        title=f"Every method and every baseline at ε = {epsilon:g}", verdict=verdict, provenance=_source(),
    )  # fmt: skip


def the_fall() -> str:
    """Tell what eDP-SGD seemed to lose with one recipe for every method, and what it loses tuned."""
    points = {method: 100 * at_budget(saved()[0], method, EPSILON_OF_VARIANTS)["accuracy"].mean() for method in PRIVATE}
    before = {method: 100 * share for method, share in ONE_RECIPE.items()}
    return (
        f"With one recipe for all methods (five passes, batches of 512, one learning rate, K = 64) eDP-SGD understood "
        f"{before['edp-sgd']:.0f} % of the intents at ε = {EPSILON_OF_VARIANTS:g}, and DP-SGD {before['fast']:.0f} %: "
        f"it lost {before['fast'] - before['edp-sgd']:.0f} points. That was a statement about one recipe. Tuned alike, "
        f"they understand {points['edp-sgd']:.0f} % and {points['fast']:.0f} %: eDP-SGD loses "
        f"{points['fast'] - points['edp-sgd']:.0f} points."
    )


def what_tuning_found(option: str = "learning_rate") -> Finding:
    """Draw how the best score of the search depends on one option, by method and ε."""
    rows, words = sensitivity(option), option.replace("_", " ")
    private = [row for row in rows if row["method"] != COMPARED["sgd"]]
    by_case: dict[tuple[str, str], list[float]] = {}
    for row in private:
        by_case.setdefault((row["method"], row["at"]), []).append(row["score"])
    said = [f"{method}'s by {_lost(by_case, method)}" for method in (COMPARED["fast"], COMPARED["edp-sgd"])]
    verdict = (
        f"The worst {words} instead of the best lowers a private method's best score: {' and '.join(said)} points."
    )
    return lines(
        rows, x=option, y="score", series="method", pane="at", chosen="chosen", log=True, per_cent=True, x_label=words,
        y_label="score", title=f"What the {words} is worth", verdict=verdict,
        provenance=f"the search: {BUDGET} trials for each method and ε, validation, seed {SEARCH.module.SEEDS[0]}; "
        "the score is the mean of intents right and slot F1; rings: chosen",
    )  # fmt: skip


def _lost(by_case: dict[tuple[str, str], list[float]], method: str) -> str:
    """Say how far the best scores of one method's values lie apart, over the ε."""
    lost = [100 * (max(scores) - min(scores)) for (name, _), scores in by_case.items() if name == method]
    return f"{min(lost):.0f} to {max(lost):.0f}"


def two_ingredients() -> Finding:
    """Draw a threshold per layer and decaying noise against neither, at one ε, accounted step by step."""
    rows = ingredients()
    at = {(row["trained by"], row["choice"]): row["%"] for row in rows}
    names = list(INGREDIENTS)
    gains = {
        name: [at[m, name] - at[m, names[0]] for m in dict.fromkeys(r["trained by"] for r in rows)] for name in names
    }
    layer, decay = (gains[name] for name in names[1:])
    verdict = (
        f"At ε = {EPSILON_OF_VARIANTS:g}, a threshold per layer changes the intents that DP-SGD understands by "
        f"{_points(layer[0])}, and those of eDP-SGD by {_points(layer[1])}; noise that decays by {DECAY:g} changes "
        f"them by {_points(decay[0])} and {_points(decay[1])}."
    )
    return dots(
        rows, label="trained by", series="choice", **INTERVAL, x_label="intents right, in %",
        title="The paper's other ingredients at equal ε", verdict=verdict, provenance=_source(),
    )  # fmt: skip


def _points(gain: float) -> str:
    return f"{gain:+.1f} points".replace("-", "\N{MINUS SIGN}")


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


def _source() -> str:
    return saved_over(saved()[1])
