"""The example of a user's own rows is found by its name, in the checkout as well as in an installation."""

import pytest

from trustlab import versions
from trustlab.data import example_file, load_own
from trustlab.data.serving import missing_for


def test_the_example_is_that_of_the_checkout():
    assert example_file().parent == versions.ROOT / "data" / "examples"


def test_an_unknown_example_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"one of 'utterances.csv', got 'my.csv'"):
        example_file("my.csv")


def test_an_unknown_notebook_or_task_is_refused():
    corpus = load_own(example_file(), text="message", intent="wish")
    with pytest.raises(ValueError, match="Expected a notebook of 11, 21, 22, 23, 24, 31, got '12' ''"):
        missing_for(corpus, "12")
    assert "slots" in missing_for(corpus, "11", "tagger") and missing_for(corpus, "11") == ""
