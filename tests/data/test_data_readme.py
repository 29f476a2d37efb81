"""data/README.md and the catalogue say the same."""

import json
from pathlib import Path

import pandas
import pytest

from trustlab.data import catalog, example_file
from trustlab.data.catalogue import CORPORA
from trustlab.data.grammar import INTENTS, SLOTS
from trustlab.data.planted import DISADVANTAGED, RECORDED, SENSITIVE

README = (Path(__file__).resolve().parents[2] / "data" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CORPORA)
def test_every_file_is_documented_with_its_hash(name):
    section = README.split(f"\n## {name}\n")[1].split("\n## ")[0]
    assert CORPORA[name].source in section
    for file in CORPORA[name].files:
        assert f"`{file.path}`" in section
        assert f"`{file.sha256}`" in section
        assert f"`{file.gz_sha256}`" in section or not file.gz_sha256


def test_every_corpus_has_its_chapter():
    for name in catalog()["name"]:
        assert f"\n## {name}" in README


def test_the_ground_truth_is_stated():
    assert f"| {len(INTENTS)} | {len(SLOTS)} |" in README
    for word in (DISADVANTAGED, RECORDED, *SENSITIVE):
        assert word in README


def test_the_example_is_what_is_said_of_it():
    rows = pandas.read_csv(example_file())
    said = README.split("**`examples/utterances.csv`**")[1].split("\n\n")[0]
    members = rows.groupby("member")["branch"].first()
    assert f"{len(rows)} invented messages" in said and f"by {len(members)} members of two" in said
    assert "six wishes" in said and rows["wish"].nunique() == 6 and rows["branch"].nunique() == 2
    assert f"`harbour` are\n{({8: 'eight'})[(members == 'harbour').sum()]}" in said
    days = pandas.to_datetime(rows["day"])
    assert "half a year" in said and days.dt.month.nunique() == 6
    kinds = {kind for cell in rows["parts"] for _, _, kind in json.loads(cell)}
    assert kinds == {"title", "day", "room"}
    hill = rows[rows["branch"] == "hill"]["message"].str.split().explode().unique()
    own = rows[rows["branch"] == "harbour"]["message"].str.split().map(lambda words: bool(set(words) - set(hill)))
    assert "seven of ten" in said and 0.6 < own.mean() < 0.85  # or a name for a book that hill never asked about


def test_each_argument_of_load_own_is_in_the_table():
    table = README.split("## Your own rows")[1].split("\n## ")[0]
    for name in ("text", "tokens", "intent", "slots", "user", "time", "group", "split"):
        assert f"| `{name}`" in table
