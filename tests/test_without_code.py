"""A notebook for readers without code: exercises and words about code are left out, and every cell runs."""

import json
import re
from pathlib import Path

import pytest

from trustlab.course_page import beginning, course_page
from trustlab.without_code import ABOUT_CODE, EXERCISE, HIDDEN, without_code

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))


def read(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return {"cells": [dict(cell, source="".join(cell["source"])) for cell in cells]}


def of_kind(notebook, kind):
    return [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == kind]


def page_of(*sources):
    kinds = [("code", source[1:]) if source.startswith("»") else ("markdown", source) for source in sources]
    return without_code({"cells": [{"cell_type": kind, "source": source} for kind, source in kinds]})


def test_sentences_about_code_go_and_others_stay():
    (text,) = of_kind(
        page_of("One. **Click the grey cell and press Shift + Enter.** Two.\n\n- keep\n- Try a new cell."), "markdown"
    )
    assert text == "One. Two.\n\n- keep"
    table = "| a |\n| --- |\n| the cell |"
    assert of_kind(page_of(table), "markdown") == [table]


def test_chapters_of_exercises_end_at_the_next_chapter():
    page = page_of(
        "Text.\n\n## Exercises\n\n**1 · A** · difficulty 1/3",
        "»answer = ...",
        "More.",
        "## Claims\n\nHeld.",
        "»claims()",
    )
    assert of_kind(page, "markdown") == ["Text.\n\n", "## Claims\n\nHeld."]
    assert of_kind(page, "code") == [f"{HIDDEN}answer = ...", "claims()"]


def test_an_exercise_inside_a_chapter_is_hidden_and_what_it_defines_is_used_openly():
    words = "## By hand\n\nIt is so.\n\n**1 · Clip** · build it · difficulty 2/3 · 10 minutes\n\nWrite it."
    check = "from course.exercises import check\nchecked = check(...)\nused = mine if checked.right else ours\nchecked"
    uses = ["»toy(used) if checked.right else words", "»panel(used)", "»%matplotlib inline"]
    page = page_of(words, f"»{check}", *uses)
    assert of_kind(page, "markdown") == ["## By hand\n\nIt is so.\n\n"]
    hidden = [source.startswith(HIDDEN) for source in of_kind(page, "code")]
    assert hidden == [True, True, False, False]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_courses_pages_speak_of_no_code(path):
    notebook = read(path)
    page = without_code(notebook)
    text = "\n".join(of_kind(page, "markdown"))
    assert not ABOUT_CODE.search(text) and not EXERCISE.search(text) and "## Exercises" not in text
    assert "kernel" not in text and "Shift" not in text
    code = [source.removeprefix(HIDDEN) for source in of_kind(page, "code")]
    assert code == of_kind(notebook, "code")  # all of it runs
    shown = [source for source in of_kind(page, "code") if not source.startswith(HIDDEN)]
    assert len(shown) >= 0.4 * len(code) and not any("exercises import" in source for source in shown)
    assert text.count("<details") == text.count("</details>")


def test_the_first_page_lists_the_course_in_order(tmp_path):
    html = course_page(NOTEBOOKS[0].parent, "/voila/render/")
    links = re.findall(r'href="/voila/render/([^"]+)"', html)
    assert links == [path.name for path in NOTEBOOKS]
    titles = [beginning(path) for path in NOTEBOOKS]
    assert all(title and words.endswith((".", "?", "!")) and len(words) < 400 for title, words in titles)
    (tmp_path / "mine.ipynb").write_text('{"cells": []}')
    assert "Other notebooks" in course_page(tmp_path, "/") and ">mine<" in course_page(tmp_path, "/")
