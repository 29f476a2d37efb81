"""The search behind the classifiers of real tasks, and the level that it leads to."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from trustlab.course.literature import known
from trustlab.course.n31_fairness_metrics import classifier_search
from trustlab.course.n31_fairness_metrics.classifier_search import CORPORA, FIRST_SEED, OPTIONS, SPACES, Setting, run
from trustlab.course.n31_fairness_metrics.real_level import ACCURACY, level_columns
from trustlab.course.n31_fairness_metrics.real_models import LOGISTIC, WHOLE, features
from trustlab.course.n31_fairness_metrics.real_results import always_the_same, level, real_models
from trustlab.course.n31_fairness_metrics.real_tasks import grid
from trustlab.course.tuning import at_the_edge, best, uneven
from trustlab.data import load
from trustlab.results import read_results


@pytest.fixture(scope="module")
def search():
    return read_results(classifier_search.result_name("hatexplain"))[0]


def test_the_search_is_the_grids_and_each_model_had_as_many_trials(search):
    asked = [each.key() for each in classifier_search.grid(CORPORA[0], seeds=sorted(set(search["seed"])))]
    assert search[list(asked[0])].to_dict("records") == asked
    assert uneven(search, by=["model"], options=OPTIONS) == [] and search["seed"].min() == FIRST_SEED


def test_no_choice_is_at_the_edge_of_its_range(search):
    assert at_the_edge(search, SPACES, by=["model"], options=OPTIONS, of="model") == []


def test_the_reported_models_have_the_options_that_the_search_chose(search):
    chosen = best(search, by=["model"], options=OPTIONS).set_index("model")
    for setting in grid("hatexplain"):
        if setting.model in LOGISTIC:
            assert (setting.c, setting.counts) == tuple(chosen.loc[setting.model, list(OPTIONS)])
    table = real_models("hatexplain")
    for name in LOGISTIC:
        assert set(table.loc[table["model"] == name, "c"]) == {chosen.loc[name, "c"]}


def test_no_post_that_is_reported_on_is_searched_on(real_data):
    corpus = load("hatexplain", directory=real_data)
    texts = tuple(corpus["train"]["text"][:])
    _, _, known_rows, held = classifier_search._divided(texts[:200], "words", WHOLE, FIRST_SEED)
    assert sorted([*known_rows, *held]) == list(range(200)) and len(held) == 40


def test_a_trials_score_is_the_accuracy_on_the_posts_held_out(real_data):
    corpus = {"train": load("hatexplain", directory=real_data)["train"].select(range(400))}
    (row,) = run(Setting(model="words", c=1.0, counts=WHOLE, seed=FIRST_SEED), corpus)
    order = np.random.default_rng(FIRST_SEED).permutation(400)
    texts, truth = corpus["train"]["text"][:], np.array(corpus["train"]["label"][:]) != "normal"
    fitted = make_pipeline(features("words", counts=WHOLE), LogisticRegression(C=1.0, max_iter=1000))
    fitted.fit([texts[i] for i in order[80:]], truth[order[80:]])
    assert row["score"] == pytest.approx(np.mean(fitted.predict([texts[i] for i in order[:80]]) == truth[order[:80]]))


# The level


def test_the_classifiers_are_what_somebody_would_use():
    table = real_models("hatexplain")
    words = table[table["model"] == "words"]
    assert words[ACCURACY].min() >= 0.62  # recurrent networks of the paper
    assert words["hatexplain accuracy"].min() > always_the_same("hatexplain") + 0.1
    assert set(table.loc[table["model"] == "majority", "hatexplain auc"]) == {0.5}
    said = level()
    assert f"words {words[ACCURACY].mean():.2f}" in said
    assert all(each.written in said for each in known("hatexplain accuracy"))


def test_the_majority_of_three_classes_is_counted_by_hand(real_data, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_DATA", str(real_data))
    labels = load("hatexplain", directory=real_data)["test"]["label"][:]
    assert level_columns("majority", "none") == {ACCURACY: pytest.approx(labels.count("normal") / len(labels))}
    assert level_columns("small", "none") == {}
