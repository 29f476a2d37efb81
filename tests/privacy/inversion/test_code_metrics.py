"""Rank, exposure and what chance reaches: published values, closed forms, and input that means nothing."""

import math
from itertools import product

import numpy as np
import pytest
import torch

from trustlab.privacy.inversion import Extraction, chance, exposure, found, rank_of, sampled_exposure

# tensorflow/privacy@03035d5d privacy_tests/secret_sharer/exposures_test.py: three canaries, sixteen references
PUBLISHED = {0.1: 4.0, 3.5: 2.0, 20.0: -0.08746284125033943}
# log2 10,000 - log2 rank, by the definition of Carlini et al. 2019
OF_RANK = {1: 13.287712379549449, 5: 10.965784284662087, 16: 9.287712379549449}


@pytest.mark.parametrize(("loss", "bits"), PUBLISHED.items())
def test_exposure_among_references_is_tf_privacys(loss, bits):
    assert sampled_exposure(loss, range(1, 17)) == pytest.approx(bits, abs=1e-9)


@pytest.mark.parametrize(("rank", "bits"), OF_RANK.items())
def test_exposure_of_a_rank_is_carlinis(rank, bits):
    assert exposure(rank, 10_000) == pytest.approx(bits, abs=1e-9)


def test_a_rank_counts_what_is_guessed_before():
    losses = np.random.default_rng(0).permutation(1000) / 7
    order = sorted(range(1000), key=losses.__getitem__)
    assert [rank_of(losses, place) for place in order] == list(range(1, 1001))


def test_a_model_that_knows_nothing_ranks_in_the_middle_and_not_first():
    assert rank_of(np.zeros(10_000), 3) == 5000.5
    assert rank_of([0.5, 0.1, 0.5, 0.9], 2) == 2.5


def test_chance_is_that_of_every_code_tried_against_every_guess():
    """All 3^3 codes, each as likely: the share right at once, within three guesses, of wrong places, and the bits."""
    codes = list(product(range(3), repeat=3))
    expected = chance(3, 3)
    guess = codes[7]
    assert expected["exact"] == pytest.approx(np.mean([code == guess for code in codes]))
    assert expected["within_3"] == pytest.approx(np.mean([code in codes[:3] for code in codes]))
    assert expected["hamming"] == pytest.approx(
        np.mean([[a != b for a, b in zip(code, guess, strict=True)] for code in codes])
    )
    ranks = range(1, len(codes) + 1)
    assert expected["guesses"] == pytest.approx(np.mean(ranks))
    assert expected["exposure"] == pytest.approx(np.mean([math.log2(len(codes) / rank) for rank in ranks]))
    assert [chance(n)["exact"] for n in (1, 4, 6)] == pytest.approx([0.1, 1e-4, 1e-6])
    assert chance(4)["hamming"] == pytest.approx(0.9)


def test_a_uniform_rank_exceeds_the_stated_exposure_in_one_case_of_twenty():
    bits = [exposure(rank, 10_000) for rank in range(1, 10_001)]
    assert np.mean(np.array(bits) > chance(4)["exposure_95"]) == pytest.approx(0.05, abs=2e-4)


def test_found_reads_first_guess_three_guesses_and_restarts():
    codes = torch.tensor([[1, 2, 3, 9], [1, 2, 3, 4], [0, 0, 0, 0]])
    restarts = torch.tensor([[1, 2, 3, 9], [1, 2, 3, 4], [1, 2, 3, 4], [0, 0, 0, 0]])
    got = found(Extraction(codes, torch.tensor([0.1, 0.2, 0.3]), restarts), torch.tensor([1, 2, 3, 4]))
    assert got == {
        "exact": 0,
        "within_3": 1,
        "hamming": 0.25,
        "positions": "1|1|1|0",
        "exact_restarts": 0.5,
        "hamming_restarts": pytest.approx((1 + 0 + 0 + 4) / 16),
    }


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: rank_of([0.1, math.nan], 0), "finite"),
        (lambda: rank_of([0.1, 0.2], 2), r"Expected place=2 in \[0, 2\)"),
        (lambda: rank_of([0.1, 0.2], -1), r"Expected place=-1 in \[0, 2\)"),
        (lambda: exposure(0, 10), "Expected rank=0 >= 1"),
        (lambda: exposure(math.nan, 10), "Expected rank=nan >= 1"),
        (lambda: sampled_exposure(math.nan, [1.0]), "Expected a finite loss, got nan"),
        (lambda: sampled_exposure(1.0, []), "Expected rank=1 >= 1 and size=0 >= 1"),
        (lambda: chance(0), "Expected digits=0 >= 1"),
        (lambda: chance(2, 1), "candidates=1 >= 2"),
    ],
)
def test_what_has_no_rank_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()
