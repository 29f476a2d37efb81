"""The toy: masks that cancel, in sums modulo R."""

import itertools

import numpy as np
import pytest

from trustlab.course.n25_beyond_one_machine.exercises import bits_of_a_sum, masks_that_cancel, servers_connection
from trustlab.course.n25_beyond_one_machine.toy import (
    LEFT,
    LOST,
    MASKED,
    MODULUS,
    REMOVED,
    SENT,
    MasksPosition,
    answer,
    masks_of,
    masks_toy,
    pairs,
)


@pytest.fixture(scope="module")
def toy():
    return masks_toy()


def by_hand(shared, modulus):
    masks = [0] * len(shared)
    for i, j in itertools.combinations(range(len(shared)), 2):
        masks[i] += int(shared[i, j])
        masks[j] -= int(shared[i, j])
    return np.array([mask % modulus for mask in masks])


@pytest.mark.parametrize("devices", [2, 3, 8, 40])
def test_masks_are_those_of_a_loop_over_pairs_and_cancel(devices):
    shared = pairs(devices, 997, seed=devices)
    np.testing.assert_array_equal(masks_of(shared, 997), by_hand(shared, 997))
    assert masks_of(shared, 997).sum() % 997 == 0


def test_one_masked_number_alone_is_as_likely_as_any_other():
    """Over many draws of the shared numbers, the first device's mask is uniform: chi-squared, one in 10,000 fails."""
    from scipy.stats import chisquare

    masks = [masks_of(pairs(3, 10, seed=seed), 10)[0] for seed in range(5000)]
    expected = np.zeros(10)
    for a, b in itertools.product(range(1, 10), repeat=2):  # the two numbers are never 0
        expected[(a + b) % 10] += 5000 / 81
    assert chisquare(np.bincount(masks, minlength=10), expected).pvalue > 1e-4


@pytest.mark.parametrize(("sent", "lost", "masks"), itertools.product((SENT, MASKED), LOST, (LEFT, REMOVED)))
def test_the_sum_is_right_but_where_masks_of_lost_devices_are_left_in(sent, lost, masks, toy, drawn):
    found, shown = drawn(toy, sent=sent, lost=lost, masks=masks)
    *devices, total = found.numbers
    own = [row["own number"] for row in devices if row["received"] is not None]
    assert len(own) == 8 - lost and total["own number"] == sum(own)
    wrong = sent == MASKED and lost and masks == LEFT
    assert (total["received"] != sum(own)) == bool(wrong)
    assert ("instead of" in found.verdict) == bool(wrong)
    assert [text for _, text in shown["received"]].count("lost") == lost
    assert all(0 <= row["received"] < MODULUS for row in found.numbers if row["received"] is not None)


def test_masked_numbers_do_not_show_whose_is_largest():
    rows = answer(MasksPosition(sent=MASKED)).numbers[:-1]
    own, received = ([row[name] for row in rows] for name in ("own number", "received"))
    assert np.argmax(own) != np.argmax(received)


# The exercises


@pytest.mark.parametrize("mine", [by_hand, masks_of])
def test_right_masks_are_right(mine):
    assert str(masks_that_cancel(mine)).startswith("✓")


@pytest.mark.parametrize(
    ("mine", "slip"),
    [
        (lambda s, r: ..., "Not written yet"),
        (lambda s, r: s.sum(1) % r, "added twice"),
        (lambda s, r: np.triu(s).sum(1) % r, "adds nothing"),
        (lambda s, r: -by_hand(s, r) % r, "other way round"),
        (lambda s, r: np.triu(s).sum(1) - np.tril(s).sum(1), "modulo R"),
        (lambda s, r: np.zeros(len(s), dtype=int), "hide nothing"),
    ],
)
def test_slips_of_masks_are_explained(mine, slip):
    assert slip in str(masks_that_cancel(mine))


@pytest.mark.parametrize(
    ("answer", "said"),
    [(25, "✓"), (..., "… Not answered"), (12, "one device's"), (24, "takes 13 bits"), (32, "waste seven")],
)
def test_bits_are_checked(answer, said):
    assert said in str(bits_of_a_sum(answer))


@pytest.mark.parametrize(
    ("answer", "said"), [(24.2, "✓"), (24.24, "✓"), (3.03, "8 bits"), (1454, "in one second"), (48.5, "way back")]
)
def test_the_servers_connection_is_checked(answer, said):
    assert said in str(servers_connection(answer))
