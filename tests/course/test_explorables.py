"""The course's pages: each names its notebook, and those in docs/ show what the panels show today."""

import html
import re
from pathlib import Path

import pytest

from trustlab.course import explorables
from trustlab.course.promise import promise_panel
from trustlab.guessing import best_hit_rate, written_rate
from trustlab.lab.display import inline
from trustlab.site.states import choices, count

ROOT = Path(__file__).resolve().parents[2]
PAGES = [page for chapter in explorables.CHAPTERS for page in chapter.pages]
KB, ALL_KB = 400, 25_000


def alike(one, other, by=0.02):
    """Whether two pictures are the same but for rounding, which another processor may do otherwise."""
    parts = [re.split(r"(-?\d+\.?\d*)", re.sub(r"base64,[^\"]+", "", text)) for text in (one, other)]
    words, numbers = ([each[i::2] for each in parts] for i in (0, 1))
    near = (abs(float(a) - float(b)) <= by for a, b in zip(*numbers, strict=False))
    return words[0] == words[1] and all(near)


def test_pictures_are_alike_up_to_rounding():
    assert alike('<path d="M1 2.01L-3 4"/>', '<path d="M1 2.02L-3 4"/>')
    assert not alike('<path d="M1 2L3 4"/>', '<path d="M1 2L3 5"/>')
    assert not alike('<path d="M1 2L3 4"/>', '<text x="1">2</text>')


def test_names_are_unique_and_in_the_courses_order():
    names = [page.name for page in PAGES]
    assert len(set(names)) == len(names)
    assert [name[:2] for name in names] == sorted(name[:2] for name in names)
    assert all(page.name[:2] == page.notebook[:2] and page.sentence.endswith((".", "?")) for page in PAGES)


def test_every_page_names_a_notebook_with_a_room():
    rooms = {path.name[1:] for path in (ROOT / "trustlab" / "course").glob("n[0-9]*")}
    assert {page.notebook for page in PAGES} <= rooms


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_committed_page_is_todays(page, monkeypatch, tmp_path):
    monkeypatch.setenv("TRUSTLAB_RUNS", str(tmp_path))
    panel = page.panel()
    controls = choices(panel, page.only, ranges=page.ranges if page.script else None)
    text = (explorables.OUT / f"{page.name}.html").read_text(encoding="utf-8")
    again = "`make site` writes it again"
    assert f"<h1>{html.escape(panel.title)}</h1>" in text, again
    assert inline(panel.answer.verdict) in text, again
    shown = text.partition('<div class="picture" id="picture">')[2].partition('<div class="foot">')[0]
    assert alike(shown.removesuffix("</div>\n"), panel.widgets.picture.value), again
    assert re.findall(r"<dt>(.*?)</dt>", text) == [html.escape(each.label) for each in controls], again
    if page.script:
        assert (explorables.OUT / f"{page.name}.js").read_bytes() == page.script.read_bytes(), again
        return
    files = list((explorables.OUT / page.name).glob("*.js"))
    marks = [mark for file in files for mark in re.findall(r'"([0-9a-f]{16})"', file.read_text(encoding="utf-8"))]
    assert len(marks) == count(controls), again


def test_the_committed_site_is_small():
    sizes = {path: path.stat().st_size / 1000 for path in explorables.OUT.rglob("*") if path.is_file()}
    shared = sum(size for path, size in sizes.items() if path.parent == explorables.OUT and path.stem in
                 ("explorable", "computing"))  # fmt: skip
    for page in PAGES:
        before_touch = sum(size for path, size in sizes.items() if path.stem == page.name)
        assert shared + before_touch < KB, page.name
    assert sum(sizes.values()) < ALL_KB


def test_a_promise_is_the_bound_and_its_picture_counts_a_hundred_bets():
    panel = promise_panel()
    for epsilon in (0.0, 0.5, 1.0, 3.0, 8.0, 10.0):
        panel.set(epsilon=epsilon)
        shown, rate = panel.drawing.shown(), best_hit_rate(epsilon, 1e-5)
        assert shown["right"] == round(100 * rate) and shown["ring"] == [(epsilon, rate)]
        assert written_rate(rate).replace(" ", "\u00a0") in panel.answer.verdict
    assert len(panel.answer.numbers) == 101
