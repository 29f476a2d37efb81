"""The attacks against values of other implementations, closed forms, and input that has no meaning.

Values named "golden" are what other libraries' own tests publish, or what their code returned when it was run; each has
its source.
"""

import re

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from trustlab.privacy.membership import (
    ATTACKS,
    Evidence,
    attack,
    from_logits,
    from_losses,
    halves,
    lira,
    member_mask,
    quantile_regression,
    rmia,
)
from trustlab.privacy.membership.lira import normals

# tensorflow/privacy@03035d5d membership_inference_attack/advanced_mia_test.py
TF_LOGITS, TF_LABELS = [[1, 2, -3], [-1, 1, 0]], [1, 2]
TF_SIGNALS = {
    "probability": [0.72747516, 0.24472847],
    "loss": [-0.31817543, -1.40760596],
    "logit": [0.98185009, -1.12692802],
    "hinge": [1, -1],
}


@pytest.mark.parametrize("signal", TF_SIGNALS)
def test_signals_of_logits_are_tf_privacys(signal):
    np.testing.assert_allclose(from_logits(TF_LOGITS, TF_LABELS, signal), TF_SIGNALS[signal], atol=1e-7)


@pytest.mark.parametrize("signal", ["probability", "loss", "logit"])
def test_losses_give_the_signals_that_logits_give(signal):
    losses = -from_logits(TF_LOGITS, TF_LABELS, "loss")
    np.testing.assert_allclose(from_losses(losses, signal), from_logits(TF_LOGITS, TF_LABELS, signal), atol=1e-12)


def test_a_confident_model_keeps_its_logit():
    found = from_logits([[50.0, 0.0], [800.0, 0.0]], [0, 0])
    np.testing.assert_allclose(found, [50.0, 800.0])
    assert np.isfinite(from_losses([0.0, 1e-30, 800.0])).all()


def in_rows(rows, width):
    """Rows of unequal length as a matrix, and which of its places are filled; the rest is a number that would show."""
    values, used = np.full((len(rows), width), 1e9), np.zeros((len(rows), width), dtype=bool)
    for i, row in enumerate(rows):
        values[i, : len(row)], used[i, : len(row)] = row, True
    return values, used


def test_densities_per_example_are_tf_privacys():
    values, used = in_rows([[-1, 1], [0, 2], [0, 20], []], 2)
    found = normals(values[:, :, None], used, variance="per-example", centre="median")
    expected = [1.41893853, 1.41893853, 3.72152363, 2.72537178]  # source as above; an empty row has the others' means
    np.testing.assert_allclose(-found.log_density(np.array([[1.0], [0], [0], [0]])), expected, atol=1e-7)


def test_two_augmentations_are_averaged_as_in_tf_privacy():
    values = np.array([[[-1.0, 0], [1, 20]]])
    found = normals(values, np.ones((1, 2), dtype=bool), variance="per-example", centre="median")
    np.testing.assert_allclose(-found.log_density(np.array([[1.0, 0]])), [2.57023108], atol=1e-7)


@pytest.mark.parametrize(
    ("centre", "expected"), [("median", [0, 9, 0]), ("mean", [0, 9.333333333333334, 0.16666666666666666])]
)
def test_centres_are_tf_privacys(centre, expected):
    values = np.full((3, 3, 3), 1e9)
    used = np.zeros((3, 3), dtype=bool)
    for i, rows in enumerate([[[1, 2, -3]], [[-2, 4, 6], [0, 0, 0], [5, -7, -9]]]):
        values[i, : len(rows)], used[i, : len(rows)] = rows, True
    target = np.array([[-0.1, 0.1, 0], [0, 0, 27], [0, 0, 0]])
    found = normals(values, used, centre=centre)
    np.testing.assert_allclose((target - found.centre).mean(1), expected, atol=1e-7)


def test_the_fixed_variance_is_pooled_within_targets():
    rng = np.random.default_rng(0)
    easy = rng.normal(scale=5, size=3000)  # the spread between targets is no spread of a target's score
    values = easy[:, None] + rng.normal(scale=0.5, size=(3000, 4))
    found = normals(values[:, :, None], np.ones((3000, 4), dtype=bool))
    assert found.spread[0, 0] == pytest.approx(np.sqrt(values.var(1, ddof=1).mean()), rel=1e-12)
    assert found.spread[0, 0] == pytest.approx(0.5, abs=0.01)  # 9,000 degrees of freedom: ± 0.004


def shadow(rng, targets=4000, models=16, shift=1.0):
    """Scores of a Gaussian world: μ_i without, μ_i + shift with the target, σ = 1; no model has its complement."""
    inside = rng.random((targets, models)) < 0.5
    easy = rng.normal(scale=3, size=targets)
    members = rng.random(targets) < 0.5
    reference = easy[:, None] + shift * inside + rng.normal(size=(targets, models))
    return easy + shift * members + rng.normal(size=targets), reference, inside, members


def test_online_lira_reaches_the_best_tests_auc_in_a_gaussian_world():
    target, reference, inside, members = shadow(np.random.default_rng(1), models=256)
    best = norm.cdf(1 / np.sqrt(2))  # of two normal distributions one σ apart, by Neyman and Pearson
    # AUC of 4,000 scores has a standard deviation of .0078; a correct attack fails with probability below 1e-4.
    assert roc_auc_score(members, lira(target, reference, inside)) == pytest.approx(best, abs=0.03)
    assert roc_auc_score(members, lira(target, reference, inside, variance="per-example")) > best - 0.04
    assert roc_auc_score(members, lira(target, reference, inside, variant="offline")) > best - 0.04
    assert roc_auc_score(members, target) < 0.62  # without references the spread between targets hides it


def test_scores_of_the_other_side_never_enter():
    rng = np.random.default_rng(2)
    target, reference, inside, members = shadow(rng, models=8)
    for variance in ("fixed", "per-example"):
        offline = lira(target, reference, inside, variant="offline", variance=variance)
        poisoned = np.where(inside, 1e6 * rng.normal(size=inside.shape), reference)
        np.testing.assert_array_equal(lira(target, poisoned, inside, variant="offline", variance=variance), offline)
    # What averaging zeros into the OUT mean costs: the mistake of public tools.
    counted = np.where(~inside, reference, 0).mean(1)
    assert roc_auc_score(members, offline) > roc_auc_score(members, target - counted) + 0.05


def test_offline_lira_orders_scores_far_in_the_tail():
    reference = np.tile([0.0, 1.0, -1.0], (3, 1))
    found = lira([60.0, 50.0, 40.0], reference, np.zeros((3, 3), dtype=bool), variant="offline")
    assert found[0] > found[1] > found[2]


# privacytrustlab/ml_privacy_meter@e384af8f modules/mia/attacks/rmia.py::run_rmia(num_reference_models=2), run there
METER = dict(
    target=[0.11, 0.26, 0.69, 0.27, 0.41, 0.1, 0.81, 0.23],
    reference=[
        [0.63, 0.86, 0.76, 0.29],
        [0.36, 0.84, 0.1, 0.8],
        [0.78, 0.5, 0.36, 0.34],
        [0.32, 0.48, 0.53, 0.57],
        [0.95, 0.77, 0.63, 0.94],
        [0.28, 0.24, 0.62, 0.14],
        [0.13, 0.54, 0.5, 0.88],
        [0.63, 0.54, 0.52, 0.31],
    ],
    in_reference=np.array(
        [[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 0, 1], [0, 1, 1, 0], [1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 0, 1], [0, 1, 1, 0]]
    )
    > 0,
    population_target=[0.18, 0.56, 0.53, 0.84, 0.41, 0.61],
    population_reference=np.repeat([[0.33], [0.85], [0.53], [0.82], [0.64], [0.73]], 4, axis=1),
)


@pytest.mark.parametrize("a", [0.3, 0.0])
def test_rmia_is_privacy_meters(a):
    expected = np.array([0, 1, 6, 1, 1, 0, 6, 1]) / 6
    np.testing.assert_allclose(rmia(**METER, a=a), expected, atol=1e-12)


def test_rmia_counts_pairs():
    rng = np.random.default_rng(3)
    target, reference, z, of_z = (rng.uniform(0.05, 1, size) for size in (50, (50, 3), 40, (40, 3)))
    inside = np.tile([True, False, False], (50, 1))
    found = rmia(target, reference, inside, population_target=z, population_reference=of_z, a=0.6, gamma=1.2)
    expected = 0.8 * reference[:, 1:].mean(1) + 0.2
    ratios, beaten = target / expected, z / (0.8 * of_z.mean(1) + 0.2)
    np.testing.assert_allclose(found, (ratios[:, None] / beaten > 1.2).mean(1))


def test_one_reference_model_is_enough_for_rmia():
    target, reference, inside, members = shadow(np.random.default_rng(4), models=2, targets=4000)
    inside = np.stack([inside[:, 0], ~inside[:, 0]], axis=1)
    p = lambda scores: 1 / (1 + np.exp(-scores))  # noqa: E731
    z = np.random.default_rng(5).normal(scale=3, size=(500, 1))
    near = z + np.random.default_rng(6).normal(size=(500, 3))
    found = rmia(
        p(target), p(reference), inside, population_target=p(near[:, 0]), population_reference=p(near[:, 1:]), a=1.0
    )
    assert roc_auc_score(members, found) > roc_auc_score(members, target) + 0.03


def test_quantile_regression_calls_that_share_of_each_group_of_non_members():
    rng = np.random.default_rng(7)
    kind = rng.integers(2, size=6000)  # two kinds of examples, one much easier than the other
    scores = rng.normal(size=6000) * (1 + kind) + 4 * kind
    features = kind[:, None].astype(float)
    found = quantile_regression(
        scores[:3000], features[:3000], public=scores[3000:], public_features=features[3000:], fpr=0.1
    )
    for each in (0, 1):  # 1,500 of each: standard deviations of .008 here and of the quantile .008
        assert (found[kind[:3000] == each] > 0).mean() == pytest.approx(0.1, abs=0.045)
    plain = np.quantile(scores[3000:], 0.9)
    assert (scores[:3000] > plain)[kind[:3000] == 0].mean() < 0.01  # one threshold for all calls only easy ones


def evidence(**changed):
    rng = np.random.default_rng(8)
    parts = dict(
        target=rng.exponential(size=60),
        reference=rng.exponential(size=(60, 6)),
        in_reference=halves(60, 6, seed=0),
        population=rng.exponential(size=600),
        population_reference=rng.exponential(size=(600, 6)),
        features=rng.normal(size=(60, 2)),
        population_features=rng.normal(size=(600, 2)),
    )
    return Evidence(**parts | changed)


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_scores_every_target_and_refuses_what_is_not_finite(name):
    found = attack(name, evidence())
    assert found.shape == (60,)
    assert np.isfinite(found).all()
    broken = np.ones(60)
    broken[3] = np.nan
    with pytest.raises(ValueError, match="Expected every target loss to be a finite number, got nan at \\[3\\]"):
        attack(name, evidence(target=broken))


@pytest.mark.parametrize("name", [name for name in ATTACKS if name != "loss"])
def test_missing_evidence_is_named(name):
    with pytest.raises(ValueError, match=f"Expected evidence with .* for attack='{name}'"):
        attack(name, Evidence(np.ones(60)))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: attack("shadow", evidence()), "Expected attack='shadow' to be one of 'loss', 'quantile'"),
        (lambda: attack("lira-online", evidence(reference=np.ones((6, 60)))), "of shape [60, K], a row for each"),
        (lambda: attack("rmia", evidence(reference=np.full((60, 6), np.inf))), "got inf at [0, 0]"),
        (lambda: attack("rmia", evidence(in_reference=np.ones((60, 6)))), "to be True and False of shape [60, 6]"),
        (lambda: attack("rmia", evidence(in_reference=np.ones((60, 6)) > 0)), "a reference model without each target"),
        (lambda: attack("lira-online", evidence(in_reference=np.ones((60, 6)) < 0)), "two IN scores or more, got at"),
        (lambda: attack("quantile", evidence(), fpr=0.001), "at least 5 of the 600 public examples above"),
        (lambda: attack("lira-online", evidence(), variance="global"), "'fixed', 'per-example'"),
        (lambda: from_losses([-0.5]), "Expected losses >= 0"),
        (lambda: member_mask(range(30), []), "got 30 and 0"),
        (lambda: member_mask(range(10), range(10, 90)), "at least 20 members and 20 non-members, got 10 and 80"),
        (lambda: member_mask(range(40), range(38, 90)), "got 38 and 1 more in both groups"),
        (lambda: member_mask([*range(40), 7], range(50, 90)), "Expected every member once, got 7 several times"),
    ],
)
def test_what_has_no_meaning_is_refused_with_its_reason(call, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        call()


def test_halves_are_fair_and_complementary():
    drawn = halves(4000, 6, seed=0)
    assert (drawn[:, ::2] ^ drawn[:, 1::2]).all()
    assert drawn.mean() == 0.5
    assert abs(np.corrcoef(drawn[:, 0], drawn[:, 2])[0, 1]) < 0.07  # four standard deviations
    assert halves(10, 3, seed=0).shape == (10, 3)
