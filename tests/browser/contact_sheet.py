"""A contact sheet: every panel and toy of the course in JupyterLab, as readers see it on their screens.

``make contact`` writes a sheet for each screen to build/contact, and each picture at its full size beside it.
"""

import importlib.util
import json
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
from PIL import Image, ImageDraw
from playwright.sync_api import Error, expect, sync_playwright

from trustlab.course import gallery

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "build" / "contact"
# Width and height of the window in CSS pixels, and the theme. Zoomed by 150 %, a window has fewer CSS pixels.
SCREENS = {
    "light": (1280, 720, "JupyterLab Light"),
    "dark": (1280, 720, "JupyterLab Dark"),
    "853 px": (853, 720, "JupyterLab Light"),
    "150 %": (853, 480, "JupyterLab Dark"),
}
SHARPNESS = 1.5  # pixels of a picture per CSS pixel
CELLS = {name: f'from trustlab.course.gallery import ALL\n\nALL["{name}"]()' for name in gallery.ALL}
WIDTH, COLUMNS, LABEL = 800, 3, 34  # of a sheet: CSS pixels of a picture, pictures in a row, height of a name
SECONDS = 1000


def harness():
    """Return the module that starts JupyterLab for the browser tests."""
    spec = importlib.util.spec_from_file_location("lab_in_a_browser", Path(__file__).with_name("conftest.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def open_all(lab):
    """Open a notebook that shows every panel, one to a cell, and run it."""
    cells = [nbformat.v4.new_code_cell(source) for _, source in sorted(CELLS.items())]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), lab.root / "notebooks" / "contact.ipynb")
    notebook = lab.open("contact")
    notebook.run_all()
    notebook.wait_for_the_end(600)
    assert notebook.troubles() == [], notebook.troubles()
    expect(notebook.page.locator(".jp-Cell .trustlab-panel")).to_have_count(len(CELLS))
    notebook.page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
    return notebook.page


def show_on(page, screen):
    """Give the window another size and theme."""
    width, height, theme = screen
    page.set_viewport_size({"width": width, "height": height})
    page.evaluate("(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", theme)
    light = "true" if theme.endswith("Light") else "false"
    expect(page.locator(f'body[data-jp-theme-light="{light}"]')).to_have_count(1)
    page.wait_for_timeout(1 * SECONDS)


def pictures(page, folder):
    """Save what the window shows with each panel at its top; return whether each panel fits it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    fits = {}
    for i, name in enumerate(sorted(CELLS)):
        panel = page.locator(".jp-Cell .trustlab-panel").nth(i)
        panel.evaluate("(panel) => panel.scrollIntoView({ block: 'start' })")
        page.wait_for_timeout(0.3 * SECONDS)
        page.screenshot(path=folder / f"{name}.png")
        fits[name] = panel.evaluate("(panel) => panel.getBoundingClientRect().bottom <= innerHeight")
    return fits


def sheet(folder, path):
    """Put the pictures of a folder on one sheet, each under its name."""
    paths = sorted(folder.glob("*.png"))
    images = [Image.open(each).convert("RGB") for each in paths]
    height = round(WIDTH * images[0].height / images[0].width)
    rows = -(-len(images) // COLUMNS)
    whole = Image.new("RGB", (COLUMNS * WIDTH, rows * (height + LABEL)), "#777777")
    pen = ImageDraw.Draw(whole)
    for i, (each, image) in enumerate(zip(paths, images, strict=True)):
        left, top = i % COLUMNS * WIDTH, i // COLUMNS * (height + LABEL)
        pen.text((left + 8, top + 6), each.stem, fill="white", font_size=20)
        whole.paste(image.resize((WIDTH - 4, height)), (left, top + LABEL))
    whole.save(path, optimize=True)


def main():
    """Write the sheets; say which panels do not fit their window."""
    browser_tests = harness()
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        sys.exit("No Chromium on the PATH; on Debian: apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        lab = browser_tests.Lab(Path(folder))
        (lab.folder / "config").mkdir(exist_ok=True)
        settings = {"LabApp": {"expose_app_in_browser": True}}
        (lab.folder / "config" / "jupyter_lab_config.json").write_text(json.dumps(settings))
        with lab.serving():
            flags = [f"--{flag}" for flag in browser_tests.FLAGS.split()]
            browser = playwright.chromium.launch(executable_path=chromium, args=flags)
            lab.context = browser.new_context(viewport={"width": 1280, "height": 720}, device_scale_factor=SHARPNESS)
            try:
                page = open_all(lab)
                for name, screen in SCREENS.items():
                    show_on(page, screen)
                    fits = pictures(page, OUT / name)
                    sheet(OUT / name, OUT / f"{name}.png")
                    higher = ", ".join(panel for panel, fit in fits.items() if not fit) or "none"
                    print(f"{OUT / name}.png: {len(fits)} panels; higher than the window: {higher}")
            except (AssertionError, Error):
                print(lab.log_tail(), file=sys.stderr)
                raise
            finally:
                browser.close()


if __name__ == "__main__":
    main()
