"""A user's own rows become a corpus, and every wrong row is named where the user finds it."""

import json
from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pyarrow
import pytest

from trustlab.data import load, load_own, serves
from trustlab.data.own import is_own
from trustlab.data.own_splits import draw_splits, periods_of
from trustlab.models import Vocabulary

NAMES = dict(text="Utterance", intent="Topic", user="Client", time="Day", group="Area", slots="Parts")
SAID = [
    ("Bring me green tea, please!", "order", [[9, 18, "drink"]]),
    ("when do you open?", "hours", []),
    ("Refund the old chai", "refund", [[15, 19, "drink"]]),
]


def rows(count=60):
    """Rows of a shop that nothing here knows."""
    return [
        {
            "Utterance": SAID[i % 3][0], "Topic": SAID[i % 3][1], "Client": f"c{i % 7}",
            "Day": f"2026-01-{1 + i % 28:02d}", "Area": "north" if i % 2 else "south", "Parts": SAID[i % 3][2],
        }
        for i in range(count)
    ]  # fmt: skip


def frame(count=60):
    return pd.DataFrame(rows(count))


def as_file(path, kind, table):
    """Write the same rows in a format."""
    cells = table.assign(Parts=[json.dumps(each) for each in table["Parts"]])
    if kind == "jsonl":
        table.to_json(path, orient="records", lines=True, force_ascii=False)
    else:
        cells.to_csv(path, index=False, sep="\t" if kind == "tsv" else ",")
    return path


def content(corpus):
    return {name: split.to_dict() for name, split in corpus.items()}


def whole(corpus):
    """The rows of all splits, in an order of their own."""
    return sorted(map(repr, (row for split in corpus.values() for row in split)))


def test_every_format_of_the_same_rows_is_the_same_corpus(tmp_path):
    expected = content(load_own(frame(), **NAMES))
    for kind in ("csv", "tsv", "jsonl"):
        found = load_own(as_file(tmp_path / f"shop.{kind}", kind, frame()), **NAMES)
        assert content(found) == expected, kind
    named = [[dict(zip(("start", "end", "label"), span, strict=True)) for span in row["Parts"]] for row in rows()]
    arrow = datasets.Dataset.from_list([row | {"Parts": spans} for row, spans in zip(rows(), named, strict=True)])
    assert content(load_own(arrow, **NAMES)) == expected
    assert content(load_own(frame().sample(frac=1, random_state=1).sort_index(), **NAMES)) == expected  # any index


def test_words_tags_and_columns_are_the_documented_ones():
    corpus = load_own(frame(), **NAMES)
    assert {name: split.num_rows for name, split in corpus.items()} == {"train": 48, "validation": 6, "test": 6}
    assert corpus["train"].column_names == ["tokens", "slots", "intent", "device", "time", "period", "group"]
    (row,) = [row for row in corpus["train"] if row["intent"] == "order"][:1]
    assert row["tokens"] == ["Bring", "me", "green", "tea", ",", "please", "!"]
    assert row["slots"] == ["O", "O", "B-drink", "I-drink", "O", "O", "O"]
    vocabulary = Vocabulary.hashed(corpus)
    assert vocabulary.intents == ("hours", "order", "refund") and vocabulary.slots == ("O", "B-drink", "I-drink")
    assert len(vocabulary.encode(corpus["test"])) == 6


def test_a_corpus_of_ones_own_is_known_as_such_and_no_other_is():
    corpus = load_own(frame(), **NAMES)
    assert is_own(corpus) and is_own({"train": corpus["train"].select(range(3))})
    assert not is_own(load("assistant")) and not is_own({"train": {"tokens": []}}) and not is_own(None)


def test_conll_has_words_and_tags_without_names_and_remarks_as_columns(tmp_path):
    path = tmp_path / "shop.conll"
    said = ["# intent = order\nBring\tx\tO\ntea\tx\tB-drink", "# intent = hours\nwhen\tx\tO"] * 10
    path.write_text("-DOCSTART-\tx\tO\n\n" + "\n\n".join(said) + "\n", encoding="utf-8")
    corpus = load_own(path, intent="intent")
    assert sum(split.num_rows for split in corpus.values()) == 20
    assert corpus["train"].filter(lambda row: row["intent"] == "order")[0]["slots"] == ["O", "B-drink"]
    assert load_own(path)["train"].column_names == ["tokens", "slots"]  # to tag only


def test_class_labels_of_datasets_are_their_names_and_its_splits_are_kept():
    features = datasets.Features({
        "words": datasets.List(datasets.Value("string")),
        "tags": datasets.List(datasets.ClassLabel(names=["O", "B-drink"])),
        "label": datasets.ClassLabel(names=["order", "hours"]),
    })  # fmt: skip
    made = {"words": [["tea", "now"], ["open"]] * 10, "tags": [[1, 0], [0]] * 10, "label": [0, 1] * 10}
    both = datasets.Dataset.from_dict(made, features=features)
    source = datasets.DatasetDict({"train": both, "test": both.select(range(4))})
    corpus = load_own(source, tokens="words", slots="tags", intent="label", validation_share=0.2)
    assert {name: split.num_rows for name, split in corpus.items()} == {"train": 16, "validation": 4, "test": 4}
    assert corpus["test"].to_list()[:1] == [{"tokens": ["tea", "now"], "slots": ["B-drink", "O"], "intent": "order"}]


def test_files_of_each_split_and_a_column_of_splits(tmp_path):
    path = as_file(tmp_path / "shop.csv", "csv", frame())
    by_file = load_own({"train": path, "dev": path, "test": path}, **NAMES)
    assert [split.num_rows for split in by_file.values()] == [60, 60, 60]
    parts = ["train"] * 40 + ["val"] * 10 + ["Test"] * 10
    by_column = load_own(frame().assign(part=parts), split="part", **NAMES)
    assert [split.num_rows for split in by_column.values()] == [40, 10, 10]
    with pytest.raises(ValueError, match=r"Expected 'train', 'validation' or 'test' in .* 'part'.*'holdout'"):
        load_own(frame().assign(part=["holdout"] * 60), split="part", **NAMES)


def test_the_same_seed_draws_the_same_rows_and_another_seed_others():
    first, again, other = (content(load_own(frame(), seed=seed, **NAMES)) for seed in (3, 3, 4))
    assert first == again and first != other
    assert whole(load_own(frame(), seed=3, **NAMES)) == whole(load_own(frame(), seed=4, **NAMES))  # none is lost


def test_a_users_rows_are_on_one_side_where_asked():
    corpus = load_own(frame(200), by_user=True, test_share=0.2, validation_share=0.2, **NAMES)
    users = [set(split["device"][:]) for split in corpus.values()]
    assert all(users) and sum(map(len, users)) == len(set.union(*users)) == 7
    apart = load_own(frame(200), **NAMES)
    assert set(apart["train"]["device"][:]) & set(apart["test"]["device"][:])  # otherwise rows are drawn
    parts = ["train"] * 30 + ["test"] * 30
    with pytest.raises(ValueError, match="Expected all rows of a user in one split, 7 of 7 users"):
        load_own(frame().assign(part=parts), split="part", by_user=True, **NAMES)


@pytest.mark.parametrize("shares", [(0.1, 0.1), (0.3, 0.05), (0.49, 0.49)])
def test_drawn_shares_are_those_asked_for(shares):
    found = draw_splits([None] * 1000, None, test_share=shares[0], validation_share=shares[1], seed=0)
    assert found.count("test") == round(1000 * shares[0]) and found.count("validation") == round(1000 * shares[1])


def test_periods_have_about_as_many_rows_and_never_none():
    rng = np.random.default_rng(0)
    periods = periods_of(rng.exponential(size=600) ** 3, 6)  # bursts
    assert np.bincount(periods).tolist() == [100] * 6
    assert periods_of([5, 5, 5, 7], 6) == [0, 0, 0, 1]
    skewed = periods_of([0] * 90 + list(range(1, 11)), 6)
    assert sorted(set(skewed)) == list(range(len(set(skewed)))) and np.diff(skewed).min() >= 0


def test_dates_and_numbers_are_times_alike():
    days = load_own(frame(), **NAMES)
    seconds = frame().assign(Day=[pd.Timestamp(day).timestamp() for day in frame()["Day"]])
    assert content(load_own(seconds, **NAMES)) == content(days)
    assert content(load_own(frame().assign(Day=pd.to_datetime(frame()["Day"])), **NAMES)) == content(days)


# Wrong rows


def broken(**cells):
    """The frame with some cells replaced: column → {row: value}."""
    table = frame().astype(object)
    for column, changes in cells.items():
        for row, value in changes.items():
            table.at[row, column] = value
    return table


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"Topic": {4: None}}, "row 4: expected a value in 'Topic', got none"),
        ({"Topic": {4: float("nan")}}, "row 4: expected a value in 'Topic', got none"),
        ({"Topic": {4: "  "}}, "row 4: expected a value in 'Topic', got none"),
        ({"Topic": {4: "NaN"}}, "row 4: expected a value in 'Topic', got none"),
        ({"Client": {0: ""}}, "row 0: expected a value in 'Client', got none"),
        ({"Area": {9: pd.NA}}, "row 9: expected a value in 'Area', got none"),
        ({"Utterance": {1: ""}}, "row 1: expected a word in 'Utterance', got ''"),
        ({"Utterance": {1: float("nan")}}, "row 1: expected a text in 'Utterance', got none"),
        ({"Utterance": {1: 7}}, "row 1: expected a text in 'Utterance', got 7"),
        ({"Day": {2: "next week"}}, "row 2: expected a number or a date such as 2026-03-01 in 'Day', got 'next week'"),
        ({"Day": {2: pd.NaT}}, "row 2: expected a number or a date"),
        ({"Parts": {0: [[9, 16, "drink"]]}}, "expected the slot 'drink' to be whole words, got the characters 9 to 16"),
        ({"Parts": {0: [[9, 900, "drink"]]}}, "expected 0 <= start < end <= 27 in 'Parts', got 9 and 900"),
        ({"Parts": {0: [[9, 18, "a"], [15, 18, "b"]]}}, "expected slots that do not overlap, 'b' at 15 to 18 does"),
        ({"Parts": {0: [["x"]]}}, r"expected a span as \[start, end, label\] in 'Parts', got \['x'\]"),
        ({"Parts": {0: "[[9, 18"}}, "as JSON in 'Parts', got"),
        ({"Parts": {0: "O O B-drink"}}, "where they are BIO tags, name the words by tokens="),
    ],
)
def test_a_wrong_row_is_named_with_what_was_expected(cells, said):
    with pytest.raises(ValueError, match=r"Expected every row of the frame .*\n.*" + said):
        load_own(broken(**cells), **NAMES)


@pytest.mark.parametrize(
    ("words", "tags", "said"),
    [
        (["a", "b"], ["O"], "expected a tag for each of 2 words, got 1 in 'tags'"),
        (
            ["a", "b"],
            ["O", "I-x"],
            "expected 'I-x' of 'b' after B-x or I-x, got it after 'O': in BIO a slot begins with B-",
        ),
        (["a", "b"], ["B-y", "I-x"], "got it after 'B-y'"),
        (["a"], ["I-x"], "got it after 'O'"),
        (["a"], ["X"], "expected the tags O, B-<slot> and I-<slot> in 'tags', got 'X'"),
        (["a", ""], ["O", "O"], "expected words in 'words', got '' among them"),
        ([], [], "expected a word in 'words', got none"),
        ("[1, 2]", ["O", "O"], "expected words in 'words', got 1 among them"),
    ],
)
def test_wrong_words_and_tags_are_named(words, tags, said):
    good = [{"words": "one two", "tags": "O B-x", "label": str(i % 2)} for i in range(9)]
    table = pd.DataFrame([*good, {"words": words, "tags": tags, "label": "1"}])
    with pytest.raises(ValueError, match=r"1 of 10 is not.*\n.*row 9: .*" + said):
        load_own(table, tokens="words", slots="tags", intent="label")


BILOU = (["B-who", "I-who", "L-who", "O", "U-day"], ["B-a", "L-a", "B-a", "L-a", "U-a"])


@pytest.mark.parametrize("ends", ["LU", "ES"], ids=["BILOU", "BIOES"])
def test_tags_with_marked_ends_become_bio(ends, tmp_path):
    """The spans are the same: read by hand here, from the marks of their ends."""
    tagged = [[tag.translate(str.maketrans("LU", ends)) for tag in row] for row in BILOU]
    words = [f"w{i}" for i in range(5)]
    blocks = ["\n".join([f"# intent = {i % 2}", *map("{}\t{}".format, words, tagged[i % 2])]) for i in range(12)]
    corpus = load_own(write(tmp_path / "x.conll", "\n\n".join(blocks)), intent="intent")
    table = pd.DataFrame({"words": [words] * 12, "tags": tagged * 6, "label": ["0", "1"] * 6})
    expected = {"0": ["B-who", "I-who", "I-who", "O", "B-day"], "1": ["B-a", "I-a", "B-a", "I-a", "B-a"]}
    for made in (corpus, load_own(table, tokens="words", slots="tags", intent="label")):
        assert {row["intent"]: row["slots"] for part in made.values() for row in part} == expected


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        (["U-x", "B-x", "O"], "expected 'B-x' of 'b' to continue, got 'O' after it: the row marks ends of slots"),
        (["B-x", "L-x", "I-x"], "expected 'L-x' of 'b' to end its slot, got 'I-x' after it"),
        (["B-x", "L-y", "O"], "expected 'B-x' of 'a' to continue, got 'L-y' after it"),
        (["O", "L-x", "O"], "expected 'L-x' of 'b' after B-x or I-x, got it after 'O'"),
        (["L-x", "O", "O"], "expected 'L-x' of 'a' after B-x or I-x, got it after 'O'"),
        (["U-x", "L-x", "O"], "expected 'U-x' of 'a' to end its slot, got 'L-x' after it"),
        (["O", "U-x", "B-x"], "expected 'B-x' of 'c' to continue, got 'O' after it"),
        (["-", "O", "O"], "got '-'; BILOU and BIOES are read too"),
    ],
)
def test_slots_that_are_cut_off_are_not_guessed(tags, said):
    good = [{"words": "a b c", "tags": "O B-x O", "label": str(i % 2)} for i in range(9)]
    table = pd.DataFrame([*good, {"words": "a b c", "tags": " ".join(tags), "label": "1"}])
    with pytest.raises(ValueError, match=f"row 9: .*{said}"):
        load_own(table, tokens="words", slots="tags", intent="label")


class Streaming:
    """What polars' frames and DuckDB's relations have in common: columns by Arrow's C stream, and nothing of pandas."""

    def __init__(self, table):
        self._table, self.columns = table, table.column_names

    def __arrow_c_stream__(self, requested_schema=None):
        return self._table.__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize("kind", [lambda table: table, Streaming, lambda table: table.to_reader(7)])
def test_a_table_that_speaks_arrow_is_read_like_a_frame(kind):
    table = pyarrow.Table.from_pylist([{**row, "Parts": json.dumps(row["Parts"])} for row in rows()])
    expected, found = load_own(frame(), **NAMES), load_own(kind(table), **NAMES)
    assert {part: found[part][:] for part in found} == {part: expected[part][:] for part in expected}
    gap = table.set_column(1, "Topic", pyarrow.array([None, *table["Topic"].to_pylist()[1:]]))
    with pytest.raises(ValueError, match=r"every row of the table .*\n.*row 0: expected a value in 'Topic', got none"):
        load_own(kind(gap), **NAMES)


def test_a_stream_of_rows_is_refused_with_a_way_out_that_works():
    made = frame().assign(Parts=[json.dumps(row["Parts"]) for row in rows()])
    stream = datasets.Dataset.from_pandas(made).to_iterable_dataset()
    with pytest.raises(ValueError, match="rows that are all there, got a stream") as raised:
        load_own(stream, **NAMES)
    taken = eval(str(raised.value).partition("want: ")[2].partition(", each split")[0])
    assert load_own(taken, **NAMES)["train"][:] == load_own(frame(), **NAMES)["train"][:]


def test_all_wrong_rows_are_counted_and_the_first_are_shown():
    with pytest.raises(ValueError, match="23 of 60 are not") as raised:
        load_own(broken(Topic={i: "" for i in range(20, 43)}), **NAMES)
    shown = str(raised.value).splitlines()
    assert shown[1].startswith("  row 20: ") and shown[5].startswith("  row 24: ") and shown[6] == "  … and 18 more"


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


LINES = "said,label\n" + "play it,a\nstop it,b\n" * 9
SHORT = dict(text="said", intent="label")


def test_lines_are_counted_as_an_editor_counts_them(tmp_path):
    cells = LINES + '"two\nlines",a\n\nplay it,\nplay,a,more\n'
    with pytest.raises(ValueError, match="2 of 21 are not") as raised:
        load_own(write(tmp_path / "x.csv", cells), **SHORT)
    assert "line 23: expected a value in 'label', got none" in str(raised.value)
    assert "line 24: expected 2 cells, got 3" in str(raised.value)
    objects = '{"said": "go", "label": "a"}\n\n{"said": \n["go"]\n{"said": "go", "label": "b", "label": "c"}\n'
    with pytest.raises(ValueError, match="3 of 4 are not") as raised:
        load_own(write(tmp_path / "x.jsonl", objects), **SHORT)
    assert "line 3: expected a JSON object, Expecting value" in str(raised.value)
    assert "line 4: expected a JSON object, got list" in str(raised.value)
    assert "line 5: expected a JSON object, got 'label' twice" in str(raised.value)
    with pytest.raises(ValueError, match="line 4: expected a word and a tag in line 5, got 'tea'"):
        load_own(write(tmp_path / "x.conll", "a O\nb B-x\n\nc O\ntea\n"))


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        (LINES.replace("said,label", "said,said"), {}, "to have a name of its own, got 'said' twice"),
        (LINES.replace(",", ";"), {}, "its first line is one cell, 'said;label'. Pass separator=';'"),
        (LINES, {"text": "sayd"}, "a column of x.csv, which has 'said', 'label'. Did you mean 'said'"),
        (LINES, {"text": None}, "Expected text= or tokens= to name a column of x.csv, which has 'said', 'label'"),
        (LINES, {"intent": None}, "Expected intent= or slots= to name a column"),
        (LINES, {"tokens": "said"}, "Expected text= or tokens=, got both"),
        (LINES.replace(",b", ",a"), {}, "two or more intents in the column 'label' of x.csv, all 18 rows have 'a'"),
        ("said,label\n", {}, "Expected rows in x.csv, got only the names of columns"),
        (" \n", {}, "Expected rows in x.csv, it is empty"),
        (LINES + '"open,a\n', {}, "the one that begins in line 20 cannot be read"),
        (LINES, {"format": "xml"}, "format= to be one of 'csv', 'tsv', 'jsonl', 'conll'"),
        (LINES, {"test_share": 0.0}, r"Expected test_share=0.0 in \(0, 0.5\)"),
        (LINES, {"by_user": True}, "Expected user= to name a column with by_user=True"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_meant_is_refused_with_the_way_out(tmp_path, text, options, said):
    with pytest.raises(ValueError, match=said):
        load_own(write(tmp_path / "x.csv", text), **{**SHORT, **options})


def test_columns_without_names_are_numbers_as_pandas_counts_them():
    """``read_csv(header=None)`` makes such columns; text=0 ended in a TypeError of difflib's."""
    bare = pd.DataFrame([["play it", "a"], ["stop it", "b"]] * 9)
    assert load_own(bare, text=0, intent=1)["train"][:] == load_own(bare, text="0", intent="1")["train"][:]
    with pytest.raises(ValueError, match="Expected text='2' to be a column of the frame, which has '0', '1'"):
        load_own(bare, text=2, intent=1)


@pytest.mark.parametrize("indent", [None, 1])
def test_a_json_array_is_no_json_lines(tmp_path, indent):
    """No line was an object, so that there seemed to be no columns."""
    array = json.dumps([{"said": "play it", "label": "a"}] * 3, indent=indent)
    with pytest.raises(ValueError, match=r"Expected a JSON object in each line of x.jsonl, got none .*read_json\(path"):
        load_own(write(tmp_path / "x.jsonl", array), **SHORT)


def test_encodings_and_byte_order_marks(tmp_path):
    text = LINES.replace("stop", "arrêt")
    expected = content(load_own(write(tmp_path / "x.csv", text), **SHORT))
    for encoding in ("utf-8-sig", "cp1252", "utf-16"):
        path = write(tmp_path / "y.csv", text, encoding)
        if encoding != "utf-8-sig":
            said = "got the byte 0xea in line 3.*encoding='cp1252'" if encoding == "cp1252" else "encoding='utf-16'"
            with pytest.raises(ValueError, match=said):
                load_own(path, **SHORT)
        how = {} if encoding == "utf-8-sig" else {"encoding": encoding}
        assert content(load_own(path, **SHORT, **how)) == expected
    assert content(load_own(write(tmp_path / "z.csv", text.replace(",", ";")), separator=";", **SHORT)) == expected


def test_what_is_no_source_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is none in .* loaded by trustlab.data.load\(name\)"):
        load_own("snips", **SHORT)
    with pytest.raises(ValueError, match=r"got builtins.list. Make a frame of it: pandas.DataFrame\(rows\)"):
        load_own([{"said": "go"}], **SHORT)
    with pytest.raises(ValueError, match=r"end in '.csv'.*pandas.read_excel"):
        load_own(write(tmp_path / "x.xlsx", "x"), **SHORT)
    with pytest.raises(ValueError, match=r"Expected a source for 'train'.*got 'said'"):
        load_own({"said": ["go"]}, **SHORT)
    with pytest.raises(ValueError, match="Expected more than 2 rows to draw test and validation from, got 2"):
        load_own(pd.DataFrame({"said": ["a", "b"], "label": ["x", "y"]}), **SHORT)


def test_nothing_is_written_or_asked_of_a_network(tmp_path, monkeypatch):
    import socket

    monkeypatch.setattr(socket, "socket", lambda *_: pytest.fail("a connection"))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    path = as_file(tmp_path / "shop.csv", "csv", frame())
    before = path.read_bytes()
    load_own(path, **NAMES)
    assert [each.name for each in tmp_path.iterdir()] == ["shop.csv"] and path.read_bytes() == before


# What it serves


def test_what_a_corpus_serves_is_said_with_what_is_missing():
    everything = serves(load_own(frame(200), test_share=0.2, **{**NAMES, "user": "Parts"} | {"user": "Day"}))
    assert everything["runs"].all()
    fewer = serves(load_own(frame(200), text="Utterance", intent="Topic"))
    lacking = {row.task: row.missing for row in fewer.itertuples() if not row.runs}
    assert lacking["train a tagger of slots privately"] == "slots other than O (slots=)"
    assert lacking["compare how well groups are served"] == "two or more groups in test (group=)"
    assert "10 or more users with training rows (user=)" in lacking["select clients by activity"]
    assert fewer.loc[fewer["task"].str.contains("classifier of intents"), "runs"].all()
    tagged = serves(load_own(pd.DataFrame({"w": ["a b"] * 9, "t": ["O B-x"] * 9}), tokens="w", slots="t"))
    assert tagged.loc[tagged["runs"], "task"].tolist() == ["train a tagger of slots privately"]


def test_one_rule_cuts_texts_into_words_everywhere():
    from trustlab.data.words_of_text import words_in
    from trustlab.fairness.sensitivity import token_batch

    assert token_batch.words_in is words_in


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("my.csv", r"load_own\('my.csv', text=\"utterance\", intent=\"label\", user=\"who\"\), from trustlab.data"),
        ("rows/said.jsonl", r"load_own\('rows/said.jsonl', text="),
        (Path("said.conll"), r"load_own\('said.conll', text="),
        ("snps", r"Rows of your own are loaded by load_own\(path, text=…, intent=…\)"),
        (3, r"name their columns: load_own\(int"),
    ],
)
def test_load_says_how_ones_own_rows_are_loaded(name, said):
    with pytest.raises(ValueError, match=rf"Expected name=.* to be one of 'assistant', 'snips'.*{said}"):
        load(name)


def test_a_frame_given_to_load_is_told_where_to_go():
    with pytest.raises(ValueError, match=r"name their columns: load_own\(DataFrame, text="):
        load(frame())
