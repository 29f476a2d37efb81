"""The three openers under hands: guess, play a round, move a threshold."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

TOYS = {
    "10_what_epsilon_promises": "Was Anna there?",
    "20_one_round_of_fedavg": "Where should the night ambulance wait?",
    "30_one_gap_by_hand": "Who gets a loan?",
}


@pytest.fixture(scope="module", params=TOYS)
def opener(lab, request):
    """An opener that has run, and its toy."""
    notebook = lab.open(request.param)
    notebook.run_all()
    notebook.wait_for_the_end(180)
    assert notebook.troubles() == [] and notebook.complaints == []
    return request.param[:2], notebook, notebook.panel(TOYS[request.param])


def test_an_opener_runs_and_its_toy_answers_to_every_reader(opener):
    number, notebook, toy = opener
    says = toy.locator(".trustlab-verdict")
    {"10": guesses, "20": plays, "30": moves}[number](toy, says)
    assert notebook.violations() == []
    assert notebook.troubles() == [] and notebook.complaints == []


def guesses(toy, says):
    """Guess three times; then the optimal guesser plays, and no reader guesses meanwhile."""
    there = toy.get_by_role("button", name="She was there", exact=True)
    for guess in range(1, 4):
        there.click()
        expect(says).to_contain_text(re.compile(rf"You: \d of {guess} right"))
    toy.get_by_role("button", name=re.compile("Optimal guesser")).click()
    expect(there).to_be_disabled()
    expect(says).to_contain_text("of 1,000)")
    expect(there).to_be_enabled()
    toy.get_by_role("button", name="Reset").click()
    expect(says).to_contain_text("Ten noisy counts")


def plays(toy, says):
    """Play a round: the server sees no data, and the controls end at its last moment."""
    toy.get_by_role("button", name="Play this round").click()
    expect(says).to_contain_text("this is all that the server sees")
    expect(says).to_contain_text("the average of 12 models")
    expect(toy.get_by_role("button", name="4 average")).to_have_attribute("aria-pressed", "true")
    toy.get_by_role("combobox").select_option("Ada")
    expect(says).to_contain_text("the average of 11 models")


def moves(toy, says):
    """Move the threshold with the keyboard, and one person across it."""
    before = says.inner_text()
    toy.get_by_role("slider", name="Threshold").press("ArrowRight")
    expect(says).not_to_have_text(before)
    toy.get_by_role("slider", name="Threshold").press("ArrowLeft")
    toy.get_by_role("button", name="one of the valley").click()
    expect(says).to_contain_text("a gap of 8 points. Before one person of the valley moved it was 25 points")
