"""What a visitor of docs/explore waits for: the first picture, and the picture after each move of a slider.

Each page is opened from file:// in Chromium; a script in it moves every slider through its stops, and takes the time
from the event to the frame that is painted after it.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import turns
from trustlab.course import explorables
from trustlab.lab.display import table

NAME = "page_speed"
WAYS = 4  # through the stops of a slider, to and fro
STOPS = 41  # of a slider without stops
FLAGS = ["--no-sandbox", "--disable-gpu"]
FIRST = """() => new Promise((found) => {
  const look = () => {
    const [paint] = performance.getEntriesByName("first-contentful-paint");
    if (paint) found(paint.startTime); else requestAnimationFrame(look);
  };
  look();
})"""
# A slider's way in the page: set it, and wait until what it shows is painted.
MOVE = """async ([name, places]) => {
  const input = document.getElementsByName(name)[0], times = [];
  for (const place of places) {
    const start = performance.now();
    input.value = place;
    input.dispatchEvent(new Event("input", { bubbles: true }));
    await new Promise((done) => requestAnimationFrame(() => {
      const channel = new MessageChannel(); // its message comes after the frame is painted
      channel.port1.onmessage = done;
      channel.port2.postMessage(0);
    }));
    times.push(performance.now() - start);
  }
  return times;
}"""


def measure(folder: Path = explorables.OUT, names: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """Yield a row for each page: the first picture, and the median and the 95th percentile of a slider's moves."""
    from playwright.sync_api import sync_playwright

    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for path in sorted(folder.glob("[0-9]*.html")):
            if not names or path.stem in names:
                page = browser.new_page(viewport={"width": 1280, "height": 720})
                page.goto(path.as_uri())
                first = page.evaluate(FIRST)
                controls = json.loads(page.locator("#about").text_content())["controls"]
                sliders = [each for each in controls if each["kind"] == "slider"]
                times = [time for each in sliders for time in page.evaluate(MOVE, [each["name"], places(each)])]
                p50, p95 = np.quantile(times, (0.5, 0.95)) if times else (np.nan, np.nan)
                yield {"page": path.stem, "first picture, ms": first, "moves": len(times), "ms, p50": float(p50),
                       "ms, p95": float(p95)}  # fmt: skip
                page.close()
        browser.close()


def places(control: dict[str, Any]) -> list[float]:
    """Return where a slider is moved to, one after the other.

    Examples
    --------
    >>> places({"low": 0, "high": 2, "labels": ["a", "b", "c"]})[:7]
    [0.0, 1.0, 2.0, 2.0, 1.0, 0.0, 0.0]
    """
    stops = np.linspace(control["low"], control["high"], len(control["labels"]) or STOPS).tolist()
    return [*stops, *stops[::-1]] * (WAYS // 2)


def main(asked: argparse.Namespace) -> None:
    """Run, print, and store the table where `asked` to."""
    rows = list(measure())
    print(table(rows))
    if asked.write:
        print("wrote", turns.store(NAME, rows, [measure], ["playwright"]))
