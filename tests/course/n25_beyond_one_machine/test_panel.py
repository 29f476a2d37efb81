"""The panels: every control at every value, a live deployment by a stand-in, and the real one's Stop."""

import itertools
import threading

import pytest

from trustlab.course.n25_beyond_one_machine import live
from trustlab.course.n25_beyond_one_machine.drawing import PANES, sized
from trustlab.course.n25_beyond_one_machine.live import LivePosition, flower_panel
from trustlab.course.n25_beyond_one_machine.panel import (
    COHORTS,
    DEVICES,
    LOSSES,
    MODELS,
    UPLOADS,
    WAYS,
    NeedsPosition,
    answer,
    deployment,
    needs_panel,
)
from trustlab.federated.deployment_costs import needs


@pytest.fixture(scope="module")
def panel():
    return needs_panel()


def test_every_position_fits_the_picture_and_is_what_the_package_computes():
    for at in itertools.starmap(NeedsPosition, itertools.product(DEVICES, COHORTS, MODELS, UPLOADS, LOSSES)):
        found = answer(at)
        for row, way in zip(found.numbers, WAYS, strict=True):
            expected = needs(deployment(at, way))
            assert row["traffic"] == expected.bytes_down + expected.bytes_up
            assert (row["server memory"], row["server masks"]) == (expected.server_memory, expected.server_masks)
            for name, (low, high) in PANES.items():
                assert row[name] == 0 or low <= row[name] <= high, (at, name)
        assert sized(found.numbers[1]["server masks"]) in found.verdict


@pytest.mark.parametrize(
    ("moved", "pane"),
    [
        (dict(devices=10_000_000), "server memory"),
        (dict(cohort=10_000), "server masks"),
        (dict(model="MiniLM"), "traffic"),
        (dict(upload=1.0), "seconds"),
        (dict(drop_out=0.3), "server masks"),
    ],
)
def test_every_control_moves_its_bars(moved, pane, panel, drawn):
    _, before = drawn(panel.reset())
    found, after = drawn(panel, **moved)
    assert before[pane] != after[pane] and after["server masks"][0] == "none"
    assert found.provenance == "computed here, from messages of Flower as measured"


# Rounds of Flower


ROUND = dict(stage="round", clients=2, arrived=2, refused=0, lost=0, seconds=9.0)


@pytest.fixture
def stood_in(monkeypatch):
    """A launcher whose rows are made up; what it was asked, and whether it was closed."""
    asked, gate, closed = [], threading.Event(), threading.Event()

    def loopback(**options):
        asked.append(options)
        try:
            yield {"stage": "superlink", "note": "The SuperLink listens.", "progress": 0.0, "seconds": 3.0}
            for round in range(1, options["rounds"] + 1):
                note = f"Round {round}: 2 of 2 updates."
                yield {
                    **ROUND,
                    "round": round,
                    "score": round / 10,
                    "note": note,
                    "progress": round / options["rounds"],
                }
                while not gate.wait(0.05):
                    yield {"stage": "waiting", "note": note, "progress": 0.5, "seconds": 9.0}
        finally:
            closed.set()

    monkeypatch.setattr("trustlab.federated.deployment.loopback", loopback)
    return asked, gate, closed


def test_nothing_starts_before_the_button_and_the_saved_rounds_are_there(stood_in):
    panel = flower_panel()
    assert stood_in[0] == [] and panel.answer.verdict.startswith("Saved: after 3 rounds")
    for rounds in live.ROUNDS:
        panel.set(rounds=rounds)
        assert panel.answer.focus == {"round": rounds}
        assert panel.widgets.buttons["Train"].description.startswith("Start a server and 2 nodes, about ")


def test_rounds_come_as_they_are_trained_and_stop_ends_the_launcher(stood_in):
    asked, gate, closed = stood_in
    panel = flower_panel().set(rounds=2, secure=True)
    panel.start()
    panel.stop().wait(5)
    assert closed.wait(2) and asked == [dict(nodes=2, rounds=2, secure=True)]
    assert panel.answer.provenance.startswith("yours, stopped")
    gate.set()
    panel.reset().set(rounds=3, secure=False)
    panel.start().wait(5)
    assert [row["right"] for row in panel.answer.live] == [0.1, 0.2, 0.3]
    assert "Right: 30 % after round 3; saved " in panel.answer.verdict


def test_without_flower_the_button_says_how_to_install_it(monkeypatch):
    def loopback(**options):
        raise ModuleNotFoundError("Expected Flower: pip install -c requirements.lock -e '.[flower]'.")
        yield

    monkeypatch.setattr("trustlab.federated.deployment.loopback", loopback)
    panel = flower_panel()
    panel.start()
    with pytest.raises(ModuleNotFoundError, match=r"\.\[flower\]"):
        panel.wait(5)
    assert "pip install" in panel.summary


def test_a_position_is_checked():
    with pytest.raises(ValueError, match="rounds"):
        flower_panel().answer_at(LivePosition(rounds=4))
