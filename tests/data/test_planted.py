import numpy as np
import pytest
from scipy import stats

from trustlab.data import assistant
from trustlab.data.phrases import DIGITS
from trustlab.data.planted import CANARY_FORMS, DISADVANTAGED, MOST_CANARIES, RECORDED, SENSITIVE


def frames(**dials):
    corpus = assistant(seed=5, **dials)
    return {
        split: rows.to_pandas().assign(text=lambda frame: frame["tokens"].map(" ".join))
        for split, rows in corpus.items()
    }


@pytest.fixture(scope="module")
def clean():
    return frames()


@pytest.mark.parametrize("group_bias", [0.3, 0.8])
def test_sensitive_requests_are_misrecorded_with_the_planted_probability(group_bias):
    train = frames(group_bias=group_bias)["train"]
    open_to_bias = train[(train["group"] == DISADVANTAGED) & train["true_intent"].isin(SENSITIVE)]
    hits = (open_to_bias["intent"] == RECORDED).sum()
    assert len(open_to_bias) > 200
    assert stats.binomtest(int(hits), len(open_to_bias), group_bias).pvalue > 1e-3


def test_full_bias_hits_every_sensitive_request_of_the_group_and_nothing_else(clean):
    biased = frames(group_bias=1.0)
    train = biased["train"]
    hit = (train["group"] == DISADVANTAGED) & train["true_intent"].isin(SENSITIVE)
    assert (train["intent"][hit] == RECORDED).all()
    assert (train["intent"][~hit] == train["true_intent"][~hit]).all()
    for split in biased:
        same = [column for column in train.columns if split != "train" or column not in ("intent", "domain")]
        assert biased[split][same].map(str).equals(clean[split][same].map(str))


def test_without_bias_the_recorded_intent_is_the_true_one(clean):
    for frame in clean.values():
        assert (frame["intent"] == frame["true_intent"]).all()


def test_canaries_are_planted_in_train_and_nothing_else_changes(clean):
    planted = frames(canaries=7, canary_repetitions=20)
    ordinary = planted["train"].query("canary == -1")
    assert ordinary.map(str).equals(clean["train"].map(str))
    for split in ("validation", "test"):
        assert planted[split].map(str).equals(clean[split].map(str))
    secrets = planted["train"].query("canary >= 0")
    assert secrets["canary"].value_counts().to_dict() == dict.fromkeys(range(7), 20)
    assert (secrets.groupby("canary")[["text", "device", "intent", "group"]].nunique() == 1).all(axis=None)
    assert secrets["text"].nunique() == 7
    assert not set(secrets["text"]) & {text for frame in clean.values() for text in frame["text"]}


@pytest.mark.parametrize("digits", [4, 6])
def test_a_canary_is_its_prefix_and_a_secret_of_one_slot(digits):
    train = frames(utterances=100, canaries=9, canary_repetitions=1, canary_digits=digits)["train"]
    for row in train.query("canary >= 0").itertuples():
        prefix, slot, intent = CANARY_FORMS[row.canary % 3]
        known = len(prefix.split())
        assert " ".join(row.tokens[:known]) == prefix
        assert row.intent == row.true_intent == intent
        secret = row.tokens[known:]
        assert list(row.slots) == ["O"] * known + [f"B-{slot}"] + [f"I-{slot}"] * (len(secret) - 1)
        if slot != "colour":
            assert len(secret) == digits
            assert set(secret) <= set(DIGITS)


def test_the_most_canaries_have_the_most_colours():
    train = frames(utterances=100, canaries=MOST_CANARIES, canary_repetitions=1)["train"].query("canary >= 0")
    assert train["text"].nunique() == MOST_CANARIES


def test_secret_digits_are_uniform():
    digits = [
        token
        for seed in range(20)
        for row in assistant(10, canaries=60, canary_repetitions=1, seed=seed)["train"]
        if row["canary"] >= 0
        for token, slot in zip(row["tokens"], row["slots"], strict=True)
        if slot.endswith(("pin", "phone_number"))
    ]
    counts = [digits.count(digit) for digit in DIGITS]
    assert np.sum(counts) == 20 * 40 * 4
    assert stats.chisquare(counts).pvalue > 1e-4
