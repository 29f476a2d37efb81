"""What notebook 31 shows of real tasks is what the committed tables hold, whichever way they fall."""

import math
import re

import pandas
import pytest

from trustlab.course.correlation import needed
from trustlab.course.n31_fairness_metrics import real_results as fairness_real
from trustlab.course.n31_fairness_metrics.real_metrics import CHANCE, GAPS, NOBODY, WORST
from trustlab.course.n31_fairness_metrics.real_results import (
    NOBODY_CONFIRMED,
    intrinsic_and_extrinsic,
    pronouns,
    real_models,
    terms_and_scores,
    too_few,
    worst_off,
)
from trustlab.course.n31_fairness_metrics.real_tasks import CORPORA, KEY, READING, TASKS, grid

NUMBER = r"−?\d+\.\d+"
INTERVAL = rf"{NUMBER} \({NUMBER} to {NUMBER}\)"

# The committed tables


@pytest.mark.parametrize("corpus", CORPORA)
def test_the_committed_models_are_the_grids(corpus):
    cells = [cell.key() for cell in grid(corpus)]
    table = real_models(corpus)
    assert table[list(cells[0])].to_dict("records") == cells and set(KEY) < set(cells[0])
    learned = table[table["model"] != "majority"]
    assert learned["quality"].between(0.45 if corpus == READING else 0.7, 1).all() and table["gap"].between(0, 1).all()


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
    rates = [f"{own} {rate} gap" for rate in ("accuracy", "selection", "tpr", "fpr")]
    for gap in rates:
        assert table[[f"{gap} {ending}" for ending in CHANCE.values()]].notna().all(axis=None)
        assert ((table[f"{gap} low"] == 0) == (table[f"{gap} p"] > 0.025)).all()
        assert (table[f"{gap} corrected"] <= table[f"{gap} high"]).all()
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
                row |= {f"{name} probability": 0.9 if model == "words" else 0.4}
            row |= {"davidson fpr gap": 0.5, "davidson fpr gap p": 0.01 * (1 + seed)}
            row |= {
                f"davidson fpr gap {end}": value for end, value in (("corrected", 0.3), ("low", 0.1), ("high", 0.5))
            }
            row |= {f"davidson fpr gap blind{end}": value for end, value in (("", 0.2), (" low", 0.1), (" high", 0.3))}
            rows.append(row)
    rows[1]["davidson worst bpsn auc group"] = NOBODY
    table = pandas.DataFrame(rows)
    monkeypatch.setattr(fairness_real, "real_models", lambda corpus: table)
    return table


def test_means_over_seeds_are_shown_and_what_is_not_there_is_left_out(models):
    rows = intrinsic_and_extrinsic("davidson_hate")
    assert [(row["metric"], row["kind"], row["model"]) for row in rows] == [
        (metric, "extrinsic", model) for metric in ("AUC", "FPR gap", "FPR gap, blind") for model in ("words", "small")
    ]
    assert [row["value"] for row in rows] == pytest.approx([0.4, 0.4, 0.3, 0.3, 0.2, 0.2])
    assert [end for row in rows[:2] for end in (row["low"], row["high"])] == pytest.approx([0.1, 0.6, -0.1, 0.6])
    gap, blind = rows[2], rows[4]
    assert (gap["low"], gap["high"], gap["measured"], gap["p"]) == pytest.approx((0.1, 0.5, 0.5, 0.02))
    assert (blind["low"], blind["high"]) == pytest.approx((0.1, 0.3))


def test_the_last_group_is_named_only_where_it_is_likely_the_worst(models):
    rows = {(row["model"], row["question"]): row for row in worst_off("davidson_hate")}
    words = rows["words", "flagged wrongly"]
    assert (words["group"], words["seeds"]) == ("b", "2 of 2") and words["value"] == pytest.approx(0.4)
    assert (words["low"], words["high"], words["probability"]) == pytest.approx((0.1, 0.6, 0.9))
    ranked = rows["words", "ranked too high"]  # one seed of two says nobody: the group's probability is 0.45
    assert ranked == {"model": "words", "question": "ranked too high", "group": NOBODY_CONFIRMED, "probability": 0.45}
    assert {row["group"] for (model, _), row in rows.items() if model == "small"} == {NOBODY_CONFIRMED}
    assert all("value" not in row for (model, _), row in rows.items() if model == "small")


def test_a_correlation_over_few_models_is_refused_with_the_size_it_would_need(monkeypatch):
    assert too_few("hatexplain").startswith("2 models have an encoder: two points are always on a line")
    monkeypatch.setattr(
        fairness_real, "_by_model", lambda corpus: [("x", pandas.DataFrame({"gender WEAT": [0.1]}))] * 3
    )
    assert f"{needed(3):.3f}" in too_few("hatexplain")


def test_every_number_shown_has_its_interval():
    shown = intrinsic_and_extrinsic("hatexplain")
    assert [row["kind"] for row in shown] == ["extrinsic"] * 27 + ["intrinsic"] * 7  # CrowS-Pairs has one model
    assert all(row["low"] <= row["high"] for row in shown)
    assert len(pronouns()) == 9 and len(real_models(READING)) == 3
    assert all(re.fullmatch(INTERVAL, row["value"]) for row in pronouns() if "StereoSet" not in row["metric"])
    terms = terms_and_scores()
    assert [row["learned"] for row in terms] == ["HateXplain"] * 2 + ["Davidson's tweets"] * 2
    assert all(row["needed"] == pytest.approx(needed(50)) and row["low"] < row["r"] < row["high"] for row in terms)


def test_an_intrinsic_interval_is_two_standard_errors_to_each_side():
    table = real_models("hatexplain")
    small = table[table["model"] == "small"]
    (row,) = (
        row
        for row in intrinsic_and_extrinsic("hatexplain")
        if (row["metric"], row["model"]) == ("WEAT, women", "small")
    )
    assert row["value"] == pytest.approx(small["gender WEAT"].mean())
    assert row["high"] - row["low"] == pytest.approx(2 * 1.96 * small["gender WEAT ±"].mean(), rel=1e-4)
