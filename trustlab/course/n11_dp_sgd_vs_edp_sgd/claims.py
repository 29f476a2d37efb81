"""The reproduction targets of the eDP-SGD paper, and ours, read off the committed results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment import DECAY, EPSILON_OF_VARIANTS, result_name, usual
from trustlab.course.n11_dp_sgd_vs_edp_sgd.method_search import BUDGET, COMMON
from trustlab.course.n11_dp_sgd_vs_edp_sgd.training_seconds import PAPERS, TIMES, loop_against_sgd
from trustlab.deprecation import old_names
from trustlab.intervals import Interval
from trustlab.lab.saved import CORPUS_NAMES, select
from trustlab.privacy.timing import FAST, LOOP
from trustlab.results import Reader, read_results

if TYPE_CHECKING:
    import pandas

A_FEW_PER_CENT = 1.05  # "training time very similar to the non-private one"
MANY_TIMES = 5.0
TIMED = "steps on the same batch, in rounds interleaved with SGD's, on two CPU cores"
AS_GOOD = -0.02  # of accuracy or F1: a difference that is not noticeable
EPSILONS = (1.0, 3.0, 8.0)
MEASURES = {"accuracy": "intents right", "slot_f1": "slot F1"}
SMALL, LARGE = (32, 16), (128, 16)  # examples × tokens of a step
LARGEST = 2048
ENCODER = "22 M encoder, 32 × 16 tokens"
MOST_PASSES = COMMON["epochs"].values[-1]
UNLESS = f"more than {MOST_PASSES} passes over the data, another model, or a search of more than {BUDGET} trials"


def claims_of(corpus: str, read: Reader = read_results) -> list[dict[str, Any]]:
    """Return the rows for :func:`trustlab.lab.claims.claims`.

    Parameters
    ----------
    corpus
        The corpus whose trainings are compared; times and memory are of the embedded corpus in every case.
    read
        Finds a table by its name.
    """
    steps, batches, table = (read(name)[0] for name in ("private_step_time", TIMES, result_name(corpus)))
    return [
        *_claims_of_the_paper(steps, batches),
        *_claims_of_the_fast_engine(steps),
        *_claims_of_accuracy(usual(table), corpus),
        *_claims_of_ingredients(table, corpus),
    ]


def _claims_of_the_paper(steps: pandas.DataFrame, batches: pandas.DataFrame) -> list[dict[str, Any]]:
    """Claim, as the paper does, what a step costs by the loop and by eDP-SGD."""
    alike = "eDP-SGD trains within a few per cent of SGD's time"
    passes = select(batches, batch=LARGEST, method="eDP-SGD, K = 16, K passes").iloc[0]
    limit = loop_against_sgd(batches)["limit"]
    return [
        _timed(
            "The textbook per-example loop is many times slower than SGD (BiLSTM, 128 × 16 tokens)",
            _times(steps, "bilstm", LOOP, LARGE),
            above=MANY_TIMES,
        ),
        {
            "claim": f"A large enough batch makes the loop {PAPERS} × as slow as SGD on one thread (BiLSTM)",
            "measured": f"at most {limit:.0f} ×, whatever the batch",
            "holds": bool(limit >= PAPERS),
            "setup": "an utterance alone against one more in a batch",
            "unless": "hardware on which one more utterance in a batch costs next to nothing, as on a GPU",
        },
        _timed(
            f"{alike} (BiLSTM, 128 × 16 tokens, K = 16, all micro-batches in one pass)",
            _times(steps, "bilstm", "eDP-SGD, K = 16", LARGE),
            below=A_FEW_PER_CENT,
        ),
        _timed(
            f"{alike} (BiLSTM, {LARGEST:,} × 16 tokens, K = 16 passes: its best case)",
            _interval(passes),
            below=A_FEW_PER_CENT,
        ),
        _timed(
            f"{alike} ({ENCODER}, K = 4, in one pass)",
            _times(steps, "encoder", "eDP-SGD, K = 4", SMALL),
            below=A_FEW_PER_CENT,
        ),
    ]


def _claims_of_the_fast_engine(steps: pandas.DataFrame) -> list[dict[str, Any]]:
    """Claim, as our targets, the exact guarantee at nearly the cost of an ordinary step."""
    fast = _times(steps, "encoder", FAST, SMALL)
    memory = _measured(steps, "encoder", FAST, SMALL)["training MB / SGD"]
    return [
        _timed(f"(Ours) Exact clipping takes at most 1.2 × SGD's time ({ENCODER})", fast, below=1.2),
        _timed(
            "(Ours) … and at most 1.5 × on the small transformer, 32 × 16 tokens",
            _times(steps, "transformer", FAST, SMALL),
            below=1.5,
        ),
        {
            "claim": f"(Ours) … and at most 1.25 × the memory of a step ({ENCODER})",
            "measured": memory,
            "holds": bool(memory <= 1.25),
            "unit": "× SGD",
            "setup": TIMED,
        },
        *(
            {
                "claim": f"(Ours) It is at least {target} × as fast as Opacus {engine} ({ENCODER})",
                "measured": _ratio(_times(steps, "encoder", f"DP-SGD, Opacus {engine}", SMALL), fast),
                "above": target,
                "unit": "× as fast",
                "setup": TIMED,
            }
            for engine, target in (("ghost", 2), ("hooks", 7))
        ),
        _timed(
            f"(Ours) eDP-SGD takes at most 1.2 × SGD's time ({ENCODER}, K = 4)",
            _times(steps, "encoder", "eDP-SGD, K = 4", SMALL),
            below=1.2,
        ),
    ]


def _claims_of_accuracy(trainings: pandas.DataFrame, corpus: str) -> list[dict[str, Any]]:
    """Claim what the same, correctly accounted, ε buys by each method, and what it costs against no privacy."""
    tuned = {
        "setup": f"{CORPUS_NAMES[corpus]}, BiLSTM, each method tuned at each ε on the embedded corpus",
        "unless": UNLESS,
    }
    plain = select(trainings, method="sgd").set_index("seed")
    rows = []
    for epsilon in EPSILONS:
        edp, fast = (
            select(trainings, method=method, epsilon=epsilon).set_index("seed") for method in ("edp-sgd", "fast")
        )
        for measure, words in MEASURES.items():
            claim = f"(Ours) At ε = {epsilon:g}, eDP-SGD matches exact DP-SGD ({words}, its minus exact DP-SGD's)"
            rows.append({"claim": claim, "values": list(edp[measure] - fast[measure]), "above": AS_GOOD, **tuned})
    weakest = max(EPSILONS)
    fast = select(trainings, method="fast", epsilon=weakest).set_index("seed")
    for measure, words in MEASURES.items():
        claim = f"(Ours) At ε = {weakest:g}, exact DP-SGD matches SGD without privacy ({words}, its minus SGD's)"
        rows.append({"claim": claim, "values": list(fast[measure] - plain[measure]), "above": AS_GOOD, **tuned})
    return rows


def _claims_of_ingredients(table: pandas.DataFrame, corpus: str) -> list[dict[str, Any]]:
    """Claim what the paper's other two ingredients gain, where they were trained."""
    varied = {"a threshold per layer": {"rule": "equal"}, f"noise that decays by {DECAY:g}": {"noise_decay": DECAY}}
    at = {"epsilon": EPSILON_OF_VARIANTS, "rule": "flat", "noise_decay": 1.0}
    setup = f"{CORPUS_NAMES[corpus]}, ε = {EPSILON_OF_VARIANTS:g}, BiLSTM, tuned without it"
    rows = []
    for words, changed in varied.items():
        for method, name in {"edp-sgd": "eDP-SGD", "fast": "exact DP-SGD"}.items():
            usual_, with_it = (
                select(table, method=method, **{**at, **more}).set_index("seed")["accuracy"] for more in ({}, changed)
            )
            if len(with_it):
                claim = f"At equal ε, {words} understands more intents than none ({name}, gain)"
                rows.append(
                    {
                        "claim": claim,
                        "values": list(with_it - usual_),
                        "above": 0,
                        "setup": setup,
                        "unless": "options tuned with it",
                    }
                )
    return rows


def _timed(claim: str, times: Interval, **bar: float) -> dict[str, Any]:
    return {"claim": claim, "measured": times, **bar, "unit": "× SGD", "setup": TIMED}


def _measured(steps: pandas.DataFrame, model: str, method: str, size: tuple[int, int]) -> Mapping[str, Any]:
    """Return the benchmark's row of `method` on `model`, for steps of `size` (examples, tokens)."""
    wanted = {"model": model, "batch": size[0], "tokens": size[1], "method": method}
    found = steps[(steps[list(wanted)] == list(wanted.values())).all(axis=1)]
    if len(found) != 1:
        raise ValueError(
            f"Expected one row for {wanted} in private_step_time, got {len(found)}. Run `make bench` with --write."
        )
    return found.iloc[0]


def _times(steps: pandas.DataFrame, model: str, method: str, size: tuple[int, int]) -> Interval:
    """Return the mean ratio to SGD over interleaved rounds, with its 95 % interval."""
    return _interval(_measured(steps, model, method, size))


def _interval(row: Mapping[str, Any]) -> Interval:
    return Interval(row["times SGD"], row["low"], row["high"], int(row["rounds"]))


def _ratio(slow: Interval, fast: Interval) -> Interval:
    """Return how many times as fast `fast` is, from its worst to its best: wider than a 95 % interval of the ratio."""
    return Interval(slow.mean / fast.mean, slow.low / fast.high, slow.high / fast.low, min(slow.n, fast.n))


__getattr__ = old_names(__name__, {"claims_of_p1": "claims_of"})
