"""What notebook 33 measures of a model: samples against exact probabilities, vectors and decisions."""

import numpy as np
import pytest
import torch

from trustlab.course.n33_role_reversal import elsewhere, generation
from trustlab.course.n33_role_reversal.elsewhere import MEN_S, WOMEN_S, decisions
from trustlab.course.n33_role_reversal.generation import (
    WORDS_FEMALE,
    WORDS_MALE,
    equity,
    exact_shares,
    first_gendered,
    next_words,
    nucleus,
    ratios,
    say,
    vectors_polarity,
    words_polarity,
)
from trustlab.course.n33_role_reversal.whole_word_models import texts_of, training, whole_words
from trustlab.course.n33_role_reversal.working_people import OPENINGS, PROFESSIONS, Texts, prompts
from trustlab.fairness.association import WordVectors, weat
from trustlab.fairness.generated_texts import equity_ratios
from trustlab.fairness.groups import Groups
from trustlab.models.continuation import draw_from_nucleus


@pytest.fixture(scope="module")
def half_trained():
    texts = texts_of(0)[:1000]
    tokenizer = whole_words(texts_of(0))
    *_, last = training(texts, tokenizer, steps=120)
    return last["teacher"], tokenizer


def test_the_next_words_are_the_models_own_opening_by_opening(half_trained):
    model, tokenizer = half_trained
    female, male = next_words(model, tokenizer)
    job, opening = 4, 2
    with torch.no_grad():
        ids = torch.tensor([tokenizer(prompts()[PROFESSIONS[job]][opening])["input_ids"][:-1]])
        p = model(ids).logits[0, -1].double().softmax(-1)
    for found, words in ((female, WORDS_FEMALE), (male, WORDS_MALE)):
        assert found[job, opening] == pytest.approx(float(p[tokenizer.convert_tokens_to_ids([*words])].sum()), rel=1e-5)
    assert female.shape == (18, len(OPENINGS)) and (female + male < 1).all()


def test_sampled_first_words_are_as_frequent_as_the_nucleus_has_them(half_trained):
    model, tokenizer = half_trained
    said = say(model, tokenizer, each=100, seed=3)
    first = words_polarity([text.split(" ")[0] or "end" for text in said.texts])
    told = first != 0
    for job, exact in enumerate(exact_shares(model, tokenizer, top_p=0.9)):
        here = told & (said.profession == job)
        error = np.sqrt(exact * (1 - exact) / here.sum())
        assert abs((first[here] > 0).mean() - exact) < 4.5 * error + 0.01


def test_the_nucleus_is_the_one_that_is_sampled_from():
    p = np.random.default_rng(0).dirichlet(np.ones(12), size=5)
    kept = nucleus(p, 0.7)
    drawn = [
        draw_from_nucleus(torch.from_numpy(np.log(p)), np.full(len(p), u), 0.7) for u in np.linspace(0, 0.999, 200)
    ]
    for row in range(len(p)):
        assert {int(each[row]) for each in drawn} == set(np.flatnonzero(kept[row]))
    np.testing.assert_allclose(kept.sum(1), 1)
    np.testing.assert_array_equal(nucleus(p, 1.0), p)


def test_samples_depend_on_the_seed_and_begin_with_the_openings_in_turn(half_trained):
    first, again, other = (say(*half_trained, each=2, seed=seed) for seed in (1, 1, 2))
    assert first.texts == again.texts != other.texts
    assert first.openings[:5] == [*prompts()[PROFESSIONS[0]], prompts()[PROFESSIONS[0]][0]]
    assert (np.bincount(first.profession) == 8).all()


def test_ratios_and_levels_are_the_packages():
    said = np.array([1] * 30 + [-1] * 10 + [1] * 5 + [-1] * 20)
    job = np.array([0] * 40 + [1] * 25)
    rows = equity(said, job)
    mean = next(row for row in rows if row["metric"] == "equity_ratio_mean")
    assert mean["value"] == pytest.approx((1 / 3 + 1 / 4) / 2) and mean["blind"] < 1
    known = {row["metric"]: row["value"] for row in equity_ratios(said, Groups.by(job)) if row["group"] != 0}
    assert known["equity_ratio_mean"] == pytest.approx(mean["value"])
    np.testing.assert_allclose(ratios(np.array([30 / 40, 5 / 25])), [1 / 3, 1 / 4])


def test_as_many_gendered_texts_are_counted_for_every_model_and_too_few_are_refused():
    profession = np.tile(np.arange(len(PROFESSIONS)), 6)
    polarity = np.where(np.arange(len(profession)) < len(PROFESSIONS), 0, 1)
    kept = first_gendered(polarity, profession, 4)
    assert (np.bincount(profession[kept]) == 4).all() and (polarity[kept] == 1).all()
    with pytest.raises(ValueError, match=r"Expected 6 gendered texts of each profession, got .*'nurse': 5"):
        first_gendered(polarity, profession, 6)


def test_vectors_and_words_agree_on_a_texts_gender_where_vectors_have_one():
    axis = {word: [1.0, 0.2] for word in WORDS_FEMALE} | {word: [-1.0, 0.2] for word in WORDS_MALE}
    vectors = WordVectors({**axis, "nurse": [5.0, 0.0], "sings": [0.0, 1.0]})
    texts = ["she sings", "he lost his", "the nurse sings", "her his"]
    assert vectors_polarity(texts, vectors).tolist() == [1, -1, 0, 0]  # a nurse has no gender
    assert words_polarity(texts).tolist() == [1, -1, 0, 0]


def test_word_association_is_weat_of_the_input_embeddings(half_trained):
    model, tokenizer = half_trained
    table = model.transformer.wte.weight.detach().numpy()
    sets = [table[tokenizer.convert_tokens_to_ids([*words])] for words in (WOMEN_S, MEN_S, WORDS_FEMALE, WORDS_MALE)]
    assert elsewhere.word_association(model, tokenizer) == pytest.approx(weat(*sets, permutations=0).effect_size)
    assert len(WOMEN_S) == len(MEN_S) == 9


def test_a_model_whose_vectors_have_a_gender_shows_it_in_context_too(half_trained):
    model, tokenizer = half_trained
    assert -2 < elsewhere.context_association(model, tokenizer) < 2


def test_decisions_compare_women_and_men_of_each_profession():
    asked = Texts(["…"] * 4, np.array([0, 0, 1, 1]), np.array([True, False, True, False]))
    found = decisions(asked, np.array([0, 0, 1, 0]), np.array([0, 1, 0, 1]))
    # profession 0: women are right in texts 0 and 1 swapped (1 of 2), men in 0 swapped and 1 (2 of 2); and so for 1
    assert found.tpr_gap == pytest.approx((abs(0.5 - 1.0) + abs(1.0 - 0.0)) / 2)
    assert found.accuracy == pytest.approx(5 / 8) and found.flips == pytest.approx(3 / 4)


def test_a_classifier_that_sees_no_gender_has_no_gap(monkeypatch):
    def place_only(model, tokenizer, texts):
        places = sorted({text.split(" at the ")[1].split()[0] for text in texts})
        return np.array([[text.split(" at the ")[1].startswith(place) for place in places] for text in texts], float)

    monkeypatch.setattr(elsewhere, "states", place_only)
    found = elsewhere.classified(None, None)
    assert found.tpr_gap == 0 and found.flips == 0 and 0.2 < found.accuracy < 0.5  # one of three


def test_states_do_not_depend_on_the_other_texts(half_trained):
    texts = ["she works at the office .", "he reads the chart and lost his bag . he is a doctor ."]
    together = elsewhere.states(*half_trained, texts)
    np.testing.assert_allclose(together[0], elsewhere.states(*half_trained, texts[:1])[0], atol=1e-5)


def test_all_that_is_counted_has_a_name_that_texts_use():
    assert not set(WORDS_FEMALE) & set(WORDS_MALE) and generation.TOP_P == 0.9
