import dataclasses
import datetime
import threading
import time
import warnings

import pytest

from trustlab.config import option
from trustlab.lab import own_runs
from trustlab.lab.answer import Answer
from trustlab.lab.curves import Curves
from trustlab.lab.experiment_panel import Training, experiment_panel
from trustlab.lab.own_runs import OwnRuns
from trustlab.runs import RunStore

ROUNDS = 4


@dataclasses.dataclass(frozen=True)
class Position:
    alpha: float = option(0.1, label="α", help="Small is more skewed.", values=(0.1, 1.0))
    over: str = option("rounds", label="Over", help="What is drawn.", values=("rounds", "examples"))
    seed: int = option(0, label="Seed", help="Of everything random.", values=(0, 1))


SAVED = [{"α": a, "round": r, "accuracy": 0.1 * r + b} for a, b in (("0.1", 0.0), ("1", 0.2)) for r in range(1, 5)]


def answer(at):
    return Answer(SAVED, f"At α = {at.alpha:g} the saved ones learn.", "saved, seeds 0–4", focus={"α": f"{at.alpha:g}"})


def train(at):
    for round in range(1, ROUNDS + 1):
        yield {"step": round, "round": round, "accuracy": 0.05 * round + at.alpha / 100 + at.seed / 1000,
               "progress": round / ROUNDS}  # fmt: skip


def other_code(at):
    return train(at)


def stops(at):
    """Wait after two rounds until the run is stopped."""
    for row in train(at):
        yield row
        if row["round"] == 2:
            assert gate.wait(120)


gate = threading.Event()


def shown(at, base, rows):
    verdict = f"Yours has {rows[-1]['accuracy']:.2f}." if rows else "It trains."
    return dataclasses.replace(base, verdict=verdict, live=rows)


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_RUNS", str(tmp_path))
    return tmp_path


def opened(rows=train):
    """A panel as a new kernel makes it."""
    return experiment_panel(
        Position(),
        title="What does skew do?",
        drawing=Curves("round", "accuracy", "α", x_label="round"),
        answer=answer,
        training=Training(
            rows=rows, shown=shown, seconds=lambda at: 61 * at.alpha, decides=lambda at: {"alpha": at.alpha}
        ),
        controls={"alpha": None, "over": None, "seed": None},
    )


def picture(panel):
    return panel.picture


def own_of(panel):
    return [row["accuracy"] for row in panel.answer.live]


# Saved and live


def test_at_first_there_is_what_was_saved():
    panel = opened()
    assert (panel.answer.verdict, panel.answer.provenance) == (
        "At α = 0.1 the saved ones learn.",
        "saved, seeds 0–4",
    )
    assert own_of(panel) == []


def test_the_button_says_how_long_it_takes_at_each_position():
    panel = opened()
    button = panel.widgets.buttons["Train"]
    assert button.description == "Train this fleet, about 10 s"
    panel.set(alpha=1.0)
    assert button.description == "Train this fleet, about 1.5 min"


def test_a_training_is_shown_over_the_saved_ones_and_says_whose_it_is():
    panel = opened().start().wait(120)
    assert panel.answer.verdict == "Yours has 0.20."
    assert panel.answer.provenance == "yours, complete after 4 steps · seed 0, the same as the first saved run"
    assert panel.answer.numbers == SAVED and own_of(panel) == [row["accuracy"] for row in train(Position())]


# Shown again


def test_a_run_is_shown_again_to_a_new_panel_with_its_time_and_the_saved_verdict():
    fresh = picture(opened())
    trained = opened().start().wait(120)
    again = opened()
    assert own_of(again) == own_of(trained)
    assert again.answer.verdict == "At α = 0.1 the saved ones learn."
    started = trained_at(RunStore())
    assert again.answer.provenance == f"saved, seeds 0–4 · yours, from {started:%H:%M}"
    assert picture(again) != fresh


def trained_at(store):
    """The start of the only run, read off its file and in local time."""
    (path,) = store.directory.glob("*.json")
    about = RunStore().get({"live": {"alpha": 0.1}}, seeds=[0], code=train).provenance
    assert about["started"] in path.read_text(encoding="utf-8")
    return datetime.datetime.fromisoformat(about["started"]).astimezone()


def test_a_move_away_and_back_shows_it_and_what_only_decides_the_picture_keeps_it():
    panel = opened().start().wait(120)
    live = own_of(panel)
    assert own_of(panel.set(alpha=1.0)) == []
    assert own_of(panel.set(alpha=0.1)) == live
    assert own_of(panel.set(over="examples")) == live
    assert own_of(panel.set(over="rounds").reset()) == live


def test_another_position_or_seed_shows_none_and_each_its_own():
    panel = opened().start().wait(120)
    assert "yours" not in opened().set(seed=1).answer.provenance
    assert "yours" not in opened().set(alpha=1.0).answer.provenance
    panel.set(seed=1).start().wait(120)
    assert own_of(opened().set(seed=1)) == [pytest.approx(value + 0.001) for value in own_of(opened())]


def test_a_run_of_other_code_is_not_shown():
    opened().start().wait(120)
    assert "yours" in opened().answer.provenance
    assert "yours" not in opened(rows=other_code).answer.provenance


def test_a_run_on_other_data_is_not_shown():
    class Corpus:
        def __init__(self, hash):
            self.hash = hash

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trustlab.data.fingerprint", lambda corpus: corpus.hash)
        list(OwnRuns(train, Corpus("a")).keep(train(Position()), {"live": {}}, 0))
        assert OwnRuns(train, Corpus("a")).find({"live": {}}, 0).status == "complete"
        assert OwnRuns(train, Corpus("b")).find({"live": {}}, 0) is None


def test_a_stopped_run_is_shown_as_far_as_it_came_until_a_complete_one_is_there():
    gate.clear()
    panel = opened(rows=stops).start()
    deadline = time.monotonic() + 120
    while len(panel.rows) < 2 and time.monotonic() < deadline:
        time.sleep(0.005)
    panel.stop()
    gate.set()
    panel.wait(120)
    again = opened(rows=stops)
    assert again.answer.provenance.endswith(", stopped after 3 of 4 rounds")
    assert own_of(again) == own_of(panel) and len(own_of(again)) == 3
    again.start().wait(120)
    assert "stopped" not in opened(rows=stops).answer.provenance
    assert len(own_of(opened(rows=stops))) == 4


@pytest.mark.parametrize("damage", [lambda text: text[:50], lambda text: text.replace("0.05", "0.06"), lambda _: "[]"])
def test_a_damaged_entry_is_ignored(damage, store):
    opened().start().wait(120)
    (path,) = store.glob("*.json")
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the store says that it set an entry aside
        assert opened().answer.provenance == "saved, seeds 0–4"
        assert own_of(opened().start().wait(120)) and "yours, from" in opened().answer.provenance


def test_a_store_that_cannot_be_read_hinders_no_saved_answer(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TRUSTLAB_RUNS", str(tmp_path / "file"))
    assert opened().answer.provenance == "saved, seeds 0–4"
    monkeypatch.setenv("TRUSTLAB_RUNS", str(tmp_path))
    assert "yours, from" in opened().start().wait(120).reset().answer.provenance
    monkeypatch.setattr(RunStore, "get", lambda *_, **__: (_ for _ in ()).throw(PermissionError()))
    assert opened().answer.provenance == "saved, seeds 0–4"


def test_without_a_run_of_the_position_neither_code_is_read_nor_data_hashed(monkeypatch):
    """Both take seconds; a panel opens at once, also where the store has other runs."""
    list(RunStore().record(iter([{"step": 1}]), config={"live": {"alpha": 7}}, seeds=[0], code="1"))
    monkeypatch.setattr(own_runs, "closure", lambda *_: pytest.fail("code was read"))
    assert opened().answer.provenance == "saved, seeds 0–4"
