import math
import re
import statistics

import pytest
from scipy import stats

from trustlab.course.n31_fairness_metrics import experiment as population
from trustlab.course.n31_fairness_metrics.alignment import SETTINGS
from trustlab.course.n31_fairness_metrics.claims import claims_of
from trustlab.course.n31_fairness_metrics.dose import DETECTABLE, STEADY
from trustlab.course.n31_fairness_metrics.experiment import DOSES, KEY, column, grid
from trustlab.course.n31_fairness_metrics.intrinsic import INTRINSIC, Measured
from trustlab.course.n31_fairness_metrics.panel import agreement_panel, dose_panel
from trustlab.course.n31_fairness_metrics.results import (
    METRICS,
    aligned,
    answers,
    needles,
    noises,
    on_real_vectors,
    saved,
    trusted,
)
from trustlab.course.n31_fairness_metrics.toy import LEANS, SPREADS, association_toy
from trustlab.data import assistant
from trustlab.lab.claims import claims


@pytest.fixture(scope="module")
def models():
    return saved()[0]


# The committed table


def test_the_committed_models_are_the_grids(models):
    cells = [tuple(cell.key().values()) for cell in grid("assistant")]
    assert list(models[["corpus", *KEY, "seed"]].itertuples(index=False, name=None)) == cells
    assert models.select_dtypes("number").notna().all(axis=None)


def test_models_have_learned_the_task(models):
    assert models["accuracy"].min() > 0.6  # two cues, each right with 0.7


@pytest.mark.parametrize("notion", ["region", "gender"])
def test_augmentation_took_the_planted_bias_away(models, notion):
    read = models[(models["recipe"] == "augmented") & (models[f"{notion}_dose"] == 1)]
    plain = models[(models["recipe"] == "base") & (models[f"{notion}_dose"] == 1)]
    assert read[f"{notion} LPBS"].abs().max() < 0.5 < plain[f"{notion} LPBS"].min()


def test_lpbs_is_near_the_log_odds_in_the_sentences(models):
    base = models[(models["recipe"] == "base") & (models["region_dose"] == 0.5)]
    assert base["region LPBS"].mean() == pytest.approx(2 * math.log(3), rel=0.3)


# What the notebook reads off it


def test_needles_are_means_over_seeds_in_standard_deviations(models):
    base = models[models["recipe"] == "base"]
    low, here = (base[base["gender_dose"] == dose]["gender WEAT"].tolist() for dose in (0.0, 0.25))
    scale = math.sqrt(statistics.variance(low) + statistics.variance(here))
    (row,) = (row for row in needles("gender", 0.25) if row["metric"] == "WEAT")
    risen = [(value - statistics.mean(low)) / scale for value in here]
    assert row["risen"] == pytest.approx(statistics.mean(risen))
    a, b = statistics.variance(low) / 5, statistics.variance(here) / 5  # Welch, by hand
    half = stats.t.ppf(0.975, (a + b) ** 2 / (a**2 / 4 + b**2 / 4)) * math.sqrt(a + b) / scale
    assert (row["low"], row["high"]) == pytest.approx((row["risen"] - half, row["risen"] + half))


def test_without_bias_nothing_has_risen():
    assert all(row["risen"] == row["low"] == row["high"] == 0 for row in needles("region", 0.0))


def test_tables_have_every_metric_and_trust_comes_in_order():
    for notion in ("region", "gender"):
        rows = trusted(notion)
        assert {row["metric"] for row in rows} == set(METRICS) == {row["metric"] for row in noises(notion)}
        sure = [answers(notion)[row["metric"]].tau_low > STEADY for row in rows]
        assert sure == sorted(sure, reverse=True)


def test_weat_on_real_vectors_finds_what_caliskan_found():
    rows = {row["test"]: row for row in on_real_vectors()}
    assert list(rows) == [1, 2, 6, 7, 8, 9, 10]
    assert rows[1]["targets"] == "flowers / insects" and rows[1]["effect size"] > 1 and rows[1]["p"] < 1e-3
    assert all(abs(row["effect size"]) < 2 and row["words a side"] >= 6 for row in rows.values())


def test_alignment_is_two_by_two():
    assert [row["in common"] for row in aligned()] == list(SETTINGS)
    assert all(row["pairs with p < 0.05"].endswith(" of 96") for row in aligned())


def test_every_claim_of_the_card_is_stated():
    shown = claims(claims_of(), digits=2)
    stated = {re.match(r"\((\w)", row["claim"]).group(1) for row in shown.rows}
    assert stated == {"a", "b", "c"}


# The panels


def test_the_agreement_panel_shows_scipys_correlation_everywhere(models):
    panel = agreement_panel()
    oracles = {"Spearman": stats.spearmanr, "Pearson": stats.pearsonr, "Kendall": stats.kendalltau}
    for method, oracle in oracles.items():
        panel.set(method=method, setting="same notion, clean records", notion="gender", first="LPBS", second="TPR gap")
        expected = oracle(models["gender LPBS"], models["gender TPR gap, clean records"])[0]
        assert f"{method}'s r = {expected:.2f}" in panel.answer.verdict
    shown = panel.drawing.shown()
    assert shown["frame"] == ("LPBS", "TPR gap")
    dots = [x for each in shown["dots"].values() for x, _ in each]
    assert sorted(dots) == pytest.approx(sorted(models["gender LPBS"]))
    panel.set(setting="another notion, biased records")
    expected = stats.kendalltau(models["gender LPBS"], models["region TPR gap, biased records"])[0]
    assert f"r = {expected:.2f}" in panel.answer.verdict


@pytest.fixture
def panel(tmp_path, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_RUNS", str(tmp_path))
    return dose_panel(assistant(4000))


def test_at_dose_0_every_needle_is_at_rest_and_none_tells(panel):
    panel.set(dose=0.0)
    assert panel.numbers["risen"].abs().max() < 1e-9
    assert "0 of 14 metrics distinguish one model" in panel.answer.verdict


def test_every_position_says_who_tells(panel, drawn):
    for notion in ("region", "gender"):
        for dose in DOSES:
            found, shown = drawn(panel, notion=notion, dose=dose)
            rows = needles(notion, dose)
            told = [row["metric"] for row in rows if row["risen"] > DETECTABLE]
            assert f"{len(told)} of 14" in found.verdict and ", ".join(told) in found.verdict
            assert shown["risen"] == pytest.approx({row["metric"]: row["risen"] for row in rows})
            for row in rows:
                assert shown["ends"][row["metric"]] == pytest.approx((row["low"], row["high"]))


def test_one_model_is_trained_live_and_stands_in_the_picture(panel, monkeypatch):
    asked = []
    measured = {column("gender", name, "" if name in INTRINSIC else "clean"): 0.1 * i for i, name in enumerate(METRICS)}
    monkeypatch.setattr(population, "train", lambda cell, corpus: asked.append(cell) or (None, None))
    monkeypatch.setattr(
        population, "measure", lambda *_, **__: {name: Measured(value, 0.0) for name, value in measured.items()}
    )
    panel.set(notion="gender", dose=0.5).start().wait(120)
    (cell,) = asked
    assert (cell.gender_dose, cell.region_dose, cell.recipe, cell.seed) == (0.5, 0.0, "base", 0)
    assert "metrics distinguish your model from" in panel.answer.verdict
    value, found = measured["gender LPBS"], answers("gender")["LPBS"]
    own = panel.drawing.shown()["own"]
    assert own["LPBS"] == pytest.approx((value - found.floor) / found.scales[0.5]) and list(own) == list(METRICS)
    assert panel.reset().drawing.shown()["own"] == {}
    again = panel.set(notion="gender", dose=0.5)
    assert again.drawing.shown()["own"] == own and " · yours, from " in again.answer.provenance
    assert panel.set(notion="region").drawing.shown()["own"] == {}


def test_the_toys_effect_size_never_passes_two_and_its_difference_does_not_stop():
    toy = association_toy()
    for spread in SPREADS:
        differences = []
        for lean in LEANS:
            found = re.search(r"is (-?[\d.]+) above Y's; WEAT's effect size is (-?[\d.]+)", toy.set(
                lean=lean, spread=spread).answer.verdict)  # fmt: skip
            differences.append(float(found.group(1)))
            assert abs(float(found.group(2))) <= 2
        assert differences == sorted(differences)
