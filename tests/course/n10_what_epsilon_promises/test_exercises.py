import numpy as np
import pytest

from trustlab.course.n10_what_epsilon_promises.exercises import hints, measure_epsilon


def by_bisection(p, q):
    """The smallest ε that keeps both inequalities, without a logarithm."""
    low, high = 0.0, 60.0
    if ((p > 0) != (q > 0)).any():
        return np.inf
    for _ in range(100):
        middle = (low + high) / 2
        kept = (p <= np.exp(middle) * q).all() and (q <= np.exp(middle) * p).all()
        low, high = (low, middle) if kept else (middle, high)
    return high


def test_the_smallest_epsilon_by_bisection_is_right():
    assert str(measure_epsilon(by_bisection)).startswith("✓")


def test_a_stub_is_not_written_yet():
    assert str(measure_epsilon(lambda p, q: ...)).startswith("… Not written yet")


@pytest.mark.parametrize(
    ("mine", "slip"),
    [
        (lambda p, q: np.max(p / q), "its natural logarithm"),
        (lambda p, q: np.maximum(p / q, q / p).max(), "its natural logarithm"),
        (lambda p, q: np.log(p / q).max(), "Look at both directions"),
        (lambda p, q: np.log(q / p).max(), "as likely with Anna as without"),
        (lambda p, q: np.abs(np.log2(p / q)).max(), "in bits"),
        (lambda p, q: np.abs(np.log(p / q)).sum(), "the worst one counts"),
        (lambda p, q: (p * np.log(p / q)).sum(), "as likely with Anna as without"),
        (lambda p, q: np.abs(p - q).max(), "as likely with Anna as without"),
        (lambda p, q: -1.0, "never negative"),
        (lambda p, q: np.abs(np.log(p[0] / q[0])), "with Anna as without"),
    ],
)
def test_slips_are_explained(mine, slip):
    assert slip in str(measure_epsilon(mine))


def test_there_are_hints():
    assert "np.log" in hints(measure_epsilon).reveal().reveal().reveal().summary
