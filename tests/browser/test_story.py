"""Notebook 22's animation in a real browser: Play shows every round, in order, as fast as a film on an idle machine."""

import os
import re

from playwright.sync_api import expect

FRAMES_PER_SECOND = 15
TITLE = "Who is heard? One training, round by round"
CELL = """from trustlab.course.n22_device_selection.story import story_panel
from trustlab.data import load

panel = story_panel(load("assistant")).set(round=20)
panel"""
WATCH = """() => {
    const panels = [...document.querySelectorAll(".trustlab-panel")];
    const panel = panels.find((each) => each.innerText.includes("Who is heard?"));
    window.shown = [];
    new MutationObserver(() => {
        const round = panel.querySelector(".trustlab-verdict").innerText.match(/After round (\\d+)/);
        if (round && window.shown.at(-1)?.[0] !== round[1]) window.shown.push([round[1], performance.now()]);
    }).observe(panel, {childList: true, subtree: true, characterData: true});
}"""


def test_play_shows_every_round_in_order(lab, request):
    lab.write("story", CELL)
    notebook = lab.open("story")
    notebook.run_all()
    notebook.wait_for_the_end(180)
    panel = notebook.panel(TITLE)
    notebook.page.evaluate(WATCH)
    play = panel.get_by_role("button", name="Play")
    play.click()
    expect(panel.get_by_role("button", name="Stop")).to_be_visible()
    expect(panel.locator(".trustlab-verdict")).to_contain_text("After round 100", timeout=120_000)
    expect(play).to_be_visible()
    shown = notebook.page.evaluate("window.shown")
    rounds, times = [int(round) for round, _ in shown], [at for _, at in shown]
    assert rounds == sorted(rounds) and rounds[-1] == 100 and len(rounds) > 60
    pace = 1000 * (len(times) - 1) / (times[-1] - times[0])
    idle = os.getloadavg()[0] < os.cpu_count()
    assert pace >= (FRAMES_PER_SECOND if idle else 3), f"{pace:.1f} frames a second"
    assert re.search(r"travellers have 13.% of the data and 3.% of the weight", panel.inner_text())
    assert notebook.troubles() == [] and notebook.complaints == []
    lab.picture(panel, "22-story-light-1280")
