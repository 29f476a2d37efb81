"""What an experiment knows of its committed table, and one of its settings run now."""

import json
import types

import numpy as np
import pandas
import pytest

from trustlab.course.experiment import Done, Experiment
from trustlab.course.n21_non_iid_partitioning import EXPERIMENT
from trustlab.course.n21_non_iid_partitioning.experiment import Setting
from trustlab.course.registry import EXPERIMENTS
from trustlab.data import assistant
from trustlab.results import read_results, results_directory, write_results
from trustlab.runs import RunStore

ROWS = [
    {"scheme": scheme, "alpha": alpha, "seed": seed, "accuracy": base + seed / 100}
    | {"curve": f"0.{seed}|0.5", "seconds": 4.0 + seed}
    for scheme, alpha, base in (("pfl", 0.1, 0.5), ("pfl", 1.0, 0.7), ("iid", 1.0, 0.9))
    for seed in (2, 0, 1)
]


@pytest.fixture
def made(tmp_path, monkeypatch):
    """An experiment of which a made-up table is committed, on one of its two corpora."""
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path))
    module = types.SimpleNamespace(
        CORPORA=("assistant", "other"), KEY=("scheme", "alpha"), result_name=lambda corpus: f"made_up_{corpus}"
    )
    write_results("made_up_assistant", ROWS, {"seeds": [0, 1, 2]})
    how = dict(varied="scheme", slowest_first=("iid",), tolerance={}, named=str, recipes=dict, parts={})
    return Experiment("made-up", module, **how)


def test_the_table_is_the_committed_one_and_is_known_to_be_there_or_not(made):
    table, about = made.saved()
    expected, _ = read_results("made_up_assistant")
    pandas.testing.assert_frame_equal(table, expected)
    assert about["seeds"] == [0, 1, 2] and made.table() is table  # read once
    assert made.corpora() == ["assistant"] and made.corpora(["other"]) == made.corpora([]) == []
    with pytest.raises(FileNotFoundError, match=r"Expected made_up_other\.csv"):
        made.table("other")


def test_rows_are_chosen_by_values_in_the_order_of_seeds(made):
    assert made.where(scheme="pfl", alpha=1.0)["accuracy"].tolist() == pytest.approx([0.70, 0.71, 0.72])
    with pytest.raises(ValueError, match=r"Expected rows with {'scheme': 'flower'} in made_up_assistant, got none"):
        made.where(scheme="flower")


def test_a_measure_by_seed_is_of_one_setting(made):
    much, little = (made.by_seed("accuracy", scheme="pfl", alpha=alpha) for alpha in (1.0, 0.1))
    assert much.index.tolist() == [0, 1, 2]
    assert (much - little).tolist() == pytest.approx([0.2] * 3)
    with pytest.raises(ValueError, match=r"Expected one setting .* Choose the value of alpha too\."):
        made.by_seed("accuracy", scheme="pfl")


def test_a_curve_has_a_row_per_seed(made):
    np.testing.assert_array_equal(made.curve(scheme="iid"), [[0.0, 0.5], [0.1, 0.5], [0.2, 0.5]])


def test_how_long_it_takes_is_the_median_or_what_nearly_all_took(made):
    assert made.seconds(scheme="iid") == 5.0
    assert made.seconds(share=1.0) == 6.0


def test_a_setting_is_run_and_found_again_until_its_code_changes(tmp_path, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_RUNS", str(tmp_path))
    corpus, ran = assistant(400), []
    setting = Setting(scheme="iid", seed=3)

    def run(given, data):
        ran.append(given)
        yield {**given.key(), "accuracy": 0.5}

    monkeypatch.setattr(EXPERIMENT.module, "run", run)
    code = {"data_hash": "data", "code": "one"}
    first, again = (EXPERIMENT.live(setting, corpus, **code) for _ in range(2))
    assert (first.row["accuracy"], first.restored, again.restored, ran) == (0.5, False, True, [setting])
    assert again.row == first.row and again.made["config"] == json.loads(json.dumps(vars(setting)))
    assert not EXPERIMENT.live(setting, corpus, **{**code, "code": "two"}).restored and len(ran) == 2
    assert len(list(tmp_path.glob("*.json"))) == 2
    with pytest.raises(ValueError, match="scheme"):
        EXPERIMENT.live(Setting(scheme="nobody's"), corpus, **code)


def test_without_more_a_setting_is_kept_by_its_code_and_its_data(tmp_path, monkeypatch):
    from trustlab.data import fingerprint

    monkeypatch.setenv("TRUSTLAB_RUNS", str(tmp_path))
    monkeypatch.setattr("trustlab.course.n21_non_iid_partitioning.experiment.ROUNDS", 10)
    corpus, setting = assistant(400), Setting(scheme="iid")
    done = EXPERIMENT.live(setting, corpus)
    assert isinstance(done, Done) and 0 <= done.row["accuracy"] <= 1
    about = dict(seeds=[0], data_hash=fingerprint(corpus), code=EXPERIMENT.code("iid"))
    assert RunStore().get(setting, **about).rows == [done.row]


@pytest.mark.parametrize("known", EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_every_experiments_tables_are_there(known):
    assert known.corpora() == list(known.module.CORPORA), f"in {results_directory()}"
    if known.corpora():  # of corpora that users bring, no table is committed
        assert {*known.module.KEY, "seed", "seconds"} <= set(known.table(known.corpora()[0]).columns)
    assert known.corpora() or known.brought
