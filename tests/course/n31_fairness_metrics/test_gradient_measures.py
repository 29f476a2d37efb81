"""The models of known bias, measured by gradients: one row a model, and no bias is no change of the swap."""

import numpy as np
import pytest

from trustlab.course.n31_fairness_metrics import GRADIENTS, experiment
from trustlab.course.n31_fairness_metrics.experiment import column
from trustlab.course.n31_fairness_metrics.gradient_measures import MEASURES, Setting, grid, run
from trustlab.course.n31_fairness_metrics.notions import NOTIONS
from trustlab.data import assistant


def test_the_grid_is_that_of_the_base_recipe():
    ours = [each.key() for each in grid("assistant", seeds=range(2))]
    assert ours == [each.key() for each in experiment.grid("assistant", seeds=range(2), recipes=("base",))]
    assert {type(each) for each in grid("assistant", seeds=[0])} == {Setting}


def test_a_model_leaves_a_row_with_each_measure_of_both_notions(monkeypatch):
    for name in ("DESCRIBED", "EXPLAINED"):
        monkeypatch.setattr(experiment, name, 150)
    (row,) = run(Setting(region_dose=1.0), assistant(2000))
    measured = [row[column(notion, name, "clean")] for notion in NOTIONS for name in MEASURES]
    assert np.isfinite(measured).all() and min(measured) >= 0
    assert set(row) == {*Setting().key(), "seconds", *(column(n, m, "clean") for n in NOTIONS for m in MEASURES)}


def test_the_committed_table_has_the_25_models_once():
    table = GRADIENTS.table()
    assert len(table) == len(table[["region_dose", "gender_dose", "seed"]].drop_duplicates()) == 25
    assert table.groupby("seed")["region_dose"].apply(sorted).map(len).eq(5).all()
    unsure = table[[column(notion, "1 − p", "clean") for notion in NOTIONS]]
    assert unsure.to_numpy().max() == pytest.approx(0.25, abs=0.25)  # of two classes: at most a half
