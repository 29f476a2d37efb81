"""What every claim and every table of the course has to have, so that a specialist could sign it."""

from __future__ import annotations

import pytest

from trustlab.course.baselines import NAMES
from trustlab.course.registry import EXPERIMENTS
from trustlab.intervals import Interval
from trustlab.results import read_results

CLAIMED = [(name, corpus) for name, known in EXPERIMENTS.items() for corpus in known.module.CORPORA]
# Tables without trivial baselines, and why.
WITHOUT = {
    "device-selection on shakespeare_roles": "no claim is made of it",
    "device-selection on 20newsgroups": "no claim is made of it",
    "device-selection-harm": "device-selection's has them, on the same fleet",
    "dp-sgd-vs-edp-sgd-layers": "dp-sgd-vs-edp-sgd-level's has them, on the same test utterances",
    "device-selection-rounds": "a picture of rounds, of which no claim is made",
    "canary-extraction": "what an attack finds, judged against chance; notebook 11 has the baselines of the task",
    "canary-extraction-secrets": "the same",
    "canary-extraction-smollm2": "what an attack finds, judged against chance, no copies and the model before tuning",
    "continual-learning-plays": "no claim is made of it",
    "fairness-metrics": "scores of metrics, not of a task",
    "fairness-metrics-association": "distances of words, not scores of a task",
    "fairness-metrics-held-out": "scores of metrics, not of a task",
    "fairness-metrics-sensitivity": "scores of metrics, not of a task; the trivial one, 1 − p, is a column",
    "prediction-sensitivity": "scores of measures; the trivial ones (1 − p, 1 / words, even weights) are columns",
    "prediction-sensitivity-real": "scores of measures; the trivial ones, with a count of names, are columns",
    "prediction-sensitivity-dialect": "scores of measures; the trivial ones are columns",
    "fairness-metrics-tasks on bold": "texts that were written, which nothing trivial judges",
    "fairness-metrics-smollm2": "preferences of a language model: 50 % is what chance prefers",
    "fairness-metrics-continuations": "texts that were written, which nothing trivial judges",
    "role-reversal": "texts that were written, judged against the plain student and a writer without preference",
    "role-reversal-smollm2": "texts that were written, which nothing trivial judges",
    "role-reversal-smollm2-elsewhere": "students judged against the plain one; no claim is made of it",
}


@pytest.mark.parametrize(("name", "corpus"), CLAIMED)
def test_every_claim_says_what_it_was_measured_with_and_has_five_runs(name, corpus):
    known = EXPERIMENTS[name]
    for row in known.claims(corpus, read_results):
        assert row.get("setup"), row["claim"]
        measured = row.get("measured")
        runs = measured.n if isinstance(measured, Interval) else len(row["values"]) if "values" in row else 5
        least = 3 if row.get("unit", "").startswith("×") else 5  # rounds of a benchmark, or trainings
        assert runs >= least, row["claim"]


@pytest.mark.parametrize(("name", "corpus"), CLAIMED)
def test_every_table_of_trainings_has_its_trivial_baselines(name, corpus):
    known = EXPERIMENTS[name]
    if name.endswith("-tuning") or {name, f"{name} on {corpus}"} & set(WITHOUT):
        assert f"{name} on {corpus}" not in WITHOUT or not known.claims(corpus, read_results)
        return
    table = known.table(corpus)
    texts = table.select_dtypes(exclude="number")
    assert any(texts[column].isin(NAMES).any() for column in texts), f"{name} on {corpus}: {list(texts)}"


def test_what_has_no_baselines_is_an_experiments():
    names = {f"{name} on {corpus}" for name, corpus in CLAIMED} | set(EXPERIMENTS)
    assert set(WITHOUT) <= names
