import math
import re

import pytest
from dp_accounting import SelfComposedDpEvent, dp_event
from dp_accounting.pld import PLDAccountant

from trustlab.privacy import TrainConfig, noise_multiplier_for, statement
from trustlab.privacy.training import noise_schedule

PRIVATE = ["dp-sgd", "opacus", "edp-sgd"]
EXAMPLES = 1000
# What Ponomareva et al. 2023, §5.3.3, ask to be said with an ε, in the order in which it is said here.
WHAT = [
    "ε",
    "neighbours",
    "privacy unit",
    "sampler",
    "sensitivity",
    "noise multiplier",
    "accountant",
    "audit",
    "taken as public",
    "not covered",
]


def config(method, **changes):
    return TrainConfig(**{**dict(method=method, epsilon=8.0, epochs=3, batch_size=100, accountant="rdp"), **changes})


def said(method, **changes):
    return {row["what"]: row["here"] for row in statement(config(method, **changes), EXAMPLES)}


def schedule_said(text):
    """Return [(σ, steps), ...] as the statement's words have them."""
    return [(float(sigma), int(steps)) for sigma, steps in re.findall(r"([\d.]+) for (\d+) steps", text)]


def test_plain_sgd_promises_nothing():
    assert statement(TrainConfig(method="sgd"), EXAMPLES) == [{"what": "guarantee", "here": "none: plain SGD"}]


@pytest.mark.parametrize("method", PRIVATE)
def test_everything_that_belongs_to_an_epsilon_is_said(method):
    rows = said(method)
    assert list(rows) == WHAT
    assert all(rows.values())
    assert rows["ε"] == "8 at δ = 1e-5"
    assert "add or remove" in rows["neighbours"]
    # Group privacy: (2ε, δ(1 + e^ε)) = (16, 1e-5 · 2982).
    assert rows["privacy unit"] == "one utterance, not one person; two of a person have 16 at δ = 0.03"
    assert "label names" in rows["taken as public"]


@pytest.mark.parametrize(("method", "delta"), [("dp-sgd", 1), ("opacus", 1), ("edp-sgd", 2)])
def test_the_sensitivity_is_the_mechanisms(method, delta):
    text = said(method)["sensitivity"]
    assert text.startswith("2 C: " if delta == 2 else "C: ")
    assert ("micro-batch" in text) == (delta == 2)


@pytest.mark.parametrize("method", PRIVATE)
@pytest.mark.parametrize(("batch_size", "rate"), [(100, "0.1"), (32, "0.032")])
def test_the_sampler_is_poisson_at_batch_size_over_n(method, batch_size, rate):
    assert said(method, batch_size=batch_size)["sampler"] == f"Poisson, q = {rate}, both used and assumed"


@pytest.mark.parametrize("method", PRIVATE)
def test_the_noise_said_keeps_the_promise_said(method):
    """The words alone are enough for somebody else's accountant to find the ε again."""
    rows = said(method, accountant="prv")
    ((sigma, steps),) = schedule_said(rows["noise multiplier"])
    rate = float(re.search(r"q = ([\d.]+)", rows["sampler"])[1])
    delta = 2 if rows["sensitivity"].startswith("2 C") else 1
    assert steps == 30
    accountant = PLDAccountant()
    step = dp_event.PoissonSampledDpEvent(rate, dp_event.GaussianDpEvent(sigma / delta))
    accountant.compose(SelfComposedDpEvent(step, steps))
    assert accountant.get_epsilon(1e-5) == pytest.approx(8.0, rel=0.02)  # σ is said with three digits


@pytest.mark.parametrize("accountant", ["rdp", "prv"])
def test_the_accountant_is_named_and_is_the_one_asked(accountant):
    rows = said("dp-sgd", accountant=accountant)
    sigma = noise_multiplier_for(epsilon=8.0, sample_rate=0.1, steps=30, delta=1e-5, accountant=accountant)
    assert rows["accountant"] == f"Opacus {accountant.upper()}, an upper bound on ε"
    assert schedule_said(rows["noise multiplier"]) == [(float(f"{sigma:.3g}"), 30)]


def test_noise_that_decays_is_said_epoch_by_epoch():
    ((first, *_), (second, *_), (third, *_)) = schedule = schedule_said(
        said("edp-sgd", noise_decay=0.5)["noise multiplier"]
    )
    assert [steps for _, steps in schedule] == [10, 10, 10]
    assert second / first == pytest.approx(0.5, rel=0.01)
    assert third / second == pytest.approx(0.5, rel=0.01)


def test_without_a_budget_there_is_no_noise_and_no_epsilon():
    rows = said("dp-sgd", epsilon=math.inf)
    assert rows["ε"] == "none"
    assert schedule_said(rows["noise multiplier"]) == [(0.0, 30)]


@pytest.mark.parametrize("accountant", ["rdp", "prv"])
@pytest.mark.parametrize("epsilon", [1.0, 8.0])
def test_edp_sgd_needs_twice_the_noise_of_dp_sgd(accountant, epsilon):
    (edp, _), (dp, _) = (
        noise_schedule(config(method, epsilon=epsilon, accountant=accountant), EXAMPLES)[0]
        for method in ("edp-sgd", "dp-sgd")
    )
    assert edp == pytest.approx(2 * dp, rel=2e-3)


def test_what_train_would_refuse_gets_no_statement():
    with pytest.raises(ValueError, match=r"Expected delta=0.5 < 1/N"):
        statement(config("dp-sgd", delta=0.5), 1000)
