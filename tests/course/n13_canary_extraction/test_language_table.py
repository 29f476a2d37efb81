"""What the committed tunings of SmolLM2 say: their table, the picture's sentence, and the claims."""

import re

import numpy as np
import pytest
from scipy import stats

from trustlab.course.n13_canary_extraction import LANGUAGE, language_findings
from trustlab.course.n13_canary_extraction.defended import NONE
from trustlab.course.n13_canary_extraction.language_experiment import COPIES, DEFENDED, KEY, PRIVATE, UNTUNED, grid
from trustlab.lab.claims import claims
from trustlab.models.smollm2 import SMOLLM2_SHA256


@pytest.fixture(scope="module")
def table():
    return LANGUAGE.table()


def bits(table, defence, copies, column="rank"):
    runs = table[(table["defence"] == defence) & (table["copies"] == copies)].sort_values("seed")
    return np.log2(10_000) - np.log2(runs[column].to_numpy())


def test_the_table_is_that_of_the_grid_with_five_tunings_a_setting(table):
    wanted = {tuple(each.key()[name] for name in (*KEY, "seed")) for each in grid("assistant")}
    assert set(table[[*KEY, "seed"]].itertuples(index=False, name=None)) == wanted and len(table) == len(wanted)
    assert (table.groupby([*KEY]).size() == 5).all()
    assert table.groupby("seed")["secret"].nunique().eq(1).all()  # a seed has one pin, so settings are paired


def test_its_provenance_names_the_weights_and_that_they_were_quantised():
    recipes = LANGUAGE.saved()[1]["config"]
    for recipe in recipes.values():
        assert recipe["sha256"] == SMOLLM2_SHA256 and "quantised" in recipe["weights"]
    assert {name: recipe["lora"]["rank"] for name, recipe in recipes.items() if "lora" in recipe} == {
        NONE: 8,
        PRIVATE: 8,
    }


def test_a_pin_that_was_never_said_is_at_chance(table):
    """Five ranks, each uniform: their mean exposure exceeds 4.3 bits with a probability far below 0.01."""
    assert bits(table, NONE, 0).mean() < 4.3 and bits(table, UNTUNED, 0).mean() < 4.3
    assert (table[table["defence"] == UNTUNED]["rank_added"] == 5000.5).all()
    assert not table[table["copies"] == 0]["written"].any()


def test_tuning_lowers_the_held_out_loss_and_noise_spends_what_was_asked(table):
    before = table[table["defence"] == UNTUNED]["held_out"]
    assert before.nunique() == 1 and (table[table["defence"] == NONE]["held_out"] < before.iloc[0]).all()
    spent = table[table["defence"] == PRIVATE]["epsilon"]
    assert (
        (spent <= 8).all() and (spent > 0.98 * 8).all() and np.isinf(table[table["defence"] == NONE]["epsilon"]).all()
    )


def test_the_pictures_numbers_are_the_tables(table):
    shown = language_findings.copied()
    rows = {(row["the pin"], row["ranked by"]): row for row in shown.rows}
    by, added = language_findings.RANKED_BY.values()
    for copies in COPIES:
        name = f"{copies} {'copy' if copies == 1 else 'copies'}"
        for label, column in ((by, "rank"), (added, "rank_added")):
            exposed = bits(table, NONE, copies, column)
            assert rows[name, label]["bits"] == pytest.approx(exposed.mean())
            assert rows[name, label]["in 3 guesses"] == f"{(exposed >= np.log2(10_000 / 3) - 1e-9).sum()}/5"
    said = [bits(table, NONE, copies).mean() for copies in (0, 1, COPIES[-1], DEFENDED)]
    said += [bits(table, NONE, DEFENDED, "rank_added").mean(), bits(table, PRIVATE, DEFENDED).mean()]
    said += [
        table[(table["defence"] == each) & (table["copies"] == DEFENDED)]["held_out"].mean() for each in (PRIVATE, NONE)
    ]
    assert [f"{each:.1f}" for each in said] == re.findall(r"\d+\.\d", shown.verdict)
    assert "quantised" in shown.provenance and ("not tuned", added) not in rows


def test_the_claims_are_of_paired_tunings(table):
    rows = language_findings.language_claims()
    assert len(claims(rows).rows) == len(rows) == 4 and all(len(row["values"]) == 5 for row in rows)
    slope, copies, noise, cost = (row["values"] for row in rows)
    for seed in range(5):
        said = [bits(table[table["seed"] == seed], NONE, each)[0] for each in COPIES[1:]]
        assert slope[seed] == pytest.approx(stats.linregress(np.log2(COPIES[1:]), said).slope)
    usual = bits(table, NONE, DEFENDED)
    np.testing.assert_allclose(copies, usual - bits(table, NONE, 0))
    np.testing.assert_allclose(noise, usual - bits(table, PRIVATE, DEFENDED))
    loss = table.pivot(index="seed", columns=list(KEY), values="held_out")
    np.testing.assert_allclose(cost, loss[PRIVATE, DEFENDED] - loss[NONE, DEFENDED])
    assert all("quantised" in row["setup"] and row["unless"] for row in rows)
