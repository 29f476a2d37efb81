import dataclasses
import re
from pathlib import Path

import datasets
import numpy as np
import pandas
import pytest

from trustlab.course.n23_continual_learning import plays
from trustlab.course.n23_continual_learning.plays import (
    CORPUS,
    KEY,
    PLAYS,
    ROUNDS,
    Setting,
    grid,
    recipe,
    result_name,
    run,
    stream,
)
from trustlab.course.n23_continual_learning.results import plays_rows
from trustlab.course.registry import EXPERIMENTS, experiment_of
from trustlab.results import read_results, write_results

COMMITTED = Path(__file__).resolve().parents[3] / "data" / "results"


@pytest.fixture(scope="module")
def corpus():
    """Made-up lines of three roles in each play, the first of whom talks most; one play is of no period."""
    words = ["the", "moon", "is", "made", "of", "green", "cheese", "and", "nobody", "minds", "it", "much", "at", "all"]
    rng, made = np.random.default_rng(0), {}
    for split, count in {"train": 4, "test": 1}.items():
        rows = []
        for play in ("tempest", *(play for pair in PLAYS for play in pair)):
            for role, lines in {"king": 3 * count, "fool": count, "page": count}.items():
                rows += [(" ".join(rng.choice(words, 3)), f"{play}: {role}", play) for _ in range(lines)]
        made[split] = datasets.Dataset.from_dict(
            dict(zip(("text", "role", "play"), zip(*rows, strict=True), strict=True))
        )
    return datasets.DatasetDict(made)


def test_a_role_is_a_device_of_one_period_and_other_plays_are_left_out(corpus):
    said = stream(corpus)
    assert len(said.clients) == 36 and sorted(said.clients.sizes.tolist()) == [4] * 24 + [12] * 12
    assert np.bincount(said.periods).tolist() == [40] * 6
    assert all(len(set(said.periods[own])) == 1 for own in said.clients)
    assert len(said.problem.train) == 240 and len(said.problem.test) == len(said.test_periods) == 60
    found = said.problem.evaluate(said.problem.model, said.problem.test)
    assert set(found) == {"accuracy"} and 0 <= found["accuracy"] < 0.5


def test_a_row_has_the_documented_fields(corpus, monkeypatch):
    monkeypatch.setattr(plays, "ROUNDS", 6)
    monkeypatch.setattr(plays, "PER_ROUND", 4)
    (over_time,), (static,) = (run(Setting(setting=setting, seed=1), corpus) for setting in ("continual", "static"))
    documented = set(re.findall(r"``(\w+)``", run.__doc__.split("Yields")[1]))
    assert set(over_time) == set(static) == documented
    assert len(over_time["matrix"].split("|")) == 36 and len(static["matrix"].split("|")) == 6
    assert len(over_time["curve"].split("|")) == len(static["curve"].split("|")) == 6
    last = [float(value) for value in over_time["matrix"].split("|")[-6:]]
    assert min(last) <= over_time["accuracy"] <= max(last)


def test_the_settings_differ_in_their_periods_alone():
    static, over_time = (dataclasses.asdict(recipe(Setting(setting=setting))) for setting in ("static", "continual"))
    assert static.pop("rounds") == len(PLAYS) * over_time.pop("rounds") == ROUNDS
    assert static == over_time
    known = EXPERIMENTS["continual-learning-plays"]
    assert experiment_of(Setting()) is known and known.named("static", 1.0) == "static, β = 1"


def test_the_committed_table_is_whole():
    table, about = read_results(COMMITTED / result_name(CORPUS))
    committed = list(table[["corpus", *KEY, "seed"]].itertuples(index=False, name=None))
    assert len(about["seeds"]) >= 3
    assert committed == [tuple(cell.key().values()) for cell in grid(CORPUS, seeds=about["seeds"])]
    assert about["config"]["continual"] == dataclasses.asdict(recipe(Setting()))


def test_what_the_plays_gain_is_read_off_the_table(tmp_path, monkeypatch):
    """All at once activity gains 0.02 and ends at 0.4; over time it starts from 0.3."""
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path))
    rows = []
    for cell in grid(CORPUS):
        accuracy = 0.38 + 0.02 * cell.beta if cell.setting == "static" else 0.3 + 0.1 * cell.beta
        more = {"accuracy": accuracy + 0.001 * cell.seed, "forgetting": 0.05, "examples": 36 * (100 + 50 * cell.beta)}
        rows.append({**cell.key(), **more})
    write_results(result_name(CORPUS), pandas.DataFrame(rows).to_dict("records"), {"seeds": [0, 1, 2]})
    static, over_time = plays_rows()
    assert static["gain in points"] == "+2 (+2 to +2)" and static["points forgotten"] is None
    assert over_time["examples per round"] == "100 and 150" and over_time["uniform"] == pytest.approx(0.301)
