"""What an observer learns of activity by counting who takes part: the table of docs/deployment/flower.md."""

import re
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from trustlab.federated.selection import Selector

PAGE = (Path(__file__).parents[3] / "docs" / "deployment" / "flower.md").read_text(encoding="utf-8")
RULES = {
    "uniform": {"strategy": "uniform"},
    "β = 0.5": {"strategy": "power", "beta": 0.5},
    "β = 1": {"strategy": "power", "beta": 1.0},
    "threshold of 50": {"strategy": "threshold", "threshold": 50},
}
SIZES = np.maximum(1, np.round(400 / np.arange(1, 51) ** 0.8)).astype(int)
ROUNDS = (10, 100, 1000)


def correlations(options, seed):
    """Return the rank correlation of activity with how often each node took part, after each number of rounds."""
    rng, selector, counts, found = (
        np.random.default_rng(seed),
        Selector(SIZES, design="poisson", **options),
        np.zeros(50),
        [],
    )
    for round in range(1, max(ROUNDS) + 1):
        counts[selector.draw(10, rng)] += 1
        if round in ROUNDS:
            found.append(spearmanr(counts, SIZES).statistic)
    return found


@pytest.mark.parametrize(("rule", "options"), RULES.items(), ids=list(RULES))
def test_the_page_says_what_participation_tells_of_activity(rule, options):
    row = re.search(rf"^\| {re.escape(rule)} \|(.*)\|$", PAGE, re.MULTILINE)[1]
    said = [float(each.replace("−", "-")) for each in row.split("|")]
    measured = np.mean([correlations(options, seed) for seed in range(20)], axis=0)
    assert said == pytest.approx(measured.tolist(), abs=0.006 if options["strategy"] != "uniform" else 0.07)
