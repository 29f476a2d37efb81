"""Rows that come fast are handed on at a pace that can be watched."""

import itertools
import time

import pytest

from trustlab.lab.pace import paced


def test_fast_rows_are_held_back_and_the_first_is_not():
    began, places = time.monotonic(), []
    for _ in paced(iter(range(5)), 0.05):
        places.append(time.monotonic() - began)
    assert places[0] < 0.04 and places[-1] >= 0.19
    assert min(later - earlier for earlier, later in itertools.pairwise(places)) > 0.03


def test_slow_rows_are_not_waited_for():
    def slow():
        for step in range(3):
            time.sleep(0.06)
            yield step

    began = time.monotonic()
    assert list(paced(slow(), 0.05)) == [0, 1, 2]
    assert time.monotonic() - began < 2


def test_closing_it_closes_the_rows():
    closed = []

    def rows():
        try:
            yield from range(10)
        finally:
            closed.append(True)

    watched = paced(rows(), 0.0)
    assert next(watched) == 0
    watched.close()
    assert closed == [True]


def test_an_error_of_the_rows_is_raised():
    def rows():
        yield 1
        raise ValueError("a client is lost")

    with pytest.raises(ValueError, match="a client is lost"):
        list(paced(rows(), 0.0))
