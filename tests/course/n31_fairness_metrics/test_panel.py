import math
import re
import statistics

import pytest
from scipy import stats

from trustlab.course.dose import DETECTABLE
from trustlab.course.n31_fairness_metrics import experiment as population
from trustlab.course.n31_fairness_metrics import panel as live
from trustlab.course.n31_fairness_metrics.alignment import SETTINGS
from trustlab.course.n31_fairness_metrics.claims import claims_of
from trustlab.course.n31_fairness_metrics.experiment import DOSES, KEY, column, grid
from trustlab.course.n31_fairness_metrics.intrinsic import INTRINSIC
from trustlab.course.n31_fairness_metrics.notions import REGION
from trustlab.course.n31_fairness_metrics.panel import agreement_panel, dose_panel
from trustlab.course.n31_fairness_metrics.results import (
    METRICS,
    aligned,
    answers,
    needles,
    on_real_vectors,
    saved,
    single_models,
    values_at,
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


def test_single_models_are_in_the_same_unit_around_their_mean():
    for notion, dose in (("gender", 0.25), ("region", 1.0)):
        for row in needles(notion, dose):
            own = [each["risen"] for each in single_models(notion, dose) if each["metric"] == row["metric"]]
            assert len(own) == 5 and statistics.mean(own) == pytest.approx(row["risen"])


def test_values_at_a_dose_are_those_of_the_base_recipe_by_seed(models):
    base = models[(models["recipe"] == "base") & (models["region_dose"] == 0.1)].sort_values("seed")
    found = values_at("region", 0.1)
    assert list(found) == list(METRICS) and found["LPBS"].tolist() == base["region LPBS"].tolist()
    assert found["flip rate"].tolist() == base["region flip rate, clean records"].tolist()


def test_weat_on_real_vectors_finds_what_caliskan_found():
    rows = {row["test"]: row for row in on_real_vectors()}
    assert list(rows) == [1, 2, 6, 7, 8, 9, 10]
    assert rows[1]["targets"] == "flowers / insects" and rows[1]["effect size"] > 1 and rows[1]["p"] < 1e-3
    assert all(abs(row["effect size"]) < 2 and row["words a side"] >= 6 for row in rows.values())


def test_alignment_is_two_by_two():
    assert [row["in common"] for row in aligned()] == list(SETTINGS)
    assert all(row["pairs"] == 96 >= row["p < 0.05"] >= row["corrected"] for row in aligned())


def test_every_claim_of_the_card_is_stated():
    shown = claims(claims_of(), digits=2)
    stated = {re.match(r"\((\w+)", row["claim"]).group(1) for row in shown.rows}
    assert stated == {"a", "b", "c", "ours"}


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
                assert statistics.mean(shown["models"][row["metric"]]) == pytest.approx(row["risen"], abs=1e-9)


def test_one_model_is_trained_live_and_every_metric_is_drawn_as_it_is_measured(panel, monkeypatch):
    monkeypatch.setattr(live, "MEASURED_LIVE", 200)
    asked, seen = [], []
    training, draw = population.training_on, panel.drawing.draw
    monkeypatch.setattr(population, "training_on", lambda cell, *given: asked.append(cell) or training(cell, *given))
    panel.drawing.draw = lambda answer: draw(answer) or seen.append(set(panel.drawing.shown()["own"]))
    panel.set(notion="gender", dose=0.5).start().wait(120)
    (cell,) = asked
    assert (cell.gender_dose, cell.region_dose, cell.recipe, cell.seed) == (0.5, 0.0, "base", 0)
    assert set(INTRINSIC) in seen and seen[-1] == set(METRICS)  # of the six, while it was still trained
    assert [row["step"] for row in panel.rows[:3]] == [1, 200, 400] and set(panel.rows[0]) >= {
        "gender WEAT",
        "progress",
    }
    assert re.fullmatch(r"\d+ of 14 metrics distinguish your model from one without bias\.", panel.answer.verdict)
    own = panel.drawing.shown()["own"]
    for name in ("LPBS", "score change"):
        value, found = (
            panel.rows[-1][column("gender", name, "" if name in INTRINSIC else "clean")],
            answers("gender")[name],
        )
        assert own[name] == pytest.approx((value - found.floor) / found.scales[0.5])
    assert panel.reset().drawing.shown()["own"] == {}
    again = panel.set(notion="gender", dose=0.5)
    assert again.drawing.shown()["own"] == own and " · yours, from " in again.answer.provenance
    assert panel.set(notion="region").drawing.shown()["own"] == {}


def test_what_is_measured_live_is_what_the_saved_models_were_measured_by(monkeypatch):
    corpus, options = assistant(4000), {"steps": 6}
    pretraining = population.pretraining
    monkeypatch.setattr(population, "pretraining", lambda *given, **how: pretraining(*given, **how, **options))
    monkeypatch.setattr(live, "MEASURED_LIVE", 3)
    *_, last = live.live_rows(live.DosePosition(dose=1.0), corpus)
    cell = population.Setting(region_dose=1.0)
    measured = population.measure(*population.train(cell, corpus), notion=REGION, seed=population.own_seed(cell))
    expected = {name: each.value for name, each in measured.items() if "biased" not in name}
    assert {name: last[name] for name in expected} == expected and last["progress"] == 1


def test_while_it_is_trained_the_sentence_says_how_far(panel):
    base = panel.answer_at(panel.config)
    row = {"step": 32, "progress": 0.06} | {column("region", name): 0.0 for name in INTRINSIC}
    said = live._shown(panel.config, base, [row])
    assert said.verdict.startswith("After 32 of 400 steps, 0 of 6 metrics measured so far")
    later = row | {"step": 400, "measured": 6, "progress": 0.8}
    assert live._shown(panel.config, base, [row, later]).verdict.startswith("Trained; now it is measured: 0 of 6")


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
