"""What is claimed and drawn of SNIPS and ATIS is what their tables have; pools there, where the corpora are."""

import numpy as np
import pandas
import pytest

from trustlab.course.n12_membership_inference import ENCODER, EXPERIMENT
from trustlab.course.n12_membership_inference.claims_on_real import claims_of_heads, claims_on_real_corpora
from trustlab.course.n12_membership_inference.encoder_attack import CORPORA
from trustlab.course.n12_membership_inference.encoder_attack_search import SIZES
from trustlab.course.n12_membership_inference.experiment import TRAINED_SIZES
from trustlab.course.n12_membership_inference.pictures_on_real import (
    TRAININGS,
    by_rarity,
    leak_and_use_on_real,
    on_real_corpora,
    who_is_found,
)
from trustlab.course.n12_membership_inference.stacked_training import bags, pool, population
from trustlab.course.n12_membership_inference.who_leaks import KINDS
from trustlab.data import load
from trustlab.lab.claims import claims
from trustlab.lab.display import per_cent
from trustlab.results import read_results


@pytest.mark.parametrize("name", CORPORA)
def test_pools_of_a_real_corpus_have_no_utterance_in_common_nor_with_the_population(name, real_data):
    corpus = load(name, directory=real_data)
    said = [" ".join(tokens).lower() for tokens in corpus["train"]["tokens"][:]]
    pools = [pool(corpus, TRAINED_SIZES[-1], seed) for seed in (*range(5), 100)]
    texts = [said[row] for own in pools for row in own.rows]
    assert len(set(texts)) == len(texts) == 6 * 2 * TRAINED_SIZES[-1]
    others = [" ".join(corpus["validation"]["tokens"][place]).lower() for place in population(corpus)]
    assert len(others) == len(pools[0].population[1]) > 400 and not set(others) & set(said)
    assert max(int(labels.max()) for _, labels in bags(corpus).values()) < pools[0].classes


def test_claims_are_read_off_the_tables():
    rows = claims_on_real_corpora()
    assert len({row["claim"] for row in rows}) == len(rows) == (5 + 3) + (3 + 3) + 2  # of ATIS none for eDP-SGD
    weak = EXPERIMENT.where("atis", method="edp-sgd", epsilon=16.0)["accuracy"].mean()
    assert weak < EXPERIMENT.where("atis", method="majority")["accuracy"].min()
    assert all(len(row["values"]) == 5 for row in rows if "values" in row)
    for corpus in CORPORA:
        found = ENCODER.table(corpus).set_index(["method", "epsilon", "seed"]).sort_index()
        falls, removed, bounds = claims_of_heads(corpus)
        auc, tpr = found["auc"], found["tpr_01"] - 0.01
        assert falls["values"] == pytest.approx([auc["dp-sgd", 16.0, s] - auc["dp-sgd", 0.5, s] for s in range(5)])
        shares = [1 - tpr["dp-sgd", 16.0, s] / tpr["sgd", np.inf, s] for s in range(5)]
        assert removed["values"] == pytest.approx(shares) and bounds["holds"]
        small = found.loc["dp-sgd", 0.5]["accuracy"].mean()
        assert f"{per_cent(small)}, of the most frequent label" in falls["setup"]
    runs = EXPERIMENT.where("atis", method="sgd", size=TRAINED_SIZES[-1])
    found, accused = (
        [[float(part) for part in text.split("|")] for text in runs[f"{each}_by_intent"]]
        for each in ("found", "accused")
    )
    (rare,) = (row["values"] for row in rows if "ATIS: the quarter with rare intents" in row["claim"])
    assert rare == pytest.approx([f[0] - a[0] - f[-1] + a[-1] for f, a in zip(found, accused, strict=True)])


def test_a_claim_falls_where_the_table_says_the_opposite():
    def opposite(name):
        table, about = read_results(name)
        table = table.copy()
        if "encoder" in name:
            table.loc[table["epsilon"] == 16.0, "lira_online_30"] = "|".join(["0.1"] * 11)
            table.loc[table["epsilon"] == 16.0, "epsilon_shown"] = 17.0
        return pandas.DataFrame(table), about

    falls, _, bounds = claims(claims_of_heads("snips", opposite)).rows
    assert falls["outcome"] == "refuted" and bounds["outcome"] == "refuted"


def test_pictures_say_what_the_tables_have():
    rows = leak_and_use_on_real()
    assert len(rows) == len(CORPORA) * 2 * len(TRAININGS)
    for corpus, name in (("snips", "SNIPS"), ("atis", "ATIS")):
        runs = ENCODER.where(corpus, method="sgd")
        (row,) = (each for each in rows if each["training"] == f"{name}, heads: SGD")
        assert row["utterances"] == SIZES[corpus]
        assert [row["accuracy"], row["members found"]] == pytest.approx(
            [runs["accuracy"].mean(), runs["tpr_01"].mean()]
        )
        assert corpus != "snips" or per_cent(row["accuracy"]) in on_real_corpora().verdict
    shown = list(by_rarity())
    assert len(shown) == 2 * len(KINDS) * (1 + 2 * len(CORPORA))
    assert all(row["low"] <= row["members found"] <= row["high"] for row in shown)
    (rare,) = (
        row for row in shown if row["who"] == "ATIS, perceptron: rare intents" and row["utterances"] == "rarest quarter"
    )
    assert per_cent(rare["members found"]) in who_is_found().verdict


@pytest.mark.parametrize("experiment", [EXPERIMENT, ENCODER], ids=lambda each: each.name)
def test_a_table_has_no_text_of_anybody(experiment):
    """Names of methods, and numbers joined by bars: nothing that was said."""
    for corpus in CORPORA:
        table = experiment.table(corpus)
        for column in table.select_dtypes(exclude="number"):
            parts = {part for text in table[column] for part in str(text).split("|")}
            words = {part for part in parts if not part.replace(".", "").replace("-", "").isdigit()}
            assert words <= {"none", corpus, *table["method"]}, column
