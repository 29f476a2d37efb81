"""The panel of notebook 13: what is saved, what a pin of one's own changes, and a training of it."""

import itertools
import re

import numpy as np
import pytest

from trustlab.course.n13_canary_extraction import EXPERIMENT, defended
from trustlab.course.n13_canary_extraction.drawing import NAMES, CanaryDrawing, cells_of
from trustlab.course.n13_canary_extraction.panel import EVERY, Place, canary_panel, live_rows
from trustlab.course.n13_canary_extraction.results import bits
from trustlab.data import assistant


@pytest.fixture(scope="module")
def corpus():
    return assistant(300)


@pytest.fixture
def panel(corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_RUNS", str(tmp_path))
    return canary_panel(corpus)


def test_every_control_at_every_value_has_words_and_its_own_picture(panel, drawn):
    seen = set()
    values = [[value for _, value in panel.controls[name].options] for name in ("defence", "copies")]
    for defence, copies in itertools.product(*values):
        answer, shown = drawn(panel, defence=defence, copies=copies)
        runs = EXPERIMENT.where(defence=defence, copies=copies)
        exact, three = int(runs["exact"].sum()), int((runs["rank"] <= 3).sum())
        said = answer.verdict.replace("\u00a0", " ")
        assert f"the exact pin in {exact} of {len(runs)} trainings" in said
        assert f"first three guesses in {three} (" in said and f"{bits(runs).mean():.1f} of 13.3 bits" in said
        points = shown["bits"][list(NAMES).index(defence)]
        assert sorted(x for x, _ in points) == pytest.approx(sorted(bits(runs)), abs=0.01)
        assert shown["rates"][list(NAMES).index(defence)] == [f"{exact}/{len(runs)}", f"{three}/{len(runs)}"]
        seen.add(str(shown["digits"]) + said)
    assert len(seen) == len(values[0]) * len(values[1])


def test_the_digits_shown_are_the_first_trainings(panel, drawn):
    answer, shown = drawn(panel, defence="none")
    first = EXPERIMENT.where(defence="none", copies=10).iloc[0]
    assert answer.secret == [int(digit) for digit in f"{first['secret']:0>4}"]
    assert [row.count("1") for row in shown["digits"]] == [1, 1, 1, 1]  # the first guess has one digit at each place
    assert np.shape(answer.cells) == (4, 10)


@pytest.mark.parametrize(("pin", "said"), [("47", "got 2"), ("play", "got 'play'"), ("", "got 0")])
def test_what_is_no_pin_is_said_while_it_is_typed_and_refused_before_training(panel, corpus, pin, said):
    shown = panel.set(pin=pin)
    assert "is no pin yet" in shown.answer.verdict and said in shown.answer.verdict
    assert shown.answer.cells  # the saved results stay
    with pytest.raises(ValueError, match=said):
        next(live_rows(Place(pin=pin), corpus))


def test_a_training_shows_the_readers_digits_after_each_epoch_and_then_the_attack(panel, corpus, monkeypatch):
    monkeypatch.setattr(defended, "EPOCHS", 2)
    rows = list(live_rows(Place(pin="0890"), corpus))
    steps = [row["step"] for row in rows]
    assert steps == [1, 2, *range(2 + EVERY, 103, EVERY)]
    assert [row["progress"] for row in rows] == sorted(row["progress"] for row in rows) and rows[-1]["progress"] == 1
    for row in rows[:2]:
        cells = np.array(cells_of(row["first"]))
        assert [int(digit) for digit in row["guess"]] == cells.argmin(1).tolist()
        assert max(cells[place, digit] for place, digit in enumerate((0, 8, 9, 0))) <= row["rank"] + 0.5
    assert all(re.fullmatch(r"\d{4}", row["guess"]) for row in rows)


def test_a_live_run_is_named_drawn_and_kept(panel, monkeypatch):
    monkeypatch.setattr(defended, "EPOCHS", 1)
    panel.set(pin="0890").start()
    panel.job.wait()
    answer = panel.answer
    assert re.search(r"Step 100 of the attack: it answers \*\*\d{4}\*\*, [0-4] of 4 digits right\.", answer.verdict)
    assert "Your pin is guess number" in answer.verdict and answer.secret == [0, 8, 9, 0]
    assert answer.provenance.startswith("yours, complete")
    assert len(panel.drawing.shown()["own"]) == 1


def test_before_the_first_epoch_nothing_is_framed(panel):
    drawing = CanaryDrawing()
    started = panel._live(Place(), [])
    drawing.draw(started)
    assert "training" in started.verdict and set(itertools.chain(*drawing.digits.shown())) == {""}
