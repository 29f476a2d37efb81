"""The real corpora as their SOURCE.md describes them."""

import statistics
from collections import Counter

import pytest

from trustlab.data import catalog, load
from trustlab.data.catalogue import CORPORA
from trustlab.data.fairness_sets import FAIRNESS_SETS


@pytest.fixture(scope="module", params=CORPORA)
def real(request, real_data):
    return request.param, load(request.param, directory=real_data)


def slot_types(rows):
    return {tag[2:] for tags in rows["slots"] for tag in tags if tag != "O"}


def test_tokens_and_slots_are_aligned_bio(real):
    _, corpus = real
    for rows in corpus.values() if "slots" in corpus["test"].column_names else ():
        for tokens, slots in zip(rows["tokens"], rows["slots"], strict=True):
            assert len(tokens) == len(slots) > 0
            for before, slot in zip(["O", *slots], slots, strict=False):
                assert slot == "O" or slot[:2] == "B-" or (slot[:2] == "I-" and before[1:] == slot[1:])


def test_rows_are_those_of_the_catalogue(real):
    name, corpus = real
    assert list(corpus) == [part for part in ("train", "validation", "test") if part in corpus] and "test" in corpus
    assert len(corpus) == 3 or name in FAIRNESS_SETS
    assert sum(map(len, corpus.values())) == catalog().set_index("name").loc[name, "rows"]


def test_hashes_are_those_recorded_beside_the_files(real_data):
    for name, corpus in CORPORA.items():
        recorded = (real_data / name / "SOURCE.md").read_text(encoding="utf-8")
        for file in corpus.files:
            assert f"`{file.gz_sha256 or file.sha256}`" in recorded, file.path
        assert corpus.source.split("@")[1] in recorded


def verbatim(corpus):
    seen = {tuple(tokens) for tokens in corpus["train"]["tokens"]}
    return sum(tuple(tokens) in seen for tokens in corpus["test"]["tokens"])


def test_snips(real_data):
    corpus = load("snips", directory=real_data)
    assert [len(rows) for rows in corpus.values()] == [13_084, 700, 700]
    assert {len(set(rows["intent"])) for rows in corpus.values()} == {7}
    assert {len(slot_types(rows)) for rows in corpus.values()} == {39}
    assert verbatim(corpus) == 26  # kept, as published results have them


def test_atis(real_data):
    corpus = load("atis", directory=real_data)
    assert [len(rows) for rows in corpus.values()] == [4_478, 500, 893]
    assert [len(set(rows["intent"])) for rows in corpus.values()] == [21, 16, 20]
    assert [len(slot_types(rows)) for rows in corpus.values()] == [79, 67, 69]
    assert verbatim(corpus) == 13
    assert "atis_airfare#atis_flight" in corpus["test"]["intent"][:]


def test_clinc150(real_data):
    corpus = load("clinc150", directory=real_data)
    assert [len(rows) for rows in corpus.values()] == [15_100, 3_100, 5_500]
    assert [rows["intent"][:].count("oos") for rows in corpus.values()] == [100, 100, 1_000]
    assert len(set(corpus["train"]["intent"])) == 151
    assert len(set(corpus["train"]["domain"])) == 11
    assert slot_types(corpus["train"]) == set()


def test_hwu64(real_data):
    corpus = load("hwu64", directory=real_data, seed=9)
    assert [len(rows) for rows in corpus.values()] == [8_608, 1_076, 1_352]
    labels = {intent for rows in corpus.values() for intent in rows["intent"]}
    assert len(labels) == 64
    assert len({domain for rows in corpus.values() for domain in rows["domain"]}) == 18
    assert len(set.union(*map(slot_types, corpus.values()))) == 54
    assert sum(tag[0] == "B" for rows in corpus.values() for tags in rows["slots"] for tag in tags) == 9_133


def test_shakespeare_roles(real_data):
    corpus = load("shakespeare_roles", directory=real_data)
    assert [len(rows) for rows in corpus.values()] == [86_496, 10_811, 10_811]
    lines = Counter(role for rows in corpus.values() for role in rows["role"])
    assert len(lines) == 1_347 and lines.most_common(1) == [("hamlet: HAMLET", 1_495)]
    assert statistics.median(lines.values()) == 23
    assert len({play for rows in corpus.values() for play in rows["play"]}) == 37
    tested = Counter(corpus["test"]["role"])
    light = {role for role, count in lines.items() if count <= 23}
    assert sum(tested[role] for role in light) == pytest.approx(0.1 * sum(lines[role] for role in light), rel=0.15)
    other = load("shakespeare_roles", directory=real_data, seed=1)["test"]
    assert other["text"][:] != corpus["test"]["text"][:]


def test_20newsgroups(real_data):
    corpus = load("20newsgroups", directory=real_data)
    assert [len(rows) for rows in corpus.values()] == [10_183, 1_131, 7_532]
    assert {len(set(rows["group"])) for rows in corpus.values()} == {20}
    senders = Counter(user for rows in corpus.values() for user in rows["user"])
    assert len(senders) == 8_480 and max(senders.values()) == 121
    assert sum(count >= 5 for count in senders.values()) == 749


def test_wnut17(real_data):
    corpus = load("wnut17", directory=real_data)
    assert [len(rows) for rows in corpus.values()] == [3_394, 1_009, 1_287]
    assert [sum(map(len, rows["tokens"])) for rows in corpus.values()] == [62_730, 15_733, 23_394]
    tested = Counter(tag for tags in corpus["test"]["tags"] for tag in tags)
    assert (tested["B-person"], tested["B-group"], tested["B-corporation"]) == (429, 165, 66)


def test_xquad(real_data):
    corpus = load("xquad", directory=real_data)
    assert [len(rows) for rows in corpus.values()] == [756, 217, 217]
    assert {len(set(rows["article"])) for rows in corpus.values()} == {48}
    assert not set(map(tuple, corpus["train"]["context"])) & set(map(tuple, corpus["test"]["context"]))
    row = corpus["train"][0]
    first, last = row["answer"]
    assert row["context"][first : last + 1] == ["308"]


def test_e2e_nlg(real_data):
    corpus = load("e2e_nlg", directory=real_data)
    assert [len(rows) for rows in corpus.values()] == [4_215, 457, 4_693]
    meanings = [{str((row["kinds"], row["values"])) for row in rows} for rows in corpus.values()]
    assert len(meanings[0] | meanings[1]) == 547 and len(meanings[2]) == 630
    assert not meanings[0] & meanings[1] and not (meanings[0] | meanings[1]) & meanings[2]
    assert {kind for rows in corpus.values() for kinds in rows["kinds"] for kind in kinds} == {
        "name", "area", "eatType", "food", "familyFriendly", "near", "priceRange", "customer rating",
    }  # fmt: skip
