"""What notebook 11 reads off its committed tables: accuracy and seconds of each way, the search, and the findings."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trustlab.course.n11_dp_sgd_vs_edp_sgd import EXPERIMENT, SEARCH
from trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment import (
    BASELINES,
    CORPORA,
    DECAY,
    EPSILON_OF_VARIANTS,
    PRIVATE,
    usual,
)
from trustlab.course.n11_dp_sgd_vs_edp_sgd.one_training import OPTIONS
from trustlab.course.n11_dp_sgd_vs_edp_sgd.training_seconds import WAYS, training_seconds
from trustlab.course.tuning import best, profile
from trustlab.lab.saved import CORPUS_NAMES, over_seeds, select

if TYPE_CHECKING:
    import pandas

Row = dict[str, Any]
EPSILONS = (1.0, 3.0, 8.0)
MEASURES = {"accuracy": "intents right", "slot_f1": "slot F1"}
KINDS = {"accuracy": "all intents", "accuracy_rare": "rare intents"}
COMPARED = {"sgd": "SGD, no privacy", "fast": "DP-SGD", "edp-sgd": "eDP-SGD"}
INGREDIENTS = {"as tuned": {}, "threshold per layer": {"rule": "equal"}, f"γ = {DECAY:g}": {"noise_decay": DECAY}}
saved = EXPERIMENT.saved  # the committed table, a row per training, and its provenance


def at_budget(table: pandas.DataFrame, method: str, epsilon: float) -> pandas.DataFrame:
    """Return the trainings of `method` at ε, one per seed; plain SGD has no ε."""
    return select(usual(table), method=method, epsilon=math.inf if method == "sgd" else epsilon)


def seconds_and_accuracy(corpus: str, epsilon: float, measure: str = "accuracy") -> list[Row]:
    """Return what each way to compute a tuned training reaches, and in how many seconds.

    On the embedded corpus eDP-SGD has a row for each K that the search tried: the best of the K's own trials, scored on
    validation; the tuned K, as every other row, is a mean over seeds on the test split.
    """
    rows = []
    for way in WAYS.values():
        runs = at_budget(saved(corpus)[0], way.method, epsilon)
        if runs.empty:
            continue
        options = {name: runs[name].iloc[0] for name in OPTIONS}
        seen = {"way": way.label, **_timed(way, corpus, options), **over_seeds(runs[measure], "score", limits=(0, 1))}
        found = [{**seen, "from": f"test, {len(runs)} seeds"}]
        if way.method == "edp-sgd" and corpus == SEARCH.module.CORPORA[0]:
            found += [
                {"way": way.label, **_timed(way, corpus, each), "score": each[measure], "from": "search, validation"}
                for each in best_of_each_k(epsilon)
                if each["micro_batches"] != options["micro_batches"]
            ]
        rows += sorted(found, key=lambda row: row["K"])
    return rows


def _timed(way: Any, corpus: str, options: Any) -> Row:
    named = {"batch": int(options["batch_size"]), "epochs": int(options["epochs"]), "rate": options["learning_rate"]}
    run = dict(epochs=named["epochs"], batch_size=named["batch"], micro_batches=int(options["micro_batches"]))
    return {"K": run["micro_batches"], "seconds": training_seconds(way, corpus, **run), **named}


def best_of_each_k(epsilon: float) -> list[Row]:
    """Return, for each K that the search tried at `epsilon`, the best of the trials with it."""
    tried = select(SEARCH.table(), method="edp-sgd", epsilon=epsilon)
    found = best(tried, by=["micro_batches"], options=[name for name in OPTIONS if name != "micro_batches"])
    keys = [{name: row[name] for name in OPTIONS} for row in found.to_dict("records")]
    return [select(tried, **key).iloc[0].to_dict() for key in sorted(keys, key=lambda key: key["micro_batches"])]


def sensitivity(option: str) -> list[Row]:
    """Return how the best score of the search depends on one option: a row per ε, method and value.

    Plain SGD has no ε and stands at each of them.
    """
    found = profile(SEARCH.table(), option, by=["method", "epsilon"], options=list(OPTIONS))
    at = [(f"ε = {epsilon:g}", row) for epsilon in EPSILONS for row in found if row["epsilon"] in (epsilon, math.inf)]
    return [{"at": name, **row, "method": COMPARED[row["method"]]} for name, row in at if row[option]]


def scores_at(epsilon: float, corpora: Sequence[str] = CORPORA) -> list[Row]:
    """Return what each method and each baseline reaches at one ε, per corpus and measure, in per cent."""
    rows = []
    for corpus in EXPERIMENT.corpora(corpora):
        table, name = saved(corpus)[0], CORPUS_NAMES[corpus]
        for method in COMPARED:
            runs = at_budget(table, method, epsilon)
            trained = {"corpus": name, "method": COMPARED[method]}
            rows += [{**trained, "measured": words, **_in_per_cent(runs[m])} for m, words in MEASURES.items()]
        rows += _of_baselines(table, name)
    return rows


def _of_baselines(table: pandas.DataFrame, corpus: str) -> list[Row]:
    """Return a row for each baseline and what it answers."""
    return [
        {"corpus": corpus, "method": name, "measured": words, **_in_per_cent(runs[measure])}
        for name in BASELINES
        for measure, words in MEASURES.items()
        if not (runs := select(table, method=name))[measure].isna().any()
    ]


def ingredients() -> list[Row]:
    """Return what varying one ingredient does to the intents on the embedded corpus, in per cent."""
    table = saved()[0]
    rows = []
    for method, (choice, varied) in itertools.product(PRIVATE, INGREDIENTS.items()):
        at = {"rule": "flat", "noise_decay": 1.0, **varied}
        runs = select(table, method=method, epsilon=EPSILON_OF_VARIANTS, **at)["accuracy"]
        rows.append({"trained by": COMPARED[method], "choice": choice, **_in_per_cent(runs)})
    return rows


def harm(corpus: str, epsilons: tuple[float, float] = (8.0, 1.0)) -> list[Row]:
    """Return how many intents are right at a weak and at a strong promise, in per cent: all, and the rare ones.

    A row per method and kind of intents. Rare ones are left out where none is in the test split.
    """
    table = saved(corpus)[0]
    rows = []
    for method, (measure, words) in itertools.product(PRIVATE, KINDS.items()):
        means = [at_budget(table, method, epsilon)[measure].mean() for epsilon in epsilons]
        if not any(map(math.isnan, means)):
            at = {f"ε = {epsilon:g}": 100 * mean for epsilon, mean in zip(epsilons, means, strict=True)}
            rows.append({"who": f"{COMPARED[method]}, {words}", **at})
    return rows


def strongest_baseline(corpus: str, measure: str) -> tuple[str, float]:
    """Return the baseline that scores most, and its score; a cell below it is no evidence."""
    scores = {name: select(saved(corpus)[0], method=name)[measure].mean() for name in BASELINES}
    name = max((name for name in scores if not math.isnan(scores[name])), key=scores.__getitem__)
    return name, scores[name]


def _in_per_cent(shares: pandas.Series) -> Row:
    return over_seeds((100 * shares).tolist(), "%", limits=(0.0, 100.0))
