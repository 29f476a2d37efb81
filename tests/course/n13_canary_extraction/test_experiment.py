"""The experiment of notebook 13: its rows, its grid, and what its table says."""

import itertools
import math
import re

import numpy as np
import pytest
import torch

from trustlab.course.n13_canary_extraction import EXPERIMENT, defended
from trustlab.course.n13_canary_extraction.claims import claims_of
from trustlab.course.n13_canary_extraction.defended import EPSILONS, NONE, Planted, attacked, model_of, prepare
from trustlab.course.n13_canary_extraction.experiment import (
    CORPORA,
    HEADLINE,
    KEY,
    MORE,
    USUAL,
    Setting,
    first_guesses,
    grid,
    run,
)
from trustlab.course.n13_canary_extraction.extraction_rates import bits, rate
from trustlab.course.n13_canary_extraction.results import defence_rows, guess_rows, known_copies
from trustlab.data import assistant
from trustlab.lab.claims import claims
from trustlab.privacy.inversion import all_codes


@pytest.fixture(scope="module")
def corpus():
    return assistant(300)


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(defended, "EPOCHS", 1)


@pytest.mark.parametrize("defence", [NONE, "dp-8"])
def test_a_row_has_the_documented_fields_and_is_flat(defence, corpus, short):
    (row,) = run(Setting(defence=defence), corpus)
    assert set(row) == set(re.findall(r"``(\w+)``", run.__doc__.split("Yields")[1]))
    assert all(isinstance(value, int | float | str) for value in row.values())
    assert (row["epsilon"] <= 8) is (defence in EPSILONS)
    assert 1 <= row["rank"] <= 10_000 and len(row["secret"]) == 4
    firsts = [float(each) for each in row["first"].split("|")]
    true = [firsts[10 * place + int(digit)] for place, digit in enumerate(row["secret"])]
    assert max(true) <= row["rank"] + 0.5 and firsts.count(1.0) == 4  # its own guess has all four


def test_the_same_setting_gives_the_same_row(corpus, short):
    one, same = (next(run(Setting(seed=2), corpus)) for _ in range(2))
    timed = {name for name in one if name.endswith("seconds")}
    assert {k: v for k, v in one.items() if k not in timed} == {k: v for k, v in same.items() if k not in timed}


def test_the_first_guess_with_a_digit_is_that_of_sorting_all_codes_by_hand(corpus):
    at = Planted(pin="4711")
    prepared = prepare(at, corpus)
    target = attacked(model_of(at, prepared.vocabulary), prepared)
    losses = torch.rand(10_000, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    found = first_guesses(losses, target)
    in_order = all_codes(4, 10)[losses.argsort()]
    for place, digit in itertools.product(range(4), (0, 4, 9)):
        by_hand = 1 + int((in_order[:, place] == digit).nonzero()[0, 0])
        assert int(found[place, digit]) == by_hand


@pytest.mark.parametrize("corpus", CORPORA)
def test_the_grid_has_every_setting_once_and_the_headline_has_all_seeds_at_all_copies(corpus):
    settings = grid(corpus, seeds=range(10))
    keys = [tuple(each.key().values()) for each in settings]
    assert len(set(keys)) == len(keys)
    for kind in itertools.product(HEADLINE, (USUAL, *MORE[corpus])):
        assert [each.seed for each in settings if (each.defence, each.copies) == kind] == list(range(10))
    assert {each.defence for each in settings if each.copies == USUAL} == set(defended.DEFENCES)
    assert {each.defence for each in settings if each.copies == 0} == {NONE}
    assert {each.defence for each in grid(corpus, defences=["dropout"])} == {"dropout"}


# The committed table


@pytest.fixture(scope="module", params=CORPORA)
def corpus_and_table(request):
    return request.param, EXPERIMENT.table(request.param)


@pytest.fixture(scope="module")
def table():
    return EXPERIMENT.table()


def test_the_table_is_that_of_the_grid_with_five_trainings_a_setting_at_least(corpus_and_table):
    corpus, table = corpus_and_table
    wanted = {tuple(each.key()[name] for name in (*KEY, "seed")) for each in grid(corpus)}
    assert set(table[[*KEY, "seed"]].itertuples(index=False, name=None)) == wanted and len(table) == len(wanted)
    assert table.groupby([*KEY]).size().min() >= 5


def test_a_pin_that_was_never_said_is_at_chance(corpus_and_table):
    """Five ranks, each uniform: their mean exposure exceeds 4.3 bits with a probability far below 0.01."""
    table = corpus_and_table[1]
    never = table[table["copies"] == 0]
    assert len(never) >= 5 and not never["exact"].any() and bits(never).mean() < 4.3


def test_trainings_with_noise_spend_what_was_asked(corpus_and_table):
    table = corpus_and_table[1]
    for name, epsilon in EPSILONS.items():
        spent = table[table["defence"] == name]["epsilon"]
        assert (spent <= epsilon).all() and (spent > 0.98 * epsilon).all()
    assert np.isinf(table[~table["defence"].isin([*EPSILONS])]["epsilon"]).all()


def test_the_rows_of_the_pictures_are_the_tables(table):
    runs = table[(table["defence"] == NONE) & (table["copies"] == 10)]
    row = next(row for row in defence_rows() if row["defence"] == "no defence")
    assert row["exact"] == f"{runs['exact'].sum()}/{len(runs)}"
    assert row["bits"] == pytest.approx(np.mean(np.log2(10_000) - np.log2(runs["rank"])))
    at = {each["guesses"]: each["found"] for each in guess_rows([NONE])}
    assert at[3] == pytest.approx((runs["rank"] <= 3).mean()) and at[10_000] == 1
    assert known_copies()[0] >= 1


def test_a_rates_interval_is_clopper_and_pearsons():
    from scipy import stats

    for hits, n in ((0, 10), (3, 10), (10, 10), (1, 5)):
        found = rate([True] * hits + [False] * (n - hits))
        exact = stats.binomtest(hits, n).proportion_ci(0.95, "exact")
        assert (found.low, found.high) == pytest.approx((exact.low, exact.high)) and found.mean == hits / n


def test_the_claims_of_rates_are_tested_by_the_binomial(corpus_and_table):
    corpus, table = corpus_and_table
    rows = claims_of(corpus)
    runs = table[(table["defence"] == NONE) & (table["copies"] == 10)]
    first = rows[0]
    assert first["above"] == 1e-4 and first["measured"].mean == runs["exact"].mean()
    hits, n = int(runs["exact"].sum()), len(runs)
    by_chance = sum(math.comb(n, k) * 1e-4**k * (1 - 1e-4) ** (n - k) for k in range(hits, n + 1))
    assert first["p"] == pytest.approx(2 * by_chance)
    assert all(row["setup"] and row["unless"] for row in rows)
    assert len({row["claim"] for row in rows}) == len(claims(rows, digits=2).rows) == len(rows)


def test_claims_of_many_copies_are_of_those_trainings(corpus_and_table):
    corpus, table = corpus_and_table
    rows = [row for row in claims_of(corpus) if " said " in row["claim"]]
    assert len(rows) == (0 if corpus == "assistant" else 2 * len(MORE[corpus]))
    for row in rows:
        (copies,) = map(int, re.findall(r"said (\d+) times", row["claim"]))
        private = "DP, ε = 8" in row["claim"]
        runs = table[(table["defence"] == ("dp-8" if private else "all-three")) & (table["copies"] == copies)]
        assert row["values"] == pytest.approx(bits(runs)) and f" {copies} copies" in row["setup"]
