"""Auditing a whole training in one run: what is shown is below ε where it holds, and above where noise is forgotten."""

import numpy as np
import pytest
import torch

from trustlab.models import build
from trustlab.privacy import TrainConfig
from trustlab.privacy.auditing import audit_training, gradient_fit, utterance_fit
from trustlab.privacy.auditing.engines import engine_step
from trustlab.privacy.auditing.training_audit import NOTE, joined, made_up_utterances, measured
from trustlab.privacy.auditing.training_coverage import METHODS, VOCABULARY, training_coverage, trainings


def normal(mu, seed=1):
    return lambda included: mu * included + np.random.default_rng(seed).normal(size=len(included))


def test_a_training_that_keeps_its_promise_is_not_accused_and_one_that_breaks_it_is():
    how = dict(canaries=1000, delta=1e-5, methods=("one run", "exact tail"))
    honest = audit_training(normal(0.5), epsilon=2.0, **how)
    assert honest.holds and 0 < honest.bound.epsilon < 2.0
    broken = audit_training(normal(8.0), epsilon=2.0, **how)
    assert broken.failed == ("ε shown (one run)", "ε shown (exact tail)")
    assert [bound.confidence for bound in broken.bounds] == [0.95, 0.95]
    assert "with 0.95 confidence" in str(broken) and NOTE in str(broken) and "Audit one step" in str(broken)


def test_the_level_of_an_accusation_is_shared_by_the_methods():
    # 93 of 100 guesses right about 400 canaries refute ε = 1.7 at 0.05 and not at 0.01.
    fit = normal(1.9, seed=3)
    report = audit_training(fit, canaries=400, epsilon=1.6, delta=1e-5, alpha=0.05)
    strict = audit_training(fit, canaries=400, epsilon=1.6, delta=1e-5, alpha=1e-6)
    assert report.bound.epsilon > 1.6 and not report.holds and strict.holds


def test_the_coins_are_fair_and_follow_the_seed():
    seen = []
    for seed in (0, 0, 1):
        audit_training(
            lambda included: seen.append(included) or included, canaries=400, epsilon=1, delta=1e-5, seed=seed
        )
    assert (seen[0] == seen[1]).all() and (seen[0] != seen[2]).any() and 150 < seen[0].sum() < 250


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        (dict(canaries=10), "20 <= canaries=10"),
        (dict(epsilon=0.0), "epsilon=0.0 > 0"),
        (dict(delta=1.0), "delta=1.0 in"),
        (dict(confidence=1.0), "confidence=1.0 in"),
    ],
)
def test_options_without_meaning_are_refused_before_training(changed, error):
    with pytest.raises(ValueError, match=error):
        audit_training(lambda _: pytest.fail("trained"), **{**dict(canaries=40, epsilon=1.0, delta=1e-5), **changed})
    with pytest.raises(ValueError, match=r"sample_rate=0 in \(0, 1\]"):
        gradient_fit(None, clip_norm=1.0, expected_batch_size=8, sample_rate=0, steps=3, seed=0)


# --- Utterances


def corpus():
    rows = [{"tokens": [f"w{i}"] * (1 + i % 3), "slots": ["O"] * (1 + i % 3), "intent": "a"} for i in range(30)]
    return VOCABULARY.encode(rows)


@pytest.mark.parametrize(("name", "found"), [("train, noise forgotten", True), ("train, DP-SGD", False)])
def test_training_without_noise_is_found_out_by_utterances(name, found):
    kind = trainings()[name]
    report = audit_training(kind.fit(0), canaries=200, epsilon=kind.epsilon, delta=1e-5)
    assert report.holds != found and (report.bound.epsilon > kind.epsilon) == found


def test_a_copy_of_the_model_is_trained_and_the_score_is_the_fall_of_the_loss():
    examples = corpus()
    canaries = made_up_utterances(examples, 40, seed=5)
    model = build("bilstm", VOCABULARY, seed=0)
    before = [parameter.clone() for parameter in model.parameters()]
    config = TrainConfig(method="sgd", epochs=30, batch_size=20, seed=9)
    fit = utterance_fit(model, {"train": examples, "validation": examples[:5]}, config, canaries)
    included = np.arange(40) < 20
    scores = fit(included).numpy()
    assert scores[included].mean() > 0.5 + max(scores[~included].mean(), 0)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert model.training


def test_utterances_are_joined_with_their_padding():
    examples = corpus()
    canaries = made_up_utterances(examples, 7, words=6, seed=0)
    assert set(canaries.input_ids.unique().tolist()) <= set(examples.input_ids[examples.attention_mask].tolist())
    both = joined(examples, canaries)
    assert len(both) == 37 and both.input_ids.shape == both.slots.shape == (37, 6)
    assert both.attention_mask.sum(1).tolist() == [1 + i % 3 for i in range(30)] + [6] * 7
    assert torch.equal(both[torch.arange(30)].slots, examples.slots)
    assert torch.equal(both.intents[30:], canaries.intents)
    again = made_up_utterances(examples, 7, words=6, seed=1)
    assert not torch.equal(again.input_ids, canaries.input_ids)


# --- Gradients


def test_gradients_add_up_over_the_steps_in_which_they_are_drawn():
    step, _ = engine_step("fast", clip_norm=0.5, noise_multiplier=1e-6, expected_batch_size=16)
    how = dict(clip_norm=0.5, expected_batch_size=16)
    included = np.arange(400) < 200
    always = gradient_fit(step, sample_rate=1.0, steps=3, seed=0, **how)(included)
    assert always == pytest.approx(3.0 * included, abs=1e-3)
    half = gradient_fit(step, sample_rate=0.5, steps=40, seed=0, **how)(included)
    assert half[:200].mean() == pytest.approx(20, abs=1) and half[:200].std() == pytest.approx(10**0.5, rel=0.2)
    assert half[200:] == pytest.approx(np.zeros(200), abs=1e-3)
    with pytest.raises(ValueError, match="finite gradient"):
        gradient_fit(lambda *batch: None, sample_rate=1.0, steps=1, seed=0, **how)(included)


def test_gradients_show_a_missing_factor_that_a_training_of_utterances_hides():
    epsilon = trainings()["gradients, 50 steps"].epsilon
    how = dict(clip_norm=0.5, expected_batch_size=16)
    shown = []
    for sigma in (1.0, 0.1):
        step, _ = engine_step("fast", noise_multiplier=sigma, **how)
        fit = gradient_fit(step, sample_rate=0.2, steps=50, seed=4, **how)
        shown.append(audit_training(fit, canaries=2000, epsilon=epsilon / 3, delta=1e-5))
    assert shown[0].holds and not shown[1].holds


# --- Coverage


def test_coverage_counts_bounds_above_what_is_declared():
    kinds = {name: each for name, each in trainings().items() if name.startswith("gradients")}
    rows = list(training_coverage(20, kinds=kinds))
    assert [(row["training"], row["method"]) for row in rows] == [(n, m) for n in kinds for m in METHODS]
    assert all(row["false claims"] <= row["allowed"] and row["accused"] == 0 for row in rows if row["valid"])
    assert rows[0]["mean bound"] > 0.5
    false = {"any": kinds["gradients, 50 steps"]._replace(epsilon=0.1)}
    (row, _) = training_coverage(5, kinds=false)
    assert row["false claims"] == 1 and row["declared epsilon"] == 0.1


def test_what_was_not_counted_is_said_to_be_so():
    assert "were not counted" in measured(("one run, trade-off curve",))
