"""What an experiment knows of its committed table."""

import types

import numpy as np
import pandas
import pytest

from trustlab.course.experiment import Experiment
from trustlab.course.registry import EXPERIMENTS
from trustlab.results import read_results, results_directory, write_results

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


@pytest.mark.parametrize("known", EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_every_experiments_tables_are_there(known):
    assert known.corpora() == list(known.module.CORPORA), f"in {results_directory()}"
    if known.corpora():  # of corpora that users bring, no table is committed
        assert {*known.module.KEY, "seed", "seconds"} <= set(known.table(known.corpora()[0]).columns)
    assert known.corpora() or known.brought
