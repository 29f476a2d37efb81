import gzip
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trustlab.data.readers import parse_annotation, read_hwu, read_slot_gated

PLAIN = st.text(st.characters(exclude_categories=["Cs", "Zs", "Zl", "Zp", "Cc"], exclude_characters="[]"), min_size=1)
WORDS = st.lists(PLAIN, min_size=1, max_size=3)
NAMES = st.from_regex("[a-z_]+", fullmatch=True)
GAPS = st.sampled_from(["", " ", "  ", "\t"])


@given(st.lists(st.tuples(WORDS, st.none() | NAMES, GAPS)))
def test_an_annotation_gives_back_the_words_and_slots_it_was_written_from(parts):
    text, tokens, slots = "", [], []
    for words, slot, gap in parts:
        phrase = " ".join(words)
        # Plain words are always set apart by a space; brackets may touch their neighbours.
        text += f" {phrase} " if slot is None else f"[{gap}{slot}{gap}:{gap}{phrase}{gap}]"
        tokens += words
        slots += ["O"] * len(words) if slot is None else [f"B-{slot}"] + [f"I-{slot}"] * (len(words) - 1)
    assert parse_annotation(text) == (tokens, slots)


@given(st.text(st.sampled_from("ab [:]\t")))
def test_any_text_is_parsed_into_aligned_bio_or_refused(text):
    try:
        tokens, slots = parse_annotation(text)
    except ValueError as error:
        assert "Expected slots as [slot : value]" in str(error)
        return
    assert len(tokens) == len(slots)
    assert not any(re.search(r"[\[\]\s]", token) for token in tokens)
    for before, slot in zip(["O", *slots], slots, strict=False):
        assert slot[0] in "OB" or before in (slot, f"B{slot[1:]}")


def test_a_comma_behind_a_bracket_is_a_token():
    assert parse_annotation("to [person : mira], now") == (["to", "mira", ",", "now"], ["O", "B-person", "O", "O"])


@pytest.mark.parametrize("text", ["to [person : ]", "to [person : mira", "to person] now", "a [b : [c : d]]", "[mira]"])
def test_a_bracket_that_is_no_annotation_is_refused(text):
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        parse_annotation(text)


@pytest.fixture
def three_files(tmp_path):
    """Write a slot-gated corpus with the given train files and return its paths."""

    def write(words, tags, labels):
        files = {}
        for split in ("train", "valid", "test"):
            (tmp_path / split).mkdir()
            for kind, content in (("seq.in", words), ("seq.out", tags), ("label", labels)):
                files[f"{split}/{kind}"] = tmp_path / split / kind
                files[f"{split}/{kind}"].write_bytes(content)
        return files

    return write


def test_a_row_with_more_tokens_than_tags_is_named_by_file_and_line(three_files):
    files = three_files(b"a b\nc d\n", b"O O\nO\n", b"x\ny\n")
    with pytest.raises(ValueError, match=r"line 2 of \S*train/seq.in, got 2 tokens and 1 tags"):
        read_slot_gated(files, 0)


def test_files_of_different_length_are_refused(three_files):
    with pytest.raises(ValueError, match=r"train, got 2, 2 and 1\. One of them is cut short"):
        read_slot_gated(three_files(b"a\nb\n", b"O\nO\n", b"x\n"), 0)


def test_text_that_is_not_utf8_is_refused(three_files):
    with pytest.raises(ValueError, match=r"Expected \S*train/seq.in to be UTF-8 text"):
        read_slot_gated(three_files("caf\xe9\n".encode("latin-1"), b"O\n", b"x\n"), 0)


def test_white_space_line_ends_and_multiple_labels(three_files):
    # U+2028 breaks lines for str.splitlines, not in these files.
    files = three_files("a  b \r\nc\u2028d\r\n".encode(), b"O B-x\r\nO O\r\n", b"one#two\r\nthree \r\n")
    assert read_slot_gated(files, 0)["validation"] == {
        "tokens": [["a", "b"], ["c", "d"]],
        "slots": [["O", "B-x"], ["O", "O"]],
        "intent": ["one#two", "three"],
    }


HEADER = "test_fold\tanswerid\tscenario\tintent\tanswer_annotation\tanswer_from_anno\tanswer_from_user"


def hwu(tmp_path, *rows):
    path = tmp_path / "folds.tsv.gz"
    path.write_bytes(gzip.compress("\n".join([HEADER, *rows, ""]).encode()))
    return {"folds": path}


@pytest.mark.parametrize(("seed", "test", "validation"), [(0, 1, 2), (3, 4, 5), (9, 10, 1), (13, 4, 5)])
def test_the_seed_picks_the_folds(tmp_path, seed, test, validation):
    rows = [f"{fold}\t7\talarm\tset\twake me [date : today]\t\t" for fold in range(1, 11)]
    splits = read_hwu(hwu(tmp_path, *rows), seed)
    assert splits["test"]["fold"] == [test]
    assert splits["validation"]["fold"] == [validation]
    assert sorted(splits["train"]["fold"]) == sorted(set(range(1, 11)) - {test, validation})
    assert splits["test"]["intent"] == ["alarm_set"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1\t7\talarm", "Expected 7 cells in line 2"),
        ("1\t7\talarm\tset\t[date\t\t", r"It is in line 2 of \S*folds"),
    ],
)
def test_a_malformed_row_is_named_by_file_and_line(tmp_path, row, message):
    with pytest.raises(ValueError, match=message):
        read_hwu(hwu(tmp_path, row), 0)
