"""The toy against scores that are drawn."""

import numpy as np
import pytest

from trustlab.course.n12_membership_inference.toy import EXPOSED, LEAST, SHARES, SHIFTS, averages, exposed_toy
from trustlab.privacy.membership import success


@pytest.mark.parametrize(("share", "shift"), [(0.02, 0.1), (0.1, 0.5), (0.0, 1.0)])
def test_the_numbers_are_those_of_drawn_scores(share, shift):
    rng, n = np.random.default_rng(0), 200_000
    scores = rng.normal(size=2 * n)
    members = np.arange(2 * n) < n
    scores[members] += np.where(rng.random(n) < share, EXPOSED, shift)
    drawn = [row["value"] for row in success(scores, members, fprs=(LEAST,), resamples=0)]
    assert averages(share, shift) == pytest.approx(drawn, abs=4e-3)


def test_every_position_says_its_numbers(drawn):
    panel = exposed_toy()
    for share in SHARES:
        for shift in SHIFTS:
            answer, shown = drawn(panel, share=share, shift=shift)
            auc, _, found = averages(share, shift)
            assert f"The AUC is {auc:.2f}" in answer.verdict
            assert shown["mark"] == [(LEAST, found)]
            if found > 1.5 * LEAST:
                assert f"finds {100 * found:.1f} %" in answer.verdict
            else:
                assert "no member is found more often than by guessing" in answer.verdict


def test_the_notebooks_example_hides_two_in_a_hundred():
    """What the notebook says of it: the AUC hardly moves, and nearly all of the exposed are found."""
    (before, *_), (after, _, found) = averages(0.0, 0.1), averages(0.02, 0.1)
    assert after - before < 0.02 and found > 0.02
