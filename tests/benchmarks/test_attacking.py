"""The attacks' benchmark compares the same answers; how long they take is no test."""

import sys

import numpy as np
import pytest

from benchmarks import attack_peers, attacking, memory, page, stacking
from benchmarks.attacking import OURS, Race
from trustlab.privacy.membership import halves, lira, rmia, success
from trustlab.results import read_results
from trustlab.versions import ROOT

N, K, Z = 60, 8, 30


@pytest.fixture
def scored():
    rng, inside = np.random.default_rng(0), halves(N, K, seed=0)
    own, reference = rng.uniform(0.1, 1, size=N), rng.uniform(0.1, 1, size=(N, K))
    return own, reference, inside, rng.uniform(0.1, 1, size=Z), rng.uniform(0.1, 1, size=(Z, K))


def test_the_loops_compute_what_ours_do(scored):
    own, reference, inside, population, others = scored
    expected = lira(own, reference, inside, variance="per-example")
    np.testing.assert_allclose(attack_peers.lira_loop(own, reference, inside, 20), expected[:20])
    expected = rmia(own, reference, inside, population_target=population, population_reference=others, a=0.4)
    found = attack_peers.rmia_loop(own, reference, inside, population, others, 0.4, 20)
    np.testing.assert_allclose(found, expected[:20])


def test_the_loop_of_resamples_has_the_intervals_of_ours():
    members = np.arange(2000) < 1000
    scores = np.random.default_rng(0).normal(size=2000) + members
    ours = {row["measure"]: (row["low"], row["high"]) for row in success(scores, members, fprs=(0.001, 0.01))}
    auc, _, tpr = attack_peers.bootstrap_loop(scores, members, 100).T
    assert auc == pytest.approx(ours["auc"], abs=0.01) and tpr == pytest.approx(ours["tpr at fpr 0.01"], abs=0.05)


def test_a_module_is_imported_alone(tmp_path, monkeypatch):
    inner = tmp_path / "heavy_peer" / "part"
    inner.mkdir(parents=True)
    for folder in (inner, inner.parent):
        (folder / "__init__.py").write_text("raise ImportError('a framework')")
    (inner / "maths.py").write_text("from heavy_peer.part.more import answer")
    (inner / "more.py").write_text("answer = 42")
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    assert attack_peers.alone("heavy_peer.part.maths").answer == 42
    assert attack_peers.alone("heavy_peer.part.more").answer == 42
    for name in set(sys.modules) - before:
        monkeypatch.delitem(sys.modules, name)
    assert attack_peers.alone("nobody_has_this.maths") is None


def methods():
    return {OURS: lambda: np.arange(4), "part": lambda: np.arange(2), "other": lambda: np.ones(2)}


def test_rows_have_goals_where_they_are_ours_and_ratios_where_methods_are_compared():
    alike = Race("x", methods, 0.5, None, {"part": 0.5}, attacking._close, ("other",))
    rows = list(attacking.measure((alike, alike._replace(alone=True)), turns=2))
    assert [row["goal"] for row in rows] == [0.5, None, None, 0.5, 0.5, 0.5]
    assert [row["times ours"] is None for row in rows] == [False] * 3 + [True] * 3
    with pytest.raises(RuntimeError, match="Expected the answer of other to be ours"):
        list(attacking.measure((alike._replace(otherwise=()),), turns=1))


def test_a_peer_that_is_missing_is_said(capsys):
    assert list(attacking._present({OURS: int, "peer": None})) == [OURS]
    assert "*** peer is not installed and LEFT OUT" in capsys.readouterr().err


def eight_megabytes():
    return {"array": lambda: np.zeros(1_000_000) + 1, "nothing": int}


def test_the_memory_of_a_call_is_its_peak():
    if not memory.RESET.exists():
        pytest.skip("no /proc")
    assert 7 < memory.peak_of(eight_megabytes, "array") < 20
    assert memory.peak_of(eight_megabytes, "nothing") < 1


def test_stacked_models_and_single_ones_take_the_same_steps(monkeypatch):
    assert stacking.EPOCHS * (stacking.EXAMPLES // 2 // stacking.BATCH) == stacking.STEPS
    monkeypatch.setattr(stacking, "CASES", ((4, 3, ("SGD", "eDP-SGD")),))
    monkeypatch.setattr(stacking, "FEW", 2)
    monkeypatch.setattr(stacking, "EPOCHS", 1)
    monkeypatch.setattr(stacking, "STEPS", 4)
    rows = list(stacking.measure(2))
    assert [row["method"] for row in rows] == [stacking.STACKED, stacking.IN_TURN] * 2
    assert "4 models of width 3 by eDP-SGD, 4 steps of 75" in rows[-1]["what"]


def test_every_race_is_built_with_ours_first():
    compared = [race for race in attacking.RACES if not race.alone]
    assert all(next(iter(race.build())) == OURS for race in compared)


def test_the_page_shows_the_committed_tables():
    rows, about = read_results(ROOT / "data" / "results" / attacking.NAME)
    assert set(rows["what"]) == {race.what for race in attacking.RACES}
    assert {attack_peers.TF_PRIVACY, attack_peers.PRIVACY_GUARD, attack_peers.JAX_PRIVACY} <= set(rows["method"])
    assert about["config"]["threads"] == 1 and "tensorflow-privacy" in about["config"]["peers"]
    assert (rows["CPU seconds"] > 0).all() and rows["goal"].notna().sum() >= len(attacking.RACES)
    text = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert f"{page.ATTACKS_BEGIN}\n{page.attacks()}\n{page.ATTACKS_END}" in text
