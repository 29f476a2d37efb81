"""What a reader waits for: from the press of a key to the painted picture, in JupyterLab in a real browser.

A notebook with one panel a cell is run; then keys, clicks and a dragging mouse move every control. A script in the page
takes the time from the event to the first frame after the picture has changed.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import TimeoutError, sync_playwright

NOTEBOOK = "panels"
PATIENCE = 3.0  # seconds for a picture; a move that changes none has no time
MOST_STEPS = 20  # of a slider, each way
DRAG = 3.0  # seconds
CHANGES = 60  # positions a second that the dragging mouse goes through: more than any picture follows
WATCH = """panel => {
  const drawn = panel.querySelector(".trustlab-drawing").parentElement;
  let since = null;
  const seen = panel.trustlabSeen = { times: [], painted: 0, forget: () => { since = null; } };
  const start = (event) => { since ??= event.timeStamp; };
  for (const name of ["input", "click", "change"]) panel.addEventListener(name, start, true);
  new MutationObserver(() => {
    const from = since;
    since = null;
    requestAnimationFrame(() => {
      const channel = new MessageChannel(); // its message comes after the frame is painted
      channel.port1.onmessage = () => {
        seen.painted += 1;
        if (from !== null) seen.times.push(performance.now() - from);
      };
      channel.port2.postMessage(0);
    });
  }).observe(drawn, { childList: true, subtree: true });
}"""


@contextlib.contextmanager
def notebook_of(panels: Sequence[str]) -> Iterator[Any]:
    """Run a notebook with one of the course's panels in each cell, and give it with its page in a browser."""
    from tests.browser.conftest import FLAGS, Lab

    cells = [_code("from trustlab.course.gallery import ALL"), *(_code(f"ALL[{name!r}]()") for name in panels)]
    content = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    content["metadata"]["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    with tempfile.TemporaryDirectory() as folder, Lab(Path(folder)).serving() as lab, sync_playwright() as playwright:
        (lab.root / "notebooks" / f"{NOTEBOOK}.ipynb").write_text(json.dumps(content), encoding="utf-8")
        flags = [f"--{flag}" for flag in FLAGS.split()]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        lab.context = browser.new_context(viewport={"width": 1280, "height": 720})
        notebook = lab.open(NOTEBOOK)
        notebook.run_all()
        notebook.wait_for_the_end(300)
        yield notebook
        browser.close()


def _code(source: str) -> dict[str, Any]:
    return {"cell_type": "code", "id": f"cell-{abs(hash(source)):x}"[:16], "metadata": {}, "execution_count": None,
            "outputs": [], "source": source}  # fmt: skip


class Watched:
    """One panel on the page, whose controls are moved.

    Parameters
    ----------
    notebook
        As :func:`notebook_of` gives it.
    place
        The number of its panel, from 0.
    """

    def __init__(self, notebook: Any, place: int) -> None:
        self._page, self._panel = (
            notebook.page,
            notebook.page.locator(".trustlab-panel:has(.trustlab-drawing)").nth(place),
        )
        self._panel.locator(".trustlab-drawing").wait_for()
        self._panel.scroll_into_view_if_needed()
        self._panel.evaluate(WATCH)

    def moves(self) -> list[float]:
        """Move every control through all its positions and back; return the milliseconds of each move."""
        for handle in self._panel.locator(".trustlab-control input[type=range]").all():
            steps = handle.evaluate("input => Math.round((input.max - input.min) / input.step)")
            handle.focus()
            self._step(lambda: self._page.keyboard.press("Home"))
            for key in ["ArrowRight"] * min(steps, MOST_STEPS) + ["ArrowLeft"] * min(steps, MOST_STEPS):
                self._step(lambda key=key: self._page.keyboard.press(key))
        for button in 2 * self._panel.locator(".trustlab-choice").all():  # twice: back to the first one too
            if button.get_attribute("aria-pressed") != "true":
                self._step(button.click)
        for choice in self._panel.locator(".trustlab-control select").all():
            for index in range(choice.locator("option").count()):
                self._step(lambda choice=choice, index=index: choice.select_option(index=index))
        return self._panel.evaluate("panel => panel.trustlabSeen.times")

    def _step(self, move: Callable[[], Any]) -> None:
        """Make a move, and wait for its picture before the next one."""
        before = self._panel.evaluate("panel => panel.trustlabSeen.times.length")
        move()
        with contextlib.suppress(TimeoutError):  # this move changed no picture
            self._page.wait_for_function(
                "([panel, before]) => panel.trustlabSeen.times.length > before",
                arg=[self._panel.element_handle(), before],
                timeout=1000 * PATIENCE,
            )
        self._panel.evaluate("panel => panel.trustlabSeen.forget()")

    def frames_per_second(self) -> float:
        """Drag the first slider to and fro, and return how many pictures a second were painted."""
        handle = self._panel.locator(".trustlab-control input[type=range]").first
        handle.scroll_into_view_if_needed()
        box = handle.bounding_box()
        steps = handle.evaluate("input => Math.round((input.max - input.min) / input.step)")
        mouse, y = self._page.mouse, box["y"] + box["height"] / 2
        period = 2 * min(steps, 40) / CHANGES
        mouse.move(box["x"] + box["width"] / 2, y)
        mouse.down()
        before = self._panel.evaluate("panel => panel.trustlabSeen.painted")
        started = time.monotonic()
        for _ in itertools.count():
            now = time.monotonic() - started
            if now > DRAG:
                break
            share = abs((now / period) % 1 - 0.5) * 2
            mouse.move(box["x"] + 4 + share * (box["width"] - 8), y)
        painted = self._panel.evaluate("panel => panel.trustlabSeen.painted") - before
        mouse.up()
        return painted / (time.monotonic() - started)
