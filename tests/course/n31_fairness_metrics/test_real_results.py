"""What notebook 31 shows of real tasks is what the committed tables hold, whichever way they fall."""

import math
import re

import pandas
import pytest

from trustlab.course.n31_fairness_metrics import real_results as fairness_real
from trustlab.course.n31_fairness_metrics.correlation import needed
from trustlab.course.n31_fairness_metrics.real_metrics import GAPS, NOBODY, WORST
from trustlab.course.n31_fairness_metrics.real_results import (
    intrinsic_and_extrinsic,
    pronouns,
    real_models,
    terms_and_scores,
    too_few,
    worst_off,
)
from trustlab.course.n31_fairness_metrics.real_tasks import CORPORA, KEY, READING, TASKS, grid

NUMBER = r"[+-]?\d+\.\d\d"

# The committed tables


@pytest.mark.parametrize("corpus", CORPORA)
def test_the_committed_models_are_the_grids(corpus):
    cells = [tuple(cell.key().values()) for cell in grid(corpus)]
    table = real_models(corpus)
    assert list(table[["corpus", *KEY, "seed"]].itertuples(index=False, name=None)) == cells
    assert table["quality"].between(0.45 if corpus == READING else 0.7, 1).all() and table["gap"].between(0, 1).all()


@pytest.mark.parametrize("corpus", CORPORA)
def test_every_interval_has_its_ends_in_order_and_a_plain_mean_lies_inside(corpus):
    table = real_models(corpus)
    bounded = [name for name in table if f"{name} low" in table]
    assert len(bounded) >= 5
    for name in bounded:
        known = table.dropna(subset=[name])  # words have no encoder
        low, high = known[f"{name} low"], known[f"{name} high"]
        assert len(known) and (low <= high).all(), name
        if name.endswith((" accuracy", " auc")):  # a gap between the ends of nine groups grows when rows are drawn anew
            assert known[name].between(low, high).all(), name


@pytest.mark.parametrize("corpus", TASKS)
def test_every_model_has_every_gap_and_the_worst_off_group_of_its_own_task(corpus):
    table, own = real_models(corpus), TASKS[corpus][0]
    assert table[[f"{own} {column}" for column in GAPS.values()]].notna().all(axis=None)
    assert all((table[f"{own} worst {metric} group"].str.len() > 0).all() for metric, _ in WORST.values())


# What is shown of them


@pytest.fixture
def models(monkeypatch):
    """Two models of two seeds: in the first, group "b" is flagged wrongly for sure; in the second nobody is."""
    rows = []
    for model, group, low in (("words", "b", 0.1), ("small", "a", -0.1)):
        for seed in (0, 1):
            row = {"model": model, "encoder": "none", "seed": seed, "gender WEAT": math.nan, "gender WEAT ±": math.nan}
            for name in ("davidson auc", *(f"davidson worst {metric}" for metric, _ in WORST.values())):
                row |= {name: 0.3 + 0.2 * seed, f"{name} low": low, f"{name} high": 0.6, f"{name} group": group}
            rows.append(row)
    rows[1]["davidson worst bpsn auc group"] = NOBODY
    table = pandas.DataFrame(rows)
    monkeypatch.setattr(fairness_real, "real_models", lambda corpus: table)
    return table


def test_means_over_seeds_are_shown_and_what_is_not_there_is_left_out(models):
    (row,) = intrinsic_and_extrinsic("davidson_hate")
    cells = {"words": "0.40 (0.10 to 0.60)", "small": "0.40 (-0.10 to 0.60)"}
    assert row == {"metric": "AUC", "kind": "extrinsic", **cells}


def test_the_last_group_is_named_only_where_it_surely_differs(models):
    words, small = worst_off("davidson_hate")
    assert words["flagged wrongly"] == "b, +0.40 (+0.10 to +0.60), 2 of 2 seeds"
    assert words["ranked too high"] == "b, 0.30 (0.10 to 0.60), 1 of 2 seeds"
    assert set(small.values()) == {"small", "nobody surely"}


def test_a_correlation_over_few_models_is_refused_with_the_size_it_would_need():
    said = too_few("hatexplain")
    assert said.startswith("3 models have an encoder") and f"{needed(3):.3f}" in said


def test_every_number_shown_has_its_interval_or_error():
    shown = intrinsic_and_extrinsic("hatexplain")
    assert [row["kind"] for row in shown] == ["extrinsic"] * 6 + ["intrinsic"] * 4
    for row in shown:
        for name, cell in row.items():
            if name not in ("metric", "kind") and cell is not None:
                ends = rf" \({NUMBER} to {NUMBER}\)" if row["kind"] == "extrinsic" else f" ± {NUMBER}"
                assert re.fullmatch(NUMBER + ends, cell), (name, cell)
    assert len(pronouns()) == 10 and len(real_models(READING)) == 3
    terms = terms_and_scores()
    assert [row["learned"] for row in terms] == ["hatexplain"] * 3 + ["davidson"] * 2
    assert all(row["needed"] == pytest.approx(needed(50)) for row in terms)
