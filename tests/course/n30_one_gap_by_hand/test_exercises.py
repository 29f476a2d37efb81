import fairlearn.metrics
import numpy as np
import pytest

from trustlab.course.n30_one_gap_by_hand.exercises import _decisions, hints, own_gap


def by_fairlearn(pays, loan, valley):
    frame = fairlearn.metrics.MetricFrame(
        metrics=fairlearn.metrics.true_positive_rate, y_true=pays, y_pred=loan, sensitive_features=valley
    )
    return frame.difference()


def test_fairlearns_gap_is_right():
    assert str(own_gap(by_fairlearn)).startswith("✓")


def test_a_stub_is_not_written_yet():
    assert str(own_gap(lambda pays, loan, valley: ...)).startswith("… Not written yet")


def rate(of, among):
    return of[among].mean()


@pytest.mark.parametrize(
    ("mine", "slip"),
    [
        (lambda p, g, v: abs(g[v].mean() - g[~v].mean()), "You counted everybody"),
        (lambda p, g, v: abs(rate(g, ~p & v) - rate(g, ~p & ~v)), "who would not pay back"),
        (lambda p, g, v: abs((p == g)[v].mean() - (p == g)[~v].mean()), "right decisions"),
        (lambda p, g, v: abs((p & g)[v].mean() - (p & g)[~v].mean()), "Divide by those in it who would pay back"),
        (lambda p, g, v: abs(rate(p, g & v) - rate(p, g & ~v)), "Ask how many who would pay back have a loan"),
        (lambda p, g, v: rate(g, p & v) - rate(g, p & ~v), "never negative"),
        (lambda p, g, v: 100 * abs(rate(g, p & v) - rate(g, p & ~v)), "1 at most"),
    ],
)
def test_slips_are_explained(mine, slip):
    assert slip in str(own_gap(mine))


def test_no_two_slips_look_the_same_on_the_first_decisions():
    """Otherwise a reader could get the other slip's explanation."""
    pays, loan, valley = next(_decisions())
    values = [
        abs(rate(loan, pays & valley) - rate(loan, pays & ~valley)),
        abs(rate(loan, valley) - rate(loan, ~valley)),
        abs(rate(loan, ~pays & valley) - rate(loan, ~pays & ~valley)),
        abs(rate(pays == loan, valley) - rate(pays == loan, ~valley)),
        abs(rate(pays & loan, valley) - rate(pays & loan, ~valley)),
        abs(rate(pays, loan & valley) - rate(pays, loan & ~valley)),
    ]
    assert len(set(np.round(values, 6))) == len(values)


def test_there_are_hints():
    assert "pays & valley" in hints(own_gap).reveal().reveal().summary
