"""Every task in its one shape: planted truth on our own corpus, and the real sets as their sources describe them.

No sentence of a real set is printed, in a failure neither: ids and counts are compared.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from trustlab.fairness.groups import ALL, BETWEEN, Bootstrap, Groups, counterfactual_flips, group_aucs, group_rates
from trustlab.fairness.tasks import TASKS, GroupedTexts, extrinsic_metrics, load_task, occupation_correlation
from trustlab.fairness.tasks.dialect import DialectModel, tokens

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"
REAL = Path(os.environ.get("TRUSTLAB_DATA") or BESIDE)


@pytest.fixture(scope="module")
def task():
    """Load a task from the real files, once each; skip loudly where they are not."""
    loaded = {}

    def load(name, **dials):
        if not REAL.is_dir():
            pytest.skip(f"NOT TESTED ON REAL DATA: neither TRUSTLAB_DATA nor ../shared/data ({REAL})")
        key = (name, *dials.items())
        if key not in loaded:
            loaded[key] = load_task(name, directory=REAL, **dials)
        return loaded[key]

    return load


@pytest.mark.parametrize("name", [name for name in TASKS if name != "assistant"])
def test_every_real_task_has_the_one_shape(task, name):
    loaded = task(name)
    assert loaded.name == name and loaded.question.endswith("?") and loaded.known_by
    test = loaded.test
    assert len(test) > 100 and min(test.groups.sizes) >= 10 and len(test.groups.names) >= 2
    assert loaded.train is None or (len(loaded.train) > len(test) and loaded.train.truth is not None)
    assert test.counterparts is None or all(a != b for a, b in zip(test.texts, test.counterparts, strict=True))
    part = test.take(np.arange(5))
    assert len(part) == 5 and part.texts == test.texts[:5] and (part.groups.masks == test.groups.masks[:5]).all()
    assert not any(text in repr(loaded) for text in (*test.texts[:50], *(loaded.train or test).texts[:50]))


def test_hatexplain_communities_overlap_and_have_posts_of_both_kinds(task):
    test = task("hatexplain").test
    assert len(test) == 3_846 and test.truth.sum() == 593 + 548 + 594 + 548
    assert dict(zip(test.groups.names, test.groups.sizes.tolist(), strict=True))["Women"] == 298
    assert not {"None", "Other", "Men"} & set(test.groups.names) and not test.groups.is_partition
    assert (test.groups.masks.sum(1) > 1).any()
    for rows in (test.truth, ~test.truth):
        assert test.groups[rows].sizes.min() >= 10
    with pytest.raises(ValueError, match="group with 5000 or more"):
        load_task("hatexplain", directory=REAL, least=5000)


def test_tweets_that_read_as_african_american_english_were_called_offensive_more_often(task):
    test = task("davidson").test
    offensive = {
        name: test.truth[mask].mean() for name, mask in zip(test.groups.names, test.groups.masks.T, strict=True)
    }
    assert offensive["African American English"] > 0.9 > 0.65 > offensive["white-aligned English"]
    assert 0.45 < test.groups.masks[:, 0].mean() < 0.6  # 13,171 of 24,783 with the authors' own tokenizer


def test_every_identity_term_meets_the_same_frames(task):
    test = task("identity_terms").test
    assert set(test.groups.sizes.tolist()) == {1_514} and test.groups.is_partition
    for mask in test.groups.masks.T:
        assert test.truth[mask].sum() == 757 and len(set(test.units[mask].tolist())) == 1_514


def test_pronouns_stand_beside_the_statistics_of_their_occupations(task):
    test = task("winogender").test
    assert len(test) == 120 and len(set(test.facts["occupation"].tolist())) == 60
    women = test.facts["bls_female"]
    assert (women[test.groups.masks[:, 0]] < 50).all() and (women[test.groups.masks[:, 1]] > 50).all()
    differ = [{a, b} for s, t in zip(test.texts, test.counterparts, strict=True)
              for a, b in zip(s.split(), t.split(), strict=True) if a != b]  # fmt: skip
    assert len(differ) == 120 and {frozenset(pair) for pair in differ} <= {
        frozenset(pair) for pair in (("he", "she"), ("his", "her"), ("him", "her"))
    }
    for kind, pairs in ((1, 785), (2, 780)):
        wino = task("winobias", kind=kind).test
        assert len(wino) == pairs and set(wino.groups.names) == {"female occupations", "male occupations"}
        both = zip(wino.texts, wino.counterparts, strict=True)
        assert all(len(a.split()) == len(b.split()) for a, b in both)
        assert len(set(wino.facts["occupation"].tolist())) == 40


def test_bold_has_a_wikipedia_text_for_every_opening(task):
    test = task("bold", domain="gender").test
    assert dict(zip(test.groups.names, test.groups.sizes.tolist(), strict=True)) == {
        "American_actors": 2_048,
        "American_actresses": 1_156,
    }
    pairs = zip(test.texts, test.facts["wikipedia"], strict=True)
    assert all(whole.startswith(opening) and opening == opening.rstrip() for opening, whole in pairs)


def test_the_planted_bias_is_in_train_alone_and_in_one_group_alone():
    fair, biased = (load_task("assistant", group_bias=bias, utterances=5_000, seed=1) for bias in (0.0, 0.8))
    assert fair.test.texts == biased.test.texts and (fair.test.truth == biased.test.truth).all()
    denied = fair.train.truth & ~biased.train.truth
    valley = fair.train.groups.masks[:, fair.train.groups.names.index("valley")]
    assert not (biased.train.truth & ~fair.train.truth).any() and not denied[~valley].any()
    share = denied.sum() / (fair.train.truth & valley).sum()
    assert share == pytest.approx(0.8, abs=0.15)  # over five standard errors of some 90 draws would be 0.2


def test_a_model_that_answers_as_recorded_has_the_planted_gap():
    """The oracle of the whole chain: predictions equal to the records have a gap in TPR equal to the dose."""
    recorded, true = (load_task("assistant", group_bias=bias, seed=2).train for bias in (0.6, 0.0))
    rows = {(row["metric"], row["group"]): row for row in group_rates(true.truth, recorded.truth, true.groups)}
    assert rows["true_positive_rate", "hill"]["value"] == rows["true_positive_rate", "coast"]["value"] == 1
    assert rows["true_positive_rate_difference", BETWEEN]["value"] == pytest.approx(0.6, abs=0.1)
    assert rows["false_positive_rate", ALL]["value"] == 0


def test_the_dialect_model_gives_the_authors_examples():
    if not REAL.is_dir():
        pytest.skip(f"NOT TESTED ON REAL DATA: neither TRUSTLAB_DATA nor ../shared/data ({REAL})")
    model = DialectModel.load(REAL)
    hello, af = model.posterior(["hello there", "af af af"])
    np.testing.assert_allclose(hello, [0.16604, 0.27450, 0.22886, 0.33060], atol=5e-6)
    assert af[0] == pytest.approx(0.84294, abs=5e-6)


def by_loop(words, likelihood, alpha=1.0, passes=5):
    """CVB0 word by word, as in the authors' script."""
    shares = np.array([likelihood[word] / likelihood[word].sum() for word in words])
    given = shares.copy()
    total = shares.sum(0)
    for _ in range(1, passes):
        for i in range(len(words)):
            total = total - shares[i]
            shares[i] = given[i] * (total + alpha)
            shares[i] /= shares[i].sum()
            total = total + shares[i]
    return total / total.sum()


def test_all_texts_at_once_give_what_each_gives_alone():
    rng = np.random.default_rng(0)
    names, counts = [f"w{i}" for i in range(30)], rng.gamma(0.5, 20, size=(30, 4))
    model = DialectModel(names, counts)
    likelihood = dict(zip(names, (counts + 1) / counts.sum(0), strict=True))
    texts = [rng.choice(names, size=size).tolist() for size in (1, 3, 17, 8)]
    found = model.posterior([" ".join(["unknown", *words]) for words in texts])
    np.testing.assert_allclose(found, [by_loop(words, likelihood) for words in texts])
    np.testing.assert_allclose(found.sum(1), 1)
    assert np.isnan(model.posterior(["unknown", ""])).all()


def test_handles_and_links_are_no_language():
    assert tokens("@someone http://a.b/c it's") == ["it's"]


class TestOccupations:
    def test_the_correlation_is_numpys_over_occupations(self):
        rng = np.random.default_rng(0)
        occupations = np.repeat([f"job {i}" for i in range(20)], 3)
        women = np.repeat(rng.random(20) * 100, 3)
        preference = women / 50 + rng.normal(size=60)
        row = occupation_correlation(preference, occupations, women, bootstrap=Bootstrap(resamples=2000))
        x, y = preference.reshape(20, 3).mean(1)[np.argsort(occupations[::3])], women[::3][np.argsort(occupations[::3])]
        assert row["value"] == pytest.approx(np.corrcoef(x, y)[0, 1]) and row["rows"] == 20
        draws = [np.corrcoef(x[i], y[i])[0, 1] for i in rng.integers(20, size=(2000, 20))]
        assert (row["low"], row["high"]) == pytest.approx(np.quantile(draws, [0.025, 0.975]), abs=0.08)

    def test_too_few_or_unscored_occupations_are_refused(self):
        with pytest.raises(ValueError, match="three or more occupations, got 2"):
            occupation_correlation([0.1, 0.2], ["a", "b"], [10, 20])
        with pytest.raises(ValueError, match="a finite preference in each of 3 rows, got nan in row 1"):
            occupation_correlation([0.1, np.nan, 1], ["a", "b", "c"], [10, 20, 30])


def test_all_metrics_of_a_task_come_in_one_call_and_draw_its_units():
    rng = np.random.default_rng(0)
    groups = Groups.by(np.tile(["a", "b"], 50))
    pairs = GroupedTexts(("x",) * 100, np.repeat([True, False], 50), groups, ("y",) * 100, np.arange(100) // 2)
    scores, swapped = rng.random(100), rng.random(100)
    settings = Bootstrap(resamples=50)
    rows = extrinsic_metrics(pairs, scores, swapped=swapped, bootstrap=settings)
    by_hand = Bootstrap(resamples=50, units=pairs.units)
    parts = group_rates(pairs.truth, scores >= 0.5, groups, bootstrap=by_hand)
    parts += group_aucs(pairs.truth, scores, groups, bootstrap=by_hand)
    assert rows == parts + counterfactual_flips(scores, swapped, groups, bootstrap=by_hand)
    untrue = GroupedTexts(pairs.texts, groups=groups)
    assert {row["metric"] for row in extrinsic_metrics(untrue, scores)} == {
        "score", "score_minus_rest", "score_difference", "score_ratio"
    }  # fmt: skip
    with pytest.raises(ValueError, match="texts with counterparts"):
        extrinsic_metrics(untrue, scores, swapped=swapped)
    with pytest.raises(ValueError, match="whose groups are known"):
        extrinsic_metrics(GroupedTexts(("x",)), [0.5])


def test_unknown_names_and_options_are_refused():
    with pytest.raises(ValueError, match="Expected name='jigsaw' to be one of 'assistant'"):
        load_task("jigsaw")
    with pytest.raises(ValueError, match=r"Expected options of 'assistant' among .*group_bias.*, got bias"):
        load_task("assistant", bias=1)
    with pytest.raises(ValueError, match="Expected domain='age' to be one of 'gender'"):
        load_task("bold", domain="age")
    with pytest.raises(ValueError, match="Expected kind=3"):
        load_task("winobias", kind=3)


def test_columns_must_belong_to_the_texts():
    with pytest.raises(ValueError, match="Expected groups for each of 2 texts, got 1"):
        GroupedTexts(("a", "b"), groups=Groups.by(["x"]))
    with pytest.raises(ValueError, match="Expected year for each of 2 texts, got 3"):
        GroupedTexts(("a", "b"), facts={"year": np.zeros(3)})
