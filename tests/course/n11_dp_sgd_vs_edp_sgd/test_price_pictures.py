"""The pictures' sentences say the numbers of the tables, read here without the package's results."""

import re
from pathlib import Path

import pytest

from trustlab.course.n11_dp_sgd_vs_edp_sgd import method_search, price_pictures
from trustlab.lab.figures import png
from trustlab.results import read_results, results_directory
from trustlab.runs import write_results


@pytest.fixture(scope="module")
def mean(results):
    """Return a function to a mean over seeds of the made-up tables, read here without the package's results."""

    def of(corpus, method, epsilon, measure="accuracy", rule="flat", noise_decay=1.0):
        table = read_results(results_directory() / f"dp_sgd_vs_edp_sgd_{corpus}")[0]
        at = (table.method == method) & (table.epsilon == epsilon) & (table.rule == rule)
        return 100 * table[at & (table.noise_decay == noise_decay)][measure].mean()

    return of


def numbers(text):
    return [float(each) for each in re.findall(r"\d+(?:\.\d+)?", text)]


STEPS = Path(__file__).resolve().parents[3] / "data" / "results" / "private_step_time"
METHODS = ("DP-SGD, loop", "DP-SGD, fast", "eDP-SGD, K = 16")


def test_the_times_of_a_step_are_the_benchmarks_and_the_readers_own_stand_next_to_them(results):
    table, about = read_results(STEPS)
    write_results("private_step_time", table.to_dict("records"), about)

    def ratio(model, batch, method):
        at = (table.model == model) & (table.batch == batch) & (table.tokens == 16)
        return table[at & (table.method == method)]["times SGD"].item()

    loop, fast, micro = ([ratio("bilstm", 128, method), ratio("encoder", 32, method)] for method in METHODS)
    expected = [loop[0], fast[0], 2.16, micro[0], loop[1], fast[1], micro[1]]  # made up: 2 + K / 100 in K passes
    said = numbers(price_pictures.step_times().verdict)
    said.remove(16)  # of the method's name
    assert said == [float(f"{each:.2g}") for each in expected]
    row = {"low": 1.0, "high": 90.0, "rounds": 10, "seconds": 0.1}
    here = [{"method": method, "times SGD": 40.0 + i, **row} for i, method in enumerate(METHODS)]
    finding = price_pictures.step_times([*here, {"method": "another", "times SGD": 1.0, **row}])
    assert finding.verdict.endswith(" Here and now it is 40, 41 and 42 (BiLSTM).")
    assert sum(row["measured on"] == "here and now" for row in finding.rows) == 3


def test_the_loop_is_as_many_times_slower_as_an_utterance_alone_costs_more_than_one_in_a_batch(results):
    """In the made-up table every utterance costs 1 ms in a batch and 20 ms alone."""
    finding = price_pictures.as_the_batch_grows()
    assert finding.verdict == (
        "From batches of 128 to 2,048 the loop takes 20 to 20 times SGD's time, eDP-SGD by 16 passes 2.2 to 2.2. An "
        "utterance alone costs 20.0 ms, one more in a batch 1000 µs: on this thread no batch makes the loop more than "
        "20 times slower. 130 times needs hardware on which one more costs 154 µs."
    )
    assert [row["batch"] for row in finding.rows][::5] == [128, 256, 512, 1024, 2048]
    assert {row["method"]: row["× SGD"] for row in finding.rows}["eDP, K = 256"] == pytest.approx(4.56)


def test_how_far_edp_sgd_is_behind_is_said_for_each_corpus(mean):
    said = price_pictures.scores(8.0).verdict
    for corpus, name in (("assistant", "the embedded corpus"), ("snips", "SNIPS")):
        behind = [mean(corpus, "fast", 8, each) - mean(corpus, "edp-sgd", 8, each) for each in ("accuracy", "slot_f1")]
        assert f"{behind[0]:.0f} and {behind[1]:.0f} points on {name}" in said.replace("\N{MINUS SIGN}", "-")
    table = read_results(results_directory() / "dp_sgd_vs_edp_sgd_assistant")[0].set_index("method")["accuracy"]
    best = max(("majority", "tf-idf", "frozen encoder"), key=lambda name: table[name])
    short = {"frozen encoder": "MiniLM"}.get(best, best)
    assert f"which is not private, gets {100 * table[best]:.0f} % ({short}), 10 % (" in said.replace("\u00a0", " ")


def test_the_fall_is_told_with_what_it_seemed_and_what_tuning_left(mean):
    said = price_pictures.the_fall()
    edp, fast = mean("assistant", "edp-sgd", 8), mean("assistant", "fast", 8)
    assert "eDP-SGD understood 43 % of the intents at ε = 8, and DP-SGD 92 %: it lost 48 points" in said
    assert f"they understand {edp:.0f} % and {fast:.0f} %: eDP-SGD loses {fast - edp:.0f} points." in said


def test_what_an_option_is_worth_is_the_span_of_its_best_scores(searched):
    said = price_pictures.what_tuning_found("learning_rate").verdict
    for method, words in (("fast", "DP-SGD"), ("edp-sgd", "eDP-SGD")):
        lost = []
        for epsilon in (1.0, 3.0, 8.0):
            trials = [row for row in searched if row["method"] == method and row["epsilon"] == epsilon]
            rates = method_search.SPACES[method]["learning_rate"].values
            best = [max(t["score"] for t in trials if t["learning_rate"] == rate) for rate in rates]
            lost.append(100 * (max(best) - min(best)))
        assert f"{words}'s by {min(lost):.0f} to {max(lost):.0f}" in said


def test_the_two_ingredients_say_what_they_change(mean):
    said = price_pictures.two_ingredients().verdict
    for method in ("fast", "edp-sgd"):
        usual = mean("assistant", method, 8)
        for varied in (dict(rule="equal"), dict(noise_decay=0.8)):
            change = mean("assistant", method, 8, **varied) - usual
            assert f"{change:+.1f} points".replace("-", "\N{MINUS SIGN}") in said


@pytest.mark.parametrize("name", ["assistant", "snips"])
def test_who_pays_says_the_fall_of_all_and_of_rare_intents(name, mean):
    finding = price_pictures.who_pays(name)
    said = finding.verdict.replace("\u00a0", "")
    assert f"all intents fall from {mean(name, 'fast', 8):.0f}% to {mean(name, 'fast', 1):.0f}%" in said
    weak, strong = (mean(name, "fast", epsilon, "accuracy_rare") for epsilon in (8, 1))
    assert f"the rare ones from {weak:.0f}% to {strong:.0f}%." in said


def test_a_miscounted_decay_names_the_worst():
    rows = [
        {"decay": "γ = 1", "ε claimed": 7.99, "ε spent": 7.99},
        {"decay": "γ = 0.7", "ε claimed": 7.99, "ε spent": 157.3},
    ]
    finding = price_pictures.miscounted(rows)
    assert finding.verdict == (
        "With γ = 0.7, an accountant that misses the decay claims ε = 8; the training spends 157."
    )
    assert len(png(finding.figure)) > 1000
