"""Which rates a comparison may use: what is lost, and the margin."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from trustlab.course.sensitivity import by_client_rate, stable

METHODS, CLIENTS, SERVERS, SEEDS = "abc", (2.0, 4.0, 6.0, 8.0), (1.0, 2.0), (100, 101)


def made_up(seed):
    """A search in which each training is lost with one chance in ten: no score, or a score of next to nothing."""
    rng = np.random.default_rng(seed)
    rows = []
    for method, client, server, trial in itertools.product(METHODS, CLIENTS, SERVERS, SEEDS):
        score = rng.choice([0.6 + 0.3 * rng.random(), 0.05, math.nan], p=[0.9, 0.05, 0.05])
        rows.append({"method": method, "learning_rate": client, "server_rate": server, "seed": trial, "score": score})
    return pd.DataFrame(rows).sample(frac=1, random_state=seed)


def lost(search, methods, client, server):
    at = search[search["method"].isin([*methods]) & (search["learning_rate"] == client)]
    return not (at[at["server_rate"] == server]["score"] > 0.5).all()


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("own", [True, False])
def test_a_pair_counts_if_neither_it_nor_the_next_larger_rate_lost_a_training(seed, own):
    search = made_up(seed)
    kept = stable(search, ["method"], within=["method"] if own else [])
    expected = {
        (method, client, server)
        for method, (client, larger), server in itertools.product(METHODS, itertools.pairwise(CLIENTS), SERVERS)
        if not any(lost(search, method if own else METHODS, rate, server) for rate in (client, larger))
    }
    names = ["method", "learning_rate", "server_rate"]
    assert set(kept[names].itertuples(index=False, name=None)) == expected
    assert len(kept) == len(SEEDS) * len(expected)
    assert kept.equals(search.loc[kept.index])  # whole rows, in the search's order


def test_the_next_larger_rate_is_that_of_the_same_server_and_without_one_nothing_counts():
    search = pd.DataFrame({
        "method": "a", "learning_rate": [2.0, 3.0, 4.0, 2.0], "server_rate": [1.0, 2.0, 1.0, 4.0],
        "score": [0.7, 0.01, 0.8, 0.9],
    })  # fmt: skip
    assert stable(search, ["method"])["learning_rate"].tolist() == [2.0]


def test_a_rate_with_which_one_seed_diverged_has_no_score():
    trials = pd.DataFrame({
        "learning_rate": [2.0, 2.0, 4.0, 4.0], "server_rate": 1.0, "score": [0.6, 0.8, 0.9, math.nan],
    })  # fmt: skip
    rows = by_client_rate(trials, trials[:2])
    assert [(row["score"], row["chosen"]) for row in rows] == [(pytest.approx(0.7), True), (None, False)]
