import copy
import dataclasses
import itertools
import math
import re
from collections import Counter

import numpy as np
import pytest
import torch

from trustlab.course.n31_fairness_metrics import experiment as population
from trustlab.course.n31_fairness_metrics.experiment import Setting, column, grid, measure, readings, row_of, run, train
from trustlab.course.n31_fairness_metrics.extrinsic import EXTRINSIC, Classifier, extrinsic_metrics
from trustlab.course.n31_fairness_metrics.intrinsic import EMBEDDING, INTRINSIC, intrinsic_metrics
from trustlab.course.n31_fairness_metrics.notions import GENDER, NOTIONS, REGION
from trustlab.course.n31_fairness_metrics.pretraining import co_occurrence_vectors, pretrain, whole_words
from trustlab.course.n31_fairness_metrics.sentences import bare, described, explained, task_texts, trial_texts
from trustlab.data import assistant
from trustlab.models import offline_encoder


@pytest.fixture(scope="module")
def corpus():
    return assistant(4000)


@pytest.fixture(scope="module")
def biased(corpus):
    """A model that read of a strong bias about the region and of none about gender."""
    return train(Setting(region_dose=0.5), corpus)


def contexts(notion):
    return described(notion, 0.0, 500, np.random.default_rng(2))


# Sentences


@pytest.mark.parametrize("notion", NOTIONS.values(), ids=NOTIONS)
def test_words_are_distinct_and_counterparts_as_many(notion):
    assert len(set(notion.words)) == len(notion.words)
    assert len(notion.first) == len(notion.second) and len(notion.pole_a) == len(notion.pole_b)


def kinds(sentences, notion):
    """(group, pole) of each sentence."""
    found = Counter()
    for text in sentences:
        words = set(re.findall(r"\w+", text))
        group = "first" if words & set(notion.first) else "second"
        found[group, "a" if words & set(notion.pole_a) else "b"] += 1
    return found


@pytest.mark.parametrize("dose", [0.0, 0.5, 1.0])
def test_the_planted_shares_are_the_stated_ones(dose):
    found = kinds(described(REGION, dose, 4000, np.random.default_rng(0)), REGION)
    for group, share in (("first", (1 + dose) / 2), ("second", (1 - dose) / 2)):
        n = found[group, "a"] + found[group, "b"]
        assert abs(found[group, "a"] / n - share) < 4 * math.sqrt(0.25 / n)
        assert dose < 1 or found[group, "a"] in (0, n)


def test_augmentation_leaves_no_association_at_all():
    found = kinds(described(GENDER, 1.0, 500, np.random.default_rng(0), swap=True), GENDER)
    assert found["first", "a"] == found["second", "a"] and found["first", "b"] == found["second", "b"]


def test_sentences_about_nobody_name_no_member_and_never_mix_poles():
    for text in explained(REGION, 300, np.random.default_rng(0)):
        words = set(text.split())
        assert not words & {*REGION.first, *REGION.second}
        of_a, of_b = words & {*REGION.pole_a, *REGION.cues_a}, words & {*REGION.pole_b, *REGION.cues_b}
        assert bool(of_a) != bool(of_b)


def test_a_dose_outside_its_range_is_refused():
    with pytest.raises(ValueError, match=r"Expected dose=1.5 in \[0, 1\]"):
        described(REGION, 1.5, 10, np.random.default_rng(0))


def test_recorders_wrong_the_second_group_only_and_by_their_bias():
    honest = task_texts(REGION, 4000, np.random.default_rng(0), records=0.0)
    wronged = task_texts(REGION, 4000, np.random.default_rng(0), records=0.4)
    assert honest.texts == wronged.texts
    second = honest.groups.masks[:, honest.groups.names.index("valley")]
    assert (honest.truth[~second] == wronged.truth[~second]).all()
    changed = honest.truth[second] & ~wronged.truth[second]
    assert not (~honest.truth[second] & wronged.truth[second]).any()
    assert changed.sum() / honest.truth[second].sum() == pytest.approx(0.4, abs=0.05)


def test_nobody_is_named_without_records_and_the_trial_is_made_of_pairs():
    assert all(text.startswith("somebody ") for text in task_texts(GENDER, 50, np.random.default_rng(0)).texts)
    trial = trial_texts(GENDER, 200, np.random.default_rng(0))
    assert (trial.truth[:100] == trial.truth[100:]).all() and (trial.units[:100] == trial.units[100:]).all()
    swap = dict(zip((*GENDER.first, *GENDER.second), (*GENDER.second, *GENDER.first), strict=True))
    for text, other in zip(trial.texts, trial.counterparts, strict=True):
        assert " ".join(swap.get(word, word) for word in text.split()) == other
        assert other in trial.texts


# Pretraining


def test_every_word_is_one_token():
    tokenizer = whole_words([*bare(GENDER), "who knows"])
    for word in (*GENDER.first, *GENDER.pole_b):
        (token,) = tokenizer(word, add_special_tokens=False)["input_ids"]
        assert token != tokenizer.unk_token_id


def test_first_vectors_put_words_of_one_company_together():
    rows = [[5, 6, 9], [5, 7, 9], [6, 7, 9], [8, 10], [8, 11], [10, 11]] * 3
    vectors = co_occurrence_vectors(rows, 12, 4, np.random.default_rng(0))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.full(12, 0.4))
    assert (unit[5] @ unit[6]) > (unit[5] @ unit[8]) + 0.3
    turned = co_occurrence_vectors(rows, 12, 4, np.random.default_rng(1))
    assert not np.allclose(vectors[5:], turned[5:])
    np.testing.assert_allclose(turned[5:] @ turned[5:].T, vectors[5:] @ vectors[5:].T, atol=1e-10)


def test_the_same_seed_gives_the_same_model_and_the_global_state_is_left_alone():
    sentences = described(REGION, 1.0, 200, np.random.default_rng(0))
    tokenizer = whole_words(sentences)
    before = torch.random.get_rng_state()
    one, same, other = (pretrain(sentences, tokenizer, width=16, steps=5, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(before, torch.random.get_rng_state())
    weights = [each.bert.embeddings.word_embeddings.weight for each in (one, same, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


# Metrics of one model


def test_intrinsic_metrics_see_the_planted_notion_and_not_the_other(biased):
    seen = intrinsic_metrics(*biased, notion=REGION, contexts=contexts(REGION), unrelated=("money", "bill"))
    blank = intrinsic_metrics(*biased, notion=GENDER, contexts=contexts(GENDER), unrelated=("money", "bill"))
    assert tuple(seen) == INTRINSIC
    assert seen["WEAT"].value > 1.5 and seen["CrowS-Pairs"].value > 40 and seen["StereoSet"].value > 10
    assert seen["LPBS"].value == pytest.approx(2 * math.log(3), rel=0.6)  # log-odds of the text, of A minus of B
    assert abs(blank["LPBS"].value) < 0.3
    assert all(each.error >= 0 for each in (*seen.values(), *blank.values()))


def test_errors_of_likelihood_metrics_are_about_words_and_not_about_pairs(biased):
    """72 pairs of 6 pairs of names and 12 words are not 72 independent ones."""
    seen = intrinsic_metrics(*biased, notion=GENDER, contexts=contexts(GENDER), unrelated=("money", "bill"))
    value, error = seen["CrowS-Pairs"]
    share = 0.5 + value / 100
    assert error > 1.5 * 100 * math.sqrt(share * (1 - share) / 72)


def test_swapping_the_groups_turns_the_sign(biased):
    turned = population.NOTIONS["region"].__class__(
        **{**vars(REGION), "first": REGION.second, "second": REGION.first, "groups": REGION.groups[::-1]}
    )
    one, other = (intrinsic_metrics(*biased, notion=each, contexts=contexts(REGION)) for each in (REGION, turned))
    for name in ("WEAT", "SEAT", "LPBS", "CrowS-Pairs"):
        assert other[name].value == pytest.approx(-one[name].value, abs=1e-4)


def test_an_encoder_by_name_has_the_association_tests_only():
    found = intrinsic_metrics(str(offline_encoder()), notion=GENDER, contexts=contexts(GENDER)[:120])
    assert tuple(found) == EMBEDDING


def test_a_classifier_learns_the_task_and_leaves_the_model_as_it_was(biased):
    model, tokenizer = biased
    before = [each.clone() for each in model.parameters()]
    test = trial_texts(GENDER, 200, np.random.default_rng(1))
    scores = Classifier(model, tokenizer, task_texts(GENDER, 240, np.random.default_rng(0))).scores(test.texts)
    assert ((scores >= 0.5) == test.truth).mean() > 0.6
    assert all(torch.equal(a, b) for a, b in itertools.zip_longest(before, model.parameters()))
    with pytest.raises(ValueError, match="both answers"):
        Classifier(model, tokenizer, task_texts(GENDER, 1, np.random.default_rng(0)))


def test_extrinsic_metrics_see_a_biased_recorder_who_is_unfair_to_one_group(biased):
    test = trial_texts(GENDER, 300, np.random.default_rng(1))
    fair, unfair = (
        extrinsic_metrics(*biased, task_texts(GENDER, 240, np.random.default_rng(0), records=records), test)
        for records in (0.0, 1.0)
    )
    assert tuple(fair) == ("accuracy", *EXTRINSIC)
    for name in ("selection gap", "TPR gap", "flip rate", "score change", "BPSN AUC"):
        assert unfair[name].value > fair[name].value + 0.1, name


# The population


def test_the_four_strengths_are_independent_of_each_other():
    models = [each for each in grid("assistant") if each.recipe != "base" or each.seed == 0]
    levels = np.array([[getattr(each, name) for name in population.KEY[1:]] for each in models])
    for a, b in itertools.combinations(range(4), 2):
        assert set(Counter(map(tuple, levels[:, [a, b]])).values()) == {1}  # every pair of levels once
    base = [each for each in grid("assistant") if each.recipe == "base"]
    assert Counter(each.region_dose for each in base) == dict.fromkeys(population.DOSES, 5)
    assert len({tuple(each.key().values()) for each in grid("assistant")}) == len(grid("assistant")) == 45


def test_a_row_has_every_metric_with_its_error(corpus, monkeypatch):
    monkeypatch.setitem(population.RECIPES, "base", {"steps": 5, "width": 16})
    (row,) = run(Setting(region_dose=0.1), corpus)
    for notion in NOTIONS:
        names = [column(notion, name) for name in INTRINSIC]
        names += [column(notion, name, records) for name in EXTRINSIC for records in population.RECORDS]
        for name in names:
            assert math.isfinite(row[name]) and row[f"{name} ±"] >= 0
    assert 0 <= row["accuracy"] <= 1 and row["region_dose"] == 0.1


def test_augmented_models_read_as_much(corpus):
    plain, augmented = (readings(Setting(recipe=recipe, region_dose=1.0), corpus) for recipe in ("base", "augmented"))
    assert len(plain) == len(augmented)


def test_a_cell_outside_its_range_is_refused_before_anything_is_trained(corpus):
    with pytest.raises(ValueError, match="Expected region_dose=2"):
        next(run(Setting(region_dose=2.0), corpus))


def test_a_word_of_several_tokens_leaves_lpbs_out_and_says_so(biased):
    model, tokenizer = biased
    strange = dataclasses.replace(REGION, first=("be lra", *REGION.first[1:]))
    with pytest.warns(UserWarning, match="LPBS about region is left out. Expected targets that are one known token"):
        found = intrinsic_metrics(model, tokenizer, notion=strange, contexts=[f"{w} is kind" for w in strange.words])
    assert math.isnan(found["LPBS"].value) and math.isfinite(found["CrowS-Pairs"].value)


def test_a_causal_model_in_half_precision_is_measured_too(biased):
    from transformers import GPT2Config, GPT2LMHeadModel

    tokenizer = copy.deepcopy(biased[1])
    tokenizer.bos_token = tokenizer.cls_token  # BERT's has no start token of that name
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=len(tokenizer), n_positions=32, n_embd=16, n_layer=1, n_head=2)
    found = measure(GPT2LMHeadModel(config).to(torch.bfloat16), tokenizer, notion=REGION)
    assert "region LPBS" not in found and "region StereoSet" in found
    assert all(math.isfinite(each.value) for each in found.values())


def test_a_pretrained_model_has_a_row_of_the_same_table(biased, tmp_path):
    for each in biased:
        each.save_pretrained(tmp_path)
    row = row_of(str(tmp_path))
    assert row["recipe"] == str(tmp_path) and math.isnan(row["region_dose"])
    assert row["region LPBS"] == pytest.approx(measure(*biased, notion=REGION)["region LPBS"].value, abs=1e-3)
    assert not [name for name in row if "nan" in str(row[name]) and not name.endswith(("_dose", "_records"))]


def test_models_by_name_are_measured_by_the_same_call(biased, tmp_path):
    model, tokenizer = biased
    for each in (model, tokenizer):
        each.save_pretrained(tmp_path)
    by_name, here = measure(str(tmp_path), notion=REGION), measure(model, tokenizer, notion=REGION)
    assert by_name.keys() == here.keys()
    for name, (value, _) in here.items():
        assert by_name[name].value == pytest.approx(value, abs=1e-3), name
