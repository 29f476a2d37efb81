"""The comparison of words rewritten: who is compared on which words, and the page; how long it takes is no test."""

import numpy as np
import pytest

from benchmarks import page, rewriting
from trustlab.privacy.text import NoisyVectors, TruncatedExponential, WordTable
from trustlab.results import read_results
from trustlab.versions import ROOT


class Recording:
    """A peer that remembers what it was asked."""

    def __init__(self):
        self.asked, self.given = [], []

    def give(self, name, words, vectors):
        self.given.append((name, len(words), vectors.shape))

    def ask(self, do, **options):
        self.asked.append((do, options))
        return {}


@pytest.fixture
def words():
    return WordTable([f"w{i}" for i in range(30)], np.random.default_rng(0).normal(size=(30, 3)))


def test_all_rewrite_the_same_words_and_a_part_is_multiplied(words, monkeypatch):
    monkeypatch.setattr(rewriting, "WORDS", 100)
    peer = Recording()
    theirs = {"slow": (10, {"package": "p", "kind": "K"})}
    rows = list(rewriting.side_by_side(peer, "small", words, "ours", NoisyVectors(words, 5.0), theirs, turns=2))
    assert [row["method"] for row in rows] == ["ours", rewriting.NEIGHBOURS, "slow"] and rows[0]["times ours"] == 1
    assert peer.given == [("small", 30, (30, 3))]
    assert peer.asked[0] == ("hold", {"name": "slow", "table": "small", "epsilon": 5.0, "package": "p", "kind": "K"})
    ids = np.random.default_rng(0).integers(30, size=100)
    asked = [options for do, options in peer.asked if do == "rewrite"]
    assert len(asked) == 3 and all(each["places"] == ids[:10].tolist() for each in asked)
    assert all(row["words a second"] == pytest.approx(100 / row["seconds"]) for row in rows)


def test_without_peers_ours_has_its_row(words, monkeypatch):
    monkeypatch.setattr(rewriting, "WORDS", 20)
    rows = list(rewriting.side_by_side(None, "small", words, "ours", NoisyVectors(words, 5.0), {"slow": None}, turns=1))
    assert [row["method"] for row in rows] == ["ours", rewriting.NEIGHBOURS]


def test_only_noise_on_vectors_has_a_nearest_word_and_another_one_than_ours_ends_the_run(words, monkeypatch):
    monkeypatch.setattr(rewriting, "WORDS", 20)
    rows = list(rewriting.side_by_side(None, "small", words, "ours", TruncatedExponential(words, 5.0), {}, turns=1))
    assert [row["method"] for row in rows] == ["ours"]
    monkeypatch.setattr(NoisyVectors, "draw", lambda self, ids, rng: np.zeros(len(ids), int))
    with pytest.raises(RuntimeError, match="words that scikit-learn says"):
        rewriting.exact_neighbours(NoisyVectors(words, 5.0), words, np.arange(20))


def test_the_tables_have_the_sizes_that_are_named():
    assert [len(rewriting.encoder_words(*size)) for size in rewriting.SIZES] == [11_925, 30_000]
    assert rewriting.encoder_words(30_000, 384).vectors.shape == (30_000, 384)


def test_the_page_shows_the_committed_table():
    rows, about = read_results(ROOT / "data" / "results" / rewriting.NAME)
    assert about["config"]["threads"] == 1 and "mldp-text 0.1.2, pypantera 1.0.2" in about["config"]["peers"]
    assert set(rows["method"]) == {
        rewriting.OURS,
        rewriting.OURS_CHOSEN,
        rewriting.NEIGHBOURS,
        *rewriting.SMALL,
        *rewriting.TEM,
    }
    text = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert f"{page.REWRITING_BEGIN}\n{page.private_text()}\n{page.REWRITING_END}" in text
