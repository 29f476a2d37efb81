import re

import datasets
import pytest

from trustlab.data import assistant, fingerprint

ROWS = [
    {"tokens": ["play", "blue"], "slots": ["O", "B-song"], "intent": "play", "device": 3},
    {"tokens": ["stop"], "slots": ["O"], "intent": "stop", "device": 5},
    {"tokens": ["päuse", "it"], "slots": ["O", "O"], "intent": "stop", "device": 3},
]


def corpus(train=ROWS, test=ROWS[:1]):
    return datasets.DatasetDict({"train": datasets.Dataset.from_list(train), "test": datasets.Dataset.from_list(test)})


def columns(rows, names):
    return {name: [row[name] for row in rows] for name in names}


def saved_and_loaded(tmp_path):
    corpus().save_to_disk(tmp_path / "disk")
    return datasets.load_from_disk(tmp_path / "disk")


def through_jsonl(tmp_path):
    for split, rows in corpus().items():
        rows.to_json(tmp_path / f"{split}.jsonl", force_ascii=False)
    files = {split: str(tmp_path / f"{split}.jsonl") for split in ("train", "test")}
    return datasets.load_dataset("json", data_files=files, cache_dir=str(tmp_path / "cache"))


OTHER_WAYS = {
    "columns in another order": lambda tmp_path: datasets.DatasetDict(
        {
            "train": datasets.Dataset.from_dict(columns(ROWS, ["device", "intent", "slots", "tokens"])),
            "test": datasets.Dataset.from_dict(columns(ROWS[:1], ["intent", "tokens", "device", "slots"])),
        }
    ),
    "splits in another order": lambda tmp_path: datasets.DatasetDict(dict(reversed(corpus().items()))),
    "rows chosen from more": lambda tmp_path: datasets.DatasetDict(
        {
            "train": datasets.Dataset.from_list(ROWS[::-1]).select([2, 1, 0]),
            "test": datasets.Dataset.from_list(ROWS).select([0]),
        }
    ),
    "joined from pieces": lambda tmp_path: datasets.DatasetDict(
        {**corpus(), "train": datasets.concatenate_datasets([datasets.Dataset.from_list([row]) for row in ROWS])}
    ),
    "mapped to itself": lambda tmp_path: corpus().map(lambda row: dict(row)),
    "a column renamed twice": lambda tmp_path: corpus().rename_column("device", "d").rename_column("d", "device"),
    "saved and loaded": saved_and_loaded,
    "read from JSON lines": through_jsonl,
}


def test_it_is_a_sha256():
    assert re.fullmatch(r"[0-9a-f]{64}", fingerprint(corpus()))


@pytest.mark.parametrize("way", OTHER_WAYS)
def test_the_way_a_corpus_was_made_does_not_show(way, tmp_path):
    assert fingerprint(OTHER_WAYS[way](tmp_path)) == fingerprint(corpus())


def edited(row, **cells):
    rows = [dict(r) for r in ROWS]
    rows[row].update(cells)
    return rows


@pytest.mark.parametrize(
    "other",
    [
        *(
            corpus(edited(row, **cells))
            for row in range(3)
            for cells in (
                {"tokens": ["x"] * len(ROWS[row]["tokens"])},
                {"slots": ["B-x"] * len(ROWS[row]["slots"])},
                {"intent": "x"},
                {"device": 99},
            )
        ),
        corpus(edited(0, tokens=["playblue"])),  # the same letters, other words
        corpus(edited(2, tokens=["pause", "it"])),  # an accent
        corpus(edited(1, tokens=["stop"], slots=[])),
        corpus(ROWS[::-1]),
        corpus(ROWS[:2]),
        corpus([*ROWS, ROWS[0]]),
        corpus(test=ROWS[1:2]),
        corpus(ROWS[:1], ROWS),  # the splits changed places
        corpus().remove_columns("device"),
        corpus().rename_column("device", "user"),
        corpus().rename_column("slots", "s").rename_column("tokens", "slots").rename_column("s", "tokens"),
        datasets.DatasetDict({"train": corpus()["train"]}),
        datasets.DatasetDict({"train": corpus()["train"], "validation": corpus()["test"]}),
        datasets.DatasetDict({"train": corpus()["train"], "dev": corpus()["test"]}),  # the same order of splits
    ],
)
def test_any_other_content_is_another_fingerprint(other):
    assert fingerprint(other) != fingerprint(corpus())


def test_the_assistant_corpus_has_one_fingerprint_per_seed_and_dial():
    made = [
        assistant(100),
        assistant(100, seed=1),
        assistant(101),
        assistant(100, label_skew=0.6),
        assistant(100, canaries=1),
    ]
    prints = [fingerprint(corpus) for corpus in made]
    assert len(set(prints)) == len(prints)
    assert fingerprint(assistant(100)) == prints[0]
