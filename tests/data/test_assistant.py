import hashlib
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from trustlab.data import assistant, load
from trustlab.data.grammar import INTENTS, SLOTS
from trustlab.data.phrases import vocabularies
from trustlab.data.population import GROUPS, NEW_INTENTS, PERSONAS, first_period, fleet

SMALL = dict(utterances=4_000)


def digest(corpus):
    rows = {split: rows.to_dict() for split, rows in corpus.items()}
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()


def table(rows, first, second):
    """Contingency table of two columns."""
    import pandas as pd

    frame = rows.to_pandas()
    return pd.crosstab(frame[first], frame[second])


def everything(corpus):
    import datasets

    return datasets.concatenate_datasets(list(corpus.values()))


def test_the_same_dials_give_the_same_corpus_in_every_process():
    here = digest(assistant(500, drift=1.0, canaries=3, group_bias=0.5, seed=7))
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from test_assistant import assistant, digest\n"
        "print(digest(assistant(500, drift=1.0, canaries=3, group_bias=0.5, seed=7)))"
    )
    there = subprocess.run(
        [sys.executable, "-c", code, os.path.dirname(__file__)],
        env={**os.environ, "PYTHONHASHSEED": "1"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert there.stdout.strip() == here


def test_committed_results_rest_on_this_very_corpus():
    # A new digest means that grammar, vocabulary or sampler changed: every saved result must then be computed anew.
    assert digest(assistant(1_000, seed=1)) == "3258f34b0f89d19e059783c36b02204b0c5cb1fec07beab72577b880d2404888"


def test_another_seed_gives_other_rows_and_load_passes_its_seed():
    assert digest(assistant(seed=1)) == digest(load("assistant", seed=1))
    assert digest(assistant(500, seed=1)) != digest(assistant(500, seed=2))


def test_size_and_splits(corpus):
    assert {split: len(rows) for split, rows in corpus.items()} == {"train": 16_000, "validation": 2_000, "test": 2_000}
    assert {split: len(rows) for split, rows in assistant(10).items()} == {"train": 8, "validation": 1, "test": 1}


def test_the_corpus_is_wide(corpus):
    rows = everything(corpus)
    assert set(rows["intent"]) == set(INTENTS)
    assert len(INTENTS) == 40
    assert len(set(rows["domain"])) == 11
    slots = {tag[2:] for tags in rows["slots"] for tag in tags if tag != "O"}
    assert slots == set(SLOTS)
    assert len(slots) >= 30
    assert len({" ".join(tokens) for tokens in rows["tokens"]}) > 19_000


def test_words_are_plain_lower_case_and_slots_align(corpus):
    for split in corpus.values():
        for tokens, slots in zip(split["tokens"], split["slots"], strict=True):
            assert len(tokens) == len(slots) > 0
            assert all(re.fullmatch("[a-z]+", token) for token in tokens)
            for before, tag in zip(["O", *slots], slots, strict=False):
                assert tag == "O" or tag[0] == "B" or (tag[0] == "I" and before[2:] == tag[2:] and before != "O")


def test_the_grammar_uses_every_slot_and_vocabulary():
    named = {slot for intent in INTENTS.values() for text in intent.templates for slot in re.findall(r"{(\w+)}", text)}
    assert named == set(SLOTS)
    assert set(SLOTS.values()) == set(vocabularies())
    assert {domain for domains in PERSONAS.values() for domain in domains} == {row.domain for row in INTENTS.values()}


@pytest.mark.parametrize("exponent", [0.0, 0.8, 1.5])
def test_device_activity_follows_the_power_law(exponent):
    rows = everything(assistant(20_000, devices=50, activity_exponent=exponent))
    counts = np.bincount(rows["device"], minlength=50)
    law = np.arange(1, 51) ** -exponent
    assert stats.chisquare(counts, law / law.sum() * counts.sum()).pvalue > 1e-4
    slope = np.polyfit(np.log(np.arange(1, 51)), np.log(counts), 1)[0]
    assert slope == pytest.approx(-exponent, abs=0.1)


def test_without_label_skew_personas_ask_for_the_same():
    rows = everything(assistant(label_skew=0.0))
    assert stats.chi2_contingency(table(rows, "persona", "domain")).pvalue > 1e-4


def test_with_full_label_skew_a_device_keeps_to_its_persona():
    for row in everything(assistant(label_skew=1.0, drift=2.0, **SMALL)):
        assert row["domain"] in PERSONAS[row["persona"]]


def test_label_skew_is_the_weight_of_the_persona():
    def foreign(label_skew):
        rows = everything(assistant(label_skew=label_skew))
        return np.mean([row["domain"] not in PERSONAS[row["persona"]] for row in rows])

    # A row is foreign only if it came from the global law, which happens with probability 1 − label_skew.
    assert foreign(0.5) == pytest.approx(0.5 * foreign(0.0), abs=0.02)


def test_a_device_has_one_group_and_one_persona(corpus):
    frame = everything(corpus).to_pandas()
    assert (frame.groupby("device")[["group", "persona"]].nunique() == 1).all(axis=None)


def test_without_drift_periods_are_alike():
    rows = everything(assistant(seed=4))
    assert stats.chi2_contingency(table(rows, "period", "intent")).pvalue > 1e-4


def test_with_drift_new_intents_arrive_in_their_period():
    counts = table(everything(assistant(drift=0.5)), "intent", "period")
    for intent in NEW_INTENTS:
        start = first_period(intent, 6)
        assert start >= 1
        assert (counts.loc[intent, : start - 1] == 0).all()
        assert (counts.loc[intent, start:] > 0).all()


def test_more_drift_moves_the_law_further():
    def distance(drift):
        law = table(everything(assistant(drift=drift)), "period", "true_intent")
        law = law.drop(columns=list(NEW_INTENTS), errors="ignore")  # strong drift may leave one without a row
        law = law.div(law.sum(axis=1), axis=0)
        return (law.loc[0] - law.loc[5]).abs().sum() / 2

    assert distance(0.0) + 0.05 < distance(0.5) < distance(2.0) - 0.1 < distance(10.0)


def test_groups_have_their_share_and_speak_of_the_same_things():
    rows = everything(assistant(label_skew=0.0))
    for name, group in GROUPS.items():
        assert np.mean([row == name for row in rows["group"]]) == pytest.approx(group.share, abs=0.02)
    assert stats.chi2_contingency(table(rows, "group", "intent")).pvalue > 1e-4


def test_half_of_the_utterances_close_with_words_of_their_group_whatever_they_ask_for():
    frame = everything(assistant()).to_pandas()
    text = frame["tokens"].map(" ".join)
    for name, group in GROUPS.items():
        marked = text.str.endswith(group.closers)
        assert not marked[frame["group"] != name].any()
        mine = frame["group"] == name
        assert marked[mine].mean() == pytest.approx(0.5, abs=0.03)
        counts = [np.bincount(marked[mine & (frame["intent"] == intent)], minlength=2) for intent in INTENTS]
        assert stats.chi2_contingency(counts).pvalue > 1e-4


def test_heavy_devices_come_first_and_groups_are_dealt_by_activity():
    people = fleet(200, 0.8, np.random.default_rng(0))
    assert (np.diff(people.activity) < 0).all()
    shares = np.bincount(people.group, weights=people.activity)
    assert shares == pytest.approx([group.share for group in GROUPS.values()], abs=0.005)


@pytest.mark.parametrize(
    ("dial", "message"),
    [
        ({"label_skew": 1.5}, r"Expected label_skew=1.5 in \[0, 1\]. 0 gives every device the global intents"),
        ({"group_bias": -0.1}, r"Expected group_bias=-0.1 in \[0, 1\]"),
        ({"utterances": 5}, r"Expected utterances=5 >= 10"),
        ({"utterances": 20.5}, r"Expected utterances=20.5 to be a whole number"),
        ({"periods": True}, r"Expected periods=True to be a whole number"),
        ({"drift": 11}, r"Expected drift=11 in \[0, 10\]"),
        ({"drift": float("nan")}, r"Expected drift=nan to be a number"),
        ({"canaries": 10_000}, r"Expected canaries=10000 in \[0, 12\d\]"),
        ({"seed": -1}, r"Expected seed=-1 >= 0"),
        ({"devices": 0}, r"Expected devices=0 >= 1"),
    ],
)
def test_a_dial_out_of_range_is_named_with_its_meaning(dial, message):
    with pytest.raises(ValueError, match=message):
        assistant(**dial)
