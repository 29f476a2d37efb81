"""The labelled texts that fairness is measured on, as their SOURCE.md describes them. No sentence is printed."""

import csv
import gzip
import json
from collections import Counter

import pytest

from trustlab.data import load
from trustlab.data.labelled_readers import read_dialect_model, read_hatexplain, read_unintended_bias


@pytest.fixture
def read(real_data):
    return lambda name: load(name, directory=real_data)


def test_hatexplain_names_targets_and_rationales_where_all_annotation_is_known(read):
    splits = read("hatexplain")
    kinds = ("normal", "hatespeech", "offensive")
    counts = [Counter(rows["label"][:]) for rows in splits.values()]
    assert [[count[kind] for kind in kinds] for count in counts] == [
        [6_251, 4_748, 4_384],
        [781, 593, 548],
        [782, 594, 548],
    ]
    assert not any(splits["train"]["annotated"][:]) and not any(splits["train"]["targets"][:])
    held_out = [row for name in ("validation", "test") for row in splits[name]]
    targets = Counter(target for row in held_out for target in row["targets"])
    assert (targets["None"], targets["African"], targets["Women"], targets["Christian"]) == (1_323, 625, 298, 7)
    for row in held_out:
        assert row["annotated"] and len(row["rationale"]) in (0, len(row["tokens"]))
        assert not row["rationale"] or max(row["rationale"]) <= 1
        assert Counter(row["labels"])[row["label"]] >= 2


def test_davidson(read):
    splits = read("davidson_hate")
    assert [len(rows) for rows in splits.values()] == [19_827, 2_478, 2_478]
    labels = Counter(label for rows in splits.values() for label in rows["label"])
    assert labels == {"hate": 1_430, "offensive": 19_190, "neither": 4_163}
    order = ("hate", "offensive", "neither")
    for row in splits["test"]:
        assert max(row["votes"]) == row["votes"][order.index(row["label"])]


def test_every_frame_is_filled_with_every_identity_term_and_keeps_its_label(read):
    rows = read("unintended_bias")["test"].to_pandas()
    madlibs = rows[(rows["set"] == "madlibs") & (rows["identities"].str.len() == 1)]
    madlibs = madlibs.assign(identity=madlibs["identities"].str[0])
    assert set(madlibs["identity"].value_counts()) == {1_514} and madlibs["identity"].nunique() == 50
    frames = madlibs.groupby("frame")
    assert len(frames) == 1_514 and set(frames["toxic"].nunique()) == {1} and set(frames["identity"].nunique()) == {50}
    comments = rows[rows["set"] == "comments"]
    assert (len(comments), comments["toxic"].sum()) == (1_492, 248)
    assert (comments["text"] != comments["counterpart"]).sum() == 734


def test_cad_imdb_has_one_review_of_each_sentiment_in_a_pair(read):
    splits = read("cad_imdb")
    assert [len(rows) for rows in splits.values()] == [3_414, 490, 976]
    for rows in splits.values():
        assert set(Counter(zip(rows["pair"], rows["label"], strict=True)).values()) == {1}
        assert Counter(rows["label"][:])["Positive"] == len(rows) / 2


def test_the_dialect_model_counts_words_in_four_dialects(read):
    rows = read("twitter_aae_model")["test"]
    assert rows.column_names == ["word", "african_american", "hispanic", "asian", "white"] and len(rows) == 191_874
    assert rows[0]["word"] == "i" and rows[0]["white"] == 12_852_806.02


def hatexplain_file(folder, *posts):
    path = folder / "posts.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, posts)).encode()))
    return {"posts": path}


def test_targets_need_two_annotators_and_rationales_those_who_marked_any(tmp_path):
    post = {
        "text_norm": "a b",
        "label": "offensive",
        "labels": ["offensive"] * 3,
        "platform": "gab",
        "tokens": ["a", "b"],
    }
    annotated = post | {
        "split": "val",
        "detail": "full",
        "targets": [["Women", "Women"], ["Women", "Islam"], ["None"]],
        "rationales": [[1, 0], [1, 1], [0, 0]],
    }
    half = post | {"split": "train", "detail": "disagreement", "target_union": ["Women"]}
    undecided = post | {"split": "undecided", "detail": "disagreement"}
    splits = read_hatexplain(hatexplain_file(tmp_path, annotated, half, undecided, half | {"split": "test"}), 0)
    assert splits["validation"]["targets"] == [["Women"]] and splits["validation"]["rationale"] == [[1.0, 0.5]]
    assert splits["train"]["annotated"] == [False] and splits["train"]["targets"] == [[]]
    assert sum(len(columns["text"]) for columns in splits.values()) == 3


def test_the_longest_identity_term_is_named(tmp_path):
    def write(name, *rows):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        with path.open("w", newline="") as file:
            csv.writer(file).writerows(rows)
        return path

    comments = [("rev_id", "comment", "toxic"), ("1", "made up", "True")]
    files = {
        "bias_madlibs_77k.csv": write(
            "madlibs", ("Text", "Label", "Template"), ("old young man", "BAD", "x"), ("young old dog", "NOT_BAD", "y")
        ),
        "madlibs_words/adjectives_people.txt": write("terms", ("old",), ("old young",)),
        "toxicity_nonfuzzed_testset.csv": write("plain", *comments),
        "toxicity_fuzzed_testset.csv": write("fuzzed", *comments),
    }
    rows = read_unintended_bias(files, 0)["test"]
    assert rows["identities"] == [["old young"], ["old"], []] and rows["frame"] == ["* man", "young * dog", ""]
    assert rows["toxic"] == [True, False, True]
    files["toxicity_fuzzed_testset.csv"] = write("fuzzed", comments[0], ("2", "made up", "True"))
    with pytest.raises(ValueError, match="in one order"):
        read_unintended_bias(files, 0)


def test_counts_without_their_words_are_refused(tmp_path):
    (tmp_path / "vocab").write_text("3\ta\n2\tb\n")
    (tmp_path / "counts").write_text("1 2 3 4\n")
    with pytest.raises(ValueError, match="4 counts for each of 2 words, got 1 rows"):
        read_dialect_model({"model_vocab.txt": tmp_path / "vocab", "model_count_table.txt": tmp_path / "counts"}, 0)
