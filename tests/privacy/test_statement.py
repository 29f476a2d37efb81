import math
import re

import pytest
from dp_accounting import SelfComposedDpEvent, dp_event
from dp_accounting.pld import PLDAccountant

from trustlab.privacy import TrainConfig, epsilon, noise_multiplier_for, statement
from trustlab.privacy.accountants import ACCOUNTANTS
from trustlab.privacy.statement import PrivacyStatement
from trustlab.privacy.training_options import noise_schedule

PRIVATE = ["dp-sgd", "edp-sgd"]
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
    assert list(statement(TrainConfig(method="sgd"), EXAMPLES)) == [{"what": "guarantee", "here": "none: plain SGD"}]


@pytest.mark.parametrize("method", PRIVATE)
def test_everything_that_belongs_to_an_epsilon_is_said(method):
    rows = said(method)
    assert list(rows) == WHAT
    assert all(rows.values())
    assert rows["ε"] == "8 at δ = 1e-5"
    assert "add or remove" in rows["neighbours"]
    # Group privacy: (2ε, δ(1 + e^ε)) = (16, 1e-5 · 2982).
    assert rows["privacy unit"] == "one utterance, not one person; a person with two has ε = 16 at δ = 0.03"
    assert "label names" in rows["taken as public"]


@pytest.mark.parametrize(("method", "delta"), [("dp-sgd", 1), ("edp-sgd", 2)])
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


# --- A loop of one's own ---------------------------------------------------------------------------------------------


def of_steps(**changes):
    told = dict(method="dp-sgd", clip_norm=0.5, noise_multiplier=2.0, steps=300, sample_rate=0.02, delta=2.5e-6)
    return PrivacyStatement.of_steps(**{**told, **changes})


def words(card):
    return {row["what"]: row["here"] for row in card}


def test_steps_of_any_loop_get_a_statement_with_the_accountants_epsilon():
    card = of_steps()
    expected = epsilon(noise_multiplier=2.0, steps=300, sample_rate=0.02, delta=2.5e-6)
    assert card.epsilon == expected and card.holds
    rows = words(card)
    assert list(rows) == WHAT
    said, delta = re.fullmatch(r"([\d.]+) at δ = (\S+)", rows["ε"]).groups()
    assert expected <= float(said) <= 1.01 * expected and float(delta) == 2.5e-6
    assert rows["privacy unit"].startswith("one example, not one person; a person with two has")
    assert rows["sensitivity"] == "C: one clipped gradient; C = 0.5"
    assert schedule_said(rows["noise multiplier"]) == [(2.0, 300)]


def test_the_whole_schedule_is_said_and_accounted():
    schedule = [(2.0, 31), (1.8, 31), (1.62, 31)]
    card = of_steps(noise_multiplier=schedule, steps=None)
    assert schedule_said(words(card)["noise multiplier"]) == schedule
    assert card.epsilon == epsilon(noise_multiplier=schedule, sample_rate=0.02, delta=2.5e-6)


@pytest.mark.parametrize(
    ("used", "assumed", "holds"),
    [
        ("poisson", "poisson", True),
        ("shuffle", "shuffle", True),
        ("none", "none", True),
        ("poisson", "none", True),  # every step counted in full covers every sampler
        ("shuffle", "none", True),
        ("shuffle", "poisson", False),
        ("none", "poisson", False),
        ("poisson", "shuffle", False),  # Poisson may draw an example twice in an epoch
        ("none", "shuffle", False),
    ],
)
def test_an_epsilon_for_another_sampler_is_loudly_refused(used, assumed, holds):
    card = of_steps(sampling_used=used, sampling_assumed=assumed)
    assert card.holds == holds
    assert card.epsilon == epsilon(noise_multiplier=2.0, steps=300, sample_rate=0.02, delta=2.5e-6, sampling=assumed)
    rows, shown = words(card), card._repr_mimebundle_()
    for text in (rows["ε"], shown["text/plain"], shown["text/html"]):
        assert ("does NOT hold" in text) == (not holds)
    assert ("both used and assumed" in rows["sampler"]) == (used == assumed)
    assert ('role="alert"' in shown["text/html"]) == (not holds)
    assert ("Chua et al. 2024" in shown["text/plain"]) == (not holds)


def test_the_sampler_assumed_is_the_one_used_unless_said_otherwise():
    assert of_steps(sampling_used="shuffle").sampling_assumed == "shuffle"
    assert "the others keep their batches" in words(of_steps(sampling_used="shuffle"))["neighbours"]


def test_an_attack_above_epsilon_is_loud_and_one_below_is_told():
    assert "at least 0.1" in words(of_steps(audit=0.1))["audit"] and of_steps(audit=0.1).holds
    broken = of_steps(audit=40.0)
    assert not broken.holds and "Look for the error" in str(broken)


def test_one_example_replaced_counts_double_without_sampling():
    # One clipped gradient for another, or one clipped mean for another: 2C apart either way.
    told = dict(adjacency="replace", sampling_used="none", steps=10)
    expected = epsilon(noise_multiplier=1.0, steps=10, sampling="none", delta=2.5e-6)
    for method in ("dp-sgd", "edp-sgd"):
        card = of_steps(method=method, **told)
        assert card.epsilon == expected
        assert words(card)["sensitivity"].startswith("2 C: ")
        assert "replace one" in words(card)["neighbours"]


def test_one_example_replaced_in_sampled_micro_batches_is_bounded_from_above():
    bound = of_steps(method="edp-sgd", adjacency="replace").epsilon
    # Two of the triples of sums that can happen: the new mean where there was none, and means on both sides of it.
    assert bound > of_steps(method="edp-sgd").epsilon
    assert bound > of_steps(method="dp-sgd", adjacency="replace").epsilon


def test_the_card_is_a_table_that_a_screen_reader_can_tell():
    card = of_steps(unit="<b>record</b>")
    shown = card._repr_html_()
    assert shown.count('<th scope="row"') == shown.count("<tr>") == len(WHAT)
    assert "<caption>What this run guarantees</caption>" in shown
    assert "<b>" not in shown and "&lt;b&gt;record" in shown
    assert str(card).splitlines() == [f"{row['what']:<16}  {row['here']}" for row in card]


def test_a_statement_that_could_not_be_true_is_not_made():
    with pytest.raises(ValueError, match="Expected method='ghost' to be one of 'sgd', 'dp-sgd'"):
        of_steps(method="ghost")
    with pytest.raises(ValueError, match="Expected sampling_used='fixed' to be one of poisson"):
        of_steps(sampling_used="fixed")
    with pytest.raises(ValueError, match="Expected accountant='rdp' to be one of 'pld'"):
        of_steps(accountant="rdp", adjacency="replace")
    with pytest.raises(ValueError, match=r"Expected delta=1.5 in \(0, 1\)"):
        of_steps(delta=1.5)


def test_a_delta_that_rounding_hides_has_a_statement_that_names_its_accountant():
    card = PrivacyStatement.of_steps(
        method="dp-sgd", clip_norm=1.0, noise_multiplier=0.7, steps=10_000, sample_rate=1e-3, delta=1e-12
    )
    rows = {row["what"]: row["here"] for row in card.rows()}
    assert rows["ε"] == "5.11 at δ = 1e-12"
    assert rows["accountant"] == ACCOUNTANTS["rdp"].words
