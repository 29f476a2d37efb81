"""A panel, a question and a hint under hands: a drag, the keyboard, both themes, a larger text, a restarted kernel."""

import re
import time

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

SECONDS_AN_ANSWER = 0.2
PANEL = """import dataclasses
import time
from trustlab.config import option
from trustlab.lab.curves import Curves
from trustlab.lab.panel import Answer, Panel

GRID, CALLS = tuple(float(i) for i in range(1, 31)), []
ROWS = [{"method": m, "epsilon": e, "accuracy": 0.01 * e} for m in ("SGD", "DP-SGD") for e in GRID]

@dataclasses.dataclass(frozen=True)
class Place:
    epsilon: float = option(1.0, label="ε", help="Privacy budget.", values=GRID)
    method: str = option("SGD", label="Method", help="How to train.", values=("SGD", "DP-SGD"))

def answer(place):
    CALLS.append(place)
    time.sleep(0.2)
    return Answer(ROWS, f"{place.method} at {place.epsilon:g}, answer {len(CALLS)}.", "computed here")

Panel(
    Place(),
    title="Slow",
    drawing=Curves("epsilon", "accuracy", "method", grid=GRID, x_label="ε", y_label="accuracy"),
    answer=answer,
    controls={"epsilon": [(f"{e:g} (weak)", e) for e in GRID], "method": None},
    code="slow_panel()",
)"""
QUESTION = "from trustlab.lab.teaching import hint, predict\npredict('Why?', ['so', 'not so', 'or so'], 1, 'It is.')"
HINT = "hint('Look.', 'Look again.')"


@pytest.fixture(scope="module")
def page_of_three(lab):
    """A notebook of a slow panel, a question and a hint, run."""
    lab.write("three", PANEL, QUESTION, HINT)
    notebook = lab.open("three")
    notebook.run_all()
    notebook.wait_for_the_end(120)
    assert notebook.troubles() == []
    return notebook


def says(panel):
    return panel.locator(".trustlab-verdict").inner_text()


def contrast(locator, of="color"):
    """The contrast of an element's colour with what lies behind it, as WCAG computes it."""
    return locator.evaluate(
        """(element, of) => {
          const parts = (text) => text.match(/[\\d.]+/g).map(Number);
          const seen = (each) => {
            for (; each; each = each.parentElement) {
              const [r, g, b, a = 1] = parts(getComputedStyle(each).backgroundColor);
              if (a > 0) return [r, g, b];
            }
            return [255, 255, 255];
          };
          const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
          const light = (rgb) => rgb.map((v) => linear(v / 255))
            .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
          const front = of == "background" ? seen(element) : parts(getComputedStyle(element).color).slice(0, 3);
          const pair = [light(front), light(seen(of == "background" ? element.parentElement : element))].sort();
          return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
        }""",
        of,
    )


def test_names_and_values_are_there_for_a_screen_reader(page_of_three):
    panel = page_of_three.panel("Slow")
    slider = panel.get_by_role("slider", name="ε", exact=True)
    assert slider.get_attribute("aria-valuetext") == "1 (weak)"
    assert panel.locator(".trustlab-readout").inner_text() == "1 (weak)"
    group = panel.get_by_role("group", name="Method", exact=True)
    assert [b.get_attribute("aria-pressed") for b in group.get_by_role("button").all()] == ["true", "false"]
    assert page_of_three.page.get_by_role("radiogroup", name="Why?").get_by_role("radio").count() == 3
    assert page_of_three.violations() == []


def test_a_drag_leaves_no_queue_of_old_positions(lab, page_of_three):
    page, panel = page_of_three.page, page_of_three.panel("Slow")
    panel.scroll_into_view_if_needed()
    slider = panel.get_by_role("slider")
    box = slider.bounding_box()
    start = int(re.search(r"answer (\d+)", says(panel))[1])
    page.mouse.move(box["x"] + 6, box["y"] + box["height"] / 2)
    page.mouse.down()
    began = time.monotonic()
    for i in range(1, 31):
        page.mouse.move(box["x"] + 6 + i * (box["width"] - 12) / 30, box["y"] + box["height"] / 2)
        time.sleep(0.03)
    page.mouse.up()
    last = float(slider.input_value()) + 1
    assert last == 30
    expect(panel.locator(".trustlab-verdict")).to_contain_text(f"SGD at {last:g},")
    answers = int(re.search(r"answer (\d+)", says(panel))[1]) - start
    assert 2 <= answers <= (time.monotonic() - began) / SECONDS_AN_ANSWER + 1  # one at a time, the last is shown
    time.sleep(1)
    assert int(re.search(r"answer (\d+)", says(panel))[1]) - start == answers  # nothing was waiting
    lab.picture(panel, "instrument-dragged")


def test_the_keyboard_reaches_everything_and_jupyterlab_leaves_it_its_keys(page_of_three):
    page, panel, question = page_of_three.page, page_of_three.panel("Slow"), page_of_three.question()
    slider = panel.get_by_role("slider")
    for key, text in {
        "Home": "1 (weak)",
        "ArrowRight": "2 (weak)",
        "ArrowUp": "3 (weak)",
        "ArrowLeft": "2 (weak)",
    }.items():
        slider.press(key)
        expect(slider).to_have_attribute("aria-valuetext", text)
    panel.get_by_role("button", name="DP-SGD", exact=True).press("Enter")
    expect(panel.locator(".trustlab-verdict")).to_contain_text("DP-SGD at 2,")
    panel.get_by_role("button", name="Reset").press("Enter")
    expect(panel.locator(".trustlab-verdict")).to_contain_text("SGD at 1,")
    radios = question.get_by_role("radio")
    radios.first.press("Space")
    page.keyboard.press("ArrowDown")
    expect(radios.nth(1)).to_be_checked()
    commit = question.get_by_role("button", name="Commit")
    expect(commit).to_be_enabled()  # the kernel has heard of a choice
    commit.press("Enter")
    expect(question.locator(".trustlab-verdict")).to_contain_text("Yes.")
    page.get_by_role("button", name="Hint 1 of 2").press("Enter")
    page.get_by_role("button", name="Hint 2 of 2").press("a")  # in JupyterLab's command mode: a new cell
    expect(page.locator(".jp-Cell")).to_have_count(3)
    slider.press("Control+s")
    expect(page.locator(".jp-Dialog")).to_have_count(0)
    expect(page.locator("li.lm-TabBar-tab.jp-mod-dirty")).to_have_count(0)  # saved


def test_both_themes_can_be_read_and_show_what_is_chosen(lab, page_of_three):
    panel = page_of_three.panel("Slow")
    pressed, open_ = (panel.get_by_role("button", name=name, exact=True) for name in ("SGD", "DP-SGD"))
    try:
        for theme in ("Light", "Dark"):
            page_of_three.wear(theme)
            assert contrast(pressed, "background") >= 3
            for part in (pressed, open_, panel.locator(".trustlab-verdict"), panel.locator(".trustlab-drawing > svg")):
                assert contrast(part) >= 4.5
            assert page_of_three.violations() == []
            lab.picture(panel, f"instrument-{theme}")
    finally:
        page_of_three.wear("Light")


def test_presentation_mode_enlarges_all_of_a_panel(lab, page_of_three):
    panel = page_of_three.panel("Slow")
    size = "each => [each.getBoundingClientRect().width, parseFloat(getComputedStyle(each).fontSize)]"
    texts = [f".trustlab-{part}" for part in ("title", "name", "readout", "choice", "verdict", "source", "quiet")]

    def sizes():
        fonts = [panel.locator(part).first.evaluate(size)[1] for part in (*texts, ".jupyter-button")]
        return [*fonts, panel.locator(".trustlab-drawing > svg").evaluate(size)[0]]

    before = sizes()
    page_of_three.choose("View", "Appearance", "Presentation Mode")
    try:
        *fonts, width = (now / then for now, then in zip(sizes(), before, strict=True))
        assert min(fonts) > 1.1 and width > 1.05  # there is less room for a picture
        lab.picture(panel, "instrument-presentation")
    finally:
        page_of_three.choose("View", "Appearance", "Presentation Mode")


def test_a_restarted_kernel_greys_its_panels_and_says_what_to_do(lab, page_of_three):
    page, panel, question = page_of_three.page, page_of_three.panel("Slow"), page_of_three.question()
    page_of_three.choose("Kernel", "Restart Kernel…")
    page.locator("dialog.jp-Dialog .jp-mod-accept").click()
    told = "each => getComputedStyle(each, '::before').content"
    opacity = "each => getComputedStyle(each.children[0]).opacity"
    for part in (panel, question):
        expect(part).to_have_class(re.compile("jupyter-widgets-disconnected"))
        assert part.evaluate(told) == '"The kernel was restarted: run this cell again."'
        assert float(part.evaluate(opacity)) < 0.6
    page.wait_for_function("document.querySelector('.trustlab-panel').children[1].inert")  # the keyboard passes by
    lab.picture(panel, "instrument-restarted")
    page_of_three.run_all()
    expect(page_of_three.panel("Slow")).not_to_have_class(re.compile("jupyter-widgets-disconnected"))
    page_of_three.wait_for_the_end(120)
    panel = page_of_three.panel("Slow")
    assert panel.evaluate(told) == "none"
    panel.get_by_role("slider").press("End")
    expect(panel.locator(".trustlab-verdict")).to_contain_text("SGD at 30,")


def test_a_notebook_opened_again_without_a_kernel_shows_its_panels_as_they_were(lab, page_of_three):
    page, panel = page_of_three.page, page_of_three.panel("Slow")
    panel.get_by_role("slider").press("Home")
    panel.get_by_role("slider").press("ArrowRight")
    expect(panel.locator(".trustlab-verdict")).to_contain_text("SGD at 2,")
    page_of_three.choose("File", "Save Notebook")
    page_of_three.choose("Kernel", "Shut Down Kernel")
    page.reload()
    panel = page_of_three.panel("Slow")
    expect(panel.locator(".trustlab-verdict")).to_contain_text("SGD at 2,")
    expect(panel).to_have_class(re.compile("jupyter-widgets-disconnected"))
    expect(panel.get_by_role("slider", include_hidden=True)).to_have_attribute("aria-valuetext", "2 (weak)")
    assert page_of_three.troubles() == []
