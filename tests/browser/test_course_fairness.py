"""A reader's hands on notebooks 30 to 33: run all, move, train, stop, predict, ask for a hint."""

import re

import pytest
from playwright.sync_api import expect

from .panels import (
    black,
    has_a_picture,
    moves,
    ran,
    says,
    shows,
    shows_another,
    too_high_for_a_small_screen,
    violations_in_both_themes,
)

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("no_complaints")]

EFFECT = "What is an effect size the size of?"
AGREE = "Do two metrics rank models alike?"
DOSE = "Which metric sees the bias that is there?"
WHICH = "Which words move the answer, and which of two models is fairer?"
PREDICTIONS = "What does a student learn of two predictions?"
REVERSAL = "What does the fairer student say, and what does it cost?"
NOTEBOOKS = ("by_hand", "metrics", "sensitivity", "reversal")
by_hand = ran("30_one_gap_by_hand")
metrics = ran("31_fairness_metrics")
sensitivity = ran("32_prediction_sensitivity")
reversal = ran("33_role_reversal")


def test_31_runs_and_its_panels_move(lab, metrics):
    assert metrics.troubles() == []
    for title, count in {EFFECT: 1, AGREE: 1, DOSE: 1}.items():
        expect(metrics.panels(title)).to_have_count(count)
        assert has_a_picture(metrics.panel(title))
    toy, agree, dose = (metrics.panel(title) for title in (EFFECT, AGREE, DOSE))
    for slider, key in enumerate(("ArrowRight", "ArrowLeft")):  # lean, spread
        moves(toy, slider, key)
    lab.picture(toy, "31-toy-moved")
    lab.picture(agree, "31-agreement")
    verdict = agree.locator(".trustlab-verdict")
    agree.get_by_role("combobox").first.select_option("same notion, clean records")
    expect(verdict).to_contain_text("score change (same notion, clean records)")
    agree.get_by_role("button", name="Kendall", exact=True).click()
    expect(verdict).to_contain_text("have Kendall's r = ")
    lab.picture(agree, "31-agreement-moved")
    lab.picture(dose, "31-dose")
    moves(dose, 0, "ArrowRight")
    dose.get_by_role("button", name="gender", exact=True).click()
    expect(dose.locator(".trustlab-verdict")).to_contain_text("With a planted bias of 0.5 about gender")
    lab.picture(dose, "31-dose-moved")


def test_31_trains_a_model_of_known_bias(lab, metrics):
    dose = metrics.panel(DOSE)
    metrics.reset(dose)
    blackness = black(dose)
    dose.get_by_role("button", name=re.compile("^Train")).click()
    expect(dose.locator(".trustlab-verdict")).to_contain_text("metrics distinguish your model from", timeout=120_000)
    assert black(dose) > blackness
    lab.picture(dose, "31-dose-trained")


def test_32_swaps_a_word_and_both_measures_change(lab, sensitivity):
    assert sensitivity.troubles() == []
    panel = sensitivity.panel(WHICH)
    assert has_a_picture(panel)
    typed, verdict = panel.get_by_role("textbox", name="Your sentence"), panel.locator(".trustlab-verdict")
    before, measures = shows(panel), re.search(r"P = (\S+), swap (\S+)\. ", says(panel)).groups()
    typed.fill("good day pay the water bill cheers")
    shows_another(panel, before)
    expect(verdict).not_to_contain_text(f"P = {measures[0]}, ")
    expect(verdict).not_to_contain_text(f"swap {measures[1]}. ")
    expect(verdict).to_contain_text("choices of v and norm")
    lab.picture(panel, "32-swapped")
    sensitivity.reset(panel)


def test_33_runs_and_its_panels_move(lab, reversal):
    assert reversal.troubles() == []
    for title in (PREDICTIONS, REVERSAL):
        assert has_a_picture(reversal.panel(title))
    toy, panel = (reversal.panel(title) for title in (PREDICTIONS, REVERSAL))
    reversal.reset(toy)
    moves(toy, 0, "ArrowLeft")  # P(she)
    lab.picture(toy, "33-toy-moved")
    reversal.reset(panel)
    expect(panel.locator(".trustlab-verdict")).to_contain_text("After “the nurse …”")  # the reset has been drawn
    before = says(panel)
    panel.get_by_role("combobox").last.select_option("carpenter")
    expect(panel.locator(".trustlab-verdict")).to_contain_text("After “the carpenter …”")
    assert says(panel) != before
    lab.picture(panel, "33-reversal-moved")


def test_33_trains_a_teacher_and_its_student(lab, reversal):
    panel = reversal.panel(REVERSAL)
    reversal.reset(panel)
    blackness = black(panel)
    panel.get_by_role("button", name=re.compile("^Train")).click()
    expect(panel.locator(".trustlab-verdict")).to_contain_text("The teacher learns", timeout=60_000)
    expect(panel.locator(".trustlab-verdict")).to_contain_text("Your student: equity", timeout=180_000)
    assert black(panel) > blackness
    lab.picture(panel, "33-reversal-trained")


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_everybody_can_use_its_panels_and_questions_in_both_themes(request, name):
    assert violations_in_both_themes(request.getfixturevalue(name)) == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_its_panels_fit_a_small_screen(request, name):
    assert too_high_for_a_small_screen(request.getfixturevalue(name).page) == {}
