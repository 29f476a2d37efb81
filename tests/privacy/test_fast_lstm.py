"""The written-out backward of an LSTM's recurrence, against finite differences."""

import pytest
import torch

from trustlab.privacy.fast.lstm import Recurrence


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("sizes", [[3, 3, 2, 1], [2] * 5, [1], [4, 1, 1]])
@pytest.mark.parametrize("read", [slice(None), slice(0, 1), slice(1, 2)], ids=["both", "states", "last cells"])
def test_the_gradient_of_the_gates_is_that_of_finite_differences(directions, sizes, read):
    made = torch.Generator().manual_seed(0)
    gates = torch.randn(directions, sum(sizes), 16, dtype=torch.double, generator=made, requires_grad=True)
    recurrent = torch.randn(directions, 4, 16, dtype=torch.double, generator=made)
    assert torch.autograd.gradcheck(lambda gates: Recurrence.apply(gates, recurrent, sizes)[read], (gates,))
