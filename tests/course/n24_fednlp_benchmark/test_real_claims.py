"""What is found and claimed of real corpora, and which rates count."""

import re

import numpy as np
import pandas
import pytest

from trustlab.course.n24_fednlp_benchmark import REAL, real_claims, real_tuning
from trustlab.course.n24_fednlp_benchmark.real_claims import (
    LEVELS,
    best_baseline,
    by_seed,
    claims_of_corpus,
    claims_on_real_corpora,
    not_claimed,
)
from trustlab.course.n24_fednlp_benchmark.real_experiment import Setting
from trustlab.course.n24_fednlp_benchmark.real_text_findings import (
    level,
    levels_reached,
    real,
    real_corpora,
    sources,
    unclaimed,
)
from trustlab.course.n24_fednlp_benchmark.real_training import CENTRALISED, places
from trustlab.course.n24_fednlp_benchmark.real_tuning import candidates
from trustlab.lab.claims import claims
from trustlab.results import read_results

SAVED = REAL.corpora()


@pytest.mark.skipif(not SAVED, reason="no table is committed")
def test_findings_say_what_their_tables_say():
    rows = real_corpora()
    assert {row["partition"] for row in rows} >= {"baseline", "one place", "uniform", "label"}
    pairs = re.search(r"on (\d+) of (\d+) corpora", real().verdict)
    assert int(pairs[2]) == sum(row["algorithm"] == "FedAvg" for row in rows)
    for corpus in SAVED:
        measure, _, bar = LEVELS[corpus]
        mean = np.mean(by_seed(REAL.table(corpus), CENTRALISED, "none", measure))
        assert f"{mean:.2f} (aim {bar:.2f})" in levels_reached()
    assert {row["corpus"] for row in sources()} == {row["corpus"] for row in level().rows}


def test_fedavgs_rates_did_not_carry_over_from_the_search_as_the_notebook_says():
    search = read_results(real_tuning.result_name("xquad"))[0]
    best = search[(search["algorithm"] == "fedavg") & (search["partition"] == "label")].nlargest(1, "score").iloc[0]
    table = REAL.table("xquad")
    assert best["train"] < table["train"].min() / 2 and best["server_rate"] == 10
    assert np.mean(by_seed(table, "fedavg", "label")) < best["score"] - 0.03


def made(skew, adaptive, usual_tags=0.1):
    """Return the reader of a table of WNUT17 with a loss by skew, a gain by FedAdam, and a baseline's score."""
    rows = []
    for setting in [Setting("wnut17", *place, seed) for place in places("wnut17") for seed in range(5)]:
        score = 0.5 + 0.001 * setting.seed * len(setting.algorithm)
        score += 0.1 * (setting.algorithm == CENTRALISED) - skew * (setting.partition == "label")
        score += adaptive * (setting.algorithm == "fedadam")
        rows.append({**setting.key(), "score": score, "exact": 0.0})
    for name, score in {"majority": 0.0, "word's tag": usual_tags}.items():
        rows.append({**Setting("wnut17", name, "none").key(), "score": score, "exact": 0.0})
    return lambda name: (pandas.DataFrame(rows), {})


def test_claims_hold_where_they_were_put_in_and_not_where_they_were_not():
    def outcomes(skew, adaptive):
        found = claims(claims_of_corpus("wnut17", made(skew, adaptive))).rows
        return {row["claim"].split()[0]: row["outcome"] for row in found}

    assert outcomes(0.1, 0.2) == dict.fromkeys(("(Level)", "(a)", "(b)", "(c)"), "holds")
    assert outcomes(0.1, -0.2)["(c)"] == "refuted" and outcomes(-0.1, 0.2)["(a)"] == "refuted"


def test_no_claim_is_judged_with_a_training_that_was_lost(monkeypatch):
    monkeypatch.setattr(real_claims, "_saved", lambda: ["wnut17"])
    table, about = made(0.1, 0.2)("")
    lost = (table["algorithm"] == "fedavg") & (table["partition"] == "label") & (table["seed"] == 2)
    table.loc[lost, "score"] = 0.1
    found = {line["claim"][:3]: line["lost"] for line in not_claimed(lambda name: (table, about))}
    assert found == {"(a)": 1, "(c)": 1}
    kept = {row["claim"].split()[0] for row in claims_of_corpus("wnut17", lambda name: (table, about))}
    assert kept == {"(Level)", "(b)"}


def test_no_claim_is_judged_where_a_trivial_baseline_is_better_than_both_trainings(monkeypatch):
    monkeypatch.setattr(real_claims, "_saved", lambda: ["wnut17"])
    read = made(0.3, 0.05, usual_tags=0.55)  # above all but one place
    assert [row["claim"].split()[0] for row in claims_of_corpus("wnut17", read)] == ["(Level)", "(b)"]
    assert [(row["claim"].split()[0], row["trivial"]) for row in not_claimed(read)] == [("(a)", 0.55), ("(c)", 0.55)]


def test_the_head_trained_to_the_end_is_no_trivial_baseline_and_counting_words_is_one():
    table = REAL.table("clinc150")
    assert best_baseline(table, "classification")[0] == "frozen encoder"
    name, score = best_baseline(table, "classification", trivial=True)
    assert name == "tf-idf" and score == by_seed(table, "tf-idf", "none")[0]


def test_what_is_not_judged_is_said_with_both_numbers():
    lines, said = not_claimed(), unclaimed()
    below = [line for line in lines if line["better"] < line["trivial"]]
    assert (said.count(" against "), said.count(" lost)")) == (len(below), len(lines) - len(below))
    for line in below:
        assert f"{100 * line['better']:.0f}\u00a0% against {100 * line['trivial']:.0f}\u00a0%" in said
    judged = [row["claim"] for row in claims_on_real_corpora()]
    assert len(judged) + len(lines) == 4 * len(SAVED) and not set(judged) & {line["claim"] for line in lines}


def test_a_rate_of_a_whole_grid_counts_only_if_the_next_larger_one_lost_no_training():
    scores = {0.1: 0.5, 0.3: 0.6, 1.0: 0.7, 3.0: 0.1}
    kinds = dict(task="", partition="label", server_rate=1.0, seed=100)
    rows = [{**kinds, "algorithm": "fedavg", "rate": rate, "score": score} for rate, score in scores.items()]
    other = [{**row, "algorithm": "fedadam", "score": 0.5} for row in rows]  # loses none: its own rates are its own

    def read(name):
        return pandas.DataFrame(rows + other), {}

    kept = candidates("wnut17", read)
    assert kept[kept["algorithm"] == "fedavg"]["rate"].tolist() == [0.1, 0.3]
    assert kept[kept["algorithm"] == "fedadam"]["rate"].tolist() == [0.1, 0.3, 1.0]
    assert real_tuning.rates("wnut17", "fedavg", "label", read) == {"rate": 0.3, "server_rate": 1.0}
    assert (
        len(candidates("clinc150", read)) == 8 and real_tuning.rates("clinc150", "fedavg", "label", read)["rate"] == 1
    )


def test_the_adaptive_servers_rate_hardly_matters_on_wnut17_as_its_space_says():
    search = read_results(real_tuning.result_name("wnut17"))[0]
    own = search[search["algorithm"] == "fedadam"]
    best = own.groupby(["partition", "server_rate"])["score"].max().groupby("partition")
    assert (best.max() - best.min() < 0.05).all()
