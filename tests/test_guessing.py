import itertools
import math

import pytest

from trustlab.guessing import best_hit_rate, written_rate


def worst_case(epsilon, delta):
    """The mechanism that leaks most: what it shows, and its probability without and with the record."""
    rest = (1 - delta) / (1 + math.exp(epsilon))
    return {"out": (delta, 0.0), "looks out": (rest * math.exp(epsilon), rest),
            "looks in": (rest, rest * math.exp(epsilon)), "in": (0.0, delta)}  # fmt: skip


@pytest.mark.parametrize("epsilon", [0.0, 0.3, 1.0, 3.0, 8.0])
@pytest.mark.parametrize("delta", [0.0, 1e-5, 0.2])
def test_the_best_of_all_bets_against_the_worst_mechanism_reaches_the_bound(epsilon, delta):
    mechanism = worst_case(epsilon, delta)
    for without, given in mechanism.values():  # it is (ε, δ)-private: the sure outcomes are δ's
        assert given <= math.exp(epsilon) * without + delta + 1e-12
    bets = itertools.product((0, 1), repeat=len(mechanism))
    best = max(sum(0.5 * both[bet] for both, bet in zip(mechanism.values(), bet, strict=True)) for bet in bets)
    assert best_hit_rate(epsilon, delta) == pytest.approx(best, abs=1e-12)


def test_the_numbers_of_notebook_00():
    assert [written_rate(best_hit_rate(epsilon, 1e-5)) for epsilon in (1, 3, 8)] == ["73 %", "95.3 %", "99.97 %"]
    assert best_hit_rate(1000.0) == best_hit_rate(math.inf) == 1


@pytest.mark.parametrize("rate", [0.5, 0.89, 0.905, 0.99, 0.9996, 0.999_999_9])
def test_a_bound_below_one_is_never_written_as_100(rate):
    text = written_rate(rate)
    assert text != "100 %" and float(text.removesuffix(" %")) < 100
    assert abs(float(text.removesuffix(" %")) - 100 * rate) <= 0.5


@pytest.mark.parametrize(("epsilon", "delta"), [(-1, 0), (math.nan, 0), (1, -0.1), (1, 1.1), (1, math.nan)])
def test_what_is_no_budget_is_refused(epsilon, delta):
    with pytest.raises(ValueError, match=r"^Expected (epsilon|delta)="):
        best_hit_rate(epsilon, delta)
