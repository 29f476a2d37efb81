"""Means over devices, each counting once: what a mean over all examples does not show.

A gain for heavy devices that costs the light ones is a gain over all examples. It is none over devices, and a loss over
the light ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def shares_right(
    right: np.ndarray, tests: Sequence[np.ndarray], asked: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the devices that have test examples, int [d], and the share that is right of each one's, float64 [d].

    Parameters
    ----------
    right : [N]
        Of each test example, whether or how much of it is right.
    tests
        Numbers of the test examples that each device has.
    asked : [N]
        Of how much, such as the characters of a line; None is 1 each.

    Examples
    --------
    >>> shares_right(np.array([True, False, True]), [np.array([0, 1]), np.array([], int), np.array([2])])
    (array([0, 2]), array([0.5, 1. ]))
    """
    devices = np.flatnonzero([len(own) for own in tests])
    asked = np.ones(len(right)) if asked is None else asked
    return devices, np.array([right[tests[k]].sum() / asked[tests[k]].sum() for k in devices.tolist()])


def means(values: np.ndarray, devices: np.ndarray, sizes: np.ndarray) -> tuple[float, float]:
    """Return the mean over devices, and that over the light ones: no larger than the median of those measured.

    Parameters
    ----------
    values, devices : [d]
        What was measured, and of which devices.
    sizes : [all devices]
        Training examples of each.

    Examples
    --------
    >>> means(np.array([0.2, 0.4, 0.9]), np.array([0, 1, 3]), np.array([1, 5, 2, 50]))
    (0.5, 0.30000000000000004)
    """
    light = sizes[devices] <= np.median(sizes[devices])
    return float(values.mean()), float(values[light].mean())
