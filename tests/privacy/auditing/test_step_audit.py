"""The audit finds each planted bug by the check that is made for it, and accuses no honest step."""

import math
from functools import cache
from html import escape

import numpy as np
import pytest
import torch

from trustlab.privacy import private_gradients
from trustlab.privacy.auditing import audit
from trustlab.privacy.auditing.engines import engine_step
from trustlab.privacy.auditing.false_alarms import HONEST, audited, false_alarms
from trustlab.privacy.auditing.gaussian_curve import mu_epsilon
from trustlab.privacy.auditing.neighbours import Pair, distance, moves, pairs
from trustlab.privacy.auditing.noise_checks import batches, correlation, noise_checks
from trustlab.privacy.auditing.planted_bugs import DECLARED, honest
from trustlab.privacy.auditing.probe import Prober, together

WORDS = {"noise of each parameter", "noise in each batch", "noise between parameters", "noise between steps"}


@cache
def report_of(make):
    """The audit, with the options that planted steps declare, of the step that `make` returns."""
    return audit(make(), **DECLARED)


@pytest.fixture(scope="module")
def honest_report():
    """The audit of the honest step."""
    return audit(honest, **DECLARED)


def by_name(report):
    return {check.name: check for check in report.checks}


# --- Bugs


def test_a_planted_bug_is_found_by_its_check(bug):
    make, check = bug
    report = report_of(make)
    assert check in report.failed + report.wasteful, str(report)
    found = by_name(report)[check]
    assert found.p < 1e-6 and found.means and found.do
    assert f"{check}: {found.means}" in str(report) and escape(found.means) in report._repr_html_()


def test_there_are_bugs_for_every_check_of_a_step(planted_steps, honest_report):
    assert len(planted_steps) > 15
    attacks = {"ε shown (one run)", "ε shown (exact tail, Gaussian)", "sampler"}
    checks = set(by_name(honest_report))
    assert {check for _, check in planted_steps.values()} - {"noise between workers"} == checks - attacks


def test_a_bound_whose_assumption_is_refuted_is_not_reported(planted_steps):
    for bug in ("Laplace noise", "same seed on every shard"):
        report = report_of(planted_steps[bug][0])
        assert report.bound.method == "one run" and len(report.bounds) == 1


def test_only_a_waste_is_no_failure(planted_steps, declared):
    report = report_of(planted_steps["accumulated sum clipped again"][0])
    assert report.holds and report.wasteful == ("sum of examples",)
    loud = audit(lambda *batch: noisy(*batch, sigma=2.0), **declared)
    assert loud.holds and "noise of each parameter" in loud.wasteful


def noisy(model, loss, batch, sigma):
    options = dict(method="dp-sgd", clip_norm=0.5, noise_multiplier=sigma, expected_batch_size=8)
    private_gradients(model, loss, batch, **options)


@pytest.mark.parametrize(("sigma", "found"), [(0.93, True), (0.97, True), (1.0, False)])
def test_three_per_cent_less_noise_is_seen(sigma, found, declared):
    report = audit(lambda *batch: noisy(*batch, sigma=sigma), **declared)
    assert ("noise of each parameter" in report.failed) == found


def test_a_step_that_cannot_be_taken_at_all_says_why(declared):
    with pytest.raises(ValueError, match=r"can be taken, got only errors, as ZeroDivisionError"):
        audit(lambda model, loss, batch: 1 / 0, **declared)
    with pytest.raises(ValueError, match=r"finite gradient in \.grad"):
        audit(lambda model, loss, batch: None, **declared)


def test_a_step_that_refuses_an_empty_batch_is_reported(declared, honest_step):
    def refusing(model, loss, batch):
        if not len(batch):
            raise RuntimeError("no examples")
        honest_step(model, loss, batch)

    report = audit(refusing, **declared)
    assert report.failed == ("noise in each batch",)
    assert "no step on an empty batch (RuntimeError: no examples)" in by_name(report)["noise in each batch"].measured


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        (dict(noise_multiplier=0.0), "0 < noise_multiplier=0.0"),
        (dict(clip_norm=math.inf), "0 < clip_norm=inf"),
        (dict(sensitivity=-1.0), "0 < sensitivity=-1.0"),
        (dict(delta=0.0), "delta=0.0 in"),
        (dict(canaries=3), "20 <= canaries=3"),
        (dict(sampler=lambda data: []), r"sample_rate=None in \(0, 1\)"),
    ],
)
def test_options_without_meaning_are_refused_before_any_step(changed, error, declared):
    with pytest.raises(ValueError, match=error):
        audit(lambda *batch: pytest.fail("a step was taken"), **{**declared, **changed})
    with pytest.raises(ValueError, match="a list of one for each worker"):
        audit([], **declared)


# --- Honest steps


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_engine_is_not_accused(name):
    """Two settings here; ``python -m benchmarks false_alarms`` counts 200 seeds of each."""
    engine, options = HONEST[name]
    for seed in (3, 10):
        report = audited(engine, seed, **options)
        assert report.failed + report.wasteful == (), str(report)


def test_an_honest_step_written_out_and_honest_workers_are_not_accused(declared, honest_report, honest_workers):
    assert honest_report.failed == ()
    report = audit(honest_workers, **declared)
    assert report.failed + report.wasteful == ()
    assert by_name(report)["noise between workers"].verdict == "ok"


def test_the_sensitivity_is_measured_exactly_or_through_the_noise(honest_report):
    assert by_name(honest_report)["sensitivity"].measured.startswith("1 C (")
    step, claims = engine_step("eDP, fast", clip_norm=0.5, noise_multiplier=1.0, expected_batch_size=8)
    measured = by_name(audit(step, **claims))["sensitivity"].measured
    moved, error = (float(text) for text in measured.split(" C ")[0].split(" ± "))
    assert abs(moved - 1.9) < 4 * error  # two clipped means are turned; now and then both are one


def test_the_bounds_are_of_the_declared_step_and_hold(honest_report):
    report = honest_report
    assert report.declared["epsilon"] == mu_epsilon(1.0, 1e-5)
    assert [bound.method for bound in report.bounds] == ["one run", "exact tail, Gaussian"]
    assert report.bound is report.bounds[1]
    assert 0.5 * report.declared["epsilon"] < report.bound.epsilon <= report.declared["epsilon"]


def test_the_audit_is_repeatable_and_leaves_the_generators_as_they_were(declared, honest_step):
    torch.manual_seed(7)
    first = str(audit(honest_step, **declared, seed=1))
    after = torch.rand(3)
    torch.manual_seed(7)
    assert torch.equal(after, torch.rand(3))
    assert str(audit(honest_step, **declared, seed=1)) == first != str(audit(honest_step, **declared, seed=2))


def test_the_table_of_false_alarms_is_counted_from_audits():
    (row, *others) = false_alarms(2, honest={"fast": ("fast", {})})
    assert (row["check"], row["audits"], row["accused"]) == ("any", 2, 0) and row["seconds"] > 0
    *checks, one_run, tight = others
    assert {each["check"] for each in checks} >= WORDS | {"sensitivity", "batches and data"}
    assert all(0 <= each["p below 0.05"] <= 1 and 0 < each["smallest p"] <= 1 for each in checks)
    assert (one_run["check"], tight["check"]) == ("one run", "exact tail, Gaussian")
    assert one_run["shown epsilon"] < tight["shown epsilon"] < tight["declared epsilon"] == one_run["declared epsilon"]
    assert one_run["false claims"] == 0


# --- Parts


def test_pairs_are_neighbours_and_their_kinds_are_there():
    found = {pair.name: pair for pair in pairs(3, 8.0)}
    lengths = {name: np.linalg.norm(pair.extra, axis=1) for name, pair in found.items()}
    assert lengths["a zero example"] == [0] and lengths["a huge example"] == pytest.approx([1e18])
    assert all(0.98 < length < 1 for length in lengths["shorter than C"])
    assert len(found["a long example alone"].base) == 0
    assert {len(pair.base) for pair in found.values()} >= {0, 1, 7, 8, 16, 32}
    sizes = [len(batch) for batch in batches(3, 1000.0).values()]
    assert sizes == [0, 1, 3, 32, 65, 5]  # whatever the step expects, an audit takes seconds


def test_a_distance_is_of_the_mean_and_p_is_uniform_at_the_limit():
    rng = np.random.default_rng(0)
    p = [distance(rng.normal([3.0, 0.0, 0.0], size=(64, 3)), at_most=3.0)[2] for _ in range(400)]
    assert np.mean(np.array(p) < 0.05) < 0.08
    assert np.mean(np.array(p) < 0.5) < 0.6
    assert distance(np.ones((4, 1)), at_most=0.9)[2] == 0 and distance(np.ones((4, 1)), at_most=1.0)[2] == 1
    assert distance(-np.ones((4, 1)), at_most=-0.9)[2] == 1 and distance(-np.ones((4, 1)), at_most=-1.1)[2] == 0


def test_a_pair_is_measured_with_the_same_noise_on_both_sides(honest_step):
    prober = Prober([honest_step], clip_norm=0.5, divisor=8)
    pair = Pair("", np.zeros((0, 3)), np.full((1, 3), 50.0))
    assert moves(prober, pair, 3, np.random.default_rng(0)) == pytest.approx(np.full((3, 3), 3**-0.5), abs=1e-5)


def test_noise_is_read_in_units_of_c_after_division(honest_step):
    torch.manual_seed(0)
    prober = Prober([honest_step], clip_norm=0.5, divisor=8)
    parts = prober.parts(np.stack([prober.shares(np.zeros((2, 3)))[0] for _ in range(4)]))
    assert [part.shape for part in parts] == [(4, 2048), (4, 2048), (4, 1024)]
    assert all(abs(part.std() - 1) < 0.05 for part in parts)


def test_p_of_the_noise_checks_is_that_of_chance(honest_step):
    """Over 25 audits of exact noise: about 5 % below 0.05, none extreme."""
    rng = np.random.default_rng(0)

    def exact(model, loss, batch):
        for parameter in model.parameters():
            parameter.grad = torch.from_numpy(0.5 / 8 * rng.normal(size=parameter.shape)).float()

    found = [check.p for _ in range(25) for check in noise_checks(Prober([exact], 0.5, 8.0), 1.0, 8.0)]
    assert len(found) == 150 and min(found) > 1e-5 and np.mean(np.array(found) < 0.05) < 0.12


def test_a_correlation_of_independent_columns_is_small():
    one, other = np.random.default_rng(0).normal(size=(2, 40_000))
    assert correlation(one, other)[1] > 1e-3 > correlation(one, other + 0.05 * one)[1]


def test_workers_are_added_and_share_the_batch():
    seen = []

    def step(model, loss, batch):
        seen.append(len(batch))
        model.weight.grad = batch.sum(0, keepdim=True)

    model = torch.nn.Linear(2, 1, bias=False)
    together([step] * 3)(model, None, torch.arange(14.0).view(7, 2))
    assert seen == [3, 2, 2] and model.weight.grad.tolist() == [[42.0, 49.0]]


def test_an_unknown_engine_is_refused():
    with pytest.raises(ValueError, match="engine='best' to be one of 'loop', 'fast'"):
        engine_step("best", clip_norm=1.0, noise_multiplier=1.0, expected_batch_size=8)
