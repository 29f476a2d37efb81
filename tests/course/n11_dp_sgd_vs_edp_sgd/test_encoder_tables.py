"""The committed tables of heads on the frozen encoder: tuned alike, all there, at the ε that they state."""

from collections import Counter

import pytest

from trustlab.course.n11_dp_sgd_vs_edp_sgd import ENCODER, ENCODER_SEARCH
from trustlab.course.n11_dp_sgd_vs_edp_sgd.encoder_experiment import CORPORA, KEY, METHODS, grid
from trustlab.course.n11_dp_sgd_vs_edp_sgd.encoder_pictures import to_ship
from trustlab.course.n11_dp_sgd_vs_edp_sgd.encoder_search import OPTIONS, SPACES
from trustlab.course.n11_dp_sgd_vs_edp_sgd.encoder_search import grid as searched
from trustlab.course.tuning import at_the_edge, uneven
from trustlab.privacy import epsilon

TUNED = dict(by=["method", "epsilon"], options=list(OPTIONS))


def test_every_method_has_as_many_trials_at_every_epsilon_and_all_are_in_the_table():
    search = ENCODER_SEARCH.table()
    assert uneven(search, **TUNED) == []
    expected = [tuple(cell.key().values()) for cell in searched("assistant")]
    assert list(search[[*searched("assistant")[0].key()]].itertuples(index=False, name=None)) == expected


def test_no_chosen_value_lies_at_an_end_of_its_range_that_has_no_reason():
    assert at_the_edge(ENCODER_SEARCH.table(), SPACES, **TUNED) == []


@pytest.mark.parametrize("corpus", CORPORA)
def test_every_cell_of_the_grid_was_trained_once_and_states_its_epsilon(corpus):
    table = ENCODER.table(corpus)
    there = Counter(table[[*KEY, "seed"]].itertuples(index=False, name=None))
    wanted = [tuple(cell.key()[name] for name in (*KEY, "seed")) for cell in grid(corpus, seeds=range(5))]
    assert there == Counter(wanted)
    for _, rows in table[table["method"] == "fast"].groupby("epsilon"):
        first = rows.iloc[0]
        examples = round(first["batch_size"] / first["share"])
        for more in (-2, 0, 2):  # the batch is a rounded share
            steps = int(first["epochs"]) * round((examples + more) / first["batch_size"])
            rate = first["batch_size"] / (examples + more)
            spent = epsilon(noise_multiplier=first["noise_multiplier"], sample_rate=rate, steps=steps, delta=1e-5)
            assert spent == pytest.approx(first["epsilon_spent"], rel=0.02)
        assert first["epsilon_spent"] <= first["epsilon"]


@pytest.mark.parametrize("corpus", CORPORA)
def test_private_trainings_learn_more_than_the_most_frequent_intent_and_each_words_tag(corpus):
    """Counting words is stronger, and not private: the finding says what it reaches."""
    table = ENCODER.table(corpus)
    means = table[table["method"].isin(METHODS)].groupby(["method", "epsilon"])[["accuracy", "slot_f1"]].mean()
    scores = table.groupby("method")[["accuracy", "slot_f1"]].mean()
    assert (means["accuracy"] > scores.loc["majority", "accuracy"]).all()
    assert (means["slot_f1"] > scores.loc["word's tag", "slot_f1"]).all()  # else it is no evidence
    assert f"(tf-idf) {100 * scores.loc['tf-idf', 'accuracy']:.1f}" in to_ship("snips").verdict or corpus != "snips"
