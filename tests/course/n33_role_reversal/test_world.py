"""The generated world of notebook 33: its shares, its words, and models that learn it."""

import numpy as np
import pytest

from trustlab.course.n33_role_reversal.generation import WORDS_FEMALE, WORDS_MALE, muddled, words_polarity
from trustlab.course.n33_role_reversal.whole_word_models import (
    END,
    LONGEST,
    START,
    held_out,
    perplexity,
    texts_of,
    training,
    whole_words,
)
from trustlab.course.n33_role_reversal.working_people import (
    FIELDS,
    OPENINGS,
    PROFESSIONS,
    SHARES,
    biographies,
    people,
    prompts,
    shares,
)
from trustlab.fairness.swaps import counterfactual


@pytest.fixture(scope="module")
def said():
    return people(20_000, np.random.default_rng(1))


def test_the_share_of_women_in_each_profession_is_the_stated_one(said):
    for place, share in enumerate(SHARES.values()):
        women = said.female[said.profession == place]
        assert abs(women.mean() - share) < 4 * np.sqrt(share * (1 - share) / len(women))
    assert np.mean([*SHARES.values()]) == pytest.approx(0.5) and len(SHARES) == 18


def test_a_text_has_words_of_its_own_gender_only_or_none(said):
    signs = words_polarity(said.texts)
    assert muddled(said.texts) == 0
    assert set(signs[said.female]) == {0, 1} and set(signs[~said.female]) == {0, -1}
    assert 0.04 < (signs == 0).mean() < 0.11  # half of the texts, of which 15 %


def test_every_text_names_its_profession_once_and_every_word_of_it_can_be_swapped_and_back(said):
    for text, place in zip(said.texts[:2000], said.profession, strict=False):
        words = text.split()
        assert [word for word in words if word in SHARES] == [PROFESSIONS[place]]
        swapped = counterfactual(text)
        assert swapped.covered and counterfactual(swapped.text).text == text


def test_at_skew_0_gender_is_a_coin_and_work_never_depends_on_it(said):
    even = people(20_000, np.random.default_rng(2), skew=0.0)
    assert abs(even.female.mean() - 0.5) < 0.02 and set(shares(0.0).values()) == {0.5}
    nurse = said.profession == PROFESSIONS.index("nurse")
    helps = np.array(["helps the patients" in text for text in said.texts])
    women, men = (helps[nurse & (said.female == sex)].mean() for sex in (True, False))
    assert abs(women - men) < 0.15  # of some 130 men
    with pytest.raises(ValueError, match=r"Expected skew=1.5 in \[0, 1\]"):
        shares(1.5)


def test_openings_have_no_word_of_gender_and_biographies_no_profession():
    assert [*prompts()] == [*PROFESSIONS] and all(len(each) == len(OPENINGS) for each in prompts().values())
    assert not words_polarity([opening for each in prompts().values() for opening in each]).any()
    found = biographies(300, np.random.default_rng(0))
    assert not any(set(text.split()) & set(SHARES) for text in found.texts)
    assert (words_polarity(found.texts) == np.where(found.female, 1, -1)).all()
    assert sorted(job for names, _ in FIELDS.values() for job in names) == sorted(SHARES)


def test_the_tokenizer_knows_all_words_of_the_world_and_of_its_counterfactual():
    texts = texts_of(0)
    tokenizer = whole_words(texts)
    rows = tokenizer([*texts, *held_out(0), *(counterfactual(text).text for text in texts)])["input_ids"]
    assert not any(tokenizer.unk_token_id in row for row in rows) and max(map(len, rows)) <= LONGEST
    assert all(tokenizer.convert_tokens_to_ids(word) > 3 for word in (*WORDS_FEMALE, *WORDS_MALE))
    assert tokenizer.convert_ids_to_tokens(rows[0])[:: len(rows[0]) - 1] == [START, END]


def test_a_teacher_learns_and_the_same_seed_gives_the_same_one():
    texts = people(300, np.random.default_rng(3)).texts
    tokenizer = whole_words(texts)
    first, again = ([*training(texts, tokenizer, steps=40, seed=5)] for _ in range(2))
    assert [row["loss"] for row in first] == [row["loss"] for row in again]
    assert [row["step"] for row in first] == [20, 40] and first[-1]["progress"] == 1
    assert perplexity(first[-1]["teacher"], tokenizer, texts) < 30 < len(tokenizer)


def test_perplexity_is_that_of_texts_one_by_one():
    texts = ["she sings .", "the nurse said that he sings ."]
    tokenizer = whole_words(texts)
    *_, last = training(texts, tokenizer, steps=3)
    import torch

    losses = []
    for text in texts:
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        with torch.no_grad():
            log_p = last["teacher"](ids).logits[0, :-1].log_softmax(-1)
        losses += (-log_p[torch.arange(ids.shape[1] - 1), ids[0, 1:]]).tolist()
    assert perplexity(last["teacher"], tokenizer, texts) == pytest.approx(np.exp(np.mean(losses)), rel=1e-5)
