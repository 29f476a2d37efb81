"""A user's loss has the mean of the log-odds of what they wrote, and every attack takes it."""

import numpy as np
import pytest

from trustlab.privacy.membership import Evidence, attack, from_losses, user_losses


def test_the_log_odds_of_a_user_are_the_mean_of_their_examples():
    rng = np.random.default_rng(0)
    owners = rng.permutation(np.concatenate([np.arange(30), rng.integers(30, size=170)]))
    losses = rng.exponential(size=(200, 3))
    found = from_losses(user_losses(losses, owners, 30))
    expected = [np.log(np.exp(-losses[owners == u]) / (1 - np.exp(-losses[owners == u]))).mean(0) for u in range(30)]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_allclose(user_losses(losses[:, 0], owners, 30), user_losses(losses, owners, 30)[:, 0])


def test_a_user_with_one_example_has_its_loss_however_small_or_large():
    losses = np.array([1e-9, 0.3, 40.0])
    np.testing.assert_allclose(user_losses(losses, [2, 0, 1], 3), losses[[1, 2, 0]], rtol=1e-6)


def test_many_weak_examples_make_a_strong_case():
    """Each example says little; of a user with 25 of them the mean has a fifth of the spread."""
    rng = np.random.default_rng(0)
    members = np.arange(400) < 200
    owners = np.repeat(np.arange(400), 25)
    losses = np.exp(rng.normal(size=10_000) - 0.3 * members[owners])
    scores = attack("loss", Evidence(user_losses(losses, owners, 400)))
    single = attack("loss", Evidence(losses[::25]))
    won, won_single = ((each[members][:, None] > each[~members]).mean() for each in (scores, single))
    assert won > 0.8 > 0.65 > won_single


@pytest.mark.parametrize(
    ("losses", "owners", "said"),
    [
        ([0.1, 0.2], [0, 0], "none of user 1"),
        ([0.1, 0.2, 0.3], [0, 1], r"a row for each owner, got \[3\]"),
        ([0.1, -0.2], [0, 1], "losses >= 0"),
        ([0.1, np.inf], [0, 1], "finite"),
        ([0.1, 0.2], [0, 2], "owner"),
        ([[[0.1]], [[0.2]]], [0, 1], "models"),
    ],
)
def test_what_is_no_evidence_of_users_is_refused(losses, owners, said):
    with pytest.raises(ValueError, match=said):
        user_losses(losses, owners, 2)
