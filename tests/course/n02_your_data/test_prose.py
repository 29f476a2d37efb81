"""What notebook 02 says in words holds for the file that it reads."""

import json
import re
import tomllib
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from trustlab.course.n02_your_data.rows_to_read import side_by_side
from trustlab.data import assistant, example_file, load_own, serves

ROOT = Path(__file__).resolve().parents[3]
NOTEBOOK = json.loads((ROOT / "notebooks" / "02_your_data.ipynb").read_text(encoding="utf-8"))
TEXTS = tomllib.loads((ROOT / "trustlab" / "course" / "n02_your_data" / "teaching.toml").read_text(encoding="utf-8"))
NAMED = dict(text="message", intent="wish", slots="parts", user="member", time="day", group="branch")


@pytest.fixture(scope="module")
def corpus():
    return load_own(example_file(), **NAMED, test_share=0.3)


def test_the_numbers_of_the_question_are_those_of_the_notebook(corpus):
    rows, others = corpus["train"].num_rows, assistant(seed=0)["train"].num_rows
    asked = TEXTS["questions"]["few rows"]
    assert f"Your file has {rows} rows to train on" in asked["question"] and f"{others:,} rows" in asked["question"]
    assert f"16,000 / {rows} = {others / rows:.0f} times fewer" in asked["because"]
    assert f"of {others / rows:.0f} times fewer gradients" in asked["choices"][asked["answer"]]
    assert f"{sum(map(len, corpus.values()))} invented messages" in TEXTS["card"]["data"]


def test_the_example_serves_everything_and_is_small(corpus):
    assert serves(corpus)["runs"].all()
    assert example_file().stat().st_size <= 30_000
    lines = example_file().read_text(encoding="utf-8").splitlines()
    assert lines[0] == "message,wish,member,day,branch,parts" and len(lines) == 301


def test_harbours_members_are_few_and_have_words_of_their_own(corpus):
    rows = [row for split in corpus.values() for row in split]
    members = {row["device"]: row["group"] for row in rows}
    counts = Counter(members.values())
    assert counts["harbour"] * 2 == counts["hill"]
    words = {group: {word for row in rows if row["group"] == group for word in row["tokens"]} for group in counts}
    own = words["harbour"] - words["hill"]
    using = sum(bool(own & set(row["tokens"])) for row in rows if row["group"] == "harbour")
    assert {"mate", "owe"} & own == {"mate"} and using > 0.5 * sum(row["group"] == "harbour" for row in rows)


def test_the_code_is_forty_lines_and_its_only_numbers_in_words_are_its_options():
    (end,) = [i for i, cell in enumerate(NOTEBOOK["cells"]) if "## Exercises" in "".join(cell["source"])]
    told, last = NOTEBOOK["cells"][:end], "".join(NOTEBOOK["cells"][end]["source"]).partition("## Exercises")[0]
    code = ["".join(cell["source"]) for cell in told if cell["cell_type"] == "code"]
    assert sum(bool(line.strip()) for cell in code for line in cell.splitlines()) <= 40
    prose = "\n".join(["".join(cell["source"]) for cell in told if cell["cell_type"] == "markdown"] + [last])
    prose = re.sub(r"\[[^\]]*\]\([^)]*\)|<[^>]*>", "", prose)
    assert re.findall(r"\d+", prose) == ["8"] and "epsilon=8.0" in "\n".join(code)  # ε = 8


def test_what_corpora_serve_stands_side_by_side(corpus):
    alone = load_own(pd.read_csv(example_file()), text="message", intent="wish")
    rows = side_by_side({"all": corpus, "alone": alone})
    assert {row["all"] for row in rows} == {"yes"}
    lacking = {row["task"]: row["alone"] for row in rows if row["alone"] != "yes"}
    assert lacking["select clients by activity"] == "10 or more users with training rows (user=)"
    assert len(rows) == len(serves(corpus)) and len(lacking) == 7
