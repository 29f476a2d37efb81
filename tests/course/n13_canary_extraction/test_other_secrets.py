"""The second experiment of notebook 13: its rows, its grid, and its table of longer pins, colours and a transformer."""

import math
import re

import pytest

from trustlab.course.n13_canary_extraction import SECRETS, defended
from trustlab.course.n13_canary_extraction.claims import claims_of_secrets
from trustlab.course.n13_canary_extraction.defended import COLOUR, KINDS, NONE, PIN, SIX, THREE
from trustlab.course.n13_canary_extraction.other_secrets import KEY, SEEDS, Setting, grid, run
from trustlab.data import assistant
from trustlab.lab.claims import claims


@pytest.fixture(scope="module")
def corpus():
    return assistant(300)


@pytest.mark.parametrize(
    ("kind", "model", "defence"),
    [(SIX, "bilstm", NONE), (COLOUR, "bilstm", THREE), (PIN, "transformer", NONE)],
)
def test_a_row_has_the_documented_fields_and_is_flat(kind, model, defence, corpus, monkeypatch):
    monkeypatch.setattr(defended, "EPOCHS", 1)
    (row,) = run(Setting(kind=kind, model=model, defence=defence), corpus)
    assert set(row) == set(re.findall(r"``(\w+)``", run.__doc__.split("Yields")[1]))
    assert all(isinstance(value, int | float | str) for value in row.values())
    secret, size = [int(word) for word in row["secret"].split("|")], row["candidates"]
    assert len(secret) == {SIX: 6, COLOUR: 1, PIN: 4}[kind] and max(secret) < size == len(KINDS[kind].candidates)
    assert row["most_bits"] == pytest.approx(math.log2(min(10_000, size ** len(secret))))
    assert row["bits"] <= row["most_bits"] and row["beam_exact"] == (row["beam_guess"] == 1)
    assert row["beam_within_3"] == (row["beam_guess"] <= 3)


def test_the_grid_has_every_setting_once_with_its_seeds():
    settings = grid("assistant")
    keys = [tuple(each.key().values()) for each in settings]
    assert len(set(keys)) == len(keys) == sum(SEEDS.values())
    assert {each.defence for each in settings} == set(SECRETS.slowest_first)
    assert {each.defence for each in grid("assistant", defences=[THREE])} == {THREE}


# The committed table


@pytest.fixture(scope="module")
def table():
    return SECRETS.table()


def test_the_table_is_that_of_the_grid(table):
    wanted = {tuple(each.key()[name] for name in (*KEY, "seed")) for each in grid("assistant")}
    assert set(table[[*KEY, "seed"]].itertuples(index=False, name=None)) == wanted and len(table) == len(wanted)
    assert (table["epochs"][table["pace"] == "slow"] == 20).all()


def test_the_claims_are_of_their_trainings(table):
    rows = claims_of_secrets()
    where = [
        (SIX, "bilstm", "usual"),
        (SIX, "bilstm", "slow"),
        (COLOUR, "bilstm", "usual"),
        (PIN, "transformer", "usual"),
    ]
    for row, (kind, model, pace) in zip(rows, where, strict=True):
        same = (table["kind"] == kind) & (table["model"] == model) & (table["pace"] == pace)
        runs = table[same & (table["defence"] == NONE)]
        assert row["measured"].mean == runs["beam_exact"].mean() and row["measured"].n == len(runs) == 10
        assert ("transformer" in row["setup"]) is (model == "transformer")
    assert len(claims(rows, digits=2).rows) == len(rows)
