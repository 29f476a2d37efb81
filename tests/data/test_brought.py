"""Corpora that users bring, on made-up files with the real columns: what is read of them, and what is refused."""

import gzip

import numpy as np
import pandas
import pytest

from trustlab.data import catalog, load
from trustlab.data.brought import BROUGHT
from trustlab.data.brought_readers import BROUGHT_READERS, GENDERS, IDENTITIES, PROFESSIONS

PARTS = {"train": 6, "dev": 2, "test": 4}


def biographies(count, first=0):
    numbers = np.arange(first, first + count)
    texts = [f"She met {place} people ." for place in numbers]
    return pandas.DataFrame({"hard_text": texts, "profession": numbers % 28, "gender": numbers % 2})


def write_biographies(folder, named="{}-00000-of-00001-0ab65b32c47407e8.parquet", **changes):
    folder.mkdir(parents=True, exist_ok=True)
    for part, count in PARTS.items():
        biographies(count, 3 * count).assign(**changes).to_parquet(folder / named.format(part))
    return folder


def comments(count=40, score="toxicity", split=True):
    """Every fourth is toxic, every second one names women; the last ten have no identities."""
    place = np.arange(count)
    table = pandas.DataFrame(
        {
            "id": place,
            "comment_text": [f'comment {i}, "quoted"\nin two lines' for i in place],
            score: np.where(place % 4 == 0, 0.5, 0.499),
        }
    )
    for name in IDENTITIES:
        table[name] = np.where(place < count - 10, 0.0, np.nan)
    table.loc[(place % 2 == 0) & (place < count - 10), "female"] = 0.75
    if split:
        table["split"] = np.where(place % 5 == 0, "test", "train")
    return table


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_DATA", str(tmp_path))
    monkeypatch.setenv("TRUSTLAB_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.mark.parametrize(("inside", "named"), [("data", "{}-00000-of-00001-0ab65.parquet"), (".", "{}.parquet")])
def test_biographies_are_read_with_names_for_numbers(inside, named, data):
    write_biographies(data / "bias_in_bios" / inside, named)
    corpus = load("bias_in_bios")
    assert [rows.num_rows for rows in corpus.values()] == [6, 2, 4]
    assert corpus["validation"][1] == {"text": "She met 7 people .", "profession": "dietitian", "gender": "female"}
    assert load("bias_in_bios", directory=data)["test"][:] == corpus["test"][:]


def test_the_numbers_are_those_of_the_card():
    assert len(PROFESSIONS) == 28 and list(PROFESSIONS) == sorted(PROFESSIONS)
    assert (PROFESSIONS[2], PROFESSIONS[13], PROFESSIONS[27], GENDERS[0]) == (
        "attorney",
        "nurse",
        "yoga teacher",
        "male",
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"profession": 28}, "whole numbers from 0 to 27, got int64 with 28"),
        ({"gender": 0.5}, "whole numbers from 0 to 1, got float64"),
        ({"gender": "F"}, "whole numbers from 0 to 1"),
        ({"hard_text": " "}, "Expected a text in each row of hard_text"),
    ],
)
def test_biographies_with_other_values_are_refused(changes, said, data):
    write_biographies(data / "bias_in_bios", **changes)
    with pytest.raises(ValueError, match=said):
        load("bias_in_bios")


def test_a_table_without_the_columns_is_refused_with_those_it_has(data):
    folder = write_biographies(data / "bias_in_bios", "{}.parquet")
    pandas.DataFrame({"bio": ["x"], "title": ["nurse"]}).to_parquet(folder / "dev.parquet")
    with pytest.raises(ValueError, match=r"it lacks hard_text, profession, gender and has bio, title"):
        load("bias_in_bios")


def test_a_pickle_is_refused_and_never_opened(data):
    (data / "bias_in_bios").mkdir()
    (data / "bias_in_bios" / "BIOS.pkl").write_bytes(b"cos\nsystem\n(S'exit 3'\ntR.")
    with pytest.raises(ValueError, match=r"got .*BIOS\.pkl\. A pickle runs whatever code its writer put into it"):
        load("bias_in_bios")


def test_two_versions_of_a_file_are_refused(data):
    for each in ("a", "b"):
        write_biographies(data / "bias_in_bios", "{}-" + each + ".parquet")
    with pytest.raises(ValueError, match=r"one file train\*\.parquet, got train-a\.parquet, train-b\.parquet"):
        load("bias_in_bios")


@pytest.mark.parametrize("name", BROUGHT)
def test_without_files_it_is_said_where_they_come_from(name, data):
    with pytest.raises(
        FileNotFoundError, match=f"{name} is a corpus that you bring: take it from {BROUGHT[name].source}"
    ):
        load(name)


@pytest.mark.parametrize("packed", [False, True])
def test_comments_are_read_with_the_identities_they_mention(packed, data):
    (data / "jigsaw").mkdir()
    text = comments().to_csv(index=False)
    path = data / "jigsaw" / ("all_data.csv.gz" if packed else "all_data.csv")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    corpus = load("jigsaw")
    assert sum(rows.num_rows for rows in corpus.values()) == 30  # ten are not annotated
    assert corpus["test"].num_rows == 6
    assert corpus["test"][0] == {"text": 'comment 0, "quoted"\nin two lines', "toxic": True, "identities": ["female"]}
    assert corpus["test"][1] == {"text": 'comment 5, "quoted"\nin two lines', "toxic": False, "identities": []}
    assert load("jigsaw", seed=1)["train"]["text"][:] != corpus["train"]["text"][:]


def test_the_competitions_file_is_divided_by_the_seed(data):
    (data / "jigsaw").mkdir()
    comments(60, score="target", split=False).to_csv(data / "jigsaw" / "train.csv", index=False)
    corpus = load("jigsaw")
    texts = [text for rows in corpus.values() for text in rows["text"]]
    assert corpus["test"].num_rows == 5 and len(set(texts)) == len(texts) == 50


def test_a_comment_that_says_none_is_a_comment_and_an_empty_one_is_left_out(data):
    (data / "jigsaw").mkdir()
    table = comments()
    table.loc[[1, 2], "comment_text"] = ["None", "  "]
    table.to_csv(data / "jigsaw" / "all_data.csv", index=False)
    texts = [text for rows in load("jigsaw").values() for text in rows["text"]]
    assert len(texts) == 29 and "None" in texts


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda table: table.drop(columns="muslim"), "it lacks muslim"),
        (lambda table: table.drop(columns="toxicity"), "it lacks toxicity or target"),
        (lambda table: table.assign(black=2.0), r"shares of raters in \[0, 1\]"),
        (lambda table: table.assign(female="yes"), "with texts in them"),
        (lambda table: table.assign(female=np.nan), "got 0 annotated rows"),
        (lambda table: table.assign(split="dev"), "Expected split in .* to be 'train' and 'test', got 'dev'"),
    ],
)
def test_comments_of_another_format_are_refused(change, said, data):
    (data / "jigsaw").mkdir()
    change(comments()).to_csv(data / "jigsaw" / "all_data.csv", index=False)
    with pytest.raises(ValueError, match=said):
        load("jigsaw")


def test_the_catalogue_lists_them():
    access = catalog().set_index("name")["access"]
    assert [name for name in access.index if access[name] == "yours"] == list(BROUGHT) == list(BROUGHT_READERS)
