"""What a reader sees of a panel in the page, and what a reader does with it."""

import pytest
from playwright.sync_api import expect


def ran(name):
    """Make a fixture of a notebook: opened once for the tests of a module, after Run All Cells."""

    @pytest.fixture(scope="module")
    def notebook(lab):
        notebook = lab.open(name)
        notebook.run_all()
        notebook.wait_for_the_end(300)
        return notebook

    return notebook


def says(panel):
    return panel.locator(".trustlab-verdict").inner_text()


def picture(panel):
    return panel.locator(".trustlab-drawing")


def shows(panel):
    return picture(panel).inner_html()


def shows_another(panel, before):
    """Wait until the picture is not the one that was there before."""
    panel.page.wait_for_function("([panel, before]) => panel.querySelector('.trustlab-drawing').innerHTML != before",
                                 arg=[panel.element_handle(), before])  # fmt: skip


def provenance(panel):
    return panel.locator(".trustlab-foot .trustlab-source")


def has_a_picture(panel):
    """Whether picture and verdict are there, and the picture says what it shows."""
    expect(picture(panel)).to_be_visible()
    expect(panel.locator(".trustlab-verdict")).to_be_visible()
    return picture(panel).get_attribute("aria-label") == says(panel)


def moves(panel, slider, key):
    """Press `key` on the panel's slider of that number: readout, verdict and picture must change."""
    handle, readout = panel.get_by_role("slider").nth(slider), panel.locator(".trustlab-readout").nth(slider)
    verdict, before, value = says(panel), shows(panel), readout.inner_text()
    handle.focus()
    handle.press(key)
    expect(readout).not_to_have_text(value)
    expect(panel.locator(".trustlab-verdict")).not_to_have_text(verdict)
    shows_another(panel, before)


def black(panel):
    """How many black points the picture has: the reader's own are the only ones that come and go."""
    return picture(panel).locator('g[fill="currentColor"]:not([fill-opacity]) > path').count()


def violations_in_both_themes(notebook):
    """What its panels and questions break of the rules of accessible pages."""
    notebook.page.bring_to_front()
    found = notebook.violations()
    try:
        notebook.wear("Dark")
        return [*found, *notebook.violations()]
    finally:
        notebook.wear("Light")


def too_high_for_a_small_screen(page):
    """Its panels that do not fit 1280 × 720, a projector or a laptop; JupyterLab's bars and list take their part."""
    tall = page.viewport_size
    page.set_viewport_size({"width": 1280, "height": 720})
    try:
        room = page.locator(".jp-NotebookPanel-notebook").evaluate("each => each.clientHeight")
        assert room > 500, room
        for opened in page.get_by_role("button", name="Hide numbers").all():  # by another test
            opened.click()
        page.evaluate("document.querySelectorAll('.trustlab-about[open]').forEach(about => { about.open = false })")
        panels = page.locator(".trustlab-panel", has=page.locator(".trustlab-control input, .trustlab-choices"))
        heights = {p.locator(".trustlab-title").first.inner_text(): p.bounding_box()["height"] for p in panels.all()}
        return {title: height for title, height in heights.items() if height > room}
    finally:
        page.set_viewport_size(tall)
