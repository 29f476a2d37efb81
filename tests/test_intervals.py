import math

import numpy as np
import pytest
from scipy import stats

from trustlab.intervals import mean_interval


def test_it_is_scipys_t_interval():
    values = [0.81, 0.79, 0.84, 0.8, 0.77]
    mean, low, high, n = mean_interval(values)
    expected = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    np.testing.assert_allclose((low, high), expected, rtol=1e-12)
    assert (mean, n) == (pytest.approx(np.mean(values)), 5)


def test_one_run_has_no_interval_and_equal_runs_have_an_empty_one():
    assert math.isnan(mean_interval([0.5]).low)
    assert mean_interval([0.5, 0.5, 0.5])[:3] == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("values", [[], [0.5, math.nan], [math.inf, 1.0]])
def test_runs_that_failed_are_not_averaged_away(values):
    with pytest.raises(ValueError, match="one finite number per run"):
        mean_interval(values)


def test_the_level_is_a_probability():
    with pytest.raises(ValueError, match="between 0 and 1"):
        mean_interval([1.0, 2.0], level=95)
