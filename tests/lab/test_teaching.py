import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trustlab.lab.display import inline, number, plain, table, table_html
from trustlab.lab.teaching import card, check, hint, predict

WIDGET = "application/vnd.jupyter.widget-view+json"


def bundle(shown):
    return shown._repr_mimebundle_()


# Cards


def test_a_card_has_the_five_headings_in_order():
    shown = card(
        ["explain *why*", "run `dp_sgd`"], "Notebook 00.", "20 min", "MIT, [source](https://example.org)", "Yes."
    )
    headings = ["You will be able to", "You need", "Time", "Data and licence", "Correctness status"]
    data = bundle(shown)
    assert set(data) == {"text/html", "text/plain"}
    assert [line for line in data["text/plain"].splitlines() if not line.startswith(" ")] == headings
    assert "  explain why\n  run dp_sgd\n" in data["text/plain"]
    positions = [data["text/html"].index(heading) for heading in headings]
    assert positions == sorted(positions)
    assert '<a href="https://example.org">source</a>' in data["text/html"]


def test_a_card_links_the_files_behind_the_page_from_the_notebooks_folder():
    names = ["course/n22_device_selection/experiment.py", "federated/aggregation.py"]
    data = bundle(card(["count"], "Nothing.", "1 min", "None.", "Exact.", files=names))
    assert data["text/plain"].endswith("\nFiles behind this page\n" + "\n".join(f"  trustlab/{n}" for n in names))
    linked = re.findall(r'<a href="([^"]+)">([^<]+)</a>', data["text/html"])
    assert linked == [(f"../trustlab/{name}", name) for name in names]
    notebooks = Path(__file__).resolve().parents[2] / "notebooks"
    assert all((notebooks / target).is_file() for target, _ in linked)


# Predictions


def question(**options):
    return predict(
        "What happens?", ["nothing", "**much**"], 1, **{"because": ["It does.", "Noise adds up."], **options}
    )


def test_a_question_is_unanswered_and_the_same_everywhere():
    q = question()
    assert set(bundle(q)) == {WIDGET, "text/plain"}
    assert bundle(q)["text/plain"] == "What happens?\n  ( ) nothing\n  ( ) much\nChoose one before you read on."
    assert q.commit.disabled
    assert q.explanation.value == ""


def test_choosing_alone_reveals_nothing_committing_does():
    q = question()
    q.radio.index = 0
    assert q.explanation.value == ""
    assert not q.commit.disabled
    q.commit.click()
    assert "Not this time" in q.explanation.value
    assert "It does." in q.explanation.value  # spoken to this choice
    assert q.radio.disabled
    assert q.commit.disabled


def test_the_right_choice_is_confirmed_and_shown():
    q = question()
    assert q.choose(1) is q
    assert repr(q) == "What happens?\n  ( ) nothing\n  (x) much\nYes. Noise adds up."


def test_questions_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="answer=2 to be a position from 0 to 1"):
        predict("?", ["a", "b"], 2, "so")
    with pytest.raises(ValueError, match="one reason for each of 2 choices, got 1"):
        question(because=["one"])
    with pytest.raises(ValueError, match="a choice from 0 to 1, got 7"):
        question().choose(7)


# Hints


def test_hints_come_one_at_a_time():
    h = hint("Look left.", "Use `groupby`.")
    assert repr(h) == "2 hints, none shown yet."
    h.button.click()
    assert repr(h) == "Hint 1 of 2: Look left."
    assert "groupby" not in h.listed.value
    assert h.button.description == "Hint 2 of 2"
    h.reveal().reveal()
    assert repr(h).splitlines()[1] == "Hint 2 of 2: Use groupby."
    assert h.button.disabled
    with pytest.raises(ValueError, match="at least one hint"):
        hint()


# Checks


@pytest.mark.parametrize(
    ("value", "expected", "said"),
    [
        (0.5, 0.5, "✓ 0.5 is right."),
        (0.50001, 0.5, "✓ 0.5 is right."),
        (np.float32(0.5), 0.5, "✓ 0.5 is right."),
        ("Laplace", "Laplace", "✓ Laplace is right."),
        (["a", "b"], ["a", "b"], "✓ ['a', 'b'] is right."),
        (True, True, "✓ yes is right."),
        ({1, 2}, {1, 2}, "✓ {1, 2} is right."),
        (..., 0.5, "… Not answered yet: replace ... by your answer."),
        (None, 0.5, "… Not answered yet: replace ... by your answer."),
        (-0.5, 0.5, "✗ -0.5 is not right. The size is right, the sign is not."),
        (50, 0.5, "✗ 50 is not right. It is 100 times too large: per cent instead of a share?"),
        (0.3, 30, "✗ 0.3 is not right. It is 100 times too small: a share instead of per cent?"),
        (4.0, 0.25, "✗ 4 is not right. It is the inverse of the answer."),
        (0.8, 0.2, "✗ 0.8 is not right. It is one minus the answer."),
        (7, 0.2, "✗ 7 is not right. It is too large."),
        (0.1, 0.35, "✗ 0.1 is not right. It is too small."),
        ("half", 0.5, "✗ half is not right. Expected a number, got a str."),
        (0.5, "Laplace", "✗ 0.5 is not right. Expected a str."),
        ("Gauss", "Laplace", "✗ Gauss is not right. Read the question again."),
        (math.nan, 0.5, "There is a NaN in it"),
        (np.zeros(3), np.zeros(4), "Expected the shape (4,), got (3,)."),
        (np.array([1.0, 2.0, 9.0]), np.array([1.0, 2.0, 3.0]), "1 of 3 values differ, the first at position 2."),
    ],
)
def test_a_check_says_what_is_wrong_and_never_the_answer(value, expected, said):
    shown = check(value, expected)
    assert said in repr(shown)
    assert set(bundle(shown)) == {"text/html", "text/plain"}


def test_known_slips_are_explained_by_value_or_by_predicate():
    because = [(0.2, "You counted both."), (lambda v: v > 1, "A probability is at most 1.")]
    assert repr(check(0.2, 0.1, because=because)).endswith("You counted both.")
    assert repr(check(3, 0.1, because=because)).endswith("A probability is at most 1.")
    assert repr(check("x", 0.1, because=because)).endswith("Expected a number, got a str.")
    assert (
        repr(check(0.2, 0.1, because={0.2: "You counted both."}, unit="nats"))
        == "✗ 0.2 nats is not right. You counted both."
    )


def test_the_tolerance_is_the_authors():
    assert repr(check(1.04, 1.0, rtol=0.05)).startswith("✓")
    assert repr(check(1.06, 1.0, rtol=0.05)).startswith("✗")


# Words and tables


def test_a_table_may_have_a_title():
    titled = table([{"K": 16}], title="What **K** gives, < 5 %")
    assert titled.text.splitlines()[0] == "What K gives, < 5 %"
    assert ">What <strong>K</strong> gives, &lt; 5 %</caption><thead>" in titled.html
    assert "<caption" not in table([{"K": 16}]).html


def test_tables_take_frames_and_rows_and_round():
    frame = pd.DataFrame({"method": ["SGD", "DP-SGD"], "accuracy": [0.912345, 0.8], "n": [1200, 7]})
    expected = "method  accuracy      n\nSGD        0.912  1,200\nDP-SGD       0.8      7"
    assert repr(table(frame)) == repr(table(frame.to_dict("records"))) == expected
    assert "0.912<" in table(frame).html
    assert "font-weight:bold" in table_html(frame.to_dict("records"), focus={"method": "SGD"})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.float64(0.123456), "0.123"),
        (np.int64(5), "5"),
        (999.9996, "1,000"),
        (-math.inf, "−∞"),
        (math.nan, "–"),
        (1e-7, "1e-7"),
        (False, "no"),
        (2**40, "1,099,511,627,776"),
    ],
)
def test_numbers_are_written_for_readers(value, text):
    assert number(value) == text


def test_markup_is_small_and_safe():
    assert inline("<b> `a*b*c` 2*3*4 [x](javascript:alert)") == (
        "&lt;b&gt; <code>a*b*c</code> 2*3*4 [x](javascript:alert)"
    )
    assert inline("[next](12_membership_inference.ipynb)") == '<a href="12_membership_inference.ipynb">next</a>'
    assert plain("`a_b` **c** *d*") == "a_b c d"


def test_commit_takes_the_choice_that_was_last_though_the_kernel_was_busy():
    """A choice is a message of its own: states may be kept back until a press of Commit has been heard."""
    asked = predict("Why?", ["so", "not so"], 1, "It is.")
    for index in (0, 1):
        asked.radio._handle_custom_msg({"index": index}, [])
    asked.commit.click()
    assert asked.chosen == 1
