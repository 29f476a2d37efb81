"""Each operation against its closed form in probabilities, and what all of them have in common."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trustlab.fairness.distillation import REVERSALS, reverse

LOGITS = arrays(np.float64, (2, 3, 5), elements=st.floats(-8, 8))


def closed_form(p, q, reversal):
    found = {"none": p, "swap": q, "mean": np.sqrt(p * q), "max": np.maximum(p, q), "expectation": (p + q) / 2}
    return found[reversal] / found[reversal].sum(-1, keepdims=True)


def probabilities(logits):
    return np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)


@pytest.mark.parametrize("reversal", REVERSALS)
@given(logits=LOGITS, shift=st.floats(-20, 20))
def test_an_operation_is_its_closed_form_and_does_not_see_what_is_added_to_logits(reversal, logits, shift):
    z, swapped = torch.from_numpy(logits)
    found = reverse(z, swapped, reversal)
    expected = closed_form(*map(probabilities, logits), reversal)
    np.testing.assert_allclose(found.exp(), expected, rtol=1e-9)
    np.testing.assert_allclose(found.exp().sum(-1), 1, rtol=1e-9)
    for moved in (reverse(z + shift, swapped, reversal), reverse(z, swapped + shift, reversal)):
        np.testing.assert_allclose(moved.exp(), expected, rtol=1e-9)


def test_the_larger_of_two_logits_does_see_it():
    z, swapped = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    larger = torch.maximum(z, swapped).softmax(-1)
    assert not torch.allclose(torch.maximum(z + 5, swapped).softmax(-1), larger)
    assert torch.allclose(torch.maximum(z + 5, swapped).softmax(-1), z.softmax(-1))


def test_the_mean_of_logits_is_that_of_log_probabilities():
    z, swapped = torch.randn(2, 4, 7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(reverse(z, swapped, "mean").exp(), ((z + swapped) / 2).softmax(-1))


@pytest.mark.parametrize("reversal", REVERSALS)
@given(logits=LOGITS)
def test_two_equal_predictions_stay_what_they_are_and_the_order_matters_only_where_it_should(reversal, logits):
    z, swapped = torch.from_numpy(logits)
    np.testing.assert_allclose(reverse(z, z, reversal).exp(), z.softmax(-1), rtol=1e-9)
    if reversal not in ("none", "swap"):
        torch.testing.assert_close(reverse(z, swapped, reversal), reverse(swapped, z, reversal))


@pytest.mark.parametrize("reversal", REVERSALS)
def test_a_word_that_cannot_follow_is_no_number_that_is_none(reversal):
    z, swapped = torch.tensor([[0.0, 1.0, -float("inf")], [1.0, 0.0, -1.0]])
    assert not reverse(z, swapped, reversal).isnan().any()


def test_what_is_refused():
    z = torch.zeros(2, 3)
    with pytest.raises(ValueError, match="Expected reversal='minimum' to be one of 'none', 'swap'"):
        reverse(z, z, "minimum")
    with pytest.raises(ValueError, match=r"two predictions of one shape, got \(2, 3\) and \(3,\)"):
        reverse(z, z[0], "mean")
