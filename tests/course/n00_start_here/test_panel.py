import json
import math
import re
import statistics
import subprocess
import sys

import pytest

from trustlab import results as stored
from trustlab.course.budgets import EPSILONS
from trustlab.course.n00_start_here.panel import SENTENCES, first_picture
from trustlab.course.n00_start_here.trained import tagger
from trustlab.lab.display import plain as without_marks
from trustlab.versions import ROOT

METHODS = {"dp-sgd": "DP-SGD", "edp-sgd": "eDP-SGD"}
PROMISES = {1.0: "73 %", 3.0: "95.3 %", 8.0: "99.97 %"}
NOTEBOOK = json.loads((ROOT / "notebooks" / "00_start_here.ipynb").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def panel(results):
    return first_picture()


def positions():
    return [dict(epsilon=epsilon, method=method) for epsilon in EPSILONS for method in METHODS]


@pytest.fixture(scope="module")
def runs_at(usual_rows):
    """The trainings behind a point: DP-SGD's are the fast engine's; without privacy both methods are plain SGD."""
    named = {"dp-sgd": "fast"}
    return lambda method, epsilon: usual_rows("sgd" if math.isinf(epsilon) else named.get(method, method), epsilon)


def mean(runs):
    return statistics.mean(run["accuracy"] for run in runs)


def plain(text):
    return without_marks(text).replace("\N{NO-BREAK SPACE}", " ")


def whole(share):
    return f"{100 * share:.0f} %"


def test_the_controls_step_over_what_the_table_holds(panel):
    offered = {
        name: control.options and [value for _, value in control.options] for name, control in panel.controls.items()
    }
    assert offered == {"epsilon": list(EPSILONS), "method": ["dp-sgd", "edp-sgd"], "sentence": None}


def test_the_verdict_says_what_epsilon_means_to_a_person(panel):
    for place in positions():
        verdict = plain(panel.set(**place).answer.verdict)
        if math.isinf(place["epsilon"]):
            assert verdict.startswith(
                "Without noise nothing is promised: an attacker who bets on whether a sentence of yours"
            )
        else:
            assert verdict.startswith(f"At ε = {place['epsilon']:g} (")
            assert f"is right at most {PROMISES[place['epsilon']]} of the time (a coin: 50 %)" in verdict


def test_the_verdict_and_the_marked_point_are_the_means_of_the_bilstm(panel, runs_at):
    reached = mean(runs_at("sgd", math.inf))
    for place in positions():
        panel.set(**place)
        expected = mean(runs_at(**place))
        start = f" {METHODS[place['method']]} understands {whole(expected)} of the test sentences (without privacy: "
        assert start + f"{whole(reached)}) and " in plain(panel.answer.verdict)
        assert panel.drawing.shown()["ring"] == [(EPSILONS.index(place["epsilon"]), pytest.approx(expected))]


def test_it_shows_what_the_saved_tagger_understands_of_each_sentence(panel):
    counts = set()
    for place in positions():
        panel.set(**place)
        heard = [tagger(place["method"], place["epsilon"]).understand(text).intent for text, _ in SENTENCES]
        assert panel.answer.utterances == tuple((*each, guess) for each, guess in zip(SENTENCES, heard, strict=True))
        right = sum(guess == true for guess, (_, true) in zip(heard, SENTENCES, strict=True))
        assert f" and {right} of the {len(SENTENCES)} shown here." in panel.answer.verdict
        said, taken_for = zip(*panel.drawing.shown()["utterances"], strict=True)
        assert list(said) == [f"“{text}”" for text, _ in SENTENCES]
        assert sum(text.startswith("✓ ") for text in taken_for) == right
        assert sum(text.startswith("✗ ") and "(it is: " in text for text in taken_for) == len(SENTENCES) - right
        counts.add(right)
    assert len(counts) >= 3


def test_a_sentence_of_ones_own_is_understood_at_the_panels_epsilon(panel):
    said = "Book a flight from Ashford to Norton!"
    for place in positions():
        panel.set(**place, sentence=said)
        heard = tagger(**place).understand(said)
        assert panel.answer.own == (said, heard)
        words = f"It takes your sentence for {heard.intent.replace('_', ' ')} ({whole(heard.share)} sure)."
        assert plain(panel.answer.verdict).endswith(words)
        own = panel.drawing.shown()["own"]
        assert own[0] == f"“{said}” (yours)" and own[1].startswith(f"→ {heard.intent.replace('_', ' ')} (")
        assert f"Your sentence: {said}" in panel.summary
    panel.set(epsilon=math.inf, method="dp-sgd")
    assert panel.drawing.shown()["own"][1].endswith(" · from city: ashford · to city: norton")
    panel.reset()
    assert panel.answer.own is None and panel.drawing.shown()["own"] == ("Your sentence: type one above", "")
    assert "Your sentence: –" in panel.summary


def test_every_letter_typed_moves_the_picture(panel):
    panel.reset()
    seen = {panel.picture}
    for length in range(1, 6):
        panel.controls["sentence"].widget.value = "lights"[:length]  # as the page sends it
        seen.add(panel.picture)
    assert len(seen) == 6
    panel.reset()


def test_a_very_long_sentence_is_refused_from_code_and_cut_in_the_picture(panel):
    with pytest.raises(ValueError, match="text of at most 200 letters, got 201 letters"):
        panel.set(sentence="a" * 201)
    with pytest.raises(ValueError, match="got 7"):
        panel.set(sentence=7)
    panel.set(sentence="a" * 200)
    assert len(panel.drawing.shown()["own"][0]) < 56
    panel.reset()


def test_plain_sgd_is_a_line_of_reference_and_no_curve(panel, runs_at):
    assert set(panel.numbers["method"]) == {"DP-SGD", "eDP-SGD"}
    heights = [line.get_ydata()[0] for line in panel.drawing.axes.lines if line.get_linestyle() == "--"]
    assert pytest.approx(mean(runs_at("sgd", math.inf))) in heights


def test_the_picture_needs_no_torch_and_no_corpus():
    code = """
import sys
from trustlab.course.n00_start_here.panel import first_picture
panel = first_picture().set(epsilon=1.0, sentence="wake me up at seven")
print(len(panel.picture) > 1000, sorted({"torch", "datasets", "transformers", "sklearn", "opacus"} & set(sys.modules)))
"""
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ran.stdout == "True []\n", ran.stderr


def test_what_the_notebook_says_was_seen_is_so():
    """Numbers and sentences of "What did you see?" come from the committed table and the saved taggers."""
    (seen,) = ("".join(c["source"]) for c in NOTEBOOK["cells"] if "What did you see?" in "".join(c["source"]))
    seen = re.sub(r'<abbr title="[^"]*">|</abbr>', "", seen)
    table = stored.read_results(ROOT / "data" / "results" / "dp_sgd_vs_edp_sgd_assistant")[0]
    usual = table[(table["rule"] == "flat") & (table["noise_decay"] == 1)]
    at = {e: usual[(usual["method"] == "fast") & (usual["epsilon"] == e)]["accuracy"].mean() for e in EPSILONS}
    assert f"at ε = 1 at most {PROMISES[1.0]}" in seen
    assert f"DP-SGD understands {whole(at[8.0])} of the test sentences at ε = 8 and {whole(at[1.0])} at ε = 1" in seen
    assert tagger("dp-sgd", 3.0).understand(SENTENCES[-1][0]).intent == "set_alarm"
    assert f'Already at ε = 3 the model hears "{SENTENCES[-1][0]}" as *set alarm*' in seen
    edp = usual[(usual["method"] == "edp-sgd") & (usual["epsilon"] == 1)]["accuracy"].mean()
    assert f"{whole(edp)} at ε = 1" in seen


def test_the_copied_code_makes_the_same_panel_again_whatever_was_typed(panel):
    panel.set(epsilon=math.inf, method="edp-sgd", sentence='say "hello" \\ to Zoë')
    again = eval(panel.widgets.exports.code, {"first_picture": first_picture})
    assert again.summary == panel.summary and again.config == panel.config
    panel.reset()
