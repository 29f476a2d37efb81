import pytest

from trustlab.course.found import exercises_of
from trustlab.course.n00_start_here.exercises import share_spent


@pytest.mark.parametrize(
    ("answer", "sign", "words"),
    [
        (..., "…", "Not answered yet"),
        (62.5, "✓", "is right"),
        (62, "✓", "is right"),
        (5.0, "✗", "That is ε itself"),
        (33.3, "✗", "the first steps cost most"),
        (0.625, "✗", ""),
    ],
)
def test_each_answer_gets_its_explanation(answer, sign, words):
    said = str(share_spent(answer, spent=5.0, budget=8.0))
    assert said.startswith(sign) and words in said


def test_it_is_listed_at_the_end_of_the_notebook():
    assert exercises_of("00") == ("How much is spent after one epoch?",)
