"""Cards and questions by name, and what a reader found."""

import re
import tomllib
from pathlib import Path

import pytest

from trustlab.course import found as found_module
from trustlab.course import lessons
from trustlab.course.found import course_html, exercise, exercises_of, found, notebook_html
from trustlab.course.rooms import rooms
from trustlab.lab import notes as kept
from trustlab.lab.checks import check
from trustlab.lab.notes import keep_note, notes

TEXTS = """
[card]
able = ["count"]
need = "Nothing."
time = "A minute."
data = "None."
correctness = ["Exact."]
files = ["lab/teaching.py"]

[questions."effect size"]
question = "What is it the size of?"
choices = ["A **difference**", "A crowd"]
answer = 0
because = "It is divided by a deviation."
"""
ROOMS_WITH_TEXTS = [number for number, path in rooms().items() if (path / lessons.TEXTS).is_file()]


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_RUNS", str(tmp_path))
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.setattr(kept, "_unwritten", {})


@pytest.fixture
def texts(tmp_path, monkeypatch):
    """A room whose texts can be written."""
    path = tmp_path / lessons.TEXTS
    path.write_text(TEXTS)
    monkeypatch.setattr(lessons, "room", lambda notebook: tmp_path)
    lessons._texts.cache_clear()
    yield path
    lessons._texts.cache_clear()


def test_a_card_is_made_of_its_rooms_texts_and_links_the_glossary(texts):
    shown = lessons.card("31")
    assert shown.text.startswith("You will be able to\n  count\nYou need\n  Nothing.")
    assert '<a href="../GLOSSARY.md">Glossary</a>' in shown.html


def test_a_question_shows_no_answer_and_keeps_the_readers_choice(texts):
    asked = lessons.question("31 effect size")
    assert asked.summary == "What is it the size of?\n  ( ) A difference\n  ( ) A crowd\nChoose one before you read on."
    assert notes() == []
    asked.choose(1)
    (note,) = notes()
    assert (note.where, note.kind, note.name) == ("31", "prediction", "effect size")
    assert note.what == {"choice": "A crowd", "right": False, "asked": "What is it the size of?"}
    assert "What is it the size of? → A crowd" in notebook_html("31", notes())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("31 size", "a question of notebook 31 among effect size, got 'size'"),
        ("effect size", "a notebook's number and a question's name, such as '31 effect size', got 'effect size'"),
    ],
)
def test_an_unknown_question_is_named_with_those_there_are(texts, name, message):
    with pytest.raises(ValueError, match=message):
        lessons.question(name)


def test_texts_with_a_key_too_few_or_too_many_are_refused(texts):
    texts.write_text(TEXTS.replace('because = "It is', 'becuase = "It is'))
    with pytest.raises(ValueError, match=r"'31 effect size' to have answer, because, choices, question, got .*becuase"):
        lessons.question("31 effect size")
    texts.write_text("")
    lessons._texts.cache_clear()
    with pytest.raises(ValueError, match=r"the card of notebook 31 .* got nothing"):
        lessons.card("31")


def test_an_unknown_notebook_is_named_with_those_there_are():
    with pytest.raises(ValueError, match=r"number of a notebook among 00, .*31.*, got '99'"):
        lessons.card("99")


@pytest.mark.parametrize("notebook", ROOMS_WITH_TEXTS)
def test_every_room_with_texts_has_a_card_and_questions_that_can_be_asked(notebook):
    assert lessons.card(notebook).text.startswith("You will be able to")
    names = list(lessons.questions(notebook))
    for name in names:
        asked = lessons.question(f"{notebook} {name}")
        told = str(asked.choose(lessons.questions(notebook)[name]["answer"]))
        assert "Yes." in told.splitlines()[-1]
    source = (rooms()[notebook] / lessons.TEXTS).read_text(encoding="utf-8")
    assert set(tomllib.loads(source)) == {"card", "questions"}
    (path,) = (Path(__file__).resolve().parents[2] / "notebooks").glob(f"{notebook}_*.ipynb")
    asked = re.findall(rf'question\(\\"{notebook} ([^"\\]+)\\"\)', path.read_text(encoding="utf-8"))
    assert sorted(asked) == sorted(names)  # each text is asked once, and nothing else


# What you found


def test_what_is_stored_does_not_depend_on_the_reader():
    before = str(found("31"))
    keep_note("31", "exercise", "A test by hand", right=True)
    assert str(found("31")) == before == found("31")._repr_mimebundle_()["text/plain"]


def test_a_right_answer_is_kept_and_a_wrong_or_missing_one_is_not():
    @exercise("31", "Two and two")
    def sum_of_two(answer):
        """Add."""
        return check(answer, 4)

    assert sum_of_two.__name__ == "sum_of_two"
    for answer in (..., 5):
        sum_of_two(answer)
        assert notes() == []
    sum_of_two(4)
    sum_of_two(5)  # solved stays solved
    assert [(note.name, note.where) for note in notes()] == [("Two and two", "31")]


def test_a_notebook_lists_what_was_predicted_solved_and_trained():
    keep_note("31", "prediction", "effect size", choice="A **difference**", right=True)
    keep_note("31", "prediction", "<size>", choice="x", right=False)
    keep_note("31", "exercise", "Not in the list", right=True)
    keep_note("trustlab.course.n31_fairness_metrics.panel", "training", "dose 0.5", accuracy=0.81234, step=3)
    keep_note("22", "prediction", "other", choice="y", right=True)
    told = notebook_html("31", notes())
    assert (
        "effect size: A <strong>difference</strong> (✓ right)" in told and "&lt;size&gt;: x (✗ not this time)" in told
    )
    assert "✓ Not in the list" in told and "dose 0.5: accuracy 0.812, step 3" in told and "other" not in told
    assert notebook_html("21", notes()).startswith("<p>Nothing yet")


def test_the_course_counts_each_notebook(monkeypatch):
    monkeypatch.setattr(found_module, "exercises_of", lambda notebook: ("a", "b", "c"))
    keep_note("31", "prediction", "one", choice="x", right=True)
    keep_note("31", "prediction", "two", choice="x", right=False)
    keep_note("31", "exercise", "a", right=True)
    keep_note("trustlab.course.n22_device_selection.panel", "training", "steep", accuracy=0.8)
    text = re.sub(r"<[^>]+>", " ", course_html(notes()))
    assert re.search(r"31 fairness metrics\s+1 of 2\s+1 of 3\s+0", text)
    assert re.search(r"22 device selection\s+0 of 0\s+0 of 3\s+1", text)
    assert "23" not in text


def test_exercises_are_read_from_their_decorators_without_importing_torch(tmp_path, monkeypatch):
    (tmp_path / "exercises.py").write_text('@exercise("31", "By hand")\ndef f(x):\n    ...\n\n\ndef g():\n    ...\n')
    monkeypatch.setattr(found_module, "rooms", lambda: {"31": tmp_path})
    exercises_of.cache_clear()
    assert exercises_of("31") == ("By hand",) and exercises_of("32") == ()
    exercises_of.cache_clear()


def test_the_button_shows_what_came_since():
    shown = found("31")
    assert "Nothing yet" in shown.listed.value
    keep_note("31", "exercise", "Later", right=True)
    shown.update.click()
    assert "✓ Later" in shown.listed.value


def test_a_training_of_a_panel_is_noted_also_one_that_is_stopped():
    from trustlab.lab.own_runs import OwnRuns

    rows = OwnRuns(_training).keep(_training(3), {"live": {"fleet": "steep", "seed": 1}}, 1)
    next(rows)
    next(rows)
    rows.close()
    (note,) = notes()
    assert (note.kind, note.name, note.what) == ("training", "fleet steep, seed 1", {"step": 2, "accuracy": 0.2})


def _training(steps):
    for step in range(1, steps + 1):
        yield {"step": step, "accuracy": 0.1 * step, "progress": step / steps}
