"""The pictures of notebook 31, and each number of its text, are what the committed tables and the options say."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from trustlab.course.correlation import needed
from trustlab.course.dose import STEADY
from trustlab.course.lessons import questions
from trustlab.course.n31_fairness_metrics import classifier_search, pretraining, real_findings, real_results
from trustlab.course.n31_fairness_metrics import experiment as population
from trustlab.course.n31_fairness_metrics import planted_findings as planted
from trustlab.course.n31_fairness_metrics.claims import claims_of
from trustlab.course.n31_fairness_metrics.exercises import (
    INSIDE,
    LEVEL,
    OUTSIDE,
    PAIRS,
    POSTS,
    RATE,
    S_X,
    S_Y,
    exact_p,
    expected_gap,
)
from trustlab.course.n31_fairness_metrics.extrinsic import EXTRINSIC
from trustlab.course.n31_fairness_metrics.intrinsic import INTRINSIC, Measured
from trustlab.course.n31_fairness_metrics.notions import NOTIONS, REGION
from trustlab.course.n31_fairness_metrics.results import (
    METRICS,
    aligned,
    answers,
    noises,
    on_real_vectors,
    saved,
    values_at,
)
from trustlab.fairness.association import weat
from trustlab.fairness.association.permutations import exact_tail
from trustlab.fairness.groups import Groups, Mean, estimate_means, gaps
from trustlab.fairness.tasks import load_task

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def text():
    cells = json.loads((ROOT / "notebooks" / "31_fairness_metrics.ipynb").read_text(encoding="utf-8"))["cells"]
    words = " ".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return re.sub(r"<abbr[^>]*>|</abbr>", "", words)


# The numbers of the text


def test_the_texts_numbers_are_the_experiments(text):
    assert len(saved()[0]) == 45 and "## The real thing: 45 models" in text and "the same of 45 small models" in text
    assert len(population.RECIPES) == 5 and "Five recipes: a base one with five seeds" in text
    assert (len(INTRINSIC), len(EXTRINSIC)) == (6, 8) and "six intrinsic with eight extrinsic metrics" in text
    assert len(METRICS) == 14 and "Fourteen numbers, and the classifier's accuracy" in text
    assert len(REGION.pole_a) == 6 and "over the six words of one pole minus that over the six of the other" in text
    assert len(on_real_vectors()) == 7 and "seven of WEAT's ten original tests" in text
    assert "fifty identity terms" in text and {row["needed"] for row in real_results.terms_and_scores()} == {needed(50)}


def test_a_model_has_some_forty_thousand_weights(text):
    model = pretraining._bert(pretraining.np.zeros((200, 64)), 1, 0.0, 32)  # some two hundred words
    assert 35_000 < sum(each.numel() for each in model.parameters()) < 65_000 and "some 40,000 weights" in text


def test_no_tau_exceeds_the_largest_that_the_text_names(text):
    largest = max(found.tau for notion in NOTIONS for found in answers(notion).values())
    assert f"at most {largest:.2f} for five doses of five models" in text


def test_the_exercises_numbers_are_the_checks(text):
    assert f"Two targets in X have associations {S_X[0]:g} and {S_X[1]:g}, two in Y {S_Y[0]:g} and −{-S_Y[1]:g}" in text
    assert f"None of {PAIRS} pairs" in text and f"below p = {LEVEL:g}" in text
    assert f"has reliability {INSIDE:g}, an extrinsic one {OUTSIDE:g}" in text


def test_the_orders_in_held_out_frames_are_the_claims(text):
    rows = {row["claim"]: row["measured"].mean for row in claims_of() if "in held-out frames" in row["claim"]}
    lpbs, pairs, stereo = (f"{value:.2f}" for value in rows.values())
    assert f"(the lower τ of both notions is {lpbs})" in text
    assert f"CrowS-Pairs ({pairs}) and StereoSet ({stereo}) lose theirs" in text


def test_the_second_question_is_answered_by_the_table():
    seen = {
        name
        for name in METRICS
        if all(exact_p(values_at(n, 0.1)[name], values_at(n, 0.0)[name]) < LEVEL for n in NOTIONS)
    }
    assert len(seen & set(INTRINSIC)) > len(INTRINSIC) / 2 and not seen & set(EXTRINSIC)
    asked = questions("31")["a faint bias"]
    assert asked["choices"][asked["answer"]] == "Most intrinsic metrics, and no extrinsic one"
    assert math.comb(10, 5) == 252 and "p = 1/252" in asked["because"]


def test_an_effect_size_cannot_exceed_two():
    X, Y = [[1.0, 0.0]] * 9 + [[1.0, 1e-6]], [[0.0, 1.0]] * 9 + [[1e-6, 1.0]]
    assert 1.9 < weat(X, Y, [[1.0, 0.0]] * 2, [[0.0, 1.0]] * 2, permutations=0).effect_size < 2


# The pictures of planted models


def test_alignment_says_what_the_table_of_claims_measures():
    found, claimed = planted.alignment(), {row["claim"]: row["measured"] for row in claims_of()}
    (least,) = (value for claim, value in claimed.items() if "unrelated by design" in claim)
    assert f"“another notion, biased records”: {least.mean:.2f}." in found.verdict
    assert f"{aligned()[-1]['corrected']} of 96 pairs are significant in the first case" in found.verdict


def test_the_sentence_about_noise_names_the_widest_fall():
    rows = noises("region")
    name = max(rows, key=lambda row: row["words"] - row["seeds"])["metric"]
    assert planted.noise("region").verdict.startswith(f"Of the {name}'s spread between models")


def test_trust_comes_in_order_and_names_what_the_claims_name():
    found, claimed = planted.trust(), [row["claim"] for row in claims_of()]
    names = {claim.split(" can be trusted")[0].removeprefix("(c) ") for claim in claimed if "can be trusted" in claim}
    first = found.verdict.split(" clearly follow")[0]
    assert set(re.split(r", | and ", first)) == names
    (blind,) = (claim.split(" cannot")[0].removeprefix("(c) … and ") for claim in claimed if " cannot: " in claim)
    assert found.verdict.endswith(f"confirmed for {blind}.")
    sure = [answers("region")[row["metric"]].tau_low > STEADY for row in found.rows if row["about"] == "region"]
    assert sure == sorted(sure, reverse=True) and {row["metric"] for row in found.rows} == set(METRICS)


def test_the_rise_of_a_metric_is_its_share_of_the_way():
    rows = {(row["metric"], row["dose"]): row[planted.SHARE] for row in planted.saturation("gender").rows}
    floor, faint, full = (values_at("gender", dose)["WEAT"].mean() for dose in (0.0, 0.1, 1.0))
    assert rows["WEAT", "dose 0.1"] == pytest.approx((faint - floor) / (full - floor))
    most = max((share, name) for (name, dose), share in rows.items() if dose == "dose 0.1")
    assert f"gives {most[1]} {100 * most[0]:.0f}\u00a0% of its value" in planted.saturation("gender").verdict


def test_five_against_five_runs_on_the_function_it_is_given():
    asked = []
    found = planted.five_against_five(lambda x, y: asked.append((len(x), len(y))) or 0.01)
    assert set(asked) == {(5, 5)} and len(found.rows) == 28 and f"Among them is {EXTRINSIC[0]}, " in found.verdict
    theirs = planted.five_against_five(exact_p)
    for row in theirs.rows[:4]:
        both = [values_at(row["about"], dose)[row["metric"]] for dose in (0.1, 0.0)]
        tail = exact_tail(pretraining.np.concatenate(both))
        assert row["p"] == pytest.approx(tail.at_least / tail.permutations)
    assert "Among them is no extrinsic metric." in theirs.verdict


# The pictures of real tasks


def test_associations_have_every_test_and_say_which_could_be_chance():
    found = real_findings.associations({"WEAT": Measured(1.95, 0.1)})
    assert len(found.rows) == 8 and "The largest effect size is 1.9 (WEAT: women / men" in found.verdict.replace(
        "2 (", "1.9 ("
    )
    assert "only young people names / old people names could be chance" in found.verdict


def test_the_behaviour_of_models_is_summed_up_from_its_rows():
    found = real_findings.behaviour("hatexplain")
    rows = {(row["metric"], row["model"]): row for row in found.rows}
    best = max((row for row in found.rows if row["metric"] == "accuracy"), key=lambda row: row["value"])["model"]
    gap, blind = rows["FPR gap", best], rows["FPR gap, blind", best]
    assert f"({best}) is right about {100 * rows['accuracy', best]['value']:.0f}" in found.verdict
    assert (
        f"are {gap['measured']:.2f} apart. Blind to communities it would show {blind['value']:.2f} (" in found.verdict
    )
    assert f"the gap is {gap['value']:.2f} (95 % {gap['low']:.2f} to {gap['high']:.2f}), p " in found.verdict
    assert real_results.level() in found.provenance


def test_no_test_of_an_encoder_is_called_clear_whose_interval_holds_0():
    found = real_findings.encoders("hatexplain")
    assert all(row["low"] < 0 < row["high"] for row in found.rows) and found.verdict.startswith("No test is clearly")
    assert real_results.too_few("hatexplain") in found.verdict


def test_a_group_is_named_with_its_probability_and_none_is_drawn_that_is_not_likely():
    found = real_findings.harmed("davidson_hate", "Who?")
    assert found.verdict.startswith("Flagged wrongly: African American English (")
    assert all(row["probability"] >= real_results.LIKELY for row in found.rows)


def test_five_seeds_are_five():
    for corpus in ("hatexplain", "davidson_hate"):
        learned = real_results.real_models(corpus).query("model != 'majority'")
        assert set(learned.groupby("model").size()) == {5} and "means over five seeds" in real_findings.SAVED


def test_what_goes_together_inside_a_model_is_counted():
    found = real_findings.inside_one_model()
    clear = [row for row in found.rows if row["low"] > 0]
    assert f"go together in {len(clear)} of {len(found.rows)} models" in found.verdict


def test_what_the_text_says_of_the_models_of_real_tasks(text):
    assert classifier_search.TRIALS == 10 and "were tuned by ten trials each, on training posts alone" in text
    assert (min(POSTS), max(POSTS), len(POSTS)) == (12, 63, 9) and "A community has 12 to 63 harmless posts." in text
    written = ", ".join(map(str, POSTS[:-1])) + f" and {POSTS[-1]}"
    assert f"Nine communities have {written} harmless posts." in text and f"with probability {RATE:g}" in text
    assert real_results.LIKELY == 0.5 and "none below one half" in text


def test_the_communities_of_the_text_are_hatexplains(real_data):
    test = load_task("hatexplain", directory=real_data).test
    assert tuple(sorted((test.groups.masks & ~test.truth[:, None]).sum(0))) == POSTS


def test_the_gap_by_chance_is_that_of_the_package():
    groups = Groups.by(np.repeat([f"community {g}" for g in range(9)], POSTS))
    flags = np.arange(sum(POSTS)) % 10 < 10 * RATE
    (found,) = estimate_means([Mean("flagged", flags, np.ones(len(flags), bool))], groups)
    assert gaps([found])[0]["blind"] == pytest.approx(expected_gap(), abs=0.015)
