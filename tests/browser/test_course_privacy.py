"""A reader's hands on notebooks 00, 10, 11, 13: run all, move, train, stop, predict, ask for a hint."""

import json
import re
import time

import pytest
from playwright.sync_api import expect

from .panels import (
    black,
    has_a_picture,
    moves,
    picture,
    provenance,
    ran,
    says,
    shows,
    shows_another,
    too_high_for_a_small_screen,
    violations_in_both_themes,
)

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("no_complaints")]

FIRST = "How much privacy can this assistant afford?"
TOY = "Clip, then add noise: can you tell whether Anna took part?"
BUDGET = "What do accuracy and privacy cost in seconds?"
PIN = "Does the model give your pin away?"
WHEELS = "Four wheels"
NOTEBOOKS = ("start", "guessing", "comparison", "extraction")
guessing = ran("10_what_epsilon_promises")
comparison = ran("11_dp_sgd_vs_edp_sgd")
extraction = ran("13_canary_extraction")


@pytest.fixture(scope="module")
def start(lab, record_testsuite_property):
    """Notebook 00 as its text asks: Shift + Enter on the first cell, and then the others."""
    notebook = lab.open("00_start_here")
    pressed = notebook.run_first()
    expect(picture(notebook.panel(FIRST))).to_be_visible(timeout=120_000)
    notebook.seconds_to_the_picture = round(time.monotonic() - pressed, 1)
    since_start = round(notebook.seconds_since_server_start(), 1)
    record_testsuite_property("seconds from server start to the first picture", since_start)
    record_testsuite_property("seconds from Shift + Enter to the first picture", notebook.seconds_to_the_picture)
    notebook.run_all()
    notebook.wait_for_the_end(180)
    return notebook


def test_00_runs_and_shows_its_panel(lab, start):
    assert start.troubles() == []
    expect(start.panels(FIRST)).to_have_count(1)
    assert has_a_picture(start.panel(FIRST))
    expect(start.panel(FIRST).locator(".trustlab-verdict")).to_contain_text("DP-SGD understands 96")
    lab.picture(start.panel(FIRST), "00-first")


def test_00_shows_its_picture_soon_after_shift_enter(start):
    """5 s on an idle machine, for which `make bench ARGS=panels` is; tests share theirs, so they allow more."""
    assert start.seconds_to_the_picture < 20


def test_00_asks_no_question_about_news(start):
    expect(start.page.get_by_text(re.compile("official Jupyter news", re.IGNORECASE))).to_have_count(0)


def test_00_moves_with_the_keyboard(lab, start):
    panel = start.panel(FIRST)
    moves(panel, 0, "ArrowLeft")
    verdict = says(panel)
    moves(panel, 0, "ArrowRight")
    moves(panel, 0, "ArrowLeft")
    assert says(panel) == verdict
    panel.get_by_role("button", name="eDP-SGD", exact=True).click()
    expect(panel.locator(".trustlab-verdict")).to_contain_text(" eDP-SGD understands ")
    panel.get_by_role("button", name="Show numbers").click()
    expect(panel.locator(".trustlab-numbers table")).to_be_visible()
    panel.get_by_text("About the controls").click()
    lab.picture(panel, "00-moved")
    panel.get_by_role("button", name="Hide numbers").click()
    expect(panel.locator(".trustlab-numbers table")).to_be_hidden()
    start.reset(panel)


def test_00_understands_a_sentence_of_ones_own(lab, start):
    """Typed letter by letter at ε = 8, then moved to ε = 1: the model there takes it for something else."""
    panel = start.panel(FIRST)
    typed, verdict = panel.get_by_role("textbox", name="Your sentence"), panel.locator(".trustlab-verdict")
    before = shows(panel)
    typed.click()
    typed.press_sequentially("I want to hear some jazz!", delay=30)
    expect(verdict).to_contain_text("It takes your sentence for create event")
    expect(typed).to_have_value("I want to hear some jazz!")  # no letter is lost to a slow answer
    shows_another(panel, before)
    expect(picture(panel)).to_contain_text("“I want to hear some jazz!” (yours)")
    lab.picture(panel, "00-typed")
    moves(panel, 0, "ArrowLeft")
    moves(panel, 0, "ArrowLeft")
    expect(verdict).to_contain_text("It takes your sentence for transfer money")
    lab.picture(panel, "00-typed-strong")
    start.reset(panel)
    expect(typed).to_have_value("")
    expect(verdict).not_to_contain_text("your sentence")


def test_00_explains_after_a_prediction(lab, start):
    question = start.question()
    commit, told = question.get_by_role("button", name="Commit"), question.locator(".trustlab-verdict")
    expect(commit).to_be_disabled()
    expect(told).to_have_count(0)
    question.get_by_role("radio").nth(1).check()
    commit.click()
    expect(told).to_contain_text(re.compile(r"^Yes\. \w+"))
    expect(commit).to_be_disabled()
    lab.picture(question, "00-prediction")


def test_11_runs_and_shows_its_panels(lab, comparison):
    assert comparison.troubles() == []
    for name, title in {"toy": TOY, "budget": BUDGET}.items():
        expect(comparison.panels(title)).to_have_count(1)
        assert has_a_picture(comparison.panel(title))
        lab.picture(comparison.panel(title), f"11-{name}")


def test_11_toy_moves_with_the_keyboard(lab, comparison):
    panel = comparison.panel(TOY)
    for slider, key in enumerate(("ArrowRight", "ArrowRight", "ArrowLeft")):  # C, σ, the length of Anna's gradient
        moves(panel, slider, key)
    lab.picture(panel, "11-toy-moved")


def test_11_budget_moves_to_each_way_to_train(lab, comparison):
    panel = comparison.panel(BUDGET)
    verdict, saved = panel.locator(".trustlab-verdict"), says(panel)
    moves(panel, 0, "ArrowLeft")
    expect(verdict).to_contain_text("At ε = 3 (moderate), DP-SGD, one pass reaches ")
    panel.get_by_role("button", name="slot F1", exact=True).click()
    expect(verdict).to_contain_text("(slot F1); SGD without privacy ")
    for way, told in (
        ("eDP-SGD, K passes", "At ε = 3 (moderate), eDP-SGD, K passes with K = "),
        ("DP-SGD, loop", "At ε = 3 (moderate), DP-SGD, loop reaches "),
        ("SGD", "Without privacy, SGD reaches "),
    ):
        before = shows(panel)
        panel.get_by_role("combobox").select_option(way)
        expect(verdict).to_contain_text(told)
        shows_another(panel, before)
        lab.picture(panel, f"11-budget-{way}")
    panel.get_by_text("About the controls").click()
    lab.picture(panel, "11-budget-moved")
    panel.get_by_text("About the controls").click()
    comparison.reset(panel)
    expect(verdict).to_have_text(saved)


def test_11_trains_stops_and_keeps_what_was_reached(lab, comparison):
    panel = comparison.panel(BUDGET)
    train = panel.get_by_role("button", name=re.compile("^Train"))
    stop = panel.get_by_role("button", name="Stop", exact=True)
    verdict, handle = panel.locator(".trustlab-verdict"), panel.get_by_role("slider")
    comparison.reset(panel)
    expect(verdict).to_have_text(re.compile(r"^At ε = 8 \(weak\), DP-SGD, one pass reaches "))
    expect(stop).to_be_disabled()
    saved, blackness = says(panel), black(panel)

    train.click()
    expect(verdict).to_contain_text(re.compile(r"^After [\d.]+ of \d+ epochs"), timeout=180_000)
    expect(provenance(panel)).to_contain_text("yours, live")
    expect(train).to_be_disabled()
    expect(handle).to_be_disabled()
    lab.picture(panel, "11-training")
    stop.click()
    expect(provenance(panel)).to_have_text(re.compile(r"^yours, stopped after \d+ steps? · "), timeout=120_000)

    reached = (
        r"After [\d.]+ of \d+ epochs and [\d.]+ s: \d+\s% of the intents right, slot F1 \d+\s% on \d+ "
        r"validation utterances, ε = [\d.]+ spent\."
    )
    assert re.fullmatch(reached, says(panel))
    assert black(panel) > blackness  # diamonds at what was reached, and one in the legend
    expect(train).to_be_enabled()
    expect(stop).to_be_disabled()
    expect(handle).to_be_enabled()
    panel.get_by_role("button", name="Show numbers").click()
    expect(panel.locator(".trustlab-numbers")).to_contain_text("Yours")
    lab.picture(panel, "11-stopped")
    panel.get_by_role("button", name="Hide numbers").click()

    comparison.reset(panel)
    expect(verdict).to_have_text(saved)
    expect(provenance(panel)).to_contain_text(
        re.compile(r"^saved.* · yours, from [\d:]+, stopped after \d+ of \d+ steps$")
    )
    assert black(panel) > blackness  # the reader's run is there again, over the saved answer
    lab.picture(panel, "11-reset")


def test_11_corrects_a_wrong_prediction_and_gives_hints(lab, comparison):
    question = comparison.question()
    question.get_by_role("radio").nth(0).check()
    question.get_by_role("button", name="Commit").click()
    expect(question.locator(".trustlab-verdict")).to_contain_text("Not this time: you chose “")
    lab.picture(question, "11-prediction")
    first = comparison.page.get_by_role("button", name=re.compile(r"^Hint 1 of \d"))
    cell = comparison.page.locator(".jp-OutputArea-output", has=first).first.element_handle()
    button = cell.query_selector("button")
    button.click()
    told = "([cell, button]) => cell.innerText.includes('Hint 1. ') && button.innerText.startsWith('Hint 2 of ')"
    comparison.page.wait_for_function(told, arg=[cell, button])


def test_11_copies_a_position_as_code_and_saves_its_numbers(lab, comparison):
    panel = comparison.panel(BUDGET)
    comparison.reset(panel)
    panel.get_by_role("combobox").select_option("eDP-SGD, one pass")
    expect(panel.locator(".trustlab-verdict")).to_contain_text("eDP-SGD, one pass")
    lab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    panel.get_by_role("button", name="Copy as code").click()
    expect(panel.get_by_role("status").filter(has_text="Copied.")).to_be_visible()
    assert comparison.page.evaluate("navigator.clipboard.readText()") == (
        'budget_panel(corpus, "assistant").set(way="groups")'
    )
    with comparison.page.expect_download() as saved:
        panel.get_by_role("button", name="CSV").click()
    assert saved.value.suggested_filename == "what-do-accuracy-and-privacy-cost-in-seconds.csv"
    assert "seconds" in saved.value.path().read_text().splitlines()[0]
    comparison.reset(panel)


def test_13_runs_and_its_panels_move(lab, extraction):
    assert extraction.troubles() == []
    for title in (WHEELS, PIN):
        assert has_a_picture(extraction.panel(title))
    toy, panel = extraction.panel(WHEELS), extraction.panel(PIN)
    for slider, key in enumerate(("ArrowRight", "ArrowRight")):  # memory, steps
        moves(toy, slider, key)
    lab.picture(toy, "13-toy")
    lab.picture(panel, "13-panel")


def test_13_takes_a_pin_trains_and_shows_its_digits(lab, extraction, record_testsuite_property):
    panel = extraction.panel(PIN)
    typed, verdict = panel.get_by_role("textbox", name="Your pin"), panel.locator(".trustlab-verdict")
    expect(verdict).to_contain_text("All three, 10 copies")  # where the notebook's last cell of it left the panel
    extraction.reset(panel)
    expect(verdict).to_contain_text("No defence, 10 copies")
    saved = says(panel)
    typed.fill("08")
    expect(verdict).to_contain_text("“08” is no pin yet")
    typed.fill("0890")
    expect(verdict).to_have_text(saved)
    panel.get_by_role("button", name=re.compile("^Train")).click()
    pressed = time.monotonic()
    expect(verdict).to_contain_text(re.compile(r"Epoch \d+ of at most 10: it answers \d{4}"), timeout=120_000)
    lab.picture(panel, "13-training")
    expect(verdict).to_contain_text(re.compile(r"Step 100 of the attack: it answers \d{4}"), timeout=300_000)
    record_testsuite_property("seconds from Train to the attack's answer", round(time.monotonic() - pressed, 1))
    expect(verdict).to_contain_text(re.compile(r"Your pin is guess number [\d,]+ of 10,000"))
    lab.picture(panel, "13-attacked")
    extraction.reset(panel)
    expect(verdict).to_have_text(saved)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_everybody_can_use_its_panels_and_questions_in_both_themes(request, name):
    assert violations_in_both_themes(request.getfixturevalue(name)) == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_its_panels_fit_a_small_screen(request, name):
    assert too_high_for_a_small_screen(request.getfixturevalue(name).page) == {}


def test_a_failing_cell_and_a_lost_widget_would_be_seen(lab):
    # The last one: this page complains again when it is drawn again.
    lost = {"application/vnd.jupyter.widget-view+json": {"version_major": 2, "version_minor": 0, "model_id": "none"}}
    sources = [
        "import sys; print('a warning', file=sys.stderr)",
        f"from IPython.display import display; display({json.dumps(lost)}, raw=True)",
        "1 / 0",
    ]
    lab.write("broken", *sources)
    broken = lab.open("broken")
    broken.run_all()
    broken.wait_for_the_end(60)
    told = "\n".join(broken.troubles())
    for trouble in ("a warning", "ZeroDivisionError", "widget"):
        assert trouble in told
    broken.complaints.clear()
