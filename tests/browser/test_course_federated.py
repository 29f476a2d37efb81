"""A reader's hands on notebooks 20 to 25: run all, move, train, stop, predict, ask for a hint."""

import re
import time

import psutil
import pytest
from playwright.sync_api import expect

from .panels import (
    black,
    has_a_picture,
    moves,
    provenance,
    ran,
    says,
    shows,
    shows_another,
    too_high_for_a_small_screen,
    violations_in_both_themes,
)

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("no_complaints")]

LAWS = "What does a client's label distribution look like?"
FLEET = "What does α do to a fleet?"
FEDAVG = "What does skew do to FedAvg?"
WEIGHT = "Which clients does the average represent?"
ASKED = "Which clients should train?"
PAST = "What is left of the past?"
OVER_TIME = "What is activity worth when data arrive and are deleted?"
MATRIX = "Which algorithm, on which partition?"
NOTEBOOKS = ("one_round", "partitioning", "selecting", "over_time", "benchmark", "beyond")
one_round = ran("20_one_round_of_fedavg")
partitioning = ran("21_non_iid_partitioning")
selecting = ran("22_device_selection")
over_time = ran("23_continual_learning")
benchmark = ran("24_fednlp_benchmark")
beyond = ran("25_beyond_one_machine")


def flower_processes():
    """The processes of Flower on this machine."""
    commands = (process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"]))
    return [command for command in commands if any("flower-super" in part for part in command)]


def trains_stops_and_is_reset(lab, notebook, title, *, saved, after, shot):
    """Train from the start position, whose verdict has `saved` in it, until one says `after`; stop, look and reset."""
    panel = notebook.panel(title)
    notebook.reset(panel)
    verdict, train = panel.locator(".trustlab-verdict"), panel.get_by_role("button", name=re.compile("^Train"))
    expect(verdict).to_contain_text(saved)
    before, blackness = says(panel), black(panel)
    train.click()
    expect(verdict).to_contain_text(re.compile(after), timeout=120_000)
    panel.get_by_role("button", name="Stop", exact=True).click()
    expect(provenance(panel)).to_have_text(
        re.compile(r"^yours, (stopped|complete) after \d+ steps? · "), timeout=120_000
    )
    assert black(panel) > blackness
    lab.picture(panel, shot)
    notebook.reset(panel)
    expect(verdict).to_have_text(before)


def test_21_runs_and_shows_its_panels(lab, partitioning):
    assert partitioning.troubles() == []
    for name, (title, count) in {"toy": (LAWS, 1), "fleet": (FLEET, 1), "fedavg": (FEDAVG, 2)}.items():
        expect(partitioning.panels(title)).to_have_count(count)
        assert has_a_picture(partitioning.panel(title))
        lab.picture(partitioning.panel(title), f"21-{name}")


def test_21_toy_and_fleet_move_with_the_keyboard(lab, partitioning):
    toy, fleet = partitioning.panel(LAWS), partitioning.panel(FLEET)
    moves(toy, 0, "ArrowLeft")
    toy.get_by_role("button", name="one common", exact=True).click()
    expect(toy.locator(".trustlab-verdict")).to_contain_text("The mean over clients stays near p: 0.")
    lab.picture(toy, "21-toy-moved")
    for slider, key in enumerate(("ArrowLeft", "ArrowLeft", "ArrowRight")):  # α, clients, seed
        moves(fleet, slider, key)
    verdict = fleet.locator(".trustlab-verdict")
    for button, told in {"Flower": "Flower's α", "pfl": "pfl's α", "sizes only": "FedNLP's quantity skew"}.items():
        before = shows(fleet)
        fleet.get_by_role("button", name=button, exact=True).click()
        expect(verdict).to_contain_text(f"{told}: ")
        shows_another(fleet, before)
        lab.picture(fleet, f"21-fleet-{button}")
    fleet.get_by_role("button", name="Show numbers").click()
    expect(fleet.locator(".trustlab-numbers")).to_contain_text("no skew")
    lab.picture(fleet, "21-fleet-numbers")
    partitioning.reset(fleet)
    expect(verdict).to_contain_text("FedNLP's α: each client draws its labels")


def test_21_trains_stops_and_keeps_what_was_reached(lab, partitioning):
    panel = partitioning.panel(FEDAVG)
    verdict, train = panel.locator(".trustlab-verdict"), panel.get_by_role("button", name=re.compile("^Train"))
    saved, blackness = says(panel), black(panel)
    moves(panel, 0, "ArrowLeft")
    panel.get_by_role("button", name="effective labels", exact=True).click()
    panel.get_by_role("button", name="rare intents", exact=True).click()
    expect(verdict).to_contain_text("% of rare intents right")
    lab.picture(panel, "21-fedavg-moved")
    partitioning.reset(panel)
    expect(verdict).to_have_text(saved)
    train.click()
    expect(verdict).to_contain_text(re.compile(r"^After \d+ of 100 rounds"), timeout=120_000)
    expect(train).to_be_disabled()
    panel.get_by_role("button", name="Stop", exact=True).click()
    expect(provenance(panel)).to_have_text(
        re.compile(r"^yours, (stopped|complete) after \d+ steps · "), timeout=120_000
    )
    assert black(panel) > blackness
    lab.picture(panel, "21-fedavg-stopped")
    partitioning.reset(panel)
    expect(verdict).to_have_text(saved)


def test_22_runs_and_its_panels_move(lab, selecting):
    assert selecting.troubles() == []
    for title, count in {WEIGHT: 1, ASKED: 1}.items():
        expect(selecting.panels(title)).to_have_count(count)
        assert has_a_picture(selecting.panel(title))
    toy, panel = selecting.panel(WEIGHT), selecting.panel(ASKED)
    lab.picture(toy, "22-toy")
    for slider, key in enumerate(("ArrowLeft", "ArrowRight", "ArrowLeft")):  # β, fleet skew, cohort
        moves(toy, slider, key)
    toy.get_by_role("button", name="equally", exact=True).click()
    expect(toy.locator(".trustlab-verdict")).to_contain_text("under-represented")
    lab.picture(toy, "22-toy-moved")
    lab.picture(panel, "22-panel")
    verdict = panel.locator(".trustlab-verdict")
    moves(panel, 0, "ArrowRight")  # β
    told_by = {"steep": "% on light devices", "equally": "weighted equally"}
    for button, told in told_by.items():
        before = shows(panel)
        panel.get_by_role("button", name=button, exact=True).click()
        expect(verdict).to_contain_text(told)
        shows_another(panel, before)
    lab.picture(panel, "22-panel-moved")
    panel.get_by_role("combobox").select_option("oort")
    expect(verdict).to_contain_text("There is no saved training of oort here. Move Fleet to “as it is” ")
    selecting.reset(panel)
    panel.get_by_role("combobox").select_option("top-k")
    expect(verdict).to_contain_text("drawn by top-k and weighted by examples")
    lab.picture(panel, "22-panel-top-k")


def test_22_trains_stops_and_keeps_what_was_reached(lab, selecting):
    saved, after = "drawn by β = 1 and weighted by examples", r"^After \d+ of 30 rounds and [\d,]+ examples"
    trains_stops_and_is_reset(lab, selecting, ASKED, saved=saved, after=after, shot="22-stopped")


def test_23_runs_and_its_panels_move(lab, over_time):
    assert over_time.troubles() == []
    for title, count in {PAST: 1, OVER_TIME: 1}.items():
        expect(over_time.panels(title)).to_have_count(count)
        assert has_a_picture(over_time.panel(title))
    toy, panel = over_time.panel(PAST), over_time.panel(OVER_TIME)
    lab.picture(toy, "23-toy")
    for slider, key in enumerate(("ArrowRight", "ArrowRight", "ArrowLeft")):  # drift, replay, rounds
        moves(toy, slider, key)
    lab.picture(toy, "23-toy-moved")
    lab.picture(panel, "23-panel")
    moves(panel, 0, "ArrowRight")  # drift
    before = shows(panel)
    panel.get_by_role("button", name="20", exact=True).click()
    expect(panel.locator(".trustlab-verdict")).to_contain_text("20 old utterances kept on each device")
    shows_another(panel, before)
    before = shows(panel)
    panel.get_by_role("button", name="equally", exact=True).click()
    expect(panel.locator(".trustlab-verdict")).to_contain_text("updates weighted equally")
    shows_another(panel, before)
    lab.picture(panel, "23-panel-moved")


def test_23_trains_stops_and_keeps_what_was_reached(lab, over_time):
    saved, after = "Drift 1, nothing kept, selection by activity", r"^After \d+ of 60 rounds, in period \d"
    trains_stops_and_is_reset(lab, over_time, OVER_TIME, saved=saved, after=after, shot="23-stopped")


def test_24_runs_moves_trains_and_stops(lab, benchmark):
    assert benchmark.troubles() == []
    expect(benchmark.panels(MATRIX)).to_have_count(1)
    panel = benchmark.panel(MATRIX)
    assert has_a_picture(panel)
    lab.picture(panel, "24-matrix")
    verdict, saved, blackness = panel.locator(".trustlab-verdict"), says(panel), black(panel)
    for button, told in {"tagging": "tagging: FedAvg on ", "FedAdam": "tagging: FedAdam on the label"}.items():
        before = shows(panel)
        panel.get_by_role("button", name=button, exact=True).click()
        expect(verdict).to_contain_text(told)
        shows_another(panel, before)
    panel.get_by_role("combobox").select_option("quantity")
    expect(verdict).to_contain_text("FedAdam on the quantity partition reaches")
    lab.picture(panel, "24-matrix-moved")
    panel.get_by_role("button", name=re.compile("^Train")).click()
    expect(verdict).to_contain_text(re.compile(r"^After \d+ of 90 rounds"), timeout=120_000)
    panel.get_by_role("button", name="Stop", exact=True).click()
    expect(provenance(panel)).to_have_text(
        re.compile(r"^yours, (stopped|complete) after \d+ steps · "), timeout=120_000
    )
    assert black(panel) != blackness  # diamonds of the reader's own
    lab.picture(panel, "24-matrix-stopped")
    benchmark.reset(panel)
    expect(verdict).to_have_text(saved)


def test_25_runs_and_its_panels_move(lab, beyond):
    assert beyond.troubles() == []
    toy, needs = (
        beyond.panel(each) for each in ("What does the server see?", "What does one round of a deployment need?")
    )
    assert has_a_picture(toy) and has_a_picture(needs)
    beyond.reset(toy)
    toy.get_by_text("masked numbers", exact=True).click()
    expect(toy.locator(".trustlab-verdict")).to_contain_text("say nothing about any device")
    lab.picture(toy, "25-masks-moved")
    lab.picture(needs, "25-needs")


def test_25_starts_a_server_and_nodes_and_stop_leaves_no_process(lab, beyond):
    panel = beyond.panel("Rounds between processes")
    assert has_a_picture(panel) and flower_processes() == []
    panel.get_by_role("button", name=re.compile("^Start a server and 2 nodes")).click()
    expect(panel.locator(".trustlab-verdict")).to_contain_text("Stop ends every process", timeout=60_000)
    ends = time.monotonic() + 60
    while not flower_processes() and time.monotonic() < ends:
        time.sleep(0.2)
    assert flower_processes()
    lab.picture(panel, "25-flower-live")
    panel.get_by_role("button", name="Stop", exact=True).click()
    ends = time.monotonic() + 10
    while flower_processes() and time.monotonic() < ends:
        time.sleep(0.2)
    assert flower_processes() == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_everybody_can_use_its_panels_and_questions_in_both_themes(request, name):
    assert violations_in_both_themes(request.getfixturevalue(name)) == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_its_panels_fit_a_small_screen(request, name):
    assert too_high_for_a_small_screen(request.getfixturevalue(name).page) == {}
