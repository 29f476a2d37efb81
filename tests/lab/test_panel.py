import base64
import dataclasses
import io
import math
import re
import threading
import time
from xml.etree import ElementTree

import ipywidgets
import pandas
import pytest

from trustlab import durable
from trustlab.config import option
from trustlab.lab.curves import Curves
from trustlab.lab.figures import HEADING_LINE, HEADING_MARGIN
from trustlab.lab.look import STYLE
from trustlab.lab.panel import Answer, Panel
from trustlab.runs import RunNotSavedError, RunStore

GRID = (0.5, 1.0, 2.0, math.inf)
METHODS = ("DP-SGD", "EDP-SGD")


@dataclasses.dataclass(frozen=True)
class Dial:
    epsilon: float = option(1.0, label="ε", help="Privacy budget.", values=GRID)
    method: str = option("EDP-SGD", label="method", help="How to train.", values=METHODS)
    share: float = option(0.1, label="q", help="Sampling rate.", low=0.01, high=1.0)
    seed: int = option(0, label="seed", help="Randomness.")


ROWS = [
    {"method": m, "epsilon": e, "accuracy": 0.5 + 0.1 * i + 0.05 * j + 1e-9}
    for j, m in enumerate(METHODS)
    for i, e in enumerate(GRID)
]


def answer(config):
    if config.share > 0.9:
        raise ValueError("Expected q <= 0.9 on the saved grid. Move it back.")
    (row,) = [r for r in ROWS if r["method"] == config.method and r["epsilon"] == config.epsilon]
    verdict = f"With {config.method} at ε = {config.epsilon:g} it is **{row['accuracy']:.2f}**."
    return Answer(ROWS, verdict, "saved, seeds 0–4", focus={"method": config.method, "epsilon": config.epsilon})


def live(config, rows):
    points = [{"epsilon": config.epsilon, "accuracy": rows[-1]["accuracy"]}] if rows else []
    return Answer(ROWS, f"Yours after {len(rows)}.", "saved, seeds 0–4", live=points)


def panel(**options):
    drawing = Curves("epsilon", "accuracy", "method", grid=GRID, x_label="ε", y_label="accuracy", y_limits=(0, 1))
    return Panel(Dial(), **{"title": "What does it cost?", "drawing": drawing, "answer": answer, **options})


def training(gate, fail_at=None, steps=4):
    """A training that takes one step for each release of `gate`."""

    def train(config):
        for step in range(steps):
            assert gate.acquire(timeout=120)  # never open by itself
            if step == fail_at:
                raise FloatingPointError("loss is nan\nin layer 3")
            yield {"step": step + 1, "accuracy": 0.1 * step, "epsilon_spent": 0.5, "progress": (step + 1) / steps}

    return train


def live_panel(gate, **options):
    return panel(train=training(gate, **options), live=live, train_label="Train, about 1 s")


def image(shown):
    return re.search(
        r'<div class="trustlab-drawing" role="img" aria-label="([^"]*)"[^>]*>(<svg .*</svg>)</div>', shown
    ).groups()


def picture_of(p):
    return p.widgets.picture.value


def widget(p, name):
    return p.controls[name].widget


def shown_rows(gate, p, count):
    gate.release(count)
    deadline = time.monotonic() + 120
    while len(p.rows) < count:
        assert time.monotonic() < deadline, f"{len(p.rows)} of {count} rows came"
        time.sleep(0.005)


def test_it_is_never_blank():
    p = panel()
    alt, drawn = image(picture_of(p))
    assert alt == "With EDP-SGD at ε = 1 it is 0.65."
    assert ElementTree.fromstring(drawn).get("viewBox") == "0 0 720 380"
    assert p.summary == "What does it cost?\n  ε: 1\n  method: EDP-SGD\n" + alt + "\n(saved, seeds 0–4)"
    assert repr(p) == p.summary


def test_every_control_at_every_value_has_words_and_its_own_picture():
    p = panel()
    seen = set()
    for epsilon in GRID:
        for method in METHODS:
            p.set(epsilon=epsilon, method=method)
            alt, data = image(picture_of(p))
            assert alt
            assert alt in p.summary
            assert (p.config.epsilon, p.config.method) == (epsilon, method)
            seen.add(data)
    assert len(seen) == len(GRID) * len(METHODS)


def test_a_hand_on_the_widget_does_what_set_does():
    by_hand, by_cell = panel(), panel().set(epsilon=2.0, method="DP-SGD")
    widget(by_hand, "epsilon").value = 2.0
    widget(by_hand, "method").value = "DP-SGD"
    assert by_hand.summary == by_cell.summary
    assert picture_of(by_hand) == picture_of(by_cell)


def test_reset_restores_words_and_picture():
    p = panel()
    before = p.summary, picture_of(p)
    p.set(epsilon=math.inf, method="DP-SGD")
    assert (p.summary, picture_of(p)) != before
    p.widgets.buttons["Reset"].click()
    assert (p.summary, picture_of(p)) == before


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epsilon": 3.0}, "Expected epsilon=3.0 to be one of 0.5, 1.0, 2.0, inf. Privacy budget."),
        ({"method": "SGD"}, "to be one of 'DP-SGD', 'EDP-SGD'"),
        ({"delta": 1e-5}, "Expected controls among epsilon, method, got delta"),
        ({"seed": 1}, "Expected controls among epsilon, method, got seed"),
        ({"epsilon": 2.0, "method": "SGD"}, "to be one of"),
    ],
)
def test_a_wrong_position_is_named_and_nothing_moves(values, message):
    p = panel()
    before = p.summary
    with pytest.raises(ValueError, match=re.escape(message)):
        p.set(**values)
    assert p.summary == before
    assert p.config == Dial()


def test_labels_of_choices_are_shown_and_values_are_set():
    p = panel(controls={"epsilon": [("0.5 (strong)", 0.5), ("1", 1.0)]})
    assert "ε: 0.5 (strong)" in p.set(epsilon=0.5).summary
    assert p.config.epsilon == 0.5


def test_set_takes_several_controls_with_one_answer():
    calls = []
    p = panel(answer=lambda config: calls.append(config) or answer(config))
    p.set(epsilon=2.0, method="DP-SGD")
    assert len(calls) == 2  # the start, and this


def test_numbers_are_hidden_shown_and_rounded():
    p = panel()
    view = p.widgets
    assert view.numbers.layout.display == "none"
    view.numbers_button.click()
    assert view.numbers.layout.display is None
    assert view.numbers_button.description == "Hide numbers"
    assert ">0.65<" in view.numbers.value
    assert "0.6500" not in view.numbers.value
    view.numbers_button.click()
    assert view.numbers.layout.display == "none"
    assert p.numbers["accuracy"].tolist() == [row["accuracy"] for row in ROWS]


def test_an_error_shows_in_the_panel_and_is_raised_to_a_cell():
    p = panel(controls={"share": None})
    with pytest.raises(ValueError, match=r"Expected q <= 0\.9"):
        p.set(share=0.95)
    assert 'role="alert">Expected q &lt;= 0.9 on the saved grid. Move it back.</div>' in p.widgets.verdict.value
    assert p.widgets.picture.layout.display == "none"  # it would show another position
    assert p.summary.endswith("Expected q <= 0.9 on the saved grid. Move it back.")
    with pytest.raises(ValueError, match="Expected q"):
        _ = p.answer
    p.reset()
    assert p.widgets.picture.layout.display is None
    assert "alert" not in p.widgets.verdict.value


def test_a_hand_that_causes_an_error_sees_it():
    p = panel(controls={"share": None})
    widget(p, "share").value = 0.95
    assert "alert" in p.widgets.verdict.value
    widget(p, "share").value = 0.5
    assert "alert" not in p.widgets.verdict.value


def test_an_error_at_the_start_is_raised():
    with pytest.raises(ZeroDivisionError):
        panel(answer=lambda config: 1 / 0)


def test_the_bundle_has_a_widget_a_picture_and_the_summary():
    p = panel()
    data, metadata = p._repr_mimebundle_()
    assert set(data) == {"application/vnd.jupyter.widget-view+json", "image/png", "text/plain"}
    assert data["text/plain"] == p.summary
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert data["image/png"] == base64.b64encode(p.picture).decode()
    assert len(data["image/png"]) < 60_000  # a notebook holds several and stays under 400 kB
    size = {"width": 720, "height": 380 + HEADING_MARGIN + 2 * HEADING_LINE}  # title and verdict, above the picture
    assert metadata == {"image/png": size}


def test_continuous_values_are_rounded_in_the_summary():
    p = panel(controls={"share": None}).set(share=0.123456789)
    assert "q: 0.123\n" in p.summary


def test_training_streams_and_completes():
    gate = threading.Semaphore(0)
    p = live_panel(gate).set(epsilon=2.0)
    assert p.widgets.work.layout.display == "none"
    assert p.start() is p
    assert p.answer.verdict == "Yours after 0."
    assert p.answer.provenance == "yours, live · saved, seeds 0–4"
    assert widget(p, "epsilon").disabled
    assert not p.widgets.buttons["Stop"].disabled
    gate.release(4)
    p.wait(120)
    assert p.answer.provenance == "yours, complete after 4 steps · saved, seeds 0–4"
    assert p.answer.live == [{"epsilon": 2.0, "accuracy": pytest.approx(0.3)}]
    assert p.widgets.progress.value == 1.0
    assert "epsilon spent 0.5" in p.widgets.status.value
    assert [row["step"] for row in p.rows] == [1, 2, 3, 4]
    assert not widget(p, "epsilon").disabled
    assert p.widgets.buttons["Stop"].disabled


def test_moving_a_control_after_a_training_returns_to_the_saved_answer():
    gate = threading.Semaphore(4)
    p = live_panel(gate).start().wait(120)
    assert "saved" not in p.set(epsilon=2.0).answer.provenance.split(",")[1:]
    assert p.answer.provenance == "saved, seeds 0–4"
    assert p.widgets.work.layout.display == "none"


def test_stop_keeps_the_partial_result():
    gate = threading.Semaphore(0)
    p = live_panel(gate)
    p.widgets.buttons["Train"].click()
    shown_rows(gate, p, 2)
    p.widgets.buttons["Stop"].click()
    gate.release()
    p.wait(120)
    assert p.answer.verdict == "Yours after 3."
    assert "(yours, stopped after 3 steps · saved, seeds 0–4)" in p.summary
    assert len(p.rows) == 3
    assert not widget(p, "epsilon").disabled


def test_a_failing_training_shows_its_error_and_wait_raises_it():
    gate = threading.Semaphore(4)
    p = live_panel(gate, fail_at=2).start()
    with pytest.raises(FloatingPointError, match="loss is nan"):
        p.wait(120)
    assert 'role="alert">FloatingPointError: loss is nan</div>' in p.widgets.verdict.value
    assert len(p.rows) == 2  # what was computed is not thrown away
    assert not widget(p, "epsilon").disabled
    assert p.reset().answer.provenance == "saved, seeds 0–4"


def test_an_error_in_live_shows_and_is_raised():
    def broken(config, rows):
        return live(config, rows) if not rows else 1 / 0

    p = panel(train=training(threading.Semaphore(4)), live=broken).start()
    with pytest.raises(ZeroDivisionError):
        p.wait(120)
    assert "alert" in p.widgets.verdict.value
    assert not widget(p, "epsilon").disabled


def test_a_training_that_cannot_start_leaves_the_panel_usable():
    def train(config):
        raise ValueError("Expected data. Run notebook 00 first.")

    p = panel(train=train, live=live)
    with pytest.raises(ValueError, match="Run notebook 00 first"):
        p.start()
    assert "Run notebook 00 first" in p.widgets.verdict.value
    assert not widget(p, "epsilon").disabled
    p.set(epsilon=2.0)


def test_nothing_moves_while_a_training_runs():
    gate = threading.Semaphore(0)
    p = live_panel(gate).start()
    with pytest.raises(RuntimeError, match="before you move a control"):
        p.set(epsilon=2.0)
    with pytest.raises(RuntimeError, match="before you start another training"):
        p.start()
    gate.release(4)
    p.wait(120)


def test_reset_abandons_a_running_training_for_good():
    gate = threading.Semaphore(0)
    p = live_panel(gate).set(epsilon=2.0).start()
    shown_rows(gate, p, 1)
    job = p.job
    p.reset()
    gate.release(4)
    job.wait(120)
    assert job.status == "stopped"
    assert p.answer.provenance == "saved, seeds 0–4"
    assert p.config == Dial()
    assert not widget(p, "epsilon").disabled
    assert p.rows == []


def test_without_a_training_there_is_nothing_to_start_or_wait_for():
    p = panel()
    assert list(p.widgets.buttons) == ["Reset"]
    with pytest.raises(RuntimeError, match="saved results only"):
        p.start()
    with pytest.raises(RuntimeError, match="call start"):
        p.wait()
    assert p.stop() is p


def test_train_and_live_belong_together():
    with pytest.raises(ValueError, match="train and live together"):
        panel(train=lambda config: iter([]))


def test_every_widget_that_can_be_moved_says_what_it_does():
    p = live_panel(threading.Semaphore(0))
    for control in p.controls.values():
        assert control.widget.description
        assert control.widget.tooltip
    for button in [*p.widgets.buttons.values(), p.widgets.numbers_button]:
        assert button.description
        assert button.tooltip


def test_no_widget_that_hides_errors_is_used():
    def below(w):
        yield w
        for child in getattr(w, "children", ()):
            yield from below(child)

    kinds = {type(w) for w in below(live_panel(threading.Semaphore(0)).widgets.widget)}
    assert ipywidgets.Output not in kinds


def test_text_from_outside_cannot_break_the_page():
    p = panel(title="a < b", answer=lambda config: Answer([], '<script> & "quotes"', "saved"))
    assert "<script>" not in p.widgets.verdict.value + picture_of(p)
    assert "a &lt; b" in p.widgets.widget.children[0].value


def test_a_move_is_drawn_once_and_reuses_what_is_there(assert_moves_are_cheap):
    p = panel()
    assert_moves_are_cheap(p, [{"epsilon": GRID[i % len(GRID)]} for i in range(6)])
    lines = list(p.drawing.figure.axes[0].lines)
    p.set(epsilon=2.0, method="DP-SGD")
    assert all(old is new for old, new in zip(lines, p.drawing.figure.axes[0].lines, strict=True))


@pytest.mark.parametrize("ends", ["complete", "stopped"])
def test_a_result_that_cannot_be_saved_stays_shown_and_is_said_to_be_unsaved(ends, tmp_path, monkeypatch):
    gate = threading.Semaphore(0)

    def train(config):
        rows = training(gate)(config)
        yield from RunStore(tmp_path).record(rows, config=config, code="1")

    made = panel(train=train, live=live)
    made.start()
    shown_rows(gate, made, 1)
    monkeypatch.setattr(durable.os, "fsync", lambda handle: durable.os.write(-1, b""))  # an OSError
    if ends == "stopped":
        made.stop()
    gate.release(9)
    with pytest.raises(RunNotSavedError):
        made.wait(10)
    assert "Yours after" in made.summary
    assert f"yours, not saved, {ends}" in made.summary


def test_a_store_that_cannot_be_written_is_said_before_the_training(tmp_path):
    (tmp_path / "file").write_text("")
    steps = []

    def train(config):
        yield from RunStore(tmp_path / "file").record(iter(steps.append, 1), config=config, code="1")

    made = panel(train=train, live=live).start()
    with pytest.raises(RunNotSavedError, match="set TRUSTLAB_RUNS to another folder"):
        made.wait(10)
    assert "could not be written" in made.summary
    assert steps == []


def test_copy_as_code_gives_a_line_that_makes_the_position_again():
    def made():
        return panel(code="made()", controls={"epsilon": None, "method": None, "share": None})

    p = made()
    assert p.code == p.widgets.exports.code == "made()"
    p.set(epsilon=math.inf, method="DP-SGD", share=0.25)
    assert p.widgets.exports.code == 'made().set(epsilon=float("inf"), method="DP-SGD", share=0.25)'
    again = eval(p.widgets.exports.code, {"made": made})
    assert again.config == p.config and again.summary == p.summary
    assert panel().set(epsilon=2.0).code == ""  # a panel that does not know its own call offers none


def test_csv_saves_every_digit_and_the_readers_own_rows():
    def pressed(p):
        sent = []
        p.widgets.exports.send = sent.append
        p.widgets.exports._handle_custom_msg("csv", [])
        (content,) = sent
        assert content["name"] == "what-does-it-cost.csv"
        return pandas.read_csv(io.StringIO(content["text"]))

    p = live_panel(threading.Semaphore(4))
    assert pressed(p)["accuracy"].tolist() == [row["accuracy"] for row in ROWS]  # not rounded
    own = pressed(p.start().wait(120)).query("run == 'yours'")
    assert own["accuracy"].tolist() == [row["accuracy"] for row in p.answer.live]
    at = "; ".join(f"{control.label}: {control.text}" for control in p.controls.values())
    assert set(own["position"]) == {at} and at.startswith("ε: ")  # of the reader's run the file says what it is


def test_train_stands_with_the_controls_and_the_verdict_above_the_picture():
    p = live_panel(threading.Semaphore(0))
    shown = p.widget.children
    row = next(child for child in shown if p.widgets.buttons["Train"] in getattr(child, "children", ()))
    assert {control.widget for control in p.controls.values()} < set(row.children)
    assert shown.index(row) < shown.index(p.widgets.verdict) < shown.index(p.widgets.picture)


def test_the_sizes_of_a_panel_grow_with_the_notebooks_text():
    """JupyterLab's presentation mode enlarges the text; a size in pixels would stay."""
    sheet = re.sub(r"/\*.*?\*/", "", STYLE, flags=re.DOTALL)
    assert re.findall(r"font-size:\s*(\d+px)", sheet) == []
    assert panel().widget.layout.max_width.endswith("em")


def test_what_a_training_needs_is_built_once_when_the_panel_is_shown_and_the_training_waits_for_it():
    gate, asked = threading.Event(), []

    def prepare(config):
        assert gate.wait(120)
        asked.append(config.epsilon)

    p = panel(train=training(threading.Semaphore(9)), live=live, prepare=prepare)
    p.set(epsilon=2.0)
    assert asked == []  # nobody has seen it
    for _ in range(2):
        p._repr_mimebundle_()
    p.start()
    assert p.rows == [] and p.job.running
    gate.set()
    p.wait(120)
    assert asked == [2.0] and len(p.rows) == 4
