import statistics

import numpy as np
import pandas
import pytest
from scipy import stats

from trustlab.lab import saved
from trustlab.runs import write_results


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path))
    return tmp_path


def written(*accuracies):
    write_results("made_up", [{"seed": seed, "accuracy": each} for seed, each in enumerate(accuracies)], {"seeds": [0]})


def test_a_table_is_read_once_and_again_when_it_has_changed():
    written(0.5, 0.6)
    first = saved.read("made_up")
    assert first[0]["accuracy"].tolist() == [0.5, 0.6] and first[1]["seeds"] == [0]
    assert saved.read("made_up")[0] is first[0]
    written(0.7, 0.6)  # as many bytes, and maybe within one tick of the clock
    assert saved.read("made_up")[0]["accuracy"].tolist() == [0.7, 0.6]


def test_another_folder_has_its_own_table(tmp_path_factory, monkeypatch):
    written(0.5)
    assert saved.read("made_up")[0]["accuracy"].tolist() == [0.5]
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path_factory.mktemp("elsewhere")))
    written(0.9)
    assert saved.read("made_up")[0]["accuracy"].tolist() == [0.9]


def test_a_table_that_is_not_there_is_named_also_when_it_was():
    assert not saved.is_saved("made_up")
    with pytest.raises(FileNotFoundError, match=r"Expected made_up\.csv"):
        saved.read("made_up")
    written(0.5)
    assert saved.is_saved("made_up") and len(saved.read("made_up")[0]) == 1


def test_rows_are_selected_by_all_values_in_the_order_of_seeds():
    table = pandas.DataFrame({"seed": [2, 0, 1, 0], "way": list("aaab"), "α": [1.0, 1.0, 0.1, 1.0]})
    assert saved.select(table, way="a", **{"α": 1.0}).index.tolist() == [1, 0]
    assert saved.select(table, way="c").empty
    assert len(saved.select(table)) == 4


def test_a_curve_has_student_s_interval_at_each_measurement():
    seeds = np.random.default_rng(0).uniform(0.3, 0.6, size=(5, 3))
    rows = saved.curve(["|".join(map(str, each)) for each in seeds], at=(10, 20, 30), x="passes", name="score")
    assert [row["passes"] for row in rows] == [10, 20, 30]
    for row, values in zip(rows, seeds.T, strict=True):
        expected = stats.t.interval(0.95, 4, values.mean(), stats.sem(values))
        assert row["score"] == pytest.approx(statistics.mean(values))
        assert (row["low"], row["high"]) == pytest.approx(expected)


def test_an_interval_is_cut_at_its_limits_only():
    rows = saved.curve(["0.01|0.99", "0.02|1.0", "0.15|0.85"], at=(1, 2), limits=(0.0, 1.0))
    assert rows[0]["low"] == 0 < rows[0]["high"] < 0.5 < rows[1]["low"] < 1 == rows[1]["high"]
    assert saved.over_seeds([0.01, 0.02, 0.15])["low"] < 0


def test_a_curve_has_as_many_places_as_measurements():
    with pytest.raises(ValueError, match="zip"):
        saved.curve(["0.1|0.2"], at=(1, 2, 3))


def test_an_interval_of_shares_is_cut_where_shares_end():
    assert saved.per_cent([0.0, 0.01, 0.02]) == "1 (0 to 3)"
    assert saved.per_cent([1.0, 0.9, 1.0]) == "97 (82 to 100)"


def test_what_reads_tables_is_computed_once_and_again_when_one_has_changed():
    computed = []

    @saved.remembered
    def inner(name):
        return saved.read(name)[0]["accuracy"].mean()

    @saved.remembered
    def doubled(name):
        computed.append(name)
        return 2 * inner(name)

    written(0.5, 0.7)
    assert [doubled("made_up"), doubled("made_up")] == pytest.approx([1.2, 1.2])
    assert computed == ["made_up"]
    written(0.7, 0.7)
    assert doubled("made_up") == pytest.approx(1.4)  # through the inner one, which was remembered too
    inner("made_up")
    written(0.9, 0.7)
    assert doubled("made_up") == pytest.approx(1.6)
